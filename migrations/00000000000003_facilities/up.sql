-- The tenants, who works in them, and the keys their data is encrypted under.
-- Facility 00000000-0000-0000-0000-000000000000 is the platform itself: sign-ins and platform
-- administration are recorded, keyed and queued under it like any tenant's work.

CREATE TABLE facilities (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT facilities_name_check CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CONSTRAINT facilities_kind_check CHECK (kind IN ('platform', 'hospital', 'clinic', 'practice',
        'community_mental_health_center', 'residential', 'telehealth', 'other')),
    npi text CONSTRAINT facilities_npi_check CHECK (npi ~ '^[12][0-9]{9}$'),
    address_line1 text,
    address_line2 text,
    city text,
    state text,
    zip_code text,
    phone text,
    time_zone text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'active' CONSTRAINT facilities_status_check CHECK (status IN ('active', 'suspended', 'shredded')),
    status_reason text CONSTRAINT facilities_status_reason_check
        CHECK (status_reason IN ('requested', 'contract_ended', 'payment_overdue', 'security', 'legal')),
    key_epoch integer NOT NULL DEFAULT 1,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
-- Partial, so that no foreign key can refer to it: a change of the number then waits for no insert of the tenant,
-- and none waits for it.
CREATE UNIQUE INDEX facilities_npi_key ON facilities (npi) WHERE npi IS NOT NULL;
COMMENT ON TABLE facilities IS 'A tenant: hospital, clinic or practice.';
COMMENT ON COLUMN facilities.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN facilities.name IS 'operational: public name';
COMMENT ON COLUMN facilities.kind IS 'operational: what it is; platform only for the nil id';
COMMENT ON COLUMN facilities.npi IS 'identifier: organisational NPI, Luhn-checked by the server';
COMMENT ON COLUMN facilities.address_line1 IS 'operational: public address';
COMMENT ON COLUMN facilities.address_line2 IS 'operational: public address, second line';
COMMENT ON COLUMN facilities.city IS 'operational: public address, city';
COMMENT ON COLUMN facilities.state IS 'operational: public address, two-letter state';
COMMENT ON COLUMN facilities.zip_code IS 'operational: public address, ZIP code';
COMMENT ON COLUMN facilities.phone IS 'operational: public telephone number';
COMMENT ON COLUMN facilities.time_zone IS 'operational: IANA zone';
COMMENT ON COLUMN facilities.settings IS 'operational: typed in code (facilities::Settings)';
COMMENT ON COLUMN facilities.status IS 'operational: active, suspended, or shredded (its keys destroyed)';
COMMENT ON COLUMN facilities.status_reason IS 'operational: why it is suspended, a code; null while it is not';
COMMENT ON COLUMN facilities.key_epoch IS 'operational: raised whenever its keys change, so that caches of keys end at once';
COMMENT ON COLUMN facilities.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN facilities.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN facilities.updated_at IS 'operational: when the row last changed';
ALTER TABLE facilities ENABLE ROW LEVEL SECURITY;
ALTER TABLE facilities FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON facilities TO anamnesis_server;
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON facilities FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE facility_keys (
    facility_id uuid NOT NULL CONSTRAINT facility_keys_facility_id_fkey REFERENCES facilities (id),
    purpose text NOT NULL CONSTRAINT facility_keys_purpose_check CHECK (purpose IN ('data', 'index')),
    version integer NOT NULL,
    wrapped_key bytea NOT NULL,
    master_key_id text NOT NULL,
    state text NOT NULL CONSTRAINT facility_keys_state_check CHECK (state IN ('active', 'retiring')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, purpose, version)
);
COMMENT ON TABLE facility_keys IS 'Data and index keys of a facility, wrapped by a master key. Deleting them shreds the facility.';
COMMENT ON COLUMN facility_keys.facility_id IS 'identifier: whose';
COMMENT ON COLUMN facility_keys.purpose IS 'operational: data (fields, files) or index (blind indexes)';
COMMENT ON COLUMN facility_keys.version IS 'operational: counts up; written into each ciphertext';
COMMENT ON COLUMN facility_keys.wrapped_key IS 'operational: the key, sealed by the master key';
COMMENT ON COLUMN facility_keys.master_key_id IS 'operational: which master key sealed it';
COMMENT ON COLUMN facility_keys.state IS 'operational: active (encrypts) or retiring (decrypts until rotation ends)';
COMMENT ON COLUMN facility_keys.created_at IS 'operational: when it was made';
CREATE UNIQUE INDEX facility_keys_active_key ON facility_keys (facility_id, purpose) WHERE state = 'active';
SELECT protect_tenant_table('facility_keys');

CREATE TABLE facility_members (
    facility_id uuid NOT NULL CONSTRAINT facility_members_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT facility_members_user_id_fkey REFERENCES users (id),
    status text NOT NULL CONSTRAINT facility_members_status_check CHECK (status IN ('active', 'suspended', 'removed')),
    status_reason text CONSTRAINT facility_members_status_reason_check
        CHECK (status_reason IN ('leave_of_absence', 'credentials_lapsed', 'under_review', 'security',
            'employment_ended', 'contract_ended', 'transferred', 'added_in_error', 'left')),
    title text CONSTRAINT facility_members_title_check CHECK (length(title) BETWEEN 1 AND 100),
    invited_by uuid CONSTRAINT facility_members_invited_by_fkey REFERENCES users (id),
    version integer NOT NULL DEFAULT 1,
    joined_at timestamptz NOT NULL,
    suspended_at timestamptz,
    removed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT facility_members_facility_id_user_id_key UNIQUE (facility_id, user_id),
    CONSTRAINT facility_members_reason_check CHECK ((status = 'active') = (status_reason IS NULL))
);
CREATE INDEX facility_members_user_id_idx ON facility_members (user_id);
CREATE INDEX facility_members_invited_by_idx ON facility_members (invited_by);
COMMENT ON TABLE facility_members IS 'A user working in a facility. A removed one stays for the record.';
COMMENT ON COLUMN facility_members.facility_id IS 'identifier: where';
COMMENT ON COLUMN facility_members.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN facility_members.user_id IS 'identifier: who';
COMMENT ON COLUMN facility_members.status IS 'operational: active, suspended or removed';
COMMENT ON COLUMN facility_members.status_reason IS 'operational: why suspended or removed, a code; null while active';
COMMENT ON COLUMN facility_members.title IS 'operational: job title shown beside the name';
COMMENT ON COLUMN facility_members.invited_by IS 'identifier: who invited; null for the platform and the system';
COMMENT ON COLUMN facility_members.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN facility_members.joined_at IS 'operational: when the invitation was accepted';
COMMENT ON COLUMN facility_members.suspended_at IS 'operational: when suspended; null while not';
COMMENT ON COLUMN facility_members.removed_at IS 'operational: when removed; null while not';
COMMENT ON COLUMN facility_members.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN facility_members.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('facility_members', 'SELECT, INSERT, UPDATE');

CREATE TABLE member_roles (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    role text NOT NULL CONSTRAINT member_roles_role_check CHECK (role IN ('administrator', 'physician', 'nurse',
        'pharmacist', 'technician', 'social_worker', 'case_manager', 'system_admin', 'therapist',
        'billing_specialist', 'front_desk', 'privacy_officer', 'patient')),
    department text CONSTRAINT member_roles_department_check CHECK (length(department) BETWEEN 1 AND 100),
    primary_role boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT member_roles_facility_id_member_id_fkey FOREIGN KEY (facility_id, member_id)
        REFERENCES facility_members (facility_id, id),
    CONSTRAINT member_roles_facility_id_member_id_role_department_key
        UNIQUE NULLS NOT DISTINCT (facility_id, member_id, role, department)
);
CREATE UNIQUE INDEX member_roles_primary_key ON member_roles (facility_id, member_id) WHERE primary_role;
COMMENT ON TABLE member_roles IS 'A role of a member, in the whole facility or in one department.';
COMMENT ON COLUMN member_roles.facility_id IS 'identifier: where';
COMMENT ON COLUMN member_roles.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN member_roles.member_id IS 'identifier: whose';
COMMENT ON COLUMN member_roles.role IS 'operational: the role';
COMMENT ON COLUMN member_roles.department IS 'operational: department it is held in; null for the whole facility';
COMMENT ON COLUMN member_roles.primary_role IS 'operational: the role shown first; exactly one per active member';
COMMENT ON COLUMN member_roles.created_at IS 'operational: when it was granted';
SELECT protect_tenant_table('member_roles');

CREATE TABLE facility_invitations (
    facility_id uuid NOT NULL CONSTRAINT facility_invitations_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    token_hash bytea NOT NULL CONSTRAINT facility_invitations_token_hash_key UNIQUE,
    email_ciphertext bytea NOT NULL,
    email_index bigint NOT NULL,
    roles jsonb NOT NULL,
    title text CONSTRAINT facility_invitations_title_check CHECK (length(title) BETWEEN 1 AND 100),
    invited_by uuid CONSTRAINT facility_invitations_invited_by_fkey REFERENCES users (id),
    status text NOT NULL CONSTRAINT facility_invitations_status_check
        CHECK (status IN ('pending', 'accepted', 'revoked', 'expired')),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id)
);
CREATE UNIQUE INDEX facility_invitations_pending_key ON facility_invitations (facility_id, email_index) WHERE status = 'pending';
CREATE INDEX facility_invitations_invited_by_idx ON facility_invitations (invited_by);
COMMENT ON TABLE facility_invitations IS 'An invitation to work in a facility, sent by e-mail.';
COMMENT ON COLUMN facility_invitations.facility_id IS 'identifier: where';
COMMENT ON COLUMN facility_invitations.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN facility_invitations.token_hash IS 'operational: SHA-256 of the token in the mail';
COMMENT ON COLUMN facility_invitations.email_ciphertext IS 'phi: address invited, encrypted under the facility key';
COMMENT ON COLUMN facility_invitations.email_index IS 'identifier: blind index of the address, under the lookup key';
COMMENT ON COLUMN facility_invitations.roles IS 'operational: roles granted on acceptance (facilities::RoleGrant)';
COMMENT ON COLUMN facility_invitations.title IS 'operational: job title granted on acceptance';
COMMENT ON COLUMN facility_invitations.invited_by IS 'identifier: who invited; null for the platform';
COMMENT ON COLUMN facility_invitations.status IS 'operational: pending, accepted, revoked, or expired (set when another one takes its place)';
COMMENT ON COLUMN facility_invitations.expires_at IS 'operational: when it runs out';
COMMENT ON COLUMN facility_invitations.accepted_at IS 'operational: when it was accepted';
COMMENT ON COLUMN facility_invitations.created_at IS 'operational: when it was made';
COMMENT ON COLUMN facility_invitations.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('facility_invitations', 'SELECT, INSERT, UPDATE');

-- Sessions were made before facilities.
ALTER TABLE user_sessions ADD CONSTRAINT user_sessions_chosen_facility_id_fkey
    FOREIGN KEY (chosen_facility_id) REFERENCES facilities (id);
CREATE INDEX user_sessions_chosen_facility_id_idx ON user_sessions (chosen_facility_id);

-- The platform, facility zero. Seeded here because everything else refers to it.
SET LOCAL row_security = off;
ALTER TABLE facilities NO FORCE ROW LEVEL SECURITY;
INSERT INTO facilities (id, name, kind, time_zone, created_at, updated_at)
    VALUES ('00000000-0000-0000-0000-000000000000', 'Platform', 'platform', 'UTC', now(), now());
ALTER TABLE facilities FORCE ROW LEVEL SECURITY;
