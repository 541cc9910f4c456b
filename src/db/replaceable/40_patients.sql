-- The charts the actor may open: a care relationship that has not ended, or an emergency access that has not
-- run out. Evaluated once a statement.
CREATE OR REPLACE FUNCTION app_open_patients() RETURNS uuid[]
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(patient_id), '{}') FROM (
        SELECT patient_id FROM care_relationships
        WHERE facility_id = app_facility() AND user_id = app_user() AND ended_at IS NULL
        UNION
        SELECT patient_id FROM break_glass_accesses
        WHERE facility_id = app_facility() AND user_id = app_user() AND expires_at > app_now()
    ) open
$$;
GRANT EXECUTE ON FUNCTION app_open_patients() TO anamnesis_server;

-- Restrictive: on top of the tenant policy, never instead of it. Inserting is not restricted: a therapist may
-- register a patient, and the registration opens the chart to them.
DO $$
DECLARE
    target text;
    key text;
BEGIN
    FOREACH target IN ARRAY ARRAY['patients', 'patient_terms', 'patient_contacts', 'patient_coverages',
        'patient_visits', 'visit_diagnoses', 'patient_allergies', 'document_patients'] LOOP
        key := CASE target WHEN 'patients' THEN 'id' ELSE 'patient_id' END;
        EXECUTE format('DROP POLICY IF EXISTS open_chart ON %I', target);
        EXECUTE format('DROP POLICY IF EXISTS open_chart_update ON %I', target);
        EXECUTE format('DROP POLICY IF EXISTS open_chart_delete ON %I', target);
        EXECUTE format('CREATE POLICY open_chart ON %I AS RESTRICTIVE FOR SELECT USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND %I = ANY ((SELECT app_open_patients())::uuid[])))', target, key);
        EXECUTE format('CREATE POLICY open_chart_update ON %I AS RESTRICTIVE FOR UPDATE USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND %I = ANY ((SELECT app_open_patients())::uuid[])))', target, key);
        EXECUTE format('CREATE POLICY open_chart_delete ON %I AS RESTRICTIVE FOR DELETE USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND %I = ANY ((SELECT app_open_patients())::uuid[])))', target, key);
    END LOOP;
END $$;
