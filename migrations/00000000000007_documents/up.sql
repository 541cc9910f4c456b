-- Uploaded files and authored notes, their passages, and what search reads.

CREATE TABLE embedding_models (
    id smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL CONSTRAINT embedding_models_name_key UNIQUE,
    dimensions smallint NOT NULL CONSTRAINT embedding_models_dimensions_check CHECK (dimensions BETWEEN 1 AND 4000),
    state text NOT NULL CONSTRAINT embedding_models_state_check CHECK (state IN ('serving', 'preparing', 'retired')),
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX embedding_models_serving_key ON embedding_models (state) WHERE state = 'serving';
COMMENT ON TABLE embedding_models IS 'Embedding models: one serves, another may be prepared in the background. Not tenant-owned.';
COMMENT ON COLUMN embedding_models.id IS 'operational: number';
COMMENT ON COLUMN embedding_models.name IS 'operational: name of the model';
COMMENT ON COLUMN embedding_models.dimensions IS 'operational: length of its vectors';
COMMENT ON COLUMN embedding_models.state IS 'operational: serving answers queries; preparing is being filled; retired is kept for the record';
COMMENT ON COLUMN embedding_models.created_at IS 'operational: when it was registered';
GRANT SELECT, INSERT, UPDATE ON embedding_models TO anamnesis_server;

CREATE TABLE documents (
    facility_id uuid NOT NULL CONSTRAINT documents_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    origin text NOT NULL CONSTRAINT documents_origin_check CHECK (origin IN ('upload', 'note')),
    kind text NOT NULL CONSTRAINT documents_kind_check CHECK (kind IN ('medical_record', 'lab_result', 'imaging_report', 'discharge_summary', 'treatment_plan', 'insurance_document', 'consent_form', 'medication_list', 'allergy_record', 'clinical_note', 'psychotherapy_note', 'referral', 'other')),
    title_ciphertext bytea NOT NULL,
    file_name_ciphertext bytea,
    mime_type text NOT NULL,
    size_bytes bigint NOT NULL CONSTRAINT documents_size_bytes_check CHECK (size_bytes >= 0),
    sha256 bytea NOT NULL,
    object_key text,
    file_key_ciphertext bytea,
    body_ciphertext bytea,
    author_id uuid CONSTRAINT documents_author_id_fkey REFERENCES users (id),
    document_date date NOT NULL,
    status text NOT NULL CONSTRAINT documents_status_check CHECK (status IN ('uploaded', 'extracting', 'embedding', 'ready', 'ready_without_text', 'failed', 'quarantined')),
    failure_code text,
    note_state text CONSTRAINT documents_note_state_check CHECK (note_state IN ('draft', 'final', 'awaiting_cosignature', 'signed')),
    signed_at timestamptz,
    addendum_to uuid,
    part2 boolean NOT NULL DEFAULT false,
    template_id uuid,
    template_number integer,
    fields_ciphertext bytea,
    visit_id uuid,
    language text,
    page_count integer,
    chunk_count integer NOT NULL DEFAULT 0,
    ready_at timestamptz,
    scanned_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT documents_facility_id_addendum_to_fkey FOREIGN KEY (facility_id, addendum_to) REFERENCES documents (facility_id, id),
    CONSTRAINT documents_facility_id_visit_id_fkey FOREIGN KEY (facility_id, visit_id) REFERENCES patient_visits (facility_id, id),
    CONSTRAINT documents_content_check CHECK ((origin = 'upload' AND object_key IS NOT NULL AND file_key_ciphertext IS NOT NULL AND file_name_ciphertext IS NOT NULL AND body_ciphertext IS NULL AND note_state IS NULL) OR (origin = 'note' AND object_key IS NULL AND body_ciphertext IS NOT NULL AND note_state IS NOT NULL)),
    CONSTRAINT documents_signed_check CHECK ((signed_at IS NOT NULL) = (note_state IS NOT DISTINCT FROM 'signed')),
    -- Kept apart from the record: written here, and never read into search.
    CONSTRAINT documents_psychotherapy_check CHECK (kind <> 'psychotherapy_note' OR (origin = 'note' AND status = 'uploaded' AND chunk_count = 0)),
    CONSTRAINT documents_template_check CHECK ((template_id IS NULL) = (fields_ciphertext IS NULL) AND (template_id IS NULL) = (template_number IS NULL) AND (template_id IS NULL OR origin = 'note')),
    CONSTRAINT documents_failed_check CHECK ((status IN ('failed', 'ready_without_text', 'quarantined')) = (failure_code IS NOT NULL))
);
CREATE INDEX documents_facility_id_kind_idx ON documents (facility_id, kind, document_date);
CREATE INDEX documents_facility_id_document_date_idx ON documents (facility_id, document_date);
CREATE INDEX documents_facility_id_author_id_idx ON documents (facility_id, author_id);
CREATE INDEX documents_author_id_idx ON documents (author_id);
CREATE INDEX documents_facility_id_addendum_to_idx ON documents (facility_id, addendum_to);
CREATE INDEX documents_facility_id_hidden_idx ON documents (facility_id) INCLUDE (id, author_id, note_state) WHERE chunk_count > 0 AND (part2 OR note_state = 'draft');
CREATE INDEX documents_facility_id_visit_id_idx ON documents (facility_id, visit_id);
CREATE INDEX documents_facility_id_status_idx ON documents (facility_id, status) WHERE status <> 'ready';
CREATE INDEX documents_facility_id_note_state_idx ON documents (facility_id, author_id) WHERE note_state = 'awaiting_cosignature';
CREATE UNIQUE INDEX documents_object_key_key ON documents (object_key);
COMMENT ON TABLE documents IS 'An uploaded file or an authored note.';
COMMENT ON COLUMN documents.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN documents.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN documents.origin IS 'operational: uploaded file or authored note';
COMMENT ON COLUMN documents.kind IS 'clinical: what it is';
COMMENT ON COLUMN documents.title_ciphertext IS 'phi: title';
COMMENT ON COLUMN documents.file_name_ciphertext IS 'phi: file name as uploaded; null for notes';
COMMENT ON COLUMN documents.mime_type IS 'operational: sniffed from the content, not believed from the client';
COMMENT ON COLUMN documents.size_bytes IS 'operational: size of the plain content';
COMMENT ON COLUMN documents.sha256 IS 'operational: SHA-256 of the plain content';
COMMENT ON COLUMN documents.object_key IS 'operational: where the encrypted file is; null for notes';
COMMENT ON COLUMN documents.file_key_ciphertext IS 'phi: key of the file, encrypted under the facility key; null for notes';
COMMENT ON COLUMN documents.body_ciphertext IS 'phi: text of a note; null for uploads';
COMMENT ON COLUMN documents.author_id IS 'identifier: who uploaded or wrote it; null for imports';
COMMENT ON COLUMN documents.document_date IS 'clinical: the day it is about';
COMMENT ON COLUMN documents.status IS 'operational: how far it is on its way into search';
COMMENT ON COLUMN documents.failure_code IS 'operational: why it failed, has no text or is quarantined (extraction::ExtractionError::code); null otherwise';
COMMENT ON COLUMN documents.note_state IS 'clinical: life cycle of a note; null for uploads';
COMMENT ON COLUMN documents.signed_at IS 'clinical: when it was signed; null while it is not';
COMMENT ON COLUMN documents.addendum_to IS 'identifier: the signed note this adds to; null otherwise';
COMMENT ON COLUMN documents.part2 IS 'clinical: whether it is a record of substance use disorder treatment under 42 CFR Part 2';
COMMENT ON COLUMN documents.template_id IS 'operational: the template a note was made of, one of the facility or one that comes with the product; null for none';
COMMENT ON COLUMN documents.template_number IS 'operational: number of the version of the template';
COMMENT ON COLUMN documents.fields_ciphertext IS 'phi: what is filled into the fields of the template, as JSON';
COMMENT ON COLUMN documents.visit_id IS 'identifier: the visit it is of, one of a patient it is about; null for none';
COMMENT ON COLUMN documents.language IS 'operational: language of the text as a BCP 47 subtag, told from the text; null before, and where it cannot be told';
COMMENT ON COLUMN documents.page_count IS 'operational: pages found by extraction; null before and for pageless text';
COMMENT ON COLUMN documents.chunk_count IS 'operational: passages in search';
COMMENT ON COLUMN documents.ready_at IS 'operational: when it could first be found; null before';
COMMENT ON COLUMN documents.scanned_at IS 'operational: when a virus scanner last found it clean; null before, and where there is no scanner';
COMMENT ON COLUMN documents.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN documents.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN documents.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('documents', 'SELECT, INSERT, UPDATE');

-- A signed note is the record: nothing of it changes any more, whoever asks. What search derives from it may. One that
-- waits for a co-signature is as final, but for that.
CREATE FUNCTION documents_signed_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    cosigned boolean := TG_OP = 'UPDATE' AND OLD.note_state = 'awaiting_cosignature' AND NEW.note_state = 'signed';
BEGIN
    IF OLD.note_state IS NULL OR OLD.note_state NOT IN ('awaiting_cosignature', 'signed') THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE'
        OR NEW.facility_id IS DISTINCT FROM OLD.facility_id OR NEW.id IS DISTINCT FROM OLD.id
        OR NEW.origin IS DISTINCT FROM OLD.origin OR NEW.kind IS DISTINCT FROM OLD.kind
        OR NEW.mime_type IS DISTINCT FROM OLD.mime_type OR NEW.size_bytes IS DISTINCT FROM OLD.size_bytes
        OR NEW.sha256 IS DISTINCT FROM OLD.sha256 OR NEW.author_id IS DISTINCT FROM OLD.author_id
        OR NEW.document_date IS DISTINCT FROM OLD.document_date
        OR ((NEW.note_state IS DISTINCT FROM OLD.note_state OR NEW.signed_at IS DISTINCT FROM OLD.signed_at)
            AND NOT coalesce(cosigned, false))
        OR NEW.addendum_to IS DISTINCT FROM OLD.addendum_to OR NEW.visit_id IS DISTINCT FROM OLD.visit_id
        OR NEW.created_at IS DISTINCT FROM OLD.created_at
        OR NEW.template_id IS DISTINCT FROM OLD.template_id OR NEW.template_number IS DISTINCT FROM OLD.template_number
        -- Re-encryption under a new key changes ciphertext, and is done by the system alone.
        OR ((NEW.body_ciphertext IS DISTINCT FROM OLD.body_ciphertext
             OR NEW.fields_ciphertext IS DISTINCT FROM OLD.fields_ciphertext
             OR NEW.title_ciphertext IS DISTINCT FROM OLD.title_ciphertext) AND app_scope() <> 'system')
    THEN
        RAISE EXCEPTION 'a signed document cannot be changed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_signed_is_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signed_is_final BEFORE UPDATE OR DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION documents_signed_is_final();

-- What was written as a psychotherapy note stays one, and nothing else becomes one.
CREATE FUNCTION documents_class_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.kind = 'psychotherapy_note') <> (NEW.kind = 'psychotherapy_note') THEN
        RAISE EXCEPTION 'a psychotherapy note is kept apart from the record'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_class_is_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER class_is_final BEFORE UPDATE ON documents
    FOR EACH ROW EXECUTE FUNCTION documents_class_is_final();

