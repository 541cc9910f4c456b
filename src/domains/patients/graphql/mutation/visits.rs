//! Visits.

use async_graphql::{Context, Object};

use crate::domains::patients::graphql::inputs::{PatientVisitRecordInput, PatientVisitUpdateInput};
use crate::domains::patients::graphql::types::{PatientUserError, PatientVisit};
use crate::domains::patients::service;
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};

payload!(
    /// What became of recording a visit.
    PatientVisitRecordPayload {
        /// The visit; null when refused.
        visit: PatientVisit,
    } or PatientUserError
);

payload!(
    /// What became of changing a visit.
    PatientVisitUpdatePayload {
        /// The visit; null when refused.
        visit: PatientVisit,
    } or PatientUserError
);

/// The visit history.
#[derive(Debug, Default)]
pub(super) struct VisitsMutation;

#[Object]
impl VisitsMutation {
    /// Records a visit in the history of a patient. Needs `patients.visits.record`.
    async fn patient_visit_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is recorded.")] input: PatientVisitRecordInput,
    ) -> Result<PatientVisitRecordPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::record_visit(request, input.patient_id, input.into(), once).await {
            Ok(id) => Ok(PatientVisitRecordPayload::done(service::visit(request, id).await?.into())),
            Err(stop) => PatientVisitRecordPayload::refused(stop),
        }
    }

    /// Changes a visit. Needs `patients.visits.update`.
    async fn patient_visit_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is changed.")] input: PatientVisitUpdateInput,
    ) -> Result<PatientVisitUpdatePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let (id, version) = (input.id, input.expected_version);
        match service::update_visit(request, id, version, input.into(), once).await {
            Ok(id) => Ok(PatientVisitUpdatePayload::done(service::visit(request, id).await?.into())),
            Err(stop) => PatientVisitUpdatePayload::refused(stop),
        }
    }
}
