//! Contacts, coverages and allergies.

use async_graphql::{Context, Object};

use crate::domains::patients::graphql::inputs::{
    PatientAllergyRecordInput, PatientAllergyUpdateInput, PatientContactAddInput, PatientContactRemoveInput,
    PatientContactUpdateInput, PatientCoverageAddInput, PatientCoverageEndInput, PatientCoverageUpdateInput,
};
use crate::domains::patients::graphql::types::{
    Patient, PatientAllergy, PatientContact, PatientCoverage, PatientUserError,
};
use crate::domains::patients::service;
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::ContactId;

payload!(
    /// What became of adding a contact.
    PatientContactAddPayload {
        /// The contact; null when refused.
        contact: PatientContact,
    } or PatientUserError
);

payload!(
    /// What became of changing a contact.
    PatientContactUpdatePayload {
        /// The contact; null when refused.
        contact: PatientContact,
    } or PatientUserError
);

payload!(
    /// What became of removing a contact.
    PatientContactRemovePayload {
        /// Id of the contact that was removed; null when refused.
        removed_id: ContactId,
        /// The patient without the contact; null when refused.
        patient: Patient,
    } or PatientUserError
);

payload!(
    /// What became of adding a coverage.
    PatientCoverageAddPayload {
        /// The coverage; null when refused.
        coverage: PatientCoverage,
    } or PatientUserError
);

payload!(
    /// What became of changing a coverage.
    PatientCoverageUpdatePayload {
        /// The coverage; null when refused.
        coverage: PatientCoverage,
    } or PatientUserError
);

payload!(
    /// What became of ending a coverage.
    PatientCoverageEndPayload {
        /// The coverage; null when refused.
        coverage: PatientCoverage,
    } or PatientUserError
);

payload!(
    /// What became of recording an allergy.
    PatientAllergyRecordPayload {
        /// The allergy; null when refused.
        allergy: PatientAllergy,
    } or PatientUserError
);

payload!(
    /// What became of changing an allergy.
    PatientAllergyUpdatePayload {
        /// The allergy; null when refused.
        allergy: PatientAllergy,
    } or PatientUserError
);

/// The smaller parts of a record.
#[derive(Debug, Default)]
pub(super) struct PartsMutation;

#[Object]
impl PartsMutation {
    /// Adds a contact, at most 50 a patient. Needs `patients.contacts.add`.
    async fn patient_contact_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is added.")] input: PatientContactAddInput,
    ) -> Result<PatientContactAddPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::add_contact(request, input.patient_id, input.into(), once).await {
            Ok(id) => Ok(PatientContactAddPayload::done(service::contact(request, id).await?.into())),
            Err(stop) => PatientContactAddPayload::refused(stop),
        }
    }

    /// Changes a contact. Needs `patients.contacts.update`.
    async fn patient_contact_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is changed.")] input: PatientContactUpdateInput,
    ) -> Result<PatientContactUpdatePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let (id, version) = (input.id, input.expected_version);
        match service::update_contact(request, id, version, input.into(), once).await {
            Ok(id) => Ok(PatientContactUpdatePayload::done(service::contact(request, id).await?.into())),
            Err(stop) => PatientContactUpdatePayload::refused(stop),
        }
    }

    /// Removes a contact. Needs `patients.contacts.remove`.
    async fn patient_contact_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is removed.")] input: PatientContactRemoveInput,
    ) -> Result<PatientContactRemovePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        match service::remove_contact(request, input.id, input.expected_version, once).await {
            Ok(patient) => {
                let patient = service::patient(request, patient).await?.into();
                Ok(PatientContactRemovePayload::done(input.id, patient))
            }
            Err(stop) => PatientContactRemovePayload::refused(stop),
        }
    }

    /// Adds an insurance coverage, at most 50 a patient. Needs `patients.coverages.add`.
    async fn patient_coverage_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is added.")] input: PatientCoverageAddInput,
    ) -> Result<PatientCoverageAddPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::add_coverage(request, input.patient_id, input.into(), once).await {
            Ok(id) => Ok(PatientCoverageAddPayload::done(service::coverage(request, id).await?.into())),
            Err(stop) => PatientCoverageAddPayload::refused(stop),
        }
    }

    /// Changes an insurance coverage. Needs `patients.coverages.update`.
    async fn patient_coverage_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is changed.")] input: PatientCoverageUpdateInput,
    ) -> Result<PatientCoverageUpdatePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let (id, version) = (input.id, input.expected_version);
        match service::update_coverage(request, id, version, input.into(), once).await {
            Ok(id) => Ok(PatientCoverageUpdatePayload::done(service::coverage(request, id).await?.into())),
            Err(stop) => PatientCoverageUpdatePayload::refused(stop),
        }
    }

    /// Ends an insurance coverage with its last day. Needs `patients.coverages.end`.
    async fn patient_coverage_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is ended, and when.")] input: PatientCoverageEndInput,
    ) -> Result<PatientCoverageEndPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        match service::end_coverage(request, input.id, input.expected_version, input.ends_on, once).await {
            Ok(id) => Ok(PatientCoverageEndPayload::done(service::coverage(request, id).await?.into())),
            Err(stop) => PatientCoverageEndPayload::refused(stop),
        }
    }

    /// Records an allergy or intolerance, at most 200 a patient. Needs `patients.allergies.record`.
    async fn patient_allergy_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is recorded.")] input: PatientAllergyRecordInput,
    ) -> Result<PatientAllergyRecordPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::record_allergy(request, input.patient_id, input.into(), once).await {
            Ok(id) => Ok(PatientAllergyRecordPayload::done(service::allergy(request, id).await?.into())),
            Err(stop) => PatientAllergyRecordPayload::refused(stop),
        }
    }

    /// Changes an allergy or intolerance; nothing is deleted, a wrong entry gets the status `ENTERED_IN_ERROR`.
    /// Needs `patients.allergies.update`.
    async fn patient_allergy_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is changed.")] input: PatientAllergyUpdateInput,
    ) -> Result<PatientAllergyUpdatePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let (id, version) = (input.id, input.expected_version);
        match service::update_allergy(request, id, version, input.into(), once).await {
            Ok(id) => Ok(PatientAllergyUpdatePayload::done(service::allergy(request, id).await?.into())),
            Err(stop) => PatientAllergyUpdatePayload::refused(stop),
        }
    }
}
