-- A saved search is its owner's alone. The system re-encrypts it when keys are rotated.
DROP POLICY IF EXISTS own ON saved_searches;
CREATE POLICY own ON saved_searches AS RESTRICTIVE
    USING ((SELECT app_scope()) = 'system' OR user_id = (SELECT app_user()))
    WITH CHECK ((SELECT app_scope()) = 'system' OR user_id = (SELECT app_user()));
