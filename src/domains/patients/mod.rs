//! People in care: identity, contacts, coverages, visit history, allergies, and who may open a chart.
//!
//! Invariants: identifying columns are ciphertext and found only over blind indexes; a medical record
//! number is unique in its facility; an archived patient is not changed; a restricted therapist sees only
//! charts that a care relationship or an emergency access opens, by the database's own policy.
//!
//! Knows nothing of documents, appointments or billing.

mod duplicates;
pub mod graphql;
pub mod icd10;
pub mod loaders;
mod matching;
pub mod model;
pub mod policy;
pub mod portal;
mod repository;
mod sealing;
pub mod service;
#[cfg(test)]
mod tests;
mod validation;
