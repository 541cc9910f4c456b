-- Writing documents: every state one was in before it was signed, and the templates that notes are made of.

CREATE TABLE document_versions (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    number integer NOT NULL,
    change text NOT NULL CONSTRAINT document_versions_change_check CHECK (change IN ('created', 'edited', 'autosaved', 'finalized', 'restored')),
    restored_from integer,
    author_id uuid CONSTRAINT document_versions_author_id_fkey REFERENCES users (id),
    kind text NOT NULL,
    document_date date NOT NULL,
    note_state text,
    title_ciphertext bytea NOT NULL,
    body_ciphertext bytea,
    fields_ciphertext bytea,
    created_at timestamptz NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT document_versions_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT document_versions_facility_id_document_id_number_key UNIQUE (facility_id, document_id, number),
    CONSTRAINT document_versions_restored_from_check CHECK ((change = 'restored') = (restored_from IS NOT NULL))
);
CREATE INDEX document_versions_author_id_idx ON document_versions (author_id);
COMMENT ON TABLE document_versions IS 'A state an unsigned document was in, with who made it so and when.';
COMMENT ON COLUMN document_versions.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN document_versions.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN document_versions.document_id IS 'identifier: the document';
COMMENT ON COLUMN document_versions.number IS 'operational: the version of the document that this is';
COMMENT ON COLUMN document_versions.change IS 'operational: what made it';
COMMENT ON COLUMN document_versions.restored_from IS 'operational: number of the version put back; null unless it was';
COMMENT ON COLUMN document_versions.author_id IS 'identifier: who made the change; null for imports';
COMMENT ON COLUMN document_versions.kind IS 'clinical: kind of the document then';
COMMENT ON COLUMN document_versions.document_date IS 'clinical: the day it was about then';
COMMENT ON COLUMN document_versions.note_state IS 'clinical: where a note was in its life then; null for uploads';
COMMENT ON COLUMN document_versions.title_ciphertext IS 'phi: title then';
COMMENT ON COLUMN document_versions.body_ciphertext IS 'phi: text of a note then; null for uploads';
COMMENT ON COLUMN document_versions.fields_ciphertext IS 'phi: what was filled into the fields of a template then, as JSON; null where there is none';
COMMENT ON COLUMN document_versions.created_at IS 'operational: when the change began: the first of several autosaves';
COMMENT ON COLUMN document_versions.saved_at IS 'operational: when it was last saved';
SELECT protect_tenant_table('document_versions', 'SELECT, INSERT, UPDATE');

-- History is added to. The last autosave of a draft alone is written over, by its author, and the system re-encrypts.
CREATE FUNCTION document_versions_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    state text;
BEGIN
    IF TG_OP = 'UPDATE' AND app_scope() = 'system'
        AND (to_jsonb(NEW) - ARRAY['title_ciphertext', 'body_ciphertext', 'fields_ciphertext'])
            = (to_jsonb(OLD) - ARRAY['title_ciphertext', 'body_ciphertext', 'fields_ciphertext']) THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT d.note_state INTO state FROM documents d
            WHERE d.facility_id = NEW.facility_id AND d.id = NEW.document_id;
    END IF;
    IF TG_OP = 'INSERT' AND state IS DISTINCT FROM 'signed' AND state IS DISTINCT FROM 'awaiting_cosignature' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND state = 'draft' AND OLD.change = 'autosaved' AND NEW.change = 'autosaved'
        AND OLD.author_id = app_user() AND NEW.number > OLD.number
        AND (to_jsonb(NEW) - ARRAY['title_ciphertext', 'body_ciphertext', 'fields_ciphertext', 'number', 'kind', 'document_date', 'saved_at'])
            = (to_jsonb(OLD) - ARRAY['title_ciphertext', 'body_ciphertext', 'fields_ciphertext', 'number', 'kind', 'document_date', 'saved_at'])
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a version cannot be changed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'document_versions_are_final';
END $$;
CREATE TRIGGER versions_are_final BEFORE INSERT OR UPDATE OR DELETE ON document_versions
    FOR EACH ROW EXECUTE FUNCTION document_versions_are_final();

