DROP INDEX user_sessions_chosen_facility_id_idx;
ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_chosen_facility_id_fkey;
DROP TABLE facility_invitations, member_roles, facility_members, facility_keys, facilities;
DROP FUNCTION IF EXISTS facility_keeps_an_administrator();
