-- Conversations: who takes part, what is said, how far each has read.

CREATE TABLE conversations (
    facility_id uuid NOT NULL CONSTRAINT conversations_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT conversations_kind_check CHECK (kind IN ('general', 'patient', 'administrative', 'secure_mail', 'care_team', 'whatsapp')),
    patient_id uuid,
    title_ciphertext bytea,
    tags_ciphertext bytea,
    priority text NOT NULL CONSTRAINT conversations_priority_check CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    status text NOT NULL CONSTRAINT conversations_status_check CHECK (status IN ('active', 'archived', 'escalated', 'completed')),
    status_changed_at timestamptz,
    status_changed_by uuid CONSTRAINT conversations_status_changed_by_fkey REFERENCES users (id),
    last_sequence bigint NOT NULL DEFAULT 0,
    last_activity_at timestamptz NOT NULL,
    hold_reason_ciphertext bytea,
    held_at timestamptz,
    held_by uuid CONSTRAINT conversations_held_by_fkey REFERENCES users (id),
    created_by uuid CONSTRAINT conversations_created_by_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT conversations_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT conversations_patient_check CHECK (patient_id IS NOT NULL OR kind NOT IN ('patient', 'care_team')),
    CONSTRAINT conversations_title_check CHECK (title_ciphertext IS NOT NULL OR kind <> 'secure_mail'),
    CONSTRAINT conversations_created_by_check CHECK (created_by IS NOT NULL OR kind = 'whatsapp'),
    CONSTRAINT conversations_status_changed_check CHECK (status_changed_at IS NOT NULL OR status_changed_by IS NULL),
    CONSTRAINT conversations_held_check CHECK ((held_at IS NULL) = (held_by IS NULL) AND (held_at IS NULL) = (hold_reason_ciphertext IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX conversations_facility_id_patient_id_idx ON conversations (facility_id, patient_id) WHERE patient_id IS NOT NULL;
CREATE INDEX conversations_facility_id_completed_idx ON conversations (facility_id, status_changed_at) WHERE status = 'completed';
CREATE INDEX conversations_created_by_idx ON conversations (created_by);
CREATE INDEX conversations_status_changed_by_idx ON conversations (status_changed_by);
CREATE INDEX conversations_held_by_idx ON conversations (held_by);
COMMENT ON TABLE conversations IS 'What several people talk about.';
COMMENT ON COLUMN conversations.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN conversations.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN conversations.kind IS 'operational: what it is for';
COMMENT ON COLUMN conversations.patient_id IS 'identifier: whom it is about; null when it is about nobody in particular';
COMMENT ON COLUMN conversations.title_ciphertext IS 'phi: title, or the subject of a secure mail; null when there is none';
COMMENT ON COLUMN conversations.tags_ciphertext IS 'phi: words it is sorted by, as a JSON list; null when there are none';
COMMENT ON COLUMN conversations.priority IS 'operational: how much it presses';
COMMENT ON COLUMN conversations.status IS 'operational: whether it goes on';
COMMENT ON COLUMN conversations.status_changed_at IS 'operational: when the status last changed; null while it never did';
COMMENT ON COLUMN conversations.status_changed_by IS 'identifier: who changed it; null while nobody did, and when the server did';
COMMENT ON COLUMN conversations.last_sequence IS 'operational: number of its last message; messages are numbered from 1 without gaps';
COMMENT ON COLUMN conversations.last_activity_at IS 'operational: when its last message was sent; when it was made while there is none';
COMMENT ON COLUMN conversations.hold_reason_ciphertext IS 'phi: why it is under a legal hold; null while it is not';
COMMENT ON COLUMN conversations.held_at IS 'operational: since when it is under a legal hold; null while it is not';
COMMENT ON COLUMN conversations.held_by IS 'identifier: who placed the legal hold; null while there is none';
COMMENT ON COLUMN conversations.created_by IS 'identifier: who began it; null when somebody outside did, by writing';
COMMENT ON COLUMN conversations.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN conversations.version IS 'operational: optimistic concurrency counter; messages do not raise it';
SELECT protect_tenant_table('conversations');

CREATE TABLE conversation_participants (
    facility_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT conversation_participants_user_id_fkey REFERENCES users (id),
    role text NOT NULL CONSTRAINT conversation_participants_role_check CHECK (role IN ('owner', 'member', 'observer')),
    party text NOT NULL CONSTRAINT conversation_participants_party_check CHECK (party IN ('staff', 'patient')),
    joined_at timestamptz NOT NULL,
    invited_by uuid CONSTRAINT conversation_participants_invited_by_fkey REFERENCES users (id),
    left_at timestamptz,
    muted_until timestamptz,
    last_read_sequence bigint NOT NULL DEFAULT 0,
    seen_sequence bigint NOT NULL DEFAULT 0,
    delivered_sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (facility_id, conversation_id, user_id),
    CONSTRAINT conversation_participants_facility_id_conversation_id_fkey FOREIGN KEY (facility_id, conversation_id) REFERENCES conversations (facility_id, id),
    CONSTRAINT conversation_participants_receipts_check CHECK (last_read_sequence >= 0 AND last_read_sequence <= seen_sequence AND seen_sequence <= delivered_sequence)
) WITH (fillfactor = 80);
CREATE INDEX conversation_participants_facility_id_user_id_idx ON conversation_participants (facility_id, user_id) WHERE left_at IS NULL;
CREATE INDEX conversation_participants_user_id_idx ON conversation_participants (user_id);
CREATE INDEX conversation_participants_invited_by_idx ON conversation_participants (invited_by);
COMMENT ON TABLE conversation_participants IS 'Who takes part in a conversation, or did.';
COMMENT ON COLUMN conversation_participants.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN conversation_participants.conversation_id IS 'identifier: the conversation';
COMMENT ON COLUMN conversation_participants.user_id IS 'identifier: who takes part';
COMMENT ON COLUMN conversation_participants.role IS 'operational: what they may do in it';
COMMENT ON COLUMN conversation_participants.party IS 'operational: whether they work here or are in care here, as of when they joined';
COMMENT ON COLUMN conversation_participants.joined_at IS 'operational: when they joined last';
COMMENT ON COLUMN conversation_participants.invited_by IS 'identifier: who invited them; null for who began the conversation, and where the server did';
COMMENT ON COLUMN conversation_participants.left_at IS 'operational: when they left or were removed; null while they take part';
COMMENT ON COLUMN conversation_participants.muted_until IS 'operational: until when they want no notifications of it; null when they do';
COMMENT ON COLUMN conversation_participants.last_read_sequence IS 'operational: number of the last message that counts as read; goes back when they mark one unread';
COMMENT ON COLUMN conversation_participants.seen_sequence IS 'operational: number of the last message they ever read: what receipts say; never goes back';
COMMENT ON COLUMN conversation_participants.delivered_sequence IS 'operational: number of the last message that reached a device of theirs';
SELECT protect_tenant_table('conversation_participants');

CREATE TABLE messages (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    sequence bigint NOT NULL CONSTRAINT messages_sequence_check CHECK (sequence > 0),
    author_user_id uuid CONSTRAINT messages_author_user_id_fkey REFERENCES users (id),
    kind text NOT NULL CONSTRAINT messages_kind_check CHECK (kind IN ('text', 'document', 'system', 'assistant', 'query_result')),
    body_ciphertext bytea,
    system_event text CONSTRAINT messages_system_event_check CHECK (system_event IN ('participant_joined', 'participant_left', 'participant_removed', 'archived', 'escalated', 'completed', 'reopened', 'contact_opted_out', 'contact_opted_in')),
    system_subject_id uuid CONSTRAINT messages_system_subject_id_fkey REFERENCES users (id),
    thread_root_id uuid,
    parent_id uuid,
    sensitivity text NOT NULL CONSTRAINT messages_sensitivity_check CHECK (sensitivity IN ('normal', 'sensitive')),
    model_name text,
    model_version text,
    confidence double precision CONSTRAINT messages_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    citations jsonb,
    created_at timestamptz NOT NULL,
    edited_at timestamptz,
    deleted_at timestamptz,
    deleted_by uuid CONSTRAINT messages_deleted_by_fkey REFERENCES users (id),
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT messages_facility_id_conversation_id_sequence_key UNIQUE (facility_id, conversation_id, sequence),
    CONSTRAINT messages_facility_id_conversation_id_fkey FOREIGN KEY (facility_id, conversation_id) REFERENCES conversations (facility_id, id),
    CONSTRAINT messages_facility_id_thread_root_id_fkey FOREIGN KEY (facility_id, thread_root_id) REFERENCES messages (facility_id, id),
    CONSTRAINT messages_facility_id_parent_id_fkey FOREIGN KEY (facility_id, parent_id) REFERENCES messages (facility_id, id),
    CONSTRAINT messages_thread_check CHECK ((thread_root_id IS NULL) = (parent_id IS NULL)),
    CONSTRAINT messages_system_check CHECK ((kind = 'system') = (system_event IS NOT NULL) AND (kind <> 'system' OR author_user_id IS NULL)),
    CONSTRAINT messages_assistant_check CHECK (kind = 'assistant' OR num_nonnulls(model_name, model_version, confidence, citations) = 0),
    CONSTRAINT messages_body_check CHECK ((body_ciphertext IS NULL) = (kind = 'system' OR deleted_at IS NOT NULL)),
    CONSTRAINT messages_deleted_check CHECK ((deleted_at IS NULL) = (deleted_by IS NULL))
);
CREATE INDEX messages_author_user_id_idx ON messages (author_user_id, facility_id, conversation_id, sequence);
CREATE INDEX messages_deleted_idx ON messages (facility_id, conversation_id, sequence) WHERE deleted_at IS NOT NULL;
CREATE INDEX messages_facility_id_thread_root_id_idx ON messages (facility_id, thread_root_id, sequence) WHERE thread_root_id IS NOT NULL;
CREATE INDEX messages_facility_id_parent_id_idx ON messages (facility_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX messages_system_subject_id_idx ON messages (system_subject_id) WHERE system_subject_id IS NOT NULL;
CREATE INDEX messages_deleted_by_idx ON messages (deleted_by) WHERE deleted_by IS NOT NULL;
COMMENT ON TABLE messages IS 'What is said in a conversation.';
COMMENT ON COLUMN messages.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN messages.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN messages.conversation_id IS 'identifier: the conversation';
COMMENT ON COLUMN messages.sequence IS 'operational: 1, 2, 3 in the conversation, without gaps, in the order of commit';
COMMENT ON COLUMN messages.author_user_id IS 'identifier: who wrote it; null for the system, for an assistant and for somebody outside';
COMMENT ON COLUMN messages.kind IS 'operational: what it is';
COMMENT ON COLUMN messages.body_ciphertext IS 'phi: the text; null for system messages, and when it was deleted';
COMMENT ON COLUMN messages.system_event IS 'operational: what happened; null for what somebody wrote';
COMMENT ON COLUMN messages.system_subject_id IS 'identifier: whom it happened to, or who did it; null for what somebody wrote';
COMMENT ON COLUMN messages.thread_root_id IS 'identifier: first message of the thread it belongs to; null outside threads and for the first itself';
COMMENT ON COLUMN messages.parent_id IS 'identifier: the message it answers; null when it answers none';
COMMENT ON COLUMN messages.sensitivity IS 'operational: whether it is kept out of previews and away from models';
COMMENT ON COLUMN messages.model_name IS 'operational: the model that wrote it; null for people';
COMMENT ON COLUMN messages.model_version IS 'operational: its version; null for people, or when it has none';
COMMENT ON COLUMN messages.confidence IS 'operational: how sure the assistant was, 0 to 1; null for people';
COMMENT ON COLUMN messages.citations IS 'identifier: documents the assistant cites, as a list of ids; null for people';
COMMENT ON COLUMN messages.created_at IS 'operational: when it was sent';
COMMENT ON COLUMN messages.edited_at IS 'operational: when the text last changed; null while it never did';
COMMENT ON COLUMN messages.deleted_at IS 'operational: when it was deleted; null while it is there';
COMMENT ON COLUMN messages.deleted_by IS 'identifier: who deleted it; null while it is there';
COMMENT ON COLUMN messages.version IS 'operational: optimistic concurrency counter';
SELECT protect_tenant_table('messages');

CREATE TABLE message_versions (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    message_id uuid NOT NULL,
    body_ciphertext bytea NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT message_versions_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id)
);
CREATE INDEX message_versions_facility_id_message_id_idx ON message_versions (facility_id, message_id, id);
COMMENT ON TABLE message_versions IS 'What a message said before it was edited.';
COMMENT ON COLUMN message_versions.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_versions.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN message_versions.message_id IS 'identifier: the message';
COMMENT ON COLUMN message_versions.body_ciphertext IS 'phi: the text it had';
COMMENT ON COLUMN message_versions.written_at IS 'operational: when it was given that text';
SELECT protect_tenant_table('message_versions');

CREATE TABLE message_reactions (
    facility_id uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT message_reactions_user_id_fkey REFERENCES users (id),
    emoji text NOT NULL CONSTRAINT message_reactions_emoji_check CHECK (char_length(emoji) BETWEEN 1 AND 16),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, message_id, user_id, emoji),
    CONSTRAINT message_reactions_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id)
);
CREATE INDEX message_reactions_user_id_idx ON message_reactions (user_id);
COMMENT ON TABLE message_reactions IS 'What somebody thinks of a message, as an emoji.';
COMMENT ON COLUMN message_reactions.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_reactions.message_id IS 'identifier: the message';
COMMENT ON COLUMN message_reactions.user_id IS 'identifier: who reacts';
COMMENT ON COLUMN message_reactions.emoji IS 'operational: one emoji';
COMMENT ON COLUMN message_reactions.created_at IS 'operational: when the row was made';
SELECT protect_tenant_table('message_reactions');

CREATE TABLE message_mentions (
    facility_id uuid NOT NULL,
    message_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT message_mentions_user_id_fkey REFERENCES users (id),
    PRIMARY KEY (facility_id, message_id, user_id),
    CONSTRAINT message_mentions_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id)
);
CREATE INDEX message_mentions_user_id_idx ON message_mentions (user_id, facility_id, message_id);
COMMENT ON TABLE message_mentions IS 'Whom a message names.';
COMMENT ON COLUMN message_mentions.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_mentions.message_id IS 'identifier: the message';
COMMENT ON COLUMN message_mentions.user_id IS 'identifier: who is named';
SELECT protect_tenant_table('message_mentions');