CREATE TABLE document_patients (
    facility_id uuid NOT NULL,
    document_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, document_id, patient_id),
    CONSTRAINT document_patients_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_patients_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id)
);
CREATE INDEX document_patients_facility_id_patient_id_idx ON document_patients (facility_id, patient_id);
COMMENT ON TABLE document_patients IS 'Which patients a document is about.';
COMMENT ON COLUMN document_patients.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_patients.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_patients.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN document_patients.linked_at IS 'operational: when it was linked';
SELECT protect_tenant_table('document_patients', 'SELECT, INSERT, DELETE');

-- Whom a signed note is about is part of what was signed.
CREATE FUNCTION document_patients_signed_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    link document_patients := CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (
        SELECT FROM documents d
        WHERE d.facility_id = link.facility_id AND d.id = link.document_id AND d.note_state IN ('awaiting_cosignature', 'signed')
    ) THEN
        RAISE EXCEPTION 'a signed document cannot be changed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_signed_is_final';
    END IF;
    RETURN link;
END $$;
CREATE TRIGGER signed_is_final BEFORE INSERT OR UPDATE OR DELETE ON document_patients
    FOR EACH ROW EXECUTE FUNCTION document_patients_signed_is_final();

CREATE TABLE document_signatures (
    facility_id uuid NOT NULL CONSTRAINT document_signatures_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT document_signatures_user_id_fkey REFERENCES users (id),
    content_sha256 bytea NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT document_signatures_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id)
);
CREATE INDEX document_signatures_facility_id_document_id_idx ON document_signatures (facility_id, document_id);
CREATE INDEX document_signatures_user_id_idx ON document_signatures (user_id);
COMMENT ON TABLE document_signatures IS 'A signature on a document.';
COMMENT ON COLUMN document_signatures.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_signatures.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN document_signatures.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_signatures.user_id IS 'identifier: who signed';
COMMENT ON COLUMN document_signatures.content_sha256 IS 'operational: SHA-256 of the content signed';
COMMENT ON COLUMN document_signatures.key_id IS 'operational: which server key sealed the signature';
COMMENT ON COLUMN document_signatures.signature IS 'operational: Ed25519 over document, signer, time and content hash';
COMMENT ON COLUMN document_signatures.signed_at IS 'clinical: when';
SELECT protect_tenant_table('document_signatures', 'SELECT, INSERT');

