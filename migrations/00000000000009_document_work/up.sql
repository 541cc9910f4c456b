-- What staff do with documents: who looks at one, whether that is done, how long it is kept, and what may not be touched.

CREATE TABLE document_work (
    facility_id uuid NOT NULL,
    document_id uuid NOT NULL,
    review_state text NOT NULL CONSTRAINT document_work_review_state_check CHECK (review_state IN ('needed', 'done')),
    reviewed_by uuid CONSTRAINT document_work_reviewed_by_fkey REFERENCES users (id),
    reviewed_at timestamptz,
    assignee_id uuid CONSTRAINT document_work_assignee_id_fkey REFERENCES users (id),
    assigned_at timestamptz,
    retention_class text NOT NULL CONSTRAINT document_work_retention_class_check CHECK (retention_class IN ('administrative', 'clinical', 'minor', 'permanent')),
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (facility_id, document_id),
    CONSTRAINT document_work_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_work_reviewed_check CHECK ((review_state = 'done') = (reviewed_at IS NOT NULL)),
    CONSTRAINT document_work_assigned_check CHECK ((assignee_id IS NULL) = (assigned_at IS NULL))
);
CREATE INDEX document_work_facility_id_review_state_idx ON document_work (facility_id, document_id) WHERE review_state = 'needed';
CREATE INDEX document_work_facility_id_assignee_id_idx ON document_work (facility_id, assignee_id) WHERE review_state = 'needed';
CREATE INDEX document_work_assignee_id_idx ON document_work (assignee_id);
CREATE INDEX document_work_reviewed_by_idx ON document_work (reviewed_by);
COMMENT ON TABLE document_work IS 'What staff do with an uploaded document.';
COMMENT ON COLUMN document_work.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_work.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_work.review_state IS 'operational: whether somebody must still look at it';
COMMENT ON COLUMN document_work.reviewed_by IS 'identifier: who looked at it; null while nobody has';
COMMENT ON COLUMN document_work.reviewed_at IS 'operational: when; null while nobody has';
COMMENT ON COLUMN document_work.assignee_id IS 'identifier: who is to look at it; null while it is nobody in particular';
COMMENT ON COLUMN document_work.assigned_at IS 'operational: since when; null while it is nobody in particular';
COMMENT ON COLUMN document_work.retention_class IS 'operational: by which rule it is kept';
COMMENT ON COLUMN document_work.version IS 'operational: optimistic concurrency counter';
SELECT protect_tenant_table('document_work', 'SELECT, INSERT, UPDATE');

CREATE TABLE document_holds (
    facility_id uuid NOT NULL CONSTRAINT document_holds_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    reason_ciphertext bytea NOT NULL,
    placed_by uuid NOT NULL CONSTRAINT document_holds_placed_by_fkey REFERENCES users (id),
    placed_at timestamptz NOT NULL,
    release_reason_ciphertext bytea,
    released_by uuid CONSTRAINT document_holds_released_by_fkey REFERENCES users (id),
    released_at timestamptz,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT document_holds_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_holds_released_check CHECK ((released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason_ciphertext IS NULL))
);
CREATE UNIQUE INDEX document_holds_facility_id_document_id_key ON document_holds (facility_id, document_id) WHERE released_at IS NULL;
CREATE INDEX document_holds_facility_id_document_id_idx ON document_holds (facility_id, document_id);
CREATE INDEX document_holds_placed_by_idx ON document_holds (placed_by);
CREATE INDEX document_holds_released_by_idx ON document_holds (released_by);
COMMENT ON TABLE document_holds IS 'A legal hold: while it lasts, nothing of the document goes away.';
COMMENT ON COLUMN document_holds.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_holds.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN document_holds.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_holds.reason_ciphertext IS 'phi: why';
COMMENT ON COLUMN document_holds.placed_by IS 'identifier: who placed it';
COMMENT ON COLUMN document_holds.placed_at IS 'operational: when';
COMMENT ON COLUMN document_holds.release_reason_ciphertext IS 'phi: why it was released; null while it lasts';
COMMENT ON COLUMN document_holds.released_by IS 'identifier: who released it; null while it lasts';
COMMENT ON COLUMN document_holds.released_at IS 'operational: when; null while it lasts';
SELECT protect_tenant_table('document_holds', 'SELECT, INSERT, UPDATE');

