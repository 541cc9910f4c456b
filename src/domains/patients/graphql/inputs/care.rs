//! Care relationships and emergency accesses.

use async_graphql::InputObject;

use super::phi;
use crate::domains::patients::model::{BreakGlass, BreakGlassReview, BrokenFor, CareRelationshipKind};
use crate::error::{Error, Result};
use crate::ids::{BreakGlassId, CareRelationshipId, PatientId, UserId};
use crate::phi::Phi;

/// A chart to be opened to a provider.
#[derive(InputObject)]
pub struct CareRelationshipStartInput {
    /// Whose chart.
    pub patient_id: PatientId,
    /// Id of the provider, a user who works in the facility.
    pub user_id: UserId,
    /// In which capacity.
    pub kind: CareRelationshipKind,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A relationship to be ended.
#[derive(InputObject)]
pub struct CareRelationshipEndInput {
    /// Which relationship.
    pub id: CareRelationshipId,
    /// `version` of the relationship as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A chart to be opened in an emergency. Give either the id of the patient or the medical record number.
#[derive(InputObject)]
pub struct BreakGlassInput {
    /// Whose chart.
    pub patient_id: Option<PatientId>,
    /// Medical record number of the patient, for a chart you could not find.
    pub mrn: Option<String>,
    /// Why, 10 to 1,000 characters. Reviewed by others.
    pub reason: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What a review of an emergency access found.
#[derive(InputObject)]
pub struct BreakGlassReviewInput {
    /// Which access.
    pub id: BreakGlassId,
    /// Whether it was justified.
    pub justified: bool,
    /// Remark, at most 1,000 characters; needed when it was not justified.
    pub note: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

impl TryFrom<BreakGlassInput> for BreakGlass {
    type Error = Error;

    fn try_from(input: BreakGlassInput) -> Result<Self> {
        let BreakGlassInput { patient_id, mrn, reason, idempotency_key: _ } = input;
        let patient = match (patient_id, mrn) {
            (Some(id), None) => BrokenFor::Id(id),
            (None, Some(mrn)) => BrokenFor::Mrn(Phi::new(mrn)),
            _ => return Err(Error::bad_input("give either `patientId` or `mrn`")),
        };
        Ok(Self { patient, reason: Phi::new(reason) })
    }
}

impl From<BreakGlassReviewInput> for BreakGlassReview {
    fn from(input: BreakGlassReviewInput) -> Self {
        let BreakGlassReviewInput { id: _, justified, note, idempotency_key: _ } = input;
        Self { justified, note: phi(note) }
    }
}
