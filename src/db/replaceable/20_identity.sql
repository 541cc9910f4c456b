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
    FOREACH target IN ARRAY ARRAY['sign_in_throttles', 'refresh_tokens'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS identity ON %I', target);
        EXECUTE format('CREATE POLICY identity ON %I USING ((SELECT app_scope()) IN (''identity'', ''system''))', target);
    END LOOP;
END $$;
