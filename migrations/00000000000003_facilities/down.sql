DROP TABLE facility_invitations, member_roles, facility_members, facility_keys, facilities;
DROP FUNCTION IF EXISTS facility_keeps_an_administrator();
