-- Assistants: who they are, in which conversations they answer, what came of each question, what they are to remember.

CREATE TABLE agents (
    facility_id uuid NOT NULL CONSTRAINT agents_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    name text NOT NULL CONSTRAINT agents_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    purpose text NOT NULL,
    style text,
    boundaries jsonb NOT NULL DEFAULT '[]',
    model_name text,
    retrieval_scope text NOT NULL CONSTRAINT agents_retrieval_scope_check CHECK (retrieval_scope IN ('none', 'patient', 'all')),
    active boolean NOT NULL DEFAULT true,
    created_by uuid NOT NULL CONSTRAINT agents_created_by_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT agents_facility_id_name_key UNIQUE (facility_id, name)
);
CREATE INDEX agents_created_by_idx ON agents (created_by);
COMMENT ON TABLE agents IS 'An assistant as a facility has set it up. Nothing of a patient belongs here.';
COMMENT ON COLUMN agents.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN agents.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN agents.name IS 'operational: what it is called';
COMMENT ON COLUMN agents.purpose IS 'operational: what it is for, in words that a model is told';
COMMENT ON COLUMN agents.style IS 'operational: how it is to answer, in words that a model is told; null for no wishes';
COMMENT ON COLUMN agents.boundaries IS 'operational: words and phrases it refuses to speak of, as a list';
COMMENT ON COLUMN agents.model_name IS 'operational: the model it asks; null for the one the server is set up with';
COMMENT ON COLUMN agents.retrieval_scope IS 'operational: in which documents it may look, of those that whoever asks may see';
COMMENT ON COLUMN agents.active IS 'operational: whether it answers';
COMMENT ON COLUMN agents.created_by IS 'identifier: who set it up';
COMMENT ON COLUMN agents.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN agents.updated_at IS 'operational: when the row last changed';
COMMENT ON COLUMN agents.version IS 'operational: optimistic concurrency counter';
SELECT protect_tenant_table('agents');

CREATE TABLE conversation_agents (
    facility_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    invited_by uuid NOT NULL CONSTRAINT conversation_agents_invited_by_fkey REFERENCES users (id),
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, conversation_id, agent_id),
    CONSTRAINT conversation_agents_facility_id_conversation_id_fkey FOREIGN KEY (facility_id, conversation_id) REFERENCES conversations (facility_id, id),
    CONSTRAINT conversation_agents_facility_id_agent_id_fkey FOREIGN KEY (facility_id, agent_id) REFERENCES agents (facility_id, id)
);
CREATE INDEX conversation_agents_facility_id_agent_id_idx ON conversation_agents (facility_id, agent_id);
CREATE INDEX conversation_agents_invited_by_idx ON conversation_agents (invited_by);
COMMENT ON TABLE conversation_agents IS 'Which assistants answer in a conversation.';
COMMENT ON COLUMN conversation_agents.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN conversation_agents.conversation_id IS 'identifier: the conversation';
COMMENT ON COLUMN conversation_agents.agent_id IS 'identifier: the assistant';
COMMENT ON COLUMN conversation_agents.invited_by IS 'identifier: the owner of the conversation who invited it';
COMMENT ON COLUMN conversation_agents.joined_at IS 'operational: when it was invited';
SELECT protect_tenant_table('conversation_agents');

