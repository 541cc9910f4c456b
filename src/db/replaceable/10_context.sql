-- Binding a transaction to who acts and for which tenant. Called in the round trip of BEGIN.

-- Everything a bound transaction knows, set at once and only until its end. Assignments, here and below, where a
-- PERFORM would do: PL/pgSQL computes them without starting a statement for each.
CREATE OR REPLACE FUNCTION bind(
    p_scope text, p_facility uuid, p_user uuid, p_patient_scope text, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    was text;
BEGIN
    was := set_config('app.scope', p_scope, true);
    was := set_config('app.facility_id', coalesce(p_facility::text, ''), true);
    was := set_config('app.user_id', coalesce(p_user::text, ''), true);
    was := set_config('app.patient_scope', p_patient_scope, true);
    was := set_config('app.part2', CASE p_scope WHEN 'system' THEN 'on' ELSE '' END, true);
    was := set_config('app.now', p_now::text, true);
    RETURN true;
END $$;

-- The instant the request was bound to: the server's clock, not the database's.
CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(nullif(current_setting('app.now', true), '')::timestamptz, now());

-- Which charts the bound actor may open: all, own (a care relationship or an emergency access), linked (a user of the
-- portal: their own and whom they act for), none.
CREATE OR REPLACE FUNCTION app_patient_scope() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(nullif(current_setting('app.patient_scope', true), ''), 'none');

-- Whether the bound actor may read documents labelled 42 CFR Part 2 (`documents.part2.read`).
CREATE OR REPLACE FUNCTION app_reads_part2() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('app.part2', true), '') = 'on';

-- Whether a session runs, of an account that is active. Inlined where it is asked.
CREATE OR REPLACE FUNCTION session_runs(p_user uuid, p_session uuid, p_now timestamptz) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM user_sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = p_session AND s.user_id = p_user AND s.revoked_at IS NULL AND s.expires_at > p_now
          AND u.status = 'active')
$$;

-- Whether a session was begun with a second factor that is still on: what a facility may ask for.
CREATE OR REPLACE FUNCTION passed_second_factor(p_user uuid, p_session uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM user_sessions s JOIN user_totp t ON t.user_id = s.user_id
        WHERE s.id = p_session AND s.user_id = p_user AND s.second_factor AND t.confirmed_at IS NOT NULL)
$$;

-- Binds a signed-in user. Fails unless the session runs, the account is active and, in a facility,
-- the membership is active and the facility lets the session in: a revoked one ends at its next request.
CREATE OR REPLACE FUNCTION bind_user(p_facility uuid, p_user uuid, p_session uuid, p_now timestamptz)
    RETURNS TABLE (roles text[], patient_scope text, key_epoch integer, member_id uuid)
    LANGUAGE plpgsql AS $$
DECLARE
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    v_runs boolean;
    v_settings jsonb;
    was text;
    bound boolean;
