-- Logins. Global: a user belongs to no facility and may be a member of several. Policies are in
-- src/db/replaceable/identity.sql: a user sees themself, a facility sees its members, and the
-- identity scope (sign-in, reset, invitation) sees what it looks up.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email_ciphertext bytea NOT NULL,
    email_index bigint NOT NULL CONSTRAINT users_email_key UNIQUE,
    display_name_ciphertext bytea NOT NULL,
    phone_ciphertext bytea,
    password_hash text,
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended')),
    npi text CONSTRAINT users_npi_check CHECK (npi ~ '^[12][0-9]{9}$'),
    license_number text,
    locale text NOT NULL DEFAULT 'en-US',
    time_zone text NOT NULL DEFAULT 'UTC',
    password_changed_at timestamptz,
    last_signed_in_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE users IS 'A login. Global, never tenant-owned.';
COMMENT ON COLUMN users.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN users.email_ciphertext IS 'phi: sign-in e-mail address, encrypted under the platform key';
COMMENT ON COLUMN users.email_index IS 'identifier: blind index of the normalised e-mail address';
COMMENT ON COLUMN users.display_name_ciphertext IS 'phi: name shown to colleagues, encrypted under the platform key';
COMMENT ON COLUMN users.phone_ciphertext IS 'phi: telephone number, encrypted under the platform key';
COMMENT ON COLUMN users.password_hash IS 'operational: argon2id PHC string; null until a password is set';
COMMENT ON COLUMN users.status IS 'operational: active or suspended by the platform';
COMMENT ON COLUMN users.npi IS 'identifier: National Provider Identifier, Luhn-checked by the server';
COMMENT ON COLUMN users.license_number IS 'identifier: professional licence number';
COMMENT ON COLUMN users.locale IS 'operational: BCP 47 language tag';
COMMENT ON COLUMN users.time_zone IS 'operational: IANA zone';
COMMENT ON COLUMN users.password_changed_at IS 'operational: when the password was last set';
COMMENT ON COLUMN users.last_signed_in_at IS 'operational: last successful sign-in';
COMMENT ON COLUMN users.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN users.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN users.updated_at IS 'operational: when the row last changed';

CREATE TABLE platform_roles (
    user_id uuid NOT NULL CONSTRAINT platform_roles_user_id_fkey REFERENCES users (id),
    role text NOT NULL CONSTRAINT platform_roles_role_check
        CHECK (role IN ('super_admin', 'support_admin', 'content_admin', 'moderator')),
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, role)
);
COMMENT ON TABLE platform_roles IS 'A role on the platform itself, not in a facility.';
COMMENT ON COLUMN platform_roles.user_id IS 'identifier: who holds it';
COMMENT ON COLUMN platform_roles.role IS 'operational: the role';
COMMENT ON COLUMN platform_roles.granted_at IS 'operational: when it was granted';

-- One row a sign-in. The family of refresh tokens is the session itself: using a token twice ends it.
CREATE TABLE user_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT user_sessions_user_id_fkey REFERENCES users (id),
    chosen_facility_id uuid, -- refers to facilities, which come later
    device text,
    ip_address text,
    second_factor boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    last_refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text CONSTRAINT user_sessions_revoked_reason_check
        CHECK (revoked_reason IN ('signed_out', 'revoked', 'token_reuse', 'password_changed', 'suspended')),
    CONSTRAINT user_sessions_revoked_check CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX user_sessions_user_id_idx ON user_sessions (user_id);
COMMENT ON TABLE user_sessions IS 'A sign-in on a device, and the family of refresh tokens that grew from it.';
COMMENT ON COLUMN user_sessions.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN user_sessions.user_id IS 'identifier: whose session';
COMMENT ON COLUMN user_sessions.chosen_facility_id IS 'identifier: the facility last chosen in it; null for none';
COMMENT ON COLUMN user_sessions.device IS 'operational: what the device called itself at sign-in, else its user agent, cut to 200 characters';
COMMENT ON COLUMN user_sessions.ip_address IS 'identifier: client address at sign-in';
COMMENT ON COLUMN user_sessions.second_factor IS 'operational: whether a second factor was passed';
COMMENT ON COLUMN user_sessions.created_at IS 'operational: sign-in time';
COMMENT ON COLUMN user_sessions.last_refreshed_at IS 'operational: last use of a refresh token';
COMMENT ON COLUMN user_sessions.expires_at IS 'operational: end of the session whatever is refreshed';
COMMENT ON COLUMN user_sessions.revoked_at IS 'operational: when it was ended; null while it runs';
COMMENT ON COLUMN user_sessions.revoked_reason IS 'operational: why it was ended';

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL CONSTRAINT refresh_tokens_session_id_fkey
        REFERENCES user_sessions (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);
COMMENT ON TABLE refresh_tokens IS 'Refresh tokens, hashed. A used one is kept so that reuse is seen.';
COMMENT ON COLUMN refresh_tokens.token_hash IS 'operational: SHA-256 of the token';
COMMENT ON COLUMN refresh_tokens.session_id IS 'identifier: the family';
COMMENT ON COLUMN refresh_tokens.created_at IS 'operational: when it was issued';
COMMENT ON COLUMN refresh_tokens.expires_at IS 'operational: when it runs out';
COMMENT ON COLUMN refresh_tokens.used_at IS 'operational: when it was exchanged; null while unused';

