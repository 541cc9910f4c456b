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

-- A draft and a psychotherapy note are their author's alone, whatever else may be read (45 CFR 164.501 and 164.508(a)(2)). A record
-- of substance use disorder treatment is read by its author and by whoever has the permission for such (42 CFR Part 2).
-- The server itself sees both: it re-encrypts them.
DROP POLICY IF EXISTS kept_apart ON documents;
CREATE POLICY kept_apart ON documents AS RESTRICTIVE FOR SELECT USING (
    ((kind <> 'psychotherapy_note' AND note_state IS DISTINCT FROM 'draft')
        OR author_id = (SELECT app_user()) OR (SELECT app_scope()) = 'system')
    AND (NOT part2 OR author_id = (SELECT app_user()) OR (SELECT app_reads_part2())));

-- Versions follow their document; those of a draft stay its author's, whatever became of the note.
DROP POLICY IF EXISTS open_document ON document_versions;
CREATE POLICY open_document ON document_versions AS RESTRICTIVE FOR SELECT USING (
    EXISTS (SELECT FROM documents d
            WHERE d.facility_id = document_versions.facility_id AND d.id = document_versions.document_id
              AND (document_versions.note_state IS DISTINCT FROM 'draft' OR d.author_id = (SELECT app_user())
                   OR (SELECT app_scope()) = 'system')));

-- A request is seen where its document and the chart of who asks are.
DROP POLICY IF EXISTS open_document ON amendment_requests;
CREATE POLICY open_document ON amendment_requests AS RESTRICTIVE FOR SELECT USING (
    EXISTS (SELECT FROM documents d
            WHERE d.facility_id = amendment_requests.facility_id AND d.id = amendment_requests.document_id)
    AND ((SELECT app_patient_scope()) = 'all' OR patient_id = ANY ((SELECT app_open_patients())::uuid[])));

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

-- What a labelled document is made of follows it. The rankings of search are held against documents themselves, in each
-- statement; a look at the document for each of their rows would cost more than they do.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['document_signatures', 'document_chunks'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS kept_apart ON %I', target);
        EXECUTE format('CREATE POLICY kept_apart ON %1$I AS RESTRICTIVE FOR SELECT USING ('
            '(SELECT app_reads_part2()) OR EXISTS (SELECT FROM documents d '
            'WHERE d.facility_id = %1$I.facility_id AND d.id = %1$I.document_id))', target);
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
