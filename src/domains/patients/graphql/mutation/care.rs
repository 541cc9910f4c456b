//! Care relationships and emergency accesses.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};

use crate::domains::patients::graphql::inputs::{
    BreakGlassInput, BreakGlassReviewInput, CareRelationshipEndInput, CareRelationshipStartInput,
};
use crate::domains::patients::graphql::types::{BreakGlassAccess, CareRelationship, Patient, PatientUserError};
use crate::domains::patients::service;
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};

payload!(
    /// What became of opening a chart to a provider.
    CareRelationshipStartPayload {
        /// The relationship; null when refused.
        care_relationship: CareRelationship,
    } or PatientUserError
);

payload!(
    /// What became of closing a chart to a provider.
    CareRelationshipEndPayload {
        /// The relationship; null when refused.
        care_relationship: CareRelationship,
    } or PatientUserError
);

payload!(
    /// What became of opening a chart in an emergency.
    BreakGlassPayload {
        /// The patient, whose chart is open to you now; null when refused.
        patient: Patient,
        /// Until when it is open; null when refused.
        expires_at: DateTime<Utc>,
    } or PatientUserError
);

payload!(
    /// What became of a review.
    BreakGlassReviewPayload {
        /// The access; null when refused.
        access: BreakGlassAccess,
    } or PatientUserError
);

/// Who may open a chart.
#[derive(Debug, Default)]
pub(super) struct CareMutation;

#[Object]
impl CareMutation {
    /// Opens a chart to a provider, from now on. Needs `patients.care_team.start`.
    async fn care_relationship_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose chart, and to whom.")] input: CareRelationshipStartInput,
    ) -> Result<CareRelationshipStartPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        match service::start_care_relationship(request, input.patient_id, input.user_id, input.kind, once).await {
            Ok(id) => Ok(CareRelationshipStartPayload::done(service::care_relationship(request, id).await?.into())),
            Err(stop) => CareRelationshipStartPayload::refused(stop),
        }
    }

    /// Closes a chart to a provider, from now on; also that of an archived record. Needs
    /// `patients.care_team.end`.
    async fn care_relationship_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which relationship.")] input: CareRelationshipEndInput,
    ) -> Result<CareRelationshipEndPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        match service::end_care_relationship(request, input.id, input.expected_version, once).await {
            Ok(id) => Ok(CareRelationshipEndPayload::done(service::care_relationship(request, id).await?.into())),
            Err(stop) => CareRelationshipEndPayload::refused(stop),
        }
    }

    /// Opens any chart of the facility to you in an emergency, for as long as the facility has set (60 minutes
    /// when it has not). It is recorded as an emergency and reviewed by others. Fails with `NOT_FOUND` when there
    /// is no such patient. Needs `patients.break_glass`.
    async fn break_glass(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose chart, and why.")] input: BreakGlassInput,
    ) -> Result<BreakGlassPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::break_glass(request, input.try_into()?, once).await {
            Ok(opened) => {
                let patient = service::patient(request, opened.patient).await?.into();
                Ok(BreakGlassPayload::done(patient, opened.expires_at))
            }
            Err(stop) => BreakGlassPayload::refused(stop),
        }
    }

    /// Judges an emergency access, once; nobody reviews their own. Needs `patients.break_glass.review`.
    async fn break_glass_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was found.")] input: BreakGlassReviewInput,
    ) -> Result<BreakGlassReviewPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::review_break_glass(request, input.id, input.into(), once).await {
            Ok(id) => Ok(BreakGlassReviewPayload::done(service::break_glass_access(request, id).await?.into())),
            Err(stop) => BreakGlassReviewPayload::refused(stop),
        }
    }
}