CREATE TABLE user_totp (
    user_id uuid PRIMARY KEY CONSTRAINT user_totp_user_id_fkey REFERENCES users (id),
    secret_ciphertext bytea NOT NULL,
    confirmed_at timestamptz,
    last_used_step bigint,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE user_totp IS 'The second factor of a user (RFC 6238).';
COMMENT ON COLUMN user_totp.user_id IS 'identifier: whose';
COMMENT ON COLUMN user_totp.secret_ciphertext IS 'phi: shared secret, encrypted under the platform key';
COMMENT ON COLUMN user_totp.confirmed_at IS 'operational: when the first code was proven; null during enrolment';
COMMENT ON COLUMN user_totp.last_used_step IS 'operational: last accepted time step, refused again';
COMMENT ON COLUMN user_totp.created_at IS 'operational: when enrolment began';

CREATE TABLE user_recovery_codes (
    user_id uuid NOT NULL CONSTRAINT user_recovery_codes_user_id_fkey REFERENCES users (id),
    code_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);
COMMENT ON TABLE user_recovery_codes IS 'Single-use codes for a lost second factor, hashed.';
COMMENT ON COLUMN user_recovery_codes.user_id IS 'identifier: whose';
COMMENT ON COLUMN user_recovery_codes.code_hash IS 'operational: SHA-256 of the code';
COMMENT ON COLUMN user_recovery_codes.created_at IS 'operational: when it was issued';
COMMENT ON COLUMN user_recovery_codes.used_at IS 'operational: when it was used; null while unused';

-- A pending second factor: the password was right, the code is still owed.
CREATE TABLE sign_in_challenges (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT sign_in_challenges_user_id_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    used_at timestamptz
);
CREATE INDEX sign_in_challenges_user_id_idx ON sign_in_challenges (user_id);
COMMENT ON TABLE sign_in_challenges IS 'Sign-ins waiting for their second factor.';
COMMENT ON COLUMN sign_in_challenges.token_hash IS 'operational: SHA-256 of the challenge token';
COMMENT ON COLUMN sign_in_challenges.user_id IS 'identifier: who gave the right password';
COMMENT ON COLUMN sign_in_challenges.created_at IS 'operational: when';
COMMENT ON COLUMN sign_in_challenges.expires_at IS 'operational: when it runs out';
COMMENT ON COLUMN sign_in_challenges.attempts IS 'operational: wrong codes so far';
COMMENT ON COLUMN sign_in_challenges.used_at IS 'operational: when it was passed; null while it is open';

CREATE TABLE password_resets (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT password_resets_user_id_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX password_resets_user_id_idx ON password_resets (user_id);
COMMENT ON TABLE password_resets IS 'Single-use password resets, hashed and short-lived.';
COMMENT ON COLUMN password_resets.token_hash IS 'operational: SHA-256 of the token';
COMMENT ON COLUMN password_resets.user_id IS 'identifier: whose';
COMMENT ON COLUMN password_resets.created_at IS 'operational: when it was asked for';
COMMENT ON COLUMN password_resets.expires_at IS 'operational: when it runs out';
COMMENT ON COLUMN password_resets.used_at IS 'operational: when it was used; null while unused';

-- Failed sign-ins by account and by address. Keyed by a hash, so an unknown account counts like a known one.
CREATE TABLE sign_in_throttles (
    subject_hash bytea PRIMARY KEY,
    failures integer NOT NULL,
    last_failed_at timestamptz NOT NULL,
    blocked_until timestamptz
);
CREATE INDEX sign_in_throttles_last_failed_at_idx ON sign_in_throttles (last_failed_at);
COMMENT ON TABLE sign_in_throttles IS 'Failed sign-ins by account and by address, with back-off.';
COMMENT ON COLUMN sign_in_throttles.subject_hash IS 'identifier: keyed hash of the e-mail or address tried';
COMMENT ON COLUMN sign_in_throttles.failures IS 'operational: failures since the last success';
COMMENT ON COLUMN sign_in_throttles.last_failed_at IS 'operational: the last failure';
COMMENT ON COLUMN sign_in_throttles.blocked_until IS 'operational: no attempt is looked at before this; null for none';

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['users', 'platform_roles', 'user_sessions', 'refresh_tokens', 'user_totp',
        'user_recovery_codes', 'sign_in_challenges', 'password_resets', 'sign_in_throttles'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

GRANT SELECT, INSERT, UPDATE ON users, user_sessions, refresh_tokens, user_totp,
    user_recovery_codes, sign_in_challenges, password_resets, sign_in_throttles, platform_roles TO anamnesis_server;
GRANT DELETE ON user_totp, user_recovery_codes, sign_in_throttles, sign_in_challenges, password_resets,
    refresh_tokens TO anamnesis_server;
