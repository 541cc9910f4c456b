-- A conversation is seen by those who take part in it and nobody else, whatever their role; the server itself sees all.

-- Conversations the bound user takes part in. The setting, taken back at once, keeps the policy of
-- conversation_participants below from asking this function in turn; the planner asks it nevertheless, for an estimate.
CREATE OR REPLACE FUNCTION app_conversations() RETURNS uuid[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    joined uuid[];
BEGIN
    IF current_setting('app.joining', true) = 'on' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.joining', 'on', true);
    SELECT coalesce(array_agg(conversation_id), '{}') INTO joined FROM conversation_participants
        WHERE facility_id = app_facility() AND user_id = app_user() AND left_at IS NULL;
    PERFORM set_config('app.joining', '', true);
    RETURN joined;
END $$;
GRANT EXECUTE ON FUNCTION app_conversations() TO anamnesis_server;

-- Restrictive: on top of the tenant policy, never instead of it. Who took part sees of their own row when they left;
-- it is what the other policies look at.
DROP POLICY IF EXISTS takes_part ON conversation_participants;
CREATE POLICY takes_part ON conversation_participants AS RESTRICTIVE FOR SELECT USING (
    CASE WHEN (SELECT coalesce(current_setting('app.joining', true), '')) = 'on' THEN user_id = (SELECT app_user())
        ELSE (SELECT app_scope()) = 'system' OR user_id = (SELECT app_user())
            OR conversation_id IN (SELECT unnest(app_conversations())) END);
DROP POLICY IF EXISTS takes_part_update ON conversation_participants;
CREATE POLICY takes_part_update ON conversation_participants AS RESTRICTIVE FOR UPDATE USING (
    (SELECT app_scope()) = 'system' OR user_id = (SELECT app_user())
    OR conversation_id IN (SELECT unnest(app_conversations())));
DROP POLICY IF EXISTS takes_part_insert ON conversation_participants;
CREATE POLICY takes_part_insert ON conversation_participants AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR invited_by = (SELECT app_user())
    OR (invited_by IS NULL AND user_id = (SELECT app_user())));
DROP POLICY IF EXISTS takes_part_delete ON conversation_participants;
CREATE POLICY takes_part_delete ON conversation_participants AS RESTRICTIVE FOR DELETE USING (
    (SELECT app_scope()) = 'system');

-- Looked up by the primary key of conversation_participants, where the row asked for is the user's own: the policy above
-- answers by its second arm.
DO $$
DECLARE
    target text;
    key text;
    present text;
BEGIN
    FOREACH target IN ARRAY ARRAY['conversations', 'messages'] LOOP
        key := CASE target WHEN 'conversations' THEN 'id' ELSE 'conversation_id' END;
        present := format('(SELECT app_scope()) = ''system'' OR EXISTS (SELECT FROM conversation_participants p '
            'WHERE p.facility_id = %1$I.facility_id AND p.conversation_id = %1$I.%2$I '
            'AND p.user_id = (SELECT app_user()) AND p.left_at IS NULL', target, key);
        EXECUTE format('DROP POLICY IF EXISTS takes_part ON %I', target);
        EXECUTE format('CREATE POLICY takes_part ON %I AS RESTRICTIVE FOR SELECT USING (%s))', target, present);
        EXECUTE format('DROP POLICY IF EXISTS takes_part_update ON %I', target);
        EXECUTE format('CREATE POLICY takes_part_update ON %I AS RESTRICTIVE FOR UPDATE USING (%s))', target, present);
        EXECUTE format('DROP POLICY IF EXISTS takes_part_delete ON %I', target);
        EXECUTE format('CREATE POLICY takes_part_delete ON %I AS RESTRICTIVE FOR DELETE USING ((SELECT app_scope()) = ''system'')', target);
    END LOOP;
END $$;

-- Whoever begins a conversation says so; whoever observes one says nothing in it.
DROP POLICY IF EXISTS takes_part_insert ON conversations;
CREATE POLICY takes_part_insert ON conversations AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR created_by = (SELECT app_user()));
DROP POLICY IF EXISTS takes_part_insert ON messages;
CREATE POLICY takes_part_insert ON messages AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system'
    OR ((author_user_id IS NULL OR author_user_id = (SELECT app_user()))
        AND EXISTS (SELECT FROM conversation_participants p
            WHERE p.facility_id = messages.facility_id AND p.conversation_id = messages.conversation_id
              AND p.user_id = (SELECT app_user()) AND p.left_at IS NULL
              AND (p.role <> 'observer' OR messages.kind = 'system'))));
