//! Which tables may meet in one diesel query. Listed by hand: allowing every pair triples the time it
//! takes to check the schema, and a join across domains should be seen in review.

use diesel::allow_tables_to_appear_in_same_query;

use super::schema::{
    amendment_requests, document_patients, documents, facilities, facility_members, icd10_codes, member_roles, users,
    visit_diagnoses,
};

allow_tables_to_appear_in_same_query!(facilities, facility_members, member_roles, users);

allow_tables_to_appear_in_same_query!(icd10_codes, visit_diagnoses);

allow_tables_to_appear_in_same_query!(amendment_requests, documents, document_patients);