-- Whoever asks: the row of a held document stays, its content stays, and whom it is about stays. What search derives
-- from it, and how it is encrypted, may change.
CREATE FUNCTION documents_held_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.facility_id = OLD.facility_id AND NEW.id = OLD.id
        AND NEW.sha256 = OLD.sha256 AND NEW.object_key IS NOT DISTINCT FROM OLD.object_key
        AND (NEW.body_ciphertext IS NOT DISTINCT FROM OLD.body_ciphertext
            OR (app_scope() = 'system' AND NEW.body_ciphertext IS NOT NULL))
    THEN
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT FROM document_holds h WHERE h.facility_id = OLD.facility_id AND h.document_id = OLD.id AND h.released_at IS NULL) THEN
        RAISE EXCEPTION 'a document under a legal hold is kept as it is'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_held_is_kept';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER held_is_kept BEFORE UPDATE OR DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION documents_held_is_kept();

CREATE FUNCTION document_patients_held_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM document_holds h WHERE h.facility_id = OLD.facility_id AND h.document_id = OLD.document_id AND h.released_at IS NULL) THEN
        RAISE EXCEPTION 'a document under a legal hold is kept as it is'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_held_is_kept';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER held_is_kept BEFORE DELETE ON document_patients
    FOR EACH ROW EXECUTE FUNCTION document_patients_held_is_kept();

-- A hold is on record for good: it is released, once, and never taken back or removed.
CREATE FUNCTION document_holds_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.facility_id <> OLD.facility_id OR NEW.id <> OLD.id OR NEW.document_id <> OLD.document_id
        OR NEW.placed_by <> OLD.placed_by OR NEW.placed_at <> OLD.placed_at
        OR (OLD.released_at IS NOT NULL AND (NEW.released_at IS DISTINCT FROM OLD.released_at
            OR NEW.released_by IS DISTINCT FROM OLD.released_by))
        OR (NEW.reason_ciphertext <> OLD.reason_ciphertext AND app_scope() <> 'system')
    THEN
        RAISE EXCEPTION 'a legal hold is on record for good'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'document_holds_are_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER holds_are_final BEFORE UPDATE OR DELETE ON document_holds
    FOR EACH ROW EXECUTE FUNCTION document_holds_are_final();

-- Files sent together, each with what became of it.
CREATE TABLE upload_batches (
    facility_id uuid NOT NULL CONSTRAINT upload_batches_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    created_by uuid NOT NULL CONSTRAINT upload_batches_created_by_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id)
);
CREATE INDEX upload_batches_created_by_idx ON upload_batches (created_by);
COMMENT ON TABLE upload_batches IS 'Files that were sent together.';
COMMENT ON COLUMN upload_batches.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN upload_batches.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN upload_batches.created_by IS 'identifier: who sent them';
COMMENT ON COLUMN upload_batches.created_at IS 'operational: when';
SELECT protect_tenant_table('upload_batches', 'SELECT, INSERT');

CREATE TABLE upload_batch_files (
    facility_id uuid NOT NULL CONSTRAINT upload_batch_files_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    batch_id uuid NOT NULL,
    position integer NOT NULL,
    file_name_ciphertext bytea NOT NULL,
    document_id uuid,
    refusal text,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT upload_batch_files_facility_id_batch_id_fkey FOREIGN KEY (facility_id, batch_id) REFERENCES upload_batches (facility_id, id),
    CONSTRAINT upload_batch_files_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT upload_batch_files_facility_id_batch_id_position_key UNIQUE (facility_id, batch_id, position),
    CONSTRAINT upload_batch_files_result_check CHECK (document_id IS NULL OR refusal IS NULL)
);
CREATE INDEX upload_batch_files_facility_id_document_id_idx ON upload_batch_files (facility_id, document_id);
COMMENT ON TABLE upload_batch_files IS 'A file of a batch.';
COMMENT ON COLUMN upload_batch_files.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN upload_batch_files.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN upload_batch_files.batch_id IS 'identifier: the batch';
COMMENT ON COLUMN upload_batch_files.position IS 'operational: 0, 1, 2 in the batch';
COMMENT ON COLUMN upload_batch_files.file_name_ciphertext IS 'phi: name as sent';
COMMENT ON COLUMN upload_batch_files.document_id IS 'identifier: the document it became; null when it was refused, or is not looked at yet';
COMMENT ON COLUMN upload_batch_files.refusal IS 'operational: why it was refused; null when it was not';
SELECT protect_tenant_table('upload_batch_files', 'SELECT, INSERT, UPDATE');

