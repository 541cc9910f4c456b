-- A facility is seen by work bound to it, by the platform, and by its own members choosing where to work.

DROP POLICY IF EXISTS visible ON facilities;
CREATE POLICY visible ON facilities
    USING (
        id = (SELECT app_facility())
        OR (SELECT app_scope()) IN ('platform', 'identity', 'worker', 'system')
        OR EXISTS (SELECT FROM facility_members m
                   WHERE m.facility_id = facilities.id AND m.user_id = (SELECT app_user()))
    )
    WITH CHECK (id = (SELECT app_facility()) OR (SELECT app_scope()) IN ('platform', 'system'));

DROP POLICY IF EXISTS own ON facility_members;
CREATE POLICY own ON facility_members FOR SELECT USING (user_id = (SELECT app_user()));
DROP POLICY IF EXISTS own ON member_roles;
CREATE POLICY own ON member_roles FOR SELECT USING (
    EXISTS (SELECT FROM facility_members m WHERE m.facility_id = member_roles.facility_id
            AND m.id = member_roles.member_id AND m.user_id = (SELECT app_user())));

-- An invitation is found by the hash of its token before its facility is known.
DROP POLICY IF EXISTS by_token ON facility_invitations;
CREATE POLICY by_token ON facility_invitations FOR SELECT USING ((SELECT app_scope()) = 'identity');

-- The platform's key encrypts logins: staff names are read from within any facility.
DROP POLICY IF EXISTS platform_key ON facility_keys;
CREATE POLICY platform_key ON facility_keys FOR SELECT
    USING (facility_id = '00000000-0000-0000-0000-000000000000' AND (SELECT app_scope()) <> '');

-- The worker takes jobs of every facility; each is then run bound to its own.
DROP POLICY IF EXISTS queue ON jobs;
CREATE POLICY queue ON jobs USING ((SELECT app_scope()) = 'worker');

-- A facility that had an administrator keeps one, whoever changes its rows and however many at once. The server
-- refuses it earlier and with better words; this is what holds when the server is wrong. Deferred to the commit,
-- so that one transaction may hand the role over. The facility's row is locked first: of two transactions that each
-- take one of the last two administrators away, the second waits and then sees what the first did.
CREATE OR REPLACE FUNCTION facility_keeps_an_administrator() RETURNS trigger
    LANGUAGE plpgsql AS $$
DECLARE
    bound constant text := coalesce(current_setting('app.facility_id', true), '');
    guarded boolean;
BEGIN
    -- At the commit, the transaction may be bound elsewhere; the row tells which facility it is about.
    PERFORM set_config('app.facility_id', OLD.facility_id::text, true);
    -- Weaker than FOR UPDATE on purpose: it does not meet the key locks of the foreign keys to the facility.
    SELECT f.kind <> 'platform' AND f.status <> 'shredded' INTO guarded
        FROM facilities f WHERE f.id = OLD.facility_id FOR NO KEY UPDATE;
    IF guarded AND NOT EXISTS (
        SELECT FROM facility_members m JOIN member_roles r ON r.facility_id = m.facility_id AND r.member_id = m.id
        WHERE m.facility_id = OLD.facility_id AND m.status = 'active' AND r.role = 'administrator'
    ) AND (
        TG_TABLE_NAME = 'member_roles' OR EXISTS (
            SELECT FROM member_roles r WHERE r.facility_id = OLD.facility_id AND r.member_id = OLD.id
                AND r.role = 'administrator')
    ) THEN
        RAISE EXCEPTION 'a facility keeps at least one administrator'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'facilities_administrator_check', TABLE = 'facilities';
    END IF;
    PERFORM set_config('app.facility_id', bound, true);
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS keeps_an_administrator_update ON facility_members;
CREATE CONSTRAINT TRIGGER keeps_an_administrator_update AFTER UPDATE ON facility_members
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status = 'active' AND NEW.status <> 'active')
    EXECUTE FUNCTION facility_keeps_an_administrator();
DROP TRIGGER IF EXISTS keeps_an_administrator_delete ON facility_members;
CREATE CONSTRAINT TRIGGER keeps_an_administrator_delete AFTER DELETE ON facility_members
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status = 'active')
    EXECUTE FUNCTION facility_keeps_an_administrator();
DROP TRIGGER IF EXISTS keeps_an_administrator_update ON member_roles;
CREATE CONSTRAINT TRIGGER keeps_an_administrator_update AFTER UPDATE ON member_roles
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.role = 'administrator' AND (NEW.role <> 'administrator' OR NEW.member_id <> OLD.member_id
        OR NEW.facility_id <> OLD.facility_id))
    EXECUTE FUNCTION facility_keeps_an_administrator();
DROP TRIGGER IF EXISTS keeps_an_administrator_delete ON member_roles;
CREATE CONSTRAINT TRIGGER keeps_an_administrator_delete AFTER DELETE ON member_roles
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.role = 'administrator')
    EXECUTE FUNCTION facility_keeps_an_administrator();
