DROP TABLE facility_invitations, member_roles, facility_members, facility_keys, facilities;