CREATE TABLE record_exports (
    facility_id uuid NOT NULL CONSTRAINT record_exports_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    requested_by uuid NOT NULL CONSTRAINT record_exports_requested_by_fkey REFERENCES users (id),
    requested_at timestamptz NOT NULL,
    part2 boolean NOT NULL DEFAULT false,
    status text NOT NULL CONSTRAINT record_exports_status_check CHECK (status IN ('queued', 'ready', 'failed')),
    object_key text,
    file_key_ciphertext bytea,
    size_bytes bigint,
    sha256 bytea,
    document_count integer,
    ready_at timestamptz,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT record_exports_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT record_exports_ready_check CHECK ((status = 'ready') = (object_key IS NOT NULL AND file_key_ciphertext IS NOT NULL AND size_bytes IS NOT NULL AND sha256 IS NOT NULL AND document_count IS NOT NULL AND ready_at IS NOT NULL))
);
CREATE INDEX record_exports_facility_id_patient_id_idx ON record_exports (facility_id, patient_id);
CREATE INDEX record_exports_requested_by_idx ON record_exports (requested_by);
CREATE UNIQUE INDEX record_exports_object_key_key ON record_exports (object_key);
COMMENT ON TABLE record_exports IS 'The documents of one patient as one archive, for some days.';
COMMENT ON COLUMN record_exports.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN record_exports.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN record_exports.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN record_exports.requested_by IS 'identifier: who asked for it, and alone may fetch it';
COMMENT ON COLUMN record_exports.requested_at IS 'operational: when';
COMMENT ON COLUMN record_exports.part2 IS 'operational: whether whoever asked may have documents labelled 42 CFR Part 2';
COMMENT ON COLUMN record_exports.status IS 'operational: how far it is';
COMMENT ON COLUMN record_exports.object_key IS 'operational: where the encrypted archive is; null before it is made';
COMMENT ON COLUMN record_exports.file_key_ciphertext IS 'phi: key of the archive, encrypted under the facility key; null before it is made';
COMMENT ON COLUMN record_exports.size_bytes IS 'operational: size of the plain archive; null before it is made';
COMMENT ON COLUMN record_exports.sha256 IS 'operational: SHA-256 of the plain archive; null before it is made';
COMMENT ON COLUMN record_exports.document_count IS 'operational: documents in it; null before it is made';
COMMENT ON COLUMN record_exports.ready_at IS 'operational: when it was made; null before';
COMMENT ON COLUMN record_exports.expires_at IS 'operational: when the archive goes away';
SELECT protect_tenant_table('record_exports', 'SELECT, INSERT, UPDATE');

CREATE INDEX documents_facility_id_sha256_idx ON documents (facility_id, sha256);

CREATE TABLE document_proposals (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    aspect text NOT NULL CONSTRAINT document_proposals_aspect_check CHECK (aspect IN ('kind', 'document_date', 'patient', 'duplicate', 'near_duplicate')),
    kind text,
    document_date date,
    patient_id uuid,
    other_document_id uuid,
    state text NOT NULL CONSTRAINT document_proposals_state_check CHECK (state IN ('open', 'accepted', 'dismissed')),
    decided_by uuid CONSTRAINT document_proposals_decided_by_fkey REFERENCES users (id),
    decided_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT document_proposals_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_proposals_facility_id_other_document_id_fkey FOREIGN KEY (facility_id, other_document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_proposals_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT document_proposals_value_check CHECK (num_nonnulls(kind, document_date, patient_id, other_document_id) = 1),
    CONSTRAINT document_proposals_decided_check CHECK ((state = 'open') = (decided_at IS NULL))
);
CREATE INDEX document_proposals_facility_id_document_id_idx ON document_proposals (facility_id, document_id);
CREATE INDEX document_proposals_facility_id_other_document_id_idx ON document_proposals (facility_id, other_document_id);
CREATE INDEX document_proposals_facility_id_patient_id_idx ON document_proposals (facility_id, patient_id);
CREATE INDEX document_proposals_decided_by_idx ON document_proposals (decided_by);
COMMENT ON TABLE document_proposals IS 'What the text of a document proposes, for a person to accept or dismiss.';
COMMENT ON COLUMN document_proposals.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_proposals.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN document_proposals.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_proposals.aspect IS 'operational: what is proposed';
COMMENT ON COLUMN document_proposals.kind IS 'clinical: another kind; null where something else is proposed';
COMMENT ON COLUMN document_proposals.document_date IS 'clinical: another day it is about; null where something else is proposed';
COMMENT ON COLUMN document_proposals.patient_id IS 'identifier: a patient it is about; null where something else is proposed';
COMMENT ON COLUMN document_proposals.other_document_id IS 'identifier: a document that is the same, or nearly; null where something else is proposed';
COMMENT ON COLUMN document_proposals.state IS 'operational: whether somebody decided';
COMMENT ON COLUMN document_proposals.decided_by IS 'identifier: who decided; null while it is open';
COMMENT ON COLUMN document_proposals.decided_at IS 'operational: when; null while it is open';
COMMENT ON COLUMN document_proposals.created_at IS 'operational: when it was found';
SELECT protect_tenant_table('document_proposals');
