-- A document is open to whoever may open all charts, to its author, and to whoever may open the chart of a
-- patient it is about. Passages follow their document.
CREATE OR REPLACE FUNCTION app_open_documents() RETURNS uuid[]
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(id), '{}') FROM (
        SELECT document_id AS id FROM document_patients
        WHERE facility_id = app_facility() AND patient_id = ANY ((SELECT app_open_patients())::uuid[])
        UNION
        SELECT id FROM documents WHERE facility_id = app_facility() AND author_id = app_user()
    ) open
$$;
GRANT EXECUTE ON FUNCTION app_open_documents() TO anamnesis_server;

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

DROP POLICY IF EXISTS open_document ON documents;
CREATE POLICY open_document ON documents AS RESTRICTIVE FOR SELECT USING (
    (SELECT app_patient_scope()) = 'all'
    OR ((SELECT app_patient_scope()) = 'own' AND (
        author_id = (SELECT app_user())
        OR id = ANY ((SELECT array(
            SELECT p.document_id FROM document_patients p WHERE p.facility_id = (SELECT app_facility())
        ))::uuid[])))
    -- In the portal: notes that are done, about the patient and nobody else.
    OR ((SELECT app_patient_scope()) = 'linked' AND note_state IN ('final', 'signed') AND kind <> 'psychotherapy_note'
        AND NOT part2
        AND id = ANY ((SELECT array(
            SELECT p.document_id FROM document_patients p WHERE p.facility_id = (SELECT app_facility())
        ))::uuid[])
        AND cardinality(document_linked_patients(id)) = 1));

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
    (SELECT app_patient_scope()) <> 'linked' AND EXISTS (SELECT FROM documents d
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
    -- A sub-select in an OR is hashed once; an array would be walked for every passage of the facility. The one within
    -- keeps the planner from asking the function each time it plans, to guess how many there will be.
    FOREACH target IN ARRAY ARRAY['document_signatures', 'document_chunks', 'chunk_embeddings', 'chunk_terms', 'document_work'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS open_document ON %I', target);
        EXECUTE format('CREATE POLICY open_document ON %I AS RESTRICTIVE FOR SELECT USING ('
            '(SELECT app_patient_scope()) = ''all'' OR ((SELECT app_patient_scope()) = ''own'' '
            'AND document_id IN (SELECT unnest((SELECT app_open_documents())))))', target);
    END LOOP;
END $$;

-- Documents with passages in search that the actor may not know of: labelled 42 CFR Part 2 and neither their own nor
-- theirs to read, or taken back to be drafts. They are few, and found as the server itself would find them.
CREATE OR REPLACE FUNCTION app_hidden_documents() RETURNS uuid[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_scope constant text := coalesce(current_setting('app.scope', true), '');
    v_patients constant text := coalesce(current_setting('app.patient_scope', true), '');
    v_part2 constant text := coalesce(current_setting('app.part2', true), '');
    hidden uuid[];
BEGIN
    IF v_scope = 'system' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.scope', 'system', true), set_config('app.patient_scope', 'all', true),
        set_config('app.part2', 'on', true);
    SELECT coalesce(array_agg(id), '{}') INTO hidden FROM documents
        WHERE facility_id = app_facility() AND chunk_count > 0 AND (part2 OR note_state = 'draft')
          AND author_id IS DISTINCT FROM app_user()
          AND (v_part2 <> 'on' OR note_state IS NOT DISTINCT FROM 'draft');
    PERFORM set_config('app.scope', v_scope, true), set_config('app.patient_scope', v_patients, true),
        set_config('app.part2', v_part2, true);
    RETURN hidden;
END $$;
GRANT EXECUTE ON FUNCTION app_hidden_documents() TO anamnesis_server;

-- What search ranks by, and counts: most have nothing hidden from them, which is asked once a statement; else each row is
-- looked up in a hash table of what is.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['chunk_embeddings', 'chunk_terms'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS kept_apart ON %I', target);
        EXECUTE format('CREATE POLICY kept_apart ON %I AS RESTRICTIVE FOR SELECT USING ('
            '(SELECT cardinality(app_hidden_documents())) = 0 '
            'OR document_id NOT IN (SELECT unnest((SELECT app_hidden_documents()))))', target);
    END LOOP;
END $$;

-- What a labelled document is made of follows it: shown a few at a time, each is held against its document.
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

