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
