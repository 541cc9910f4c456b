-- Notifications: each user's own.

DROP POLICY IF EXISTS own ON notifications;
CREATE POLICY own ON notifications AS RESTRICTIVE
    USING (user_id = (SELECT app_user()) OR (SELECT app_scope()) = 'system');
DROP POLICY IF EXISTS own ON notification_preferences;
CREATE POLICY own ON notification_preferences AS RESTRICTIVE
    USING (user_id = (SELECT app_user()) OR (SELECT app_scope()) = 'system');

-- Tells users of something that happened to an object: a new notification for each, or one more time on the one they
-- have not read. Gives those who had none. As the system, for the moment: nobody sees what others are told of.
CREATE OR REPLACE FUNCTION notify_users(
    p_facility uuid, p_ids uuid[], p_users uuid[], p_kind text, p_subject_kind text, p_subject uuid
) RETURNS TABLE (notification_id uuid, told uuid, fresh boolean) LANGUAGE plpgsql AS $$
DECLARE
    v_scope constant text := current_setting('app.scope', true);
BEGIN
    PERFORM set_config('app.scope', 'system', true);
    RETURN QUERY
        INSERT INTO notifications AS n (facility_id, id, user_id, kind, subject_kind, subject_id, occurred_at,
                created_at, updated_at)
            SELECT p_facility, t.id, t.user_id, p_kind, p_subject_kind, p_subject, app_now(), app_now(), app_now()
            FROM unnest(p_ids, p_users) AS t (id, user_id)
            -- In one order, so that two who tell the same users wait for each other instead of deadlocking.
            ORDER BY t.user_id
            ON CONFLICT (facility_id, user_id, kind, subject_id) WHERE read_at IS NULL
                DO UPDATE SET times = n.times + 1, occurred_at = excluded.occurred_at, updated_at = excluded.updated_at
            RETURNING n.id, n.user_id, n.times = 1;
    PERFORM set_config('app.scope', v_scope, true);
END $$;

GRANT EXECUTE ON FUNCTION notify_users(uuid, uuid[], uuid[], text, text, uuid) TO anamnesis_server;
