COMMENT ON COLUMN messages.citations IS 'identifier: documents the assistant cites, as a list of ids; null for people';
ALTER TABLE conversations DROP COLUMN assigned_user_id;
DROP TABLE conversation_memories, assistant_answers, conversation_agents, agents;
