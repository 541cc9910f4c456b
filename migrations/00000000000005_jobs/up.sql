-- Background work and remembered responses.

CREATE TABLE jobs (
    facility_id uuid NOT NULL CONSTRAINT jobs_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL CONSTRAINT jobs_state_check CHECK (state IN ('queued', 'running', 'dead')),
    run_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    leased_until timestamptz,
    worker text,
    last_error text,
    deduplication_key text,
    user_id uuid,
    request_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT jobs_lease_check CHECK ((state = 'running') = (leased_until IS NOT NULL))
);
CREATE INDEX jobs_run_at_idx ON jobs (run_at, id) WHERE state = 'queued';
CREATE INDEX jobs_leased_until_idx ON jobs (leased_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_facility_id_kind_deduplication_key_key ON jobs (facility_id, kind, deduplication_key)
    WHERE state = 'queued';
COMMENT ON TABLE jobs IS 'The outbox: work written in the transaction that causes it, done by a worker at least once. A finished job is deleted.';
COMMENT ON COLUMN jobs.facility_id IS 'identifier: for which facility';
COMMENT ON COLUMN jobs.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN jobs.kind IS 'operational: which handler (jobs::Kind)';
COMMENT ON COLUMN jobs.payload IS 'operational: ids and counters, or values encrypted under the facility key; never PHI in clear';
COMMENT ON COLUMN jobs.state IS 'operational: queued, running or dead (attempts used up, waits for a person)';
COMMENT ON COLUMN jobs.run_at IS 'operational: not before';
COMMENT ON COLUMN jobs.attempts IS 'operational: how often it was started';
COMMENT ON COLUMN jobs.max_attempts IS 'operational: after so many it is dead';
COMMENT ON COLUMN jobs.leased_until IS 'operational: a running job whose lease has passed is taken over';
COMMENT ON COLUMN jobs.worker IS 'operational: which process holds it';
COMMENT ON COLUMN jobs.last_error IS 'operational: code of the last failure; never its data';
COMMENT ON COLUMN jobs.deduplication_key IS 'operational: at most one queued job of a kind with the same key';
COMMENT ON COLUMN jobs.user_id IS 'identifier: the user it acts for; null for the system';
COMMENT ON COLUMN jobs.request_id IS 'operational: the request that caused it';
COMMENT ON COLUMN jobs.created_at IS 'operational: when it was queued';
COMMENT ON COLUMN jobs.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('jobs');

CREATE TABLE idempotency_keys (
    facility_id uuid NOT NULL CONSTRAINT idempotency_keys_facility_id_fkey REFERENCES facilities (id),
    user_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT idempotency_keys_key_check CHECK (length(key) BETWEEN 1 AND 200),
    action text NOT NULL,
    fingerprint bytea NOT NULL,
    result jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, user_id, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (facility_id, created_at);
COMMENT ON TABLE idempotency_keys IS 'Results of mutations that carried an idempotency key, kept for 24 hours and replayed.';
COMMENT ON COLUMN idempotency_keys.facility_id IS 'identifier: where';
COMMENT ON COLUMN idempotency_keys.user_id IS 'identifier: who sent it';
COMMENT ON COLUMN idempotency_keys.key IS 'operational: as the client sent it';
COMMENT ON COLUMN idempotency_keys.action IS 'operational: the mutation it was sent with';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'operational: keyed hash of the input; the same key with another input is refused';
COMMENT ON COLUMN idempotency_keys.result IS 'operational: ids that the mutation returned; null while it runs';
COMMENT ON COLUMN idempotency_keys.created_at IS 'operational: when it was first used';
SELECT protect_tenant_table('idempotency_keys');
