-- Who is linked to which chart: staff see what is linked to charts open to them, and whoever uses the portal their own.
DO $$
DECLARE verb text;
BEGIN
    FOREACH verb IN ARRAY ARRAY['SELECT', 'UPDATE'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON patient_users', 'open_chart_' || lower(verb));
        EXECUTE format('CREATE POLICY %I ON patient_users AS RESTRICTIVE FOR %s USING ('
            'CASE (SELECT app_patient_scope()) WHEN ''all'' THEN true '
            'WHEN ''own'' THEN patient_id = ANY ((SELECT app_open_patients())::uuid[]) '
            'WHEN ''linked'' THEN %L = ''SELECT'' AND user_id = (SELECT app_user()) ELSE false END)',
            'open_chart_' || lower(verb), verb, verb);
    END LOOP;
END $$;

-- What the portal shows is not changed through it: a request for a correction is all that is written there.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['patients', 'patient_visits', 'documents', 'document_patients', 'patient_users'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS portal_insert ON %I', target);
        EXECUTE format('CREATE POLICY portal_insert ON %I AS RESTRICTIVE FOR INSERT '
            'WITH CHECK ((SELECT app_patient_scope()) <> ''linked'')', target);
    END LOOP;
    FOREACH target IN ARRAY ARRAY['documents', 'amendment_requests'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS portal_update ON %I', target);
        EXECUTE format('CREATE POLICY portal_update ON %I AS RESTRICTIVE FOR UPDATE '
            'USING ((SELECT app_patient_scope()) <> ''linked'')', target);
    END LOOP;
END $$;
