-- The event stream: taking positions, and who may read what was addressed to somebody.

DROP POLICY IF EXISTS addressed ON events;
CREATE POLICY addressed ON events AS RESTRICTIVE FOR SELECT
    USING (audience IS NULL OR (SELECT app_user()) = ANY (audience) OR (SELECT app_scope()) = 'system');

-- Gives events their positions, which holds up every other write of the facility that has events until this one
-- commits or is rolled back: it comes last in a transaction.
CREATE OR REPLACE FUNCTION append_events(p_facility uuid, p_events jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    v_last bigint;
    v_count constant bigint := jsonb_array_length(p_events);
BEGIN
    INSERT INTO event_heads AS h (facility_id, position) VALUES (p_facility, v_count)
        ON CONFLICT (facility_id) DO UPDATE SET position = h.position + v_count
        RETURNING h.position INTO v_last;
    INSERT INTO events (facility_id, position, kind, subject_kind, subject_id, about, audience, actor_user_id,
            occurred_at)
        SELECT p_facility, v_last - v_count + n, e ->> 'kind', e ->> 'subject_kind', (e ->> 'subject_id')::uuid,
            ARRAY(SELECT jsonb_array_elements_text(e -> 'about')::uuid),
            CASE WHEN jsonb_typeof(e -> 'audience') = 'array'
                THEN ARRAY(SELECT jsonb_array_elements_text(e -> 'audience')::uuid) END,
            app_user(), app_now()
        FROM jsonb_array_elements(p_events) WITH ORDINALITY AS list(e, n);
END $$;

-- What every write ends with, in one round trip: its audit rows, its result under the idempotency key, its events.
CREATE OR REPLACE FUNCTION complete_write(
    p_facility uuid, p_audit jsonb, p_user uuid, p_key text, p_result jsonb, p_events jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM record_audit(p_facility, p_audit);
    IF p_key IS NOT NULL THEN
        UPDATE idempotency_keys SET result = p_result
            WHERE facility_id = p_facility AND user_id = p_user AND key = p_key;
    END IF;
    IF jsonb_array_length(p_events) > 0 THEN
        PERFORM append_events(p_facility, p_events);
    END IF;
END $$;

GRANT EXECUTE ON FUNCTION append_events(uuid, jsonb), complete_write(uuid, jsonb, uuid, text, jsonb, jsonb)
    TO anamnesis_server;
