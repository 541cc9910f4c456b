-- A conversation is seen by those who take part in it and nobody else, whatever their role; the server itself sees all.

-- Conversations the bound user takes part in. The setting, taken back at once, keeps the policy of
-- conversation_participants below from asking this function in turn. Policies unnest a sub-select of it: of the bare
-- function the planner would ask, each time it plans, how many there are.
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
            OR conversation_id IN (SELECT unnest((SELECT app_conversations()))) END);
DROP POLICY IF EXISTS takes_part_update ON conversation_participants;
CREATE POLICY takes_part_update ON conversation_participants AS RESTRICTIVE FOR UPDATE USING (
    (SELECT app_scope()) = 'system' OR user_id = (SELECT app_user())
    OR conversation_id IN (SELECT unnest((SELECT app_conversations()))));
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

-- What belongs to a message follows it: where the message is seen, it is.
DO $$
DECLARE
    target text;
    seen text;
BEGIN
    FOREACH target IN ARRAY ARRAY['message_versions', 'message_reactions', 'message_mentions', 'message_attachments'] LOOP
        seen := format('(SELECT app_scope()) = ''system'' OR EXISTS (SELECT FROM messages m '
            'WHERE m.facility_id = %1$I.facility_id AND m.id = %1$I.message_id)', target);
        EXECUTE format('DROP POLICY IF EXISTS takes_part ON %I', target);
        EXECUTE format('CREATE POLICY takes_part ON %I AS RESTRICTIVE USING (%s) WITH CHECK (%s)', target, seen, seen);
    END LOOP;
END $$;

-- Nobody reacts for another.
DROP POLICY IF EXISTS own ON message_reactions;
CREATE POLICY own ON message_reactions AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR user_id = (SELECT app_user()));

-- A draft is its writer's alone, while they take part.
DROP POLICY IF EXISTS own ON message_drafts;
CREATE POLICY own ON message_drafts AS RESTRICTIVE USING (
    (SELECT app_scope()) = 'system' OR (user_id = (SELECT app_user()) AND EXISTS (SELECT FROM conversation_participants p
        WHERE p.facility_id = message_drafts.facility_id AND p.conversation_id = message_drafts.conversation_id
          AND p.user_id = (SELECT app_user()) AND p.left_at IS NULL)));

-- A search looks at many rows: the conversations are hashed once.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['message_terms', 'message_embeddings'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS takes_part ON %I', target);
        EXECUTE format('CREATE POLICY takes_part ON %I AS RESTRICTIVE USING ((SELECT app_scope()) = ''system'' '
            'OR conversation_id IN (SELECT unnest((SELECT app_conversations()))))', target);
    END LOOP;
END $$;

-- A legal hold is placed and released by people who need not take part, and learn nothing of what is said. The tenant
-- policy still holds. The scope is widened by hand: a SET clause for it needs a superuser.
CREATE OR REPLACE FUNCTION hold_conversation(p_conversation uuid, p_reason bytea)
    RETURNS TABLE (there boolean, changed boolean, patient_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    scope constant text := app_scope();
BEGIN
    PERFORM set_config('app.scope', 'system', true);
    SELECT true, (c.held_at IS NULL) = (p_reason IS NOT NULL), c.patient_id INTO there, changed, patient_id
        FROM conversations c WHERE c.facility_id = app_facility() AND c.id = p_conversation FOR NO KEY UPDATE;
    IF changed THEN
        UPDATE conversations c SET hold_reason_ciphertext = p_reason,
            held_at = CASE WHEN p_reason IS NOT NULL THEN app_now() END,
            held_by = CASE WHEN p_reason IS NOT NULL THEN app_user() END
            WHERE c.facility_id = app_facility() AND c.id = p_conversation;
    END IF;
    PERFORM set_config('app.scope', scope, true);
    there := coalesce(there, false);
    changed := coalesce(changed, false);
    RETURN NEXT;
END $$;

-- What conversations there are about a patient, for whoever may place a hold: nothing of what they are called or hold.
CREATE OR REPLACE FUNCTION conversations_about(p_patient uuid) RETURNS TABLE (
    id uuid, kind text, status text, last_sequence bigint, created_at timestamptz, last_activity_at timestamptz,
    held_at timestamptz, hold_reason_ciphertext bytea
) LANGUAGE plpgsql AS $$
DECLARE
    scope constant text := app_scope();
BEGIN
    PERFORM set_config('app.scope', 'system', true);
    RETURN QUERY SELECT c.id, c.kind, c.status, c.last_sequence, c.created_at, c.last_activity_at, c.held_at,
            c.hold_reason_ciphertext
        FROM conversations c WHERE c.facility_id = app_facility() AND c.patient_id = p_patient
        ORDER BY c.id DESC LIMIT 500;
    PERFORM set_config('app.scope', scope, true);
END $$;
GRANT EXECUTE ON FUNCTION hold_conversation(uuid, bytea), conversations_about(uuid) TO anamnesis_server;
