-- What has happened, for those who listen: one stream a facility, in the order of commits.

CREATE TABLE event_heads (
    facility_id uuid NOT NULL CONSTRAINT event_heads_facility_id_fkey REFERENCES facilities (id),
    position bigint NOT NULL CONSTRAINT event_heads_position_check CHECK (position >= 0),
    swept bigint NOT NULL DEFAULT 0 CONSTRAINT event_heads_swept_check CHECK (swept BETWEEN 0 AND position),
    PRIMARY KEY (facility_id)
);
COMMENT ON TABLE event_heads IS 'The position of the last event of a facility. Its row is locked from the moment an event takes its position until the commit: positions are in the order of commits and have no gaps.';
COMMENT ON COLUMN event_heads.facility_id IS 'identifier: whose stream';
COMMENT ON COLUMN event_heads.position IS 'operational: position of the last event';
COMMENT ON COLUMN event_heads.swept IS 'operational: events up to this position are no longer kept';
SELECT protect_tenant_table('event_heads', 'SELECT, INSERT, UPDATE');

CREATE TABLE events (
    facility_id uuid NOT NULL CONSTRAINT events_facility_id_fkey REFERENCES facilities (id),
    position bigint NOT NULL,
    kind text NOT NULL CONSTRAINT events_kind_check CHECK (kind IN ('conversation_changed', 'document_changed',
        'message_changed', 'message_deleted', 'message_sent', 'notification_created', 'participants_changed',
        'receipts_changed')),
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    about uuid[] NOT NULL DEFAULT '{}',
    audience uuid[],
    actor_user_id uuid,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, position)
);
CREATE INDEX events_facility_id_occurred_at_idx ON events (facility_id, occurred_at);
COMMENT ON TABLE events IS 'What has happened, kept for those who were away: ids alone. Who may see the object of an event is asked when the event is delivered.';
COMMENT ON COLUMN events.facility_id IS 'identifier: whose stream';
COMMENT ON COLUMN events.position IS 'operational: place in the stream, in the order of commits, without gaps';
COMMENT ON COLUMN events.kind IS 'operational: what happened (events::EventKind)';
COMMENT ON COLUMN events.subject_kind IS 'operational: the type of the object it happened to, as the API names it';
COMMENT ON COLUMN events.subject_id IS 'identifier: the object it happened to';
COMMENT ON COLUMN events.about IS 'identifier: what the object belongs to, such as the conversation of a message';
COMMENT ON COLUMN events.audience IS 'identifier: the only users it is delivered to; null for everybody who may see the object';
COMMENT ON COLUMN events.actor_user_id IS 'identifier: who did it; null for the system';
COMMENT ON COLUMN events.occurred_at IS 'operational: when, by the clock of the server';
SELECT protect_tenant_table('events', 'SELECT, INSERT, DELETE');