CREATE TABLE note_templates (
    facility_id uuid NOT NULL CONSTRAINT note_templates_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT note_templates_kind_check CHECK (kind <> 'psychotherapy_note'),
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id)
);
COMMENT ON TABLE note_templates IS 'A form of the facility that notes are made of.';
COMMENT ON COLUMN note_templates.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN note_templates.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN note_templates.kind IS 'operational: kind of the notes made of it';
COMMENT ON COLUMN note_templates.archived_at IS 'operational: when it was taken out of use; null while it is offered';
COMMENT ON COLUMN note_templates.version IS 'operational: number of its current version, and optimistic concurrency counter';
COMMENT ON COLUMN note_templates.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN note_templates.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('note_templates', 'SELECT, INSERT, UPDATE');

CREATE TABLE note_template_versions (
    facility_id uuid NOT NULL,
    template_id uuid NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    fields jsonb NOT NULL,
    author_id uuid CONSTRAINT note_template_versions_author_id_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, template_id, number),
    CONSTRAINT note_template_versions_facility_id_template_id_fkey FOREIGN KEY (facility_id, template_id) REFERENCES note_templates (facility_id, id)
);
CREATE INDEX note_template_versions_author_id_idx ON note_template_versions (author_id);
COMMENT ON TABLE note_template_versions IS 'A version of a template; never changed, since notes refer to it.';
COMMENT ON COLUMN note_template_versions.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN note_template_versions.template_id IS 'identifier: the template';
COMMENT ON COLUMN note_template_versions.number IS 'operational: 1, 2, 3';
COMMENT ON COLUMN note_template_versions.name IS 'operational: name of the form';
COMMENT ON COLUMN note_template_versions.fields IS 'operational: its fields in order (templates::definition::Field)';
COMMENT ON COLUMN note_template_versions.author_id IS 'identifier: who made it';
COMMENT ON COLUMN note_template_versions.created_at IS 'operational: when';
SELECT protect_tenant_table('note_template_versions', 'SELECT, INSERT');

CREATE TABLE note_supervisions (
    facility_id uuid NOT NULL CONSTRAINT note_supervisions_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    supervisee_id uuid NOT NULL CONSTRAINT note_supervisions_supervisee_id_fkey REFERENCES users (id),
    supervisor_id uuid NOT NULL CONSTRAINT note_supervisions_supervisor_id_fkey REFERENCES users (id),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT note_supervisions_supervisor_id_check CHECK (supervisor_id <> supervisee_id)
);
CREATE UNIQUE INDEX note_supervisions_open_key ON note_supervisions (facility_id, supervisee_id) WHERE ended_at IS NULL;
CREATE INDEX note_supervisions_supervisee_id_idx ON note_supervisions (supervisee_id);
CREATE INDEX note_supervisions_supervisor_id_idx ON note_supervisions (supervisor_id);
CREATE INDEX note_supervisions_facility_id_supervisor_id_idx ON note_supervisions (facility_id, supervisor_id) WHERE ended_at IS NULL;
COMMENT ON TABLE note_supervisions IS 'That what one member signs needs the co-signature of another.';
COMMENT ON COLUMN note_supervisions.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN note_supervisions.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN note_supervisions.supervisee_id IS 'identifier: whose notes';
COMMENT ON COLUMN note_supervisions.supervisor_id IS 'identifier: who signs them too';
COMMENT ON COLUMN note_supervisions.started_at IS 'operational: when it began';
COMMENT ON COLUMN note_supervisions.ended_at IS 'operational: when it ended; null while it lasts';
COMMENT ON COLUMN note_supervisions.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN note_supervisions.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN note_supervisions.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('note_supervisions', 'SELECT, INSERT, UPDATE');