CREATE FUNCTION document_signatures_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a signature cannot be changed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_signed_is_final';
END $$;
CREATE TRIGGER signatures_are_final BEFORE UPDATE OR DELETE ON document_signatures
    FOR EACH ROW EXECUTE FUNCTION document_signatures_are_final();

CREATE TABLE document_chunks (
    facility_id uuid NOT NULL CONSTRAINT document_chunks_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    position integer NOT NULL,
    page integer,
    start_char integer NOT NULL,
    end_char integer NOT NULL,
    term_count integer NOT NULL,
    text_ciphertext bytea NOT NULL,
    box_left smallint,
    box_top smallint,
    box_right smallint,
    box_bottom smallint,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT document_chunks_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_chunks_facility_id_document_id_position_key UNIQUE (facility_id, document_id, position)
);
COMMENT ON TABLE document_chunks IS 'A passage of a document, as search finds it.';
COMMENT ON COLUMN document_chunks.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_chunks.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN document_chunks.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_chunks.position IS 'operational: 0, 1, 2 in the document';
COMMENT ON COLUMN document_chunks.page IS 'operational: page it begins on, from 1; null for pageless text';
COMMENT ON COLUMN document_chunks.start_char IS 'operational: first character in the extracted text (of the page, where there are pages)';
COMMENT ON COLUMN document_chunks.end_char IS 'operational: character after the last';
COMMENT ON COLUMN document_chunks.term_count IS 'operational: lexemes in it, for ranking';
COMMENT ON COLUMN document_chunks.text_ciphertext IS 'phi: the text';
COMMENT ON COLUMN document_chunks.box_left IS 'operational: left edge on the page, in ten-thousandths of its width; null for text that was not read from a picture';
COMMENT ON COLUMN document_chunks.box_top IS 'operational: upper edge, in ten-thousandths of its height';
COMMENT ON COLUMN document_chunks.box_right IS 'operational: right edge';
COMMENT ON COLUMN document_chunks.box_bottom IS 'operational: lower edge';
SELECT protect_tenant_table('document_chunks');