CREATE TABLE message_attachments (
    facility_id uuid NOT NULL,
    message_id uuid NOT NULL,
    document_id uuid NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (facility_id, message_id, document_id),
    CONSTRAINT message_attachments_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id),
    CONSTRAINT message_attachments_facility_id_document_id_fkey FOREIGN KEY (facility_id, document_id) REFERENCES documents (facility_id, id)
);
CREATE INDEX message_attachments_facility_id_document_id_idx ON message_attachments (facility_id, document_id);
COMMENT ON TABLE message_attachments IS 'Documents that a message shares; who may open one is the document''s own affair.';
COMMENT ON COLUMN message_attachments.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_attachments.message_id IS 'identifier: the message';
COMMENT ON COLUMN message_attachments.document_id IS 'identifier: the document';
COMMENT ON COLUMN message_attachments.position IS 'operational: 0, 1, 2 in the message';
SELECT protect_tenant_table('message_attachments');

CREATE TABLE message_drafts (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT message_drafts_user_id_fkey REFERENCES users (id),
    thread_root_id uuid,
    body_ciphertext bytea NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT message_drafts_facility_id_conversation_id_fkey FOREIGN KEY (facility_id, conversation_id) REFERENCES conversations (facility_id, id),
    CONSTRAINT message_drafts_facility_id_thread_root_id_fkey FOREIGN KEY (facility_id, thread_root_id) REFERENCES messages (facility_id, id),
    CONSTRAINT message_drafts_place_key UNIQUE NULLS NOT DISTINCT (facility_id, conversation_id, user_id, thread_root_id)
);
CREATE INDEX message_drafts_user_id_idx ON message_drafts (user_id);
CREATE INDEX message_drafts_facility_id_thread_root_id_idx ON message_drafts (facility_id, thread_root_id) WHERE thread_root_id IS NOT NULL;
COMMENT ON TABLE message_drafts IS 'What somebody has begun to write and not sent; seen by them alone.';
COMMENT ON COLUMN message_drafts.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_drafts.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN message_drafts.conversation_id IS 'identifier: the conversation';
COMMENT ON COLUMN message_drafts.user_id IS 'identifier: who writes';
COMMENT ON COLUMN message_drafts.thread_root_id IS 'identifier: first message of the thread it is for; null outside threads';
COMMENT ON COLUMN message_drafts.body_ciphertext IS 'phi: the text so far';
COMMENT ON COLUMN message_drafts.saved_at IS 'operational: when it was saved last';
SELECT protect_tenant_table('message_drafts');

