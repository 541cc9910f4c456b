-- Assistants: set up by the facility, seen in the conversations they answer in; what they are to remember is its user's.

-- An assistant is invited into a conversation by one of its owners, and seen there by those who take part.
DROP POLICY IF EXISTS takes_part ON conversation_agents;
CREATE POLICY takes_part ON conversation_agents AS RESTRICTIVE USING (
    (SELECT app_scope()) = 'system' OR EXISTS (SELECT FROM conversation_participants p
        WHERE p.facility_id = conversation_agents.facility_id AND p.conversation_id = conversation_agents.conversation_id
          AND p.user_id = (SELECT app_user()) AND p.left_at IS NULL));
DO $$
DECLARE
    owned constant text := '(SELECT app_scope()) = ''system'' OR EXISTS (SELECT FROM conversation_participants p '
        'WHERE p.facility_id = conversation_agents.facility_id AND p.conversation_id = conversation_agents.conversation_id '
        'AND p.user_id = (SELECT app_user()) AND p.left_at IS NULL AND p.role = ''owner'')';
BEGIN
    DROP POLICY IF EXISTS owned_insert ON conversation_agents;
    EXECUTE format('CREATE POLICY owned_insert ON conversation_agents AS RESTRICTIVE FOR INSERT WITH CHECK ('
        '(%s) AND ((SELECT app_scope()) = ''system'' OR invited_by = (SELECT app_user())))', owned);
    DROP POLICY IF EXISTS owned_delete ON conversation_agents;
    EXECUTE format('CREATE POLICY owned_delete ON conversation_agents AS RESTRICTIVE FOR DELETE USING (%s)', owned);
END $$;

-- What became of a question follows the message it became; a user asks for nobody else, and only the server answers.
DROP POLICY IF EXISTS takes_part ON assistant_answers;
CREATE POLICY takes_part ON assistant_answers AS RESTRICTIVE USING (
    (SELECT app_scope()) = 'system' OR EXISTS (SELECT FROM messages m
        WHERE m.facility_id = assistant_answers.facility_id AND m.id = assistant_answers.message_id));
DROP POLICY IF EXISTS own_insert ON assistant_answers;
CREATE POLICY own_insert ON assistant_answers AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR (user_id = (SELECT app_user()) AND outcome = 'pending'));
DROP POLICY IF EXISTS server_update ON assistant_answers;
CREATE POLICY server_update ON assistant_answers AS RESTRICTIVE FOR UPDATE USING ((SELECT app_scope()) = 'system');
DROP POLICY IF EXISTS server_delete ON assistant_answers;
CREATE POLICY server_delete ON assistant_answers AS RESTRICTIVE FOR DELETE USING ((SELECT app_scope()) = 'system');

-- A memory is its user's alone.
DROP POLICY IF EXISTS own ON conversation_memories;
CREATE POLICY own ON conversation_memories AS RESTRICTIVE USING (
    (SELECT app_scope()) = 'system' OR user_id = (SELECT app_user()));
