-- A document is open to whoever may open all charts, to its author, and to whoever may open the chart of a
-- patient it is about. Passages follow their document.
CREATE OR REPLACE FUNCTION app_open_documents() RETURNS uuid[]
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(id), '{}') FROM (
        SELECT document_id AS id FROM document_patients
        WHERE facility_id = app_facility() AND patient_id = ANY (app_open_patients())
        UNION
        SELECT id FROM documents WHERE facility_id = app_facility() AND author_id = app_user()
    ) open
$$;
GRANT EXECUTE ON FUNCTION app_open_documents() TO anamnesis_server;

DROP POLICY IF EXISTS open_document ON documents;
CREATE POLICY open_document ON documents AS RESTRICTIVE FOR SELECT USING (
    (SELECT app_patient_scope()) = 'all'
    OR ((SELECT app_patient_scope()) = 'own' AND (
        author_id = (SELECT app_user())
        OR id = ANY ((SELECT array(
            SELECT p.document_id FROM document_patients p WHERE p.facility_id = (SELECT app_facility())
        ))::uuid[]))));

DO $$
DECLARE target text;
BEGIN
    -- A sub-select in an OR is hashed once; an array would be walked for every passage of the facility.
    FOREACH target IN ARRAY ARRAY['document_signatures', 'document_chunks', 'chunk_embeddings', 'chunk_terms', 'document_work'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS open_document ON %I', target);
        EXECUTE format('CREATE POLICY open_document ON %I AS RESTRICTIVE FOR SELECT USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND document_id IN (SELECT unnest(app_open_documents()))))', target);
    END LOOP;
END $$;

-- All patients of a document, as ids, whoever asks: what a signature is over does not depend on who checks it. The
-- tenant policy still holds. The scope is widened by hand: a SET clause for it needs a superuser.
CREATE OR REPLACE FUNCTION document_linked_patients(p_document uuid) RETURNS uuid[]
    LANGUAGE plpgsql AS $$
DECLARE
    scope constant text := current_setting('app.patient_scope', true);
    linked uuid[];
BEGIN
    PERFORM set_config('app.patient_scope', 'all', true);
    SELECT coalesce(array_agg(patient_id ORDER BY patient_id), '{}') INTO linked FROM document_patients
        WHERE facility_id = app_facility() AND document_id = p_document;
    PERFORM set_config('app.patient_scope', coalesce(scope, ''), true);
    RETURN linked;
END $$;
GRANT EXECUTE ON FUNCTION document_linked_patients(uuid) TO anamnesis_server;