-- Vectors lie beside their tenant: the covering index keeps the vectors of a facility together, so an exact
-- search reads them in order, and one of a large facility those of the cells it looks into. Rows of wide models do not fit
-- an index page and are read from the table.
CREATE TABLE chunk_embeddings (
    facility_id uuid NOT NULL,
    model_id smallint NOT NULL CONSTRAINT chunk_embeddings_model_id_fkey REFERENCES embedding_models (id),
    chunk_id uuid NOT NULL,
    document_id uuid NOT NULL,
    embedding halfvec NOT NULL,
    cell integer NOT NULL DEFAULT 0,
    PRIMARY KEY (facility_id, chunk_id, model_id),
    CONSTRAINT chunk_embeddings_facility_id_chunk_id_fkey FOREIGN KEY (facility_id, chunk_id) REFERENCES document_chunks (facility_id, id) ON DELETE CASCADE,
    CONSTRAINT chunk_embeddings_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id)
);
CREATE INDEX chunk_embeddings_facility_id_model_id_cell_idx ON chunk_embeddings (facility_id, model_id, cell) INCLUDE (chunk_id, document_id, embedding) WHERE vector_dims(embedding) <= 1024;
CREATE INDEX chunk_embeddings_facility_id_model_id_cell_wide_idx ON chunk_embeddings (facility_id, model_id, cell) WHERE vector_dims(embedding) > 1024;
CREATE INDEX chunk_embeddings_facility_id_document_id_idx ON chunk_embeddings (facility_id, document_id);
CREATE INDEX chunk_embeddings_model_id_idx ON chunk_embeddings (model_id);
COMMENT ON TABLE chunk_embeddings IS 'The vector of a passage under one model.';
COMMENT ON COLUMN chunk_embeddings.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN chunk_embeddings.model_id IS 'operational: the model';
COMMENT ON COLUMN chunk_embeddings.chunk_id IS 'identifier: the passage';
COMMENT ON COLUMN chunk_embeddings.document_id IS 'identifier: the document';
COMMENT ON COLUMN chunk_embeddings.embedding IS 'clinical: the vector, normalised to length 1; it leaks the gist of the text';
COMMENT ON COLUMN chunk_embeddings.cell IS 'operational: the cell it is in (search_cells); 0 for none, which every search reads';
SELECT protect_tenant_table('chunk_embeddings');

