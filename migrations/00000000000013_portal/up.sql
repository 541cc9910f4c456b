-- Patients, and those who act for them, as users: whose charts they may see.

CREATE TABLE patient_users (
    facility_id uuid NOT NULL CONSTRAINT patient_users_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT patient_users_user_id_fkey REFERENCES users (id),
    relationship text NOT NULL CONSTRAINT patient_users_relationship_check CHECK (relationship IN ('self', 'proxy')),
    granted_by uuid CONSTRAINT patient_users_granted_by_fkey REFERENCES users (id),
    granted_at timestamptz NOT NULL,
    revoked_by uuid CONSTRAINT patient_users_revoked_by_fkey REFERENCES users (id),
    revoked_at timestamptz,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT patient_users_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT patient_users_revoked_at_check CHECK (revoked_at IS NOT NULL OR revoked_by IS NULL)
);
CREATE UNIQUE INDEX patient_users_facility_id_patient_id_user_id_key ON patient_users (facility_id, patient_id, user_id) WHERE revoked_at IS NULL;
CREATE INDEX patient_users_facility_id_patient_id_idx ON patient_users (facility_id, patient_id);
CREATE INDEX patient_users_facility_id_user_id_idx ON patient_users (facility_id, user_id) WHERE revoked_at IS NULL;
CREATE INDEX patient_users_user_id_idx ON patient_users (user_id);
CREATE INDEX patient_users_granted_by_idx ON patient_users (granted_by);
CREATE INDEX patient_users_revoked_by_idx ON patient_users (revoked_by);
COMMENT ON TABLE patient_users IS 'Which chart a patient, or who acts for them, sees as a user.';
COMMENT ON COLUMN patient_users.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patient_users.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN patient_users.patient_id IS 'identifier: whose chart';
COMMENT ON COLUMN patient_users.user_id IS 'identifier: who sees it, a member with the role patient';
COMMENT ON COLUMN patient_users.relationship IS 'operational: self, or proxy for who acts for the patient';
COMMENT ON COLUMN patient_users.granted_by IS 'identifier: who linked them; null for the server itself';
COMMENT ON COLUMN patient_users.granted_at IS 'operational: from when';
COMMENT ON COLUMN patient_users.revoked_by IS 'identifier: who took the link back; null while it lasts';
COMMENT ON COLUMN patient_users.revoked_at IS 'operational: until when; null while it lasts';
SELECT protect_tenant_table('patient_users', 'SELECT, INSERT, UPDATE');

-- A link that was taken back stays so; another one is made instead.
CREATE FUNCTION patient_users_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.revoked_at IS NOT NULL OR NEW.facility_id <> OLD.facility_id OR NEW.id <> OLD.id
        OR NEW.patient_id <> OLD.patient_id OR NEW.user_id <> OLD.user_id OR NEW.relationship <> OLD.relationship
        OR NEW.granted_by IS DISTINCT FROM OLD.granted_by OR NEW.granted_at <> OLD.granted_at THEN
        RAISE EXCEPTION 'a link of a patient and a user is only taken back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'patient_users_are_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER are_final BEFORE UPDATE OR DELETE ON patient_users FOR EACH ROW EXECUTE FUNCTION patient_users_are_final();
