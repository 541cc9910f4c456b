//! What searches and registrations find.

use async_graphql::SimpleObject;

use super::Patient;
use crate::domains::patients::model::{self, DuplicateReason, MatchKind};
use crate::graphql::connection::connection;

/// A patient found by a search. Needs `patients.search`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PatientMatch {
    /// Who was found.
    pub patient: Patient,
    /// How well; results are ordered by it, best first, then by name.
    pub matched: MatchKind,
}

connection!(PatientSearchConnection, PatientSearchEdge, PatientMatch, "patients found");

/// A patient who may be the person in question. Needs `patients.duplicates`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PatientDuplicate {
    /// The record there is.
    pub patient: Patient,
    /// How likely it is the same person, 0 to 100. A judgement by rules, not a probability.
    pub score: i32,
    /// What speaks for it.
    pub reasons: Vec<DuplicateReason>,
}

impl From<model::Found> for PatientMatch {
    fn from(found: model::Found) -> Self {
        let model::Found { patient, matched } = found;
        Self { patient: patient.into(), matched }
    }
}

impl From<model::Duplicate> for PatientDuplicate {
    fn from(duplicate: model::Duplicate) -> Self {
        let model::Duplicate { patient, score, reasons } = duplicate;
        Self { patient: patient.into(), score: score.into(), reasons }
    }
}
