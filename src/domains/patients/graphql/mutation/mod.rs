//! Mutations of the domain.

mod care;
mod parts;
mod visits;

use async_graphql::{Context, MergedObject, Object, SimpleObject};

use super::inputs::{PatientArchiveInput, PatientRegisterInput, PatientRestoreInput, PatientUpdateInput};
use super::types::{Patient, PatientDuplicate, PatientUserError};
use crate::domains::patients::model::{Refusal, RegisterPatient};
use crate::domains::patients::service;
use crate::error::{Error, Result, Stop};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};

/// All mutations of the domain.
#[derive(MergedObject, Default)]
pub struct PatientsMutation(RecordsMutation, parts::PartsMutation, visits::VisitsMutation, care::CareMutation);

/// What became of a registration.
#[derive(Debug, SimpleObject)]
pub struct PatientRegisterPayload {
    /// The patient; null when refused.
    pub patient: Option<Patient>,
    /// Patients who may be the person in question, likeliest first, when it was refused with
    /// `POSSIBLE_DUPLICATE`; else empty.
    pub possible_duplicates: Vec<PatientDuplicate>,
    /// What the user can mend; empty when it was done.
    pub user_errors: Vec<PatientUserError>,
}

payload!(
    /// What became of a change.
    PatientUpdatePayload {
        /// The patient; null when refused.
        patient: Patient,
    } or PatientUserError
);

payload!(
    /// What became of archiving.
    PatientArchivePayload {
        /// The patient; null when refused.
        patient: Patient,
    } or PatientUserError
);

payload!(
    /// What became of restoring.
    PatientRestorePayload {
        /// The patient; null when refused.
        patient: Patient,
    } or PatientUserError
);

/// The records themselves.
#[derive(Debug, Default)]
struct RecordsMutation;

#[Object]
impl RecordsMutation {
    /// Registers a patient. Refused with `POSSIBLE_DUPLICATE` when the facility may know the person, unless
    /// that is accepted. A therapist who registers a patient treats them from then on. Needs
    /// `patients.register`.
    async fn patient_register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is registered.")] input: PatientRegisterInput,
    ) -> Result<PatientRegisterPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let new = RegisterPatient::from(input);
        let faults = match service::register_patient(request, new.clone(), once).await {
            Ok(id) => {
                let patient = Some(service::patient(request, id).await?.into());
                return Ok(PatientRegisterPayload {
                    patient,
                    possible_duplicates: Vec::new(),
                    user_errors: Vec::new(),
                });
            }
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Refused(faults)) => faults,
        };
        let possible_duplicates = if faults.iter().any(|fault| fault.code == Refusal::PossibleDuplicate) {
            match service::possible_duplicates(request, new).await {
                Ok(found) => found.into_iter().map(Into::into).collect(),
                Err(Stop::Error(error)) => return Err(error),
                // What was read a moment ago is read the same way now.
                Err(Stop::Refused(_)) => return Err(Error::internal("a registration that was well formed is not")),
            }
        } else {
            Vec::new()
        };
        let user_errors = faults.into_iter().map(Into::into).collect();
        Ok(PatientRegisterPayload { patient: None, possible_duplicates, user_errors })
    }

    /// Changes what identifies a patient; searches find the new values at once. Needs `patients.update`.
    async fn patient_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is changed.")] input: PatientUpdateInput,
    ) -> Result<PatientUpdatePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let (id, version) = (input.id, input.expected_version);
        match service::update_patient(request, id, version, input.into(), once).await {
            Ok(id) => Ok(PatientUpdatePayload::done(service::patient(request, id).await?.into())),
            Err(stop) => PatientUpdatePayload::refused(stop),
        }
    }

    /// Archives a record: it is kept and read, and not changed any more. Needs `patients.archive`.
    async fn patient_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which record.")] input: PatientArchiveInput,
    ) -> Result<PatientArchivePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        match service::archive_patient(request, input.id, input.expected_version, once).await {
            Ok(id) => Ok(PatientArchivePayload::done(service::patient(request, id).await?.into())),
            Err(stop) => PatientArchivePayload::refused(stop),
        }
    }

    /// Takes an archived record back into use. Needs `patients.restore`.
    async fn patient_restore(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which record.")] input: PatientRestoreInput,
    ) -> Result<PatientRestorePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        match service::restore_patient(request, input.id, input.expected_version, once).await {
            Ok(id) => Ok(PatientRestorePayload::done(service::patient(request, id).await?.into())),
            Err(stop) => PatientRestorePayload::refused(stop),
        }
    }
}
