-- What users are told of in the app, and by mail when they were not there.

CREATE TABLE notifications (
    facility_id uuid NOT NULL CONSTRAINT notifications_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT notifications_user_id_fkey REFERENCES users (id),
    kind text NOT NULL CONSTRAINT notifications_kind_check CHECK (kind IN ('conversation_escalated', 'document_assigned',
        'mention', 'message', 'participation')),
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    times integer NOT NULL DEFAULT 1 CONSTRAINT notifications_times_check CHECK (times > 0),
    occurred_at timestamptz NOT NULL,
    read_at timestamptz,
    mailed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id)
);
CREATE UNIQUE INDEX notifications_unread_key ON notifications (facility_id, user_id, kind, subject_id)
    WHERE read_at IS NULL;
CREATE INDEX notifications_facility_id_user_id_idx ON notifications (facility_id, user_id, id);
CREATE INDEX notifications_user_id_idx ON notifications (user_id);
COMMENT ON TABLE notifications IS 'What a user is told of. While it is unread, the same again counts up instead of being another row.';
COMMENT ON COLUMN notifications.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN notifications.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN notifications.user_id IS 'identifier: who is told';
COMMENT ON COLUMN notifications.kind IS 'operational: what of (NotificationKind)';
COMMENT ON COLUMN notifications.subject_kind IS 'operational: the type of the object, as the API names it';
COMMENT ON COLUMN notifications.subject_id IS 'identifier: the object';
COMMENT ON COLUMN notifications.times IS 'operational: how often since it was last read';
COMMENT ON COLUMN notifications.occurred_at IS 'operational: when it happened last';
COMMENT ON COLUMN notifications.read_at IS 'operational: when the user read it; null before';
COMMENT ON COLUMN notifications.mailed_at IS 'operational: when a mail told of it, or was not wanted; null before';
COMMENT ON COLUMN notifications.created_at IS 'operational: when it happened first';
COMMENT ON COLUMN notifications.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('notifications');

CREATE TABLE notification_preferences (
    facility_id uuid NOT NULL CONSTRAINT notification_preferences_facility_id_fkey REFERENCES facilities (id),
    user_id uuid NOT NULL CONSTRAINT notification_preferences_user_id_fkey REFERENCES users (id),
    mail text NOT NULL CONSTRAINT notification_preferences_mail_check CHECK (mail IN ('soon', 'daily', 'never')),
    digest_hour integer NOT NULL CONSTRAINT notification_preferences_digest_hour_check CHECK (digest_hour BETWEEN 0 AND 23),
    quiet_from integer CONSTRAINT notification_preferences_quiet_from_check CHECK (quiet_from BETWEEN 0 AND 23),
    quiet_until integer CONSTRAINT notification_preferences_quiet_until_check CHECK (quiet_until BETWEEN 0 AND 23),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, user_id),
    CONSTRAINT notification_preferences_quiet_check CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)
        AND quiet_from IS DISTINCT FROM coalesce(quiet_until, -1))
);
CREATE INDEX notification_preferences_user_id_idx ON notification_preferences (user_id);
COMMENT ON TABLE notification_preferences IS 'How a user wants to be told. Without a row: by mail soon, at any hour.';
COMMENT ON COLUMN notification_preferences.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN notification_preferences.user_id IS 'identifier: who';
COMMENT ON COLUMN notification_preferences.mail IS 'operational: soon, daily or never';
COMMENT ON COLUMN notification_preferences.digest_hour IS 'operational: hour of the daily mail, in the user''s zone';
COMMENT ON COLUMN notification_preferences.quiet_from IS 'operational: hour from which no mail is sent, in the user''s zone; null for none';
COMMENT ON COLUMN notification_preferences.quiet_until IS 'operational: hour until which no mail is sent; null for none';
COMMENT ON COLUMN notification_preferences.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN notification_preferences.created_at IS 'operational: when it was first set';
COMMENT ON COLUMN notification_preferences.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('notification_preferences');
