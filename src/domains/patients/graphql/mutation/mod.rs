//! Mutations of the domain.

use async_graphql::{Context, Object};

use super::inputs::PatientRegisterInput;
use super::types::{Patient, PatientUserError};
use crate::domains::patients::service;
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};

payload!(
    /// What became of a registration.
    PatientRegisterPayload {
        /// The patient; null when refused.
        patient: Patient,
    } or PatientUserError
);

#[derive(Debug, Default)]
pub struct PatientsMutation;

#[Object]
impl PatientsMutation {
    /// Registers a patient. Needs `patients.register`.
    async fn patient_register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is registered.")] input: PatientRegisterInput,
    ) -> Result<PatientRegisterPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::register_patient(request, input.into(), once).await {
            Ok(id) => Ok(PatientRegisterPayload::done(service::patient(request, id).await?.into())),
            Err(stop) => PatientRegisterPayload::refused(stop),
        }
    }
}
