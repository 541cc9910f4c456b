-- The ground every table stands on: extensions, the unprivileged role, the tenant helper.

CREATE EXTENSION IF NOT EXISTS vector;

-- The role the server logs in as. It owns nothing and may not bypass row-level security. The
-- operator may have created it already (with LOGIN and a password): then it is left as it is.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anamnesis_server') THEN
        CREATE ROLE anamnesis_server NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
END $$;

GRANT USAGE ON SCHEMA public TO anamnesis_server;

-- The tenant bound to this transaction; NULL, so no rows, when nothing is bound.
CREATE FUNCTION app_facility() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.facility_id', true), '')::uuid;

-- The user bound to this transaction; NULL for anonymous and system work.
CREATE FUNCTION app_user() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.user_id', true), '')::uuid;

-- What kind of work is bound: facility, platform, identity, system or worker; '' for none.
CREATE FUNCTION app_scope() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('app.scope', true), '');

CREATE FUNCTION touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    -- Only where the statement itself did not set it: the server passes its own clock. Encrypting a value under
    -- another key is no change of the row.
    IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at
        AND coalesce(current_setting('app.rekeying', true), '') <> 'on' THEN
        NEW.updated_at := greatest(OLD.updated_at, clock_timestamp());
    END IF;
    RETURN NEW;
END $$;

-- One line protects a tenant table: row-level security forced, the tenant policy in its InitPlan
-- form (evaluated once per statement), grants for the server role.
CREATE FUNCTION protect_tenant_table(target regclass, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant ON %s USING (facility_id = (SELECT app_facility())) '
        'WITH CHECK (facility_id = (SELECT app_facility()))', target);
    EXECUTE format('GRANT %s ON %s TO anamnesis_server', privileges, target);
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = target AND attname = 'updated_at') THEN
        EXECUTE format(
            'CREATE TRIGGER touch_updated_at BEFORE UPDATE ON %s '
            'FOR EACH ROW EXECUTE FUNCTION touch_updated_at()', target);
    END IF;
END $$;

-- Remembers which version of src/db/replaceable is applied.
CREATE TABLE replaceable_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE replaceable_state IS 'operational: which version of the replaceable SQL is applied';
COMMENT ON COLUMN replaceable_state.only_row IS 'operational: keeps the table at one row';
COMMENT ON COLUMN replaceable_state.hash IS 'operational: SHA-256 of the replaceable SQL';
COMMENT ON COLUMN replaceable_state.applied_at IS 'operational: when it was applied';
GRANT SELECT ON replaceable_state TO anamnesis_server;