BEGIN
    bound := bind(CASE WHEN p_facility = platform THEN 'platform' ELSE 'facility' END,
        p_facility, p_user, 'none', p_now);
    IF p_facility = platform THEN
        IF NOT session_runs(p_user, p_session, p_now) THEN
            RAISE EXCEPTION 'AN401 the session has ended' USING ERRCODE = 'AN401';
        END IF;
        SELECT coalesce(array_agg(r.role), '{}') INTO roles FROM platform_roles r WHERE r.user_id = p_user;
        SELECT f.key_epoch INTO key_epoch FROM facilities f WHERE f.id = platform;
        IF roles = '{}' THEN
            -- A user without a platform role sees of the platform only themself.
            was := set_config('app.scope', 'user', true);
        END IF;
        patient_scope := 'none';
        RETURN NEXT;
        RETURN;
    END IF;
    -- One statement, since every request waits for it.
    SELECT session_runs(p_user, p_session, p_now), m.id, f.settings, f.key_epoch,
            ARRAY(SELECT DISTINCT r.role FROM member_roles r WHERE r.facility_id = p_facility AND r.member_id = m.id)
        INTO v_runs, member_id, v_settings, key_epoch, roles
        FROM (SELECT) AS always
        LEFT JOIN (facility_members m JOIN facilities f ON f.id = m.facility_id AND f.status = 'active')
            ON m.facility_id = p_facility AND m.user_id = p_user AND m.status = 'active';
    IF NOT v_runs THEN
        RAISE EXCEPTION 'AN401 the session has ended' USING ERRCODE = 'AN401';
    END IF;
    IF member_id IS NULL THEN
        RAISE EXCEPTION 'AN403 the membership has ended' USING ERRCODE = 'AN403';
    END IF;
    IF coalesce((v_settings ->> 'requireSecondFactor')::boolean, false)
        AND NOT passed_second_factor(p_user, p_session) THEN
        RAISE EXCEPTION 'AN403 the facility asks for a second factor' USING ERRCODE = 'AN403';
    END IF;
    patient_scope := CASE
        WHEN roles && ARRAY['administrator', 'physician', 'nurse', 'pharmacist', 'technician', 'social_worker',
            'case_manager', 'front_desk', 'billing_specialist', 'privacy_officer'] THEN 'all'
        WHEN 'therapist' = ANY (roles) THEN
            CASE WHEN coalesce((v_settings ->> 'restrictTherapistsToOwnPatients')::boolean, false)
                THEN 'own' ELSE 'all' END
        WHEN roles = ARRAY['patient'] THEN 'linked'
        ELSE 'none' END;
    was := set_config('app.patient_scope', patient_scope, true);
    was := set_config('app.part2', CASE WHEN roles && ARRAY['administrator', 'nurse', 'pharmacist', 'physician',
        'social_worker', 'therapist'] THEN 'on' ELSE '' END, true);
    RETURN NEXT;
END $$;

-- Binds work without a user: identity (sign-in, reset, invitation: platform rows only), system (one
-- facility, on behalf of the server or an operator) or worker (the queue across facilities).
CREATE OR REPLACE FUNCTION bind_system(p_scope text, p_facility uuid, p_now timestamptz)
    RETURNS TABLE (roles text[], patient_scope text, key_epoch integer, member_id uuid)
    LANGUAGE plpgsql AS $$
DECLARE
    bound boolean;
BEGIN
    IF p_scope NOT IN ('identity', 'system', 'worker') THEN
        RAISE EXCEPTION 'unknown scope';
    END IF;
    patient_scope := CASE p_scope WHEN 'system' THEN 'all' ELSE 'none' END;
    bound := bind(p_scope, p_facility, NULL, patient_scope, p_now);
    SELECT f.key_epoch INTO key_epoch FROM facilities f WHERE f.id = p_facility;
    roles := '{}';
    RETURN NEXT;
END $$;

-- Writes audit rows: inside a bound transaction, or by itself as one statement.
CREATE OR REPLACE FUNCTION record_audit(p_facility uuid, p_rows jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    was text;
BEGIN
    was := set_config('app.facility_id', p_facility::text, true);
    INSERT INTO audit_log (facility_id, id, recorded_at, request_id, actor_kind, user_id, session_id, action,
            outcome, purpose, patient_id, resource_kind, resource_id, detail, ip_address)
        SELECT p_facility, r.id, r.recorded_at, r.request_id, r.actor_kind, r.user_id, r.session_id, r.action,
            r.outcome, r.purpose, r.patient_id, r.resource_kind, r.resource_id, coalesce(r.detail, '{}'), r.ip_address
        FROM jsonb_to_recordset(p_rows) AS r(id uuid, recorded_at timestamptz, request_id uuid, actor_kind text,
            user_id uuid, session_id uuid, action text, outcome text, purpose text, patient_id uuid,
            resource_kind text, resource_id uuid, detail jsonb, ip_address text);
END $$;

GRANT EXECUTE ON FUNCTION bind(text, uuid, uuid, text, timestamptz), session_runs(uuid, uuid, timestamptz),
    bind_user(uuid, uuid, uuid, timestamptz),
    bind_system(text, uuid, timestamptz), passed_second_factor(uuid, uuid), record_audit(uuid, jsonb), app_now(), app_patient_scope(),
    app_reads_part2() TO anamnesis_server;
