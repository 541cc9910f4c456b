-- The charts the actor may open: a care relationship that has not ended, or an emergency access that has not
-- run out; for a user of the portal those they are linked to, and nothing else opens one. Evaluated once a statement. The setting, taken back at once, keeps the policy of care_relationships
-- below from asking this function in turn; it is set in the body because only a superuser may tie a setting of
-- ours to a function.
CREATE OR REPLACE FUNCTION app_open_patients() RETURNS uuid[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    opened uuid[];
BEGIN
    IF app_patient_scope() = 'linked' THEN
        RETURN (SELECT coalesce(array_agg(patient_id), '{}') FROM patient_users
            WHERE facility_id = app_facility() AND user_id = app_user() AND revoked_at IS NULL);
    END IF;
    PERFORM set_config('app.opening', 'on', true);
    SELECT coalesce(array_agg(patient_id), '{}') INTO opened FROM (
        SELECT patient_id FROM care_relationships
        WHERE facility_id = app_facility() AND user_id = app_user() AND ended_at IS NULL
        UNION
        SELECT patient_id FROM break_glass_accesses
        WHERE facility_id = app_facility() AND user_id = app_user() AND expires_at > app_now()
    ) open;
    PERFORM set_config('app.opening', '', true);
    RETURN opened;
END $$;
GRANT EXECUTE ON FUNCTION app_open_patients() TO anamnesis_server;

-- Restrictive: on top of the tenant policy, never instead of it. Inserting is not restricted: a therapist may
-- register a patient, and the registration opens the chart to them.
DO $$
DECLARE
    target text;
    key text;
    scopes text;
BEGIN
    FOREACH target IN ARRAY ARRAY['patients', 'patient_terms', 'patient_contacts', 'patient_coverages',
        'patient_visits', 'visit_diagnoses', 'patient_allergies', 'document_patients'] LOOP
        key := CASE target WHEN 'patients' THEN 'id' ELSE 'patient_id' END;
        -- What the portal shows of a chart, and nothing else of it.
        scopes := CASE WHEN target IN ('patients', 'patient_visits', 'document_patients') THEN '{own,linked}' ELSE '{own}' END;
        EXECUTE format('DROP POLICY IF EXISTS open_chart ON %I', target);
        EXECUTE format('DROP POLICY IF EXISTS open_chart_update ON %I', target);
        EXECUTE format('DROP POLICY IF EXISTS open_chart_delete ON %I', target);
        EXECUTE format('CREATE POLICY open_chart ON %I AS RESTRICTIVE FOR SELECT USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ANY (%L::text[]) '
            'AND %I = ANY ((SELECT app_open_patients())::uuid[])))', target, scopes, key);
        EXECUTE format('CREATE POLICY open_chart_update ON %I AS RESTRICTIVE FOR UPDATE USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND %I = ANY ((SELECT app_open_patients())::uuid[])))', target, key);
        EXECUTE format('CREATE POLICY open_chart_delete ON %I AS RESTRICTIVE FOR DELETE USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND %I = ANY ((SELECT app_open_patients())::uuid[])))', target, key);
    END LOOP;
END $$;

-- Who treats whom: a restricted therapist sees the team of charts open to them, and their own relationships.
DROP POLICY IF EXISTS open_chart ON care_relationships;
CREATE POLICY open_chart ON care_relationships AS RESTRICTIVE FOR SELECT USING (
    CASE (SELECT app_patient_scope())
        WHEN 'all' THEN true
        WHEN 'own' THEN CASE WHEN (SELECT coalesce(current_setting('app.opening', true), '')) = 'on' THEN user_id = (SELECT app_user())
            ELSE user_id = (SELECT app_user()) OR patient_id = ANY ((SELECT app_open_patients())::uuid[]) END
        ELSE false
    END);

-- Emergency accesses of others are for those who review them.
DROP POLICY IF EXISTS own_access ON break_glass_accesses;
CREATE POLICY own_access ON break_glass_accesses AS RESTRICTIVE FOR SELECT USING (
    (SELECT app_patient_scope()) = 'all' OR user_id = (SELECT app_user()));

-- The patient with a record number, for emergency access by someone who may not know of them. Of the facility
-- bound alone, and nothing but the id: the number itself is hashed by the server under the facility's key.
CREATE OR REPLACE FUNCTION break_glass_patient(p_mrn_index bigint) RETURNS uuid
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    bound text := app_patient_scope();
    found_id uuid;
BEGIN
    PERFORM set_config('app.patient_scope', 'all', true);
    SELECT id INTO found_id FROM patients WHERE facility_id = app_facility() AND mrn_index = p_mrn_index;
    PERFORM set_config('app.patient_scope', bound, true);
    RETURN found_id;
END $$;
GRANT EXECUTE ON FUNCTION break_glass_patient(bigint) TO anamnesis_server;