CREATE TABLE amendment_requests (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    status text NOT NULL CONSTRAINT amendment_requests_status_check CHECK (status IN ('pending', 'accepted', 'denied')),
    request_ciphertext bytea NOT NULL,
    recorded_by uuid CONSTRAINT amendment_requests_recorded_by_fkey REFERENCES users (id),
    due_on date NOT NULL,
    extended_at timestamptz,
    extension_ciphertext bytea,
    denial_ground text CONSTRAINT amendment_requests_denial_ground_check CHECK (denial_ground IN ('not_ours', 'not_of_record', 'not_for_inspection', 'accurate')),
    decision_ciphertext bytea,
    decided_by uuid CONSTRAINT amendment_requests_decided_by_fkey REFERENCES users (id),
    decided_at timestamptz,
    addendum_id uuid,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT amendment_requests_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id),
    CONSTRAINT amendment_requests_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT amendment_requests_facility_id_addendum_id_fkey FOREIGN KEY (facility_id, addendum_id) REFERENCES documents (facility_id, id),
    CONSTRAINT amendment_requests_extended_check CHECK ((extended_at IS NULL) = (extension_ciphertext IS NULL)),
    CONSTRAINT amendment_requests_decided_check CHECK ((status = 'pending') = (decided_at IS NULL)),
    CONSTRAINT amendment_requests_accepted_check CHECK ((status = 'accepted') = (addendum_id IS NOT NULL)),
    CONSTRAINT amendment_requests_denied_check CHECK ((status = 'denied') = (denial_ground IS NOT NULL) AND (status = 'denied') = (decision_ciphertext IS NOT NULL))
);
CREATE INDEX amendment_requests_facility_id_document_id_idx ON amendment_requests (facility_id, document_id);
CREATE INDEX amendment_requests_facility_id_patient_id_idx ON amendment_requests (facility_id, patient_id);
CREATE INDEX amendment_requests_facility_id_addendum_id_idx ON amendment_requests (facility_id, addendum_id);
CREATE INDEX amendment_requests_recorded_by_idx ON amendment_requests (recorded_by);
CREATE INDEX amendment_requests_decided_by_idx ON amendment_requests (decided_by);
COMMENT ON TABLE amendment_requests IS 'A request of a patient that a signed note be corrected (45 CFR 164.526).';
COMMENT ON COLUMN amendment_requests.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN amendment_requests.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN amendment_requests.document_id IS 'identifier: the note';
COMMENT ON COLUMN amendment_requests.patient_id IS 'identifier: who asks';
COMMENT ON COLUMN amendment_requests.status IS 'operational: pending, accepted or denied';
COMMENT ON COLUMN amendment_requests.request_ciphertext IS 'phi: what is asked for';
COMMENT ON COLUMN amendment_requests.recorded_by IS 'identifier: who recorded it';
COMMENT ON COLUMN amendment_requests.due_on IS 'operational: last day to decide it';
COMMENT ON COLUMN amendment_requests.extended_at IS 'operational: when the last day was put off, once; null unless it was';
COMMENT ON COLUMN amendment_requests.extension_ciphertext IS 'phi: why it was put off; null unless it was';
COMMENT ON COLUMN amendment_requests.denial_ground IS 'operational: on what ground it was denied; null unless it was';
COMMENT ON COLUMN amendment_requests.decision_ciphertext IS 'phi: the written reason; null unless it was denied';
COMMENT ON COLUMN amendment_requests.decided_by IS 'identifier: who decided it; null before';
COMMENT ON COLUMN amendment_requests.decided_at IS 'operational: when it was decided; null before';
COMMENT ON COLUMN amendment_requests.addendum_id IS 'identifier: the addendum with the correction; null unless it was accepted';
COMMENT ON COLUMN amendment_requests.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN amendment_requests.created_at IS 'operational: when it was recorded';
COMMENT ON COLUMN amendment_requests.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('amendment_requests', 'SELECT, INSERT, UPDATE');

-- A decision stands; the system re-encrypts.
CREATE FUNCTION amendment_decisions_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.status = 'pending' OR (app_scope() = 'system'
        AND (to_jsonb(NEW) - ARRAY['request_ciphertext', 'extension_ciphertext', 'decision_ciphertext'])
            = (to_jsonb(OLD) - ARRAY['request_ciphertext', 'extension_ciphertext', 'decision_ciphertext']))) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a decision cannot be changed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'amendment_decisions_are_final';
END $$;
CREATE TRIGGER decisions_are_final BEFORE UPDATE OR DELETE ON amendment_requests
    FOR EACH ROW EXECUTE FUNCTION amendment_decisions_are_final();
