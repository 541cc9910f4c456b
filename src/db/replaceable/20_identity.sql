-- Who sees which login. The identity scope looks accounts up before anyone is signed in; a user sees
-- their own rows; a facility sees who works or worked in it; the platform sees all accounts.

DROP POLICY IF EXISTS visible ON users;
CREATE POLICY visible ON users
    USING (
        (SELECT app_scope()) IN ('identity', 'platform', 'system')
        OR id = (SELECT app_user())
        OR EXISTS (SELECT FROM facility_members m
                   WHERE m.facility_id = (SELECT app_facility()) AND m.user_id = users.id)
    )
    WITH CHECK ((SELECT app_scope()) IN ('identity', 'platform', 'system') OR id = (SELECT app_user()));

DROP POLICY IF EXISTS visible ON platform_roles;
CREATE POLICY visible ON platform_roles
    USING ((SELECT app_scope()) IN ('platform', 'identity', 'system') OR user_id = (SELECT app_user()))
    WITH CHECK ((SELECT app_scope()) IN ('platform', 'system'));

-- What belongs to one login: only they, or the identity and system scopes.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['user_sessions', 'user_totp', 'user_recovery_codes', 'sign_in_challenges',
        'password_resets'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS own ON %I', target);
        EXECUTE format('CREATE POLICY own ON %I USING ((SELECT app_scope()) IN (''identity'', ''system'') '
            'OR user_id = (SELECT app_user()))', target);
    END LOOP;
END $$;

-- A refresh token is looked up before anyone is signed in, and never after.
DROP POLICY IF EXISTS identity ON refresh_tokens;
CREATE POLICY identity ON refresh_tokens USING ((SELECT app_scope()) IN ('identity', 'system'));

-- Keyed hashes and counts. A user's own wrong password, given again to change it, counts too.
DROP POLICY IF EXISTS identity ON sign_in_throttles;
CREATE POLICY identity ON sign_in_throttles
    USING ((SELECT app_scope()) IN ('identity', 'system') OR (SELECT app_user()) IS NOT NULL);
