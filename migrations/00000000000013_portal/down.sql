DROP TABLE patient_users;
DROP FUNCTION patient_users_are_final();
