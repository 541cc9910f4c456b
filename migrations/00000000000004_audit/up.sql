-- The audit log: append-only by grant and by trigger, partitioned by month, sealed into a chain of
-- signed blocks per facility.

CREATE TABLE audit_log (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    epoch integer NOT NULL DEFAULT 1,
    request_id uuid,
    actor_kind text NOT NULL CONSTRAINT audit_log_actor_kind_check
        CHECK (actor_kind IN ('user', 'anonymous', 'system')),
    user_id uuid,
    session_id uuid,
    action text NOT NULL,
    outcome text NOT NULL CONSTRAINT audit_log_outcome_check
        CHECK (outcome IN ('success', 'refused', 'denied', 'failed')),
    purpose text NOT NULL,
    patient_id uuid,
    resource_kind text,
    resource_id uuid,
    detail jsonb NOT NULL DEFAULT '{}',
    ip_address text,
    CONSTRAINT audit_log_pkey PRIMARY KEY (facility_id, recorded_at, id)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX audit_log_facility_id_id_idx ON audit_log (facility_id, id);
CREATE INDEX audit_log_facility_id_patient_id_idx ON audit_log (facility_id, patient_id, recorded_at);
CREATE INDEX audit_log_facility_id_user_id_idx ON audit_log (facility_id, user_id, recorded_at);
CREATE INDEX audit_log_facility_id_transaction_id_idx ON audit_log (facility_id, epoch, transaction_id);
COMMENT ON TABLE audit_log IS 'Who did or saw what, when, for what purpose. Append-only.';
COMMENT ON COLUMN audit_log.facility_id IS 'identifier: the facility whose chain it belongs to';
COMMENT ON COLUMN audit_log.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN audit_log.recorded_at IS 'operational: when';
COMMENT ON COLUMN audit_log.transaction_id IS 'operational: the writing transaction; blocks cover ranges of finished ones';
COMMENT ON COLUMN audit_log.epoch IS 'operational: raised after a restore into another cluster, whose transaction ids begin anew';
COMMENT ON COLUMN audit_log.request_id IS 'operational: the request it came from';
COMMENT ON COLUMN audit_log.actor_kind IS 'operational: user, anonymous or system';
COMMENT ON COLUMN audit_log.user_id IS 'identifier: who; null for anonymous and system';
COMMENT ON COLUMN audit_log.session_id IS 'identifier: in which session';
COMMENT ON COLUMN audit_log.action IS 'operational: what was done (audit::Action)';
COMMENT ON COLUMN audit_log.outcome IS 'operational: success, refused (a rule), denied (no permission) or failed';
COMMENT ON COLUMN audit_log.purpose IS 'operational: purpose of use';
COMMENT ON COLUMN audit_log.patient_id IS 'identifier: the patient it concerns; null for none or several';
COMMENT ON COLUMN audit_log.resource_kind IS 'operational: kind of the object';
COMMENT ON COLUMN audit_log.resource_id IS 'identifier: the object';
COMMENT ON COLUMN audit_log.detail IS 'operational: ids, counts, names of changed columns; never values';
COMMENT ON COLUMN audit_log.ip_address IS 'identifier: client address';
SELECT protect_tenant_table('audit_log', 'SELECT, INSERT');

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();

-- Partitions are made ahead of time by the owner; the function lets the server ask for it.
CREATE FUNCTION audit_log_ensure_partitions(first_month date, months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    month date := date_trunc('month', first_month);
    name text;
    made integer := 0;
BEGIN
    IF months NOT BETWEEN 1 AND 120 THEN
        RAISE EXCEPTION 'months must be between 1 and 120';
    END IF;
    FOR i IN 1..months LOOP
        name := 'audit_log_' || to_char(month, 'YYYY_MM');
        IF to_regclass('public.' || name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_log FOR VALUES FROM (%L) TO (%L)',
                    name, to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
                    to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
                EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
                EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
                made := made + 1;
            -- The month has rows in the default partition already: they stay there, and so do those to come.
            EXCEPTION WHEN check_violation THEN
                NULL;
            END;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION audit_log_ensure_partitions(date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_log_ensure_partitions(date, integer) TO anamnesis_server;
-- What falls outside every month lands here rather than being refused: audit never blocks care.
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;
ALTER TABLE audit_log_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log_default FORCE ROW LEVEL SECURITY;

CREATE TABLE audit_blocks (
    facility_id uuid NOT NULL CONSTRAINT audit_blocks_facility_id_fkey REFERENCES facilities (id),
    number bigint NOT NULL,
    epoch integer NOT NULL,
    from_transaction xid8 NOT NULL,
    to_transaction xid8 NOT NULL,
    row_count integer NOT NULL,
    entries bytea NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    signature text NOT NULL,
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, number)
);
COMMENT ON TABLE audit_blocks IS 'A signed block of the audit chain of a facility: each holds the hash of the one before.';
COMMENT ON COLUMN audit_blocks.facility_id IS 'identifier: whose chain';
COMMENT ON COLUMN audit_blocks.number IS 'operational: 1, 2, 3 without a gap';
COMMENT ON COLUMN audit_blocks.epoch IS 'operational: the epoch of its rows';
COMMENT ON COLUMN audit_blocks.from_transaction IS 'operational: first transaction id covered';
COMMENT ON COLUMN audit_blocks.to_transaction IS 'operational: first transaction id not covered; all below had ended';
COMMENT ON COLUMN audit_blocks.row_count IS 'operational: how many rows it covers';
COMMENT ON COLUMN audit_blocks.entries IS 'operational: for each row its id (16 bytes) and SHA-256 (32 bytes), in order';
COMMENT ON COLUMN audit_blocks.previous_hash IS 'operational: hash of the block before; zeros for the first';
COMMENT ON COLUMN audit_blocks.hash IS 'operational: SHA-256 over everything above';
COMMENT ON COLUMN audit_blocks.signature IS 'operational: Ed25519 signature of the hash, naming the audit key that made it';
COMMENT ON COLUMN audit_blocks.sealed_at IS 'operational: when';
SELECT protect_tenant_table('audit_blocks', 'SELECT, INSERT');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_blocks
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