-- Messages in search: their lexemes as keyed hashes, and their vectors. No word stands here in clear.
CREATE TABLE message_terms (
    facility_id uuid NOT NULL,
    term bigint NOT NULL,
    message_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    frequency smallint NOT NULL,
    PRIMARY KEY (facility_id, term, message_id),
    CONSTRAINT message_terms_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id),
    CONSTRAINT message_terms_facility_id_conversation_id_fkey FOREIGN KEY (facility_id, conversation_id) REFERENCES conversations (facility_id, id)
);
CREATE INDEX message_terms_facility_id_message_id_idx ON message_terms (facility_id, message_id);
CREATE INDEX message_terms_facility_id_conversation_id_idx ON message_terms (facility_id, conversation_id);
COMMENT ON TABLE message_terms IS 'A lexeme of a message.';
COMMENT ON COLUMN message_terms.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_terms.term IS 'identifier: keyed hash of the lexeme';
COMMENT ON COLUMN message_terms.message_id IS 'identifier: the message';
COMMENT ON COLUMN message_terms.conversation_id IS 'identifier: its conversation';
COMMENT ON COLUMN message_terms.frequency IS 'operational: how often it occurs';
SELECT protect_tenant_table('message_terms');

CREATE TABLE message_embeddings (
    facility_id uuid NOT NULL,
    message_id uuid NOT NULL,
    model_id smallint NOT NULL CONSTRAINT message_embeddings_model_id_fkey REFERENCES embedding_models (id),
    conversation_id uuid NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (facility_id, message_id, model_id),
    CONSTRAINT message_embeddings_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id),
    CONSTRAINT message_embeddings_facility_id_conversation_id_fkey FOREIGN KEY (facility_id, conversation_id) REFERENCES conversations (facility_id, id)
);
CREATE INDEX message_embeddings_facility_id_conversation_id_idx ON message_embeddings (facility_id, conversation_id, model_id);
CREATE INDEX message_embeddings_model_id_idx ON message_embeddings (model_id);
COMMENT ON TABLE message_embeddings IS 'The vector of a message under one model.';
COMMENT ON COLUMN message_embeddings.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN message_embeddings.message_id IS 'identifier: the message';
COMMENT ON COLUMN message_embeddings.model_id IS 'operational: the model';
COMMENT ON COLUMN message_embeddings.conversation_id IS 'identifier: its conversation';
COMMENT ON COLUMN message_embeddings.embedding IS 'clinical: the vector, normalised to length 1; it leaks the gist of the text';
SELECT protect_tenant_table('message_embeddings');