CREATE TABLE assistant_answers (
    facility_id uuid NOT NULL,
    message_id uuid NOT NULL,
    question_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT assistant_answers_user_id_fkey REFERENCES users (id),
    session_id uuid NOT NULL,
    purpose text NOT NULL,
    outcome text NOT NULL CONSTRAINT assistant_answers_outcome_check CHECK (outcome IN ('pending', 'answered', 'quoted', 'not_found', 'refused', 'handed_over', 'broken_off', 'failed')),
    finished_at timestamptz,
    PRIMARY KEY (facility_id, message_id),
    CONSTRAINT assistant_answers_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id),
    CONSTRAINT assistant_answers_facility_id_question_id_fkey FOREIGN KEY (facility_id, question_id) REFERENCES messages (facility_id, id),
    CONSTRAINT assistant_answers_facility_id_agent_id_fkey FOREIGN KEY (facility_id, agent_id) REFERENCES agents (facility_id, id),
    CONSTRAINT assistant_answers_finished_check CHECK ((finished_at IS NULL) = (outcome = 'pending'))
);
CREATE INDEX assistant_answers_facility_id_question_id_idx ON assistant_answers (facility_id, question_id);
CREATE INDEX assistant_answers_facility_id_agent_id_idx ON assistant_answers (facility_id, agent_id);
CREATE INDEX assistant_answers_user_id_idx ON assistant_answers (user_id);
COMMENT ON TABLE assistant_answers IS 'What became of a question to an assistant: one row for each message of an assistant.';
COMMENT ON COLUMN assistant_answers.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN assistant_answers.message_id IS 'identifier: the message the answer is in';
COMMENT ON COLUMN assistant_answers.question_id IS 'identifier: the message that was asked';
COMMENT ON COLUMN assistant_answers.agent_id IS 'identifier: the assistant';
COMMENT ON COLUMN assistant_answers.user_id IS 'identifier: who asked, as whom the record is looked at';
COMMENT ON COLUMN assistant_answers.session_id IS 'identifier: the session it was asked in: when that has ended, nothing is looked at any more';
COMMENT ON COLUMN assistant_answers.purpose IS 'operational: purpose of use the question was asked for';
COMMENT ON COLUMN assistant_answers.outcome IS 'operational: whether and how it was answered';
COMMENT ON COLUMN assistant_answers.finished_at IS 'operational: when the answer was complete; null before';
SELECT protect_tenant_table('assistant_answers');

CREATE TABLE conversation_memories (
    facility_id uuid NOT NULL CONSTRAINT conversation_memories_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT conversation_memories_user_id_fkey REFERENCES users (id),
    agent_id uuid NOT NULL,
    fact_ciphertext bytea NOT NULL,
    importance double precision NOT NULL CONSTRAINT conversation_memories_importance_check CHECK (importance BETWEEN 0 AND 1),
    half_life_days integer NOT NULL CONSTRAINT conversation_memories_half_life_days_check CHECK (half_life_days BETWEEN 1 AND 3650),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT conversation_memories_facility_id_agent_id_fkey FOREIGN KEY (facility_id, agent_id) REFERENCES agents (facility_id, id)
);
CREATE INDEX conversation_memories_facility_id_agent_id_idx ON conversation_memories (facility_id, agent_id, user_id);
CREATE INDEX conversation_memories_user_id_idx ON conversation_memories (user_id);
COMMENT ON TABLE conversation_memories IS 'What an assistant is to keep in mind when it answers one user, who said so; theirs alone.';
COMMENT ON COLUMN conversation_memories.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN conversation_memories.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN conversation_memories.user_id IS 'identifier: whose it is';
COMMENT ON COLUMN conversation_memories.agent_id IS 'identifier: the assistant';
COMMENT ON COLUMN conversation_memories.fact_ciphertext IS 'phi: what is to be kept in mind';
COMMENT ON COLUMN conversation_memories.importance IS 'operational: how much it counts when it is new, 0 to 1';
COMMENT ON COLUMN conversation_memories.half_life_days IS 'operational: after so many days it counts half';
COMMENT ON COLUMN conversation_memories.created_at IS 'operational: when the row was made';
SELECT protect_tenant_table('conversation_memories');

ALTER TABLE conversations ADD COLUMN assigned_user_id uuid CONSTRAINT conversations_assigned_user_id_fkey REFERENCES users (id);
CREATE INDEX conversations_assigned_user_id_idx ON conversations (assigned_user_id) WHERE assigned_user_id IS NOT NULL;
COMMENT ON COLUMN conversations.assigned_user_id IS 'identifier: who of those who take part is to see to it; null while nobody is named';

COMMENT ON COLUMN messages.citations IS 'identifier: passages the assistant cites, as a list of ids of documents and passages; null for people';
