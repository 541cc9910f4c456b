//! Queries of the domain.

use async_graphql::{Context, Object};

use super::types::{Patient, PatientConnection};
use crate::domains::patients::model::PatientStatus;
use crate::domains::patients::service;
use crate::error::{Error, Result};
use crate::graphql::request::request;
use crate::ids::{PatientId, TypedId as _};
use crate::pagination::PageRequest;

#[derive(Debug, Default)]
pub struct PatientsQuery;

#[Object]
impl PatientsQuery {
    /// One patient; null when there is none the caller may open. Needs `patients.read`.
    async fn patient(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the patient.")] id: PatientId,
    ) -> Result<Option<Patient>> {
        match service::patient(request(ctx)?, id).await {
            Ok(patient) => Ok(Some(patient.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Patients of the facility, last registered first. Names are encrypted, so they cannot be sorted by;
    /// use `patientSearch` to find someone. Needs `patients.read`.
    async fn patients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Patients to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
        #[graphql(desc = "Active or archived records; active when left out.")] status: Option<PatientStatus>,
    ) -> Result<PatientConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let status = status.unwrap_or(PatientStatus::Active);
        let found = service::list_patients(request, status, page).await?.map(Patient::from);
        let total = if ctx.look_ahead().field("totalCount").exists() {
            Some(service::count_patients(request, status).await?)
        } else {
            None
        };
        Ok(PatientConnection::new(found, page.after.is_some(), total, |patient| patient.id.encode()))
    }
}