-- Cells of the vectors of a large facility: a search reads those whose centres are near.
CREATE TABLE search_cells (
    facility_id uuid NOT NULL CONSTRAINT search_cells_facility_id_fkey REFERENCES facilities (id),
    model_id smallint NOT NULL CONSTRAINT search_cells_model_id_fkey REFERENCES embedding_models (id),
    cell integer NOT NULL CONSTRAINT search_cells_cell_check CHECK (cell > 0),
    generation integer NOT NULL,
    made_of bigint NOT NULL,
    centre halfvec NOT NULL,
    PRIMARY KEY (facility_id, model_id, cell)
);
CREATE INDEX search_cells_model_id_idx ON search_cells (model_id);
COMMENT ON TABLE search_cells IS 'A cell of the vectors of a large facility under one model.';
COMMENT ON COLUMN search_cells.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN search_cells.model_id IS 'operational: the model';
COMMENT ON COLUMN search_cells.cell IS 'operational: number, never used again';
COMMENT ON COLUMN search_cells.generation IS 'operational: cells made together; of two, vectors are on their way to the later';
COMMENT ON COLUMN search_cells.made_of IS 'operational: passages the facility had when it was made';
COMMENT ON COLUMN search_cells.centre IS 'clinical: the direction its vectors lie in, of length 1';
SELECT protect_tenant_table('search_cells', 'SELECT, INSERT, DELETE');

-- The lexical half of search: lexemes of PostgreSQL's own parser and dictionaries, as keyed hashes, one row
-- for each lexeme of a passage. Equality on bigint is leak-proof, so the index serves under row-level
-- security; `@@` is not. No word stands here in clear.
CREATE TABLE chunk_terms (
    facility_id uuid NOT NULL,
    term bigint NOT NULL,
    chunk_id uuid NOT NULL,
    document_id uuid NOT NULL,
    frequency smallint NOT NULL,
    term_count smallint NOT NULL,
    PRIMARY KEY (facility_id, term, chunk_id),
    CONSTRAINT chunk_terms_facility_id_chunk_id_fkey FOREIGN KEY (facility_id, chunk_id) REFERENCES document_chunks (facility_id, id) ON DELETE CASCADE,
    CONSTRAINT chunk_terms_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id)
);
CREATE INDEX chunk_terms_facility_id_chunk_id_idx ON chunk_terms (facility_id, chunk_id);
CREATE INDEX chunk_terms_facility_id_document_id_term_idx ON chunk_terms (facility_id, document_id, term);
COMMENT ON TABLE chunk_terms IS 'A lexeme of a passage.';
COMMENT ON COLUMN chunk_terms.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN chunk_terms.term IS 'identifier: keyed hash of the lexeme';
COMMENT ON COLUMN chunk_terms.chunk_id IS 'identifier: the passage';
COMMENT ON COLUMN chunk_terms.document_id IS 'identifier: the document';
COMMENT ON COLUMN chunk_terms.frequency IS 'operational: times it occurs in the passage';
COMMENT ON COLUMN chunk_terms.term_count IS 'operational: lexemes in the passage, for ranking without a look-up';
SELECT protect_tenant_table('chunk_terms');

-- For words of a query that are mistyped: each word of the facility, itself and without one of its letters, with its
-- lexeme. A word one slip away is found by equality.
CREATE TABLE lexeme_spellings (
    facility_id uuid NOT NULL CONSTRAINT lexeme_spellings_facility_id_fkey REFERENCES facilities (id),
    variant bigint NOT NULL,
    term bigint NOT NULL,
    PRIMARY KEY (facility_id, variant, term)
);
COMMENT ON TABLE lexeme_spellings IS 'A spelling that leads to a lexeme, for mistyped queries.';
COMMENT ON COLUMN lexeme_spellings.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN lexeme_spellings.variant IS 'identifier: keyed hash of the spelling';
COMMENT ON COLUMN lexeme_spellings.term IS 'identifier: keyed hash of the lexeme';
SELECT protect_tenant_table('lexeme_spellings', 'SELECT, INSERT');

CREATE TABLE search_statistics (
    facility_id uuid NOT NULL CONSTRAINT search_statistics_facility_id_fkey REFERENCES facilities (id),
    documents bigint NOT NULL,
    chunks bigint NOT NULL,
    terms bigint NOT NULL,
    PRIMARY KEY (facility_id)
);
COMMENT ON TABLE search_statistics IS 'Sizes of a facility in search, for ranking.';
COMMENT ON COLUMN search_statistics.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN search_statistics.documents IS 'operational: documents with passages';
COMMENT ON COLUMN search_statistics.chunks IS 'operational: passages';
COMMENT ON COLUMN search_statistics.terms IS 'operational: lexemes of all passages';
SELECT protect_tenant_table('search_statistics');
