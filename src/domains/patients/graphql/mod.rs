//! Patients in the API: translation only.

mod inputs;
mod mutation;
mod node;
mod query;
mod types;

pub use mutation::PatientsMutation;
pub use node::node;
pub use query::PatientsQuery;
pub use types::{
    Address, BreakGlassAccess, CareRelationship, Patient, PatientAllergy, PatientConnection, PatientContact,
    PatientCoverage, PatientUserError, PatientVisit,
};
