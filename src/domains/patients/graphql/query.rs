//! Queries of the domain.

use async_graphql::{Context, Object};

use super::inputs::{PatientDuplicatesInput, PatientSearchInput};
use super::types::{
    BreakGlassAccess, BreakGlassAccessConnection, CareRelationship, CareRelationshipConnection, Icd10Code, Patient,
    PatientConnection, PatientDuplicate, PatientMatch, PatientSearchConnection,
};
use crate::domains::patients::model::{PatientStatus, RelationshipFilter};
use crate::domains::patients::service;
use crate::error::{Error, Result, Stop};
use crate::graphql::request::request;
use crate::ids::{PatientId, TypedId as _, UserId};
use crate::pagination::PageRequest;

#[derive(Debug, Default)]
pub struct PatientsQuery;

fn counted(ctx: &Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

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
        let total = if counted(ctx) { Some(service::count_patients(request, status).await?) } else { None };
        Ok(PatientConnection::new(found, page.after.is_some(), total, |patient| patient.id.encode()))
    }

    /// Patients found by what identifies them: best match first, then by name. A search that more than 1,000
    /// patients may match is refused with `LIMIT_EXCEEDED`. The audit log learns what kinds of things were
    /// searched by, never the values. Needs `patients.search`.
    async fn patient_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to search by.")] input: PatientSearchInput,
        #[graphql(desc = "Patients to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<PatientSearchConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::search_patients(request(ctx)?, input.into(), page).await?;
        let total = counted(ctx).then(|| i64::try_from(found.total).unwrap_or(i64::MAX));
        let matches = found.page.map(PatientMatch::from);
        Ok(PatientSearchConnection::new(matches, page.after.is_some(), total, |found| found.patient.id.encode()))
    }

    /// Patients who may be the person described, likeliest first, at most 10: ask before registering. Only
    /// among charts the caller may open. Needs `patients.duplicates`.
    async fn patient_duplicates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to be registered.")] input: PatientDuplicatesInput,
    ) -> Result<Vec<PatientDuplicate>> {
        match service::possible_duplicates(request(ctx)?, input.into()).await {
            Ok(found) => Ok(found.into_iter().map(Into::into).collect()),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Refused(faults)) => {
                let sentences: Vec<String> =
                    faults.iter().map(|fault| format!("`{}` {}", fault.field.join("."), fault.message)).collect();
                Err(Error::bad_input(sentences.join("; ")))
            }
        }
    }

    /// Codes of ICD-10-CM: those that begin with what is given or, when it has not the form of a code, those
    /// whose description has its words or words beginning with them. Needs membership of a facility.
    async fn icd10_codes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A code or its beginning, with or without the dot; or 1 to 10 words.")] search: String,
        #[graphql(desc = "Codes to return, 1 to 100; 20 when left out.")] first: Option<i32>,
    ) -> Result<Vec<Icd10Code>> {
        let page = PageRequest::<PatientId>::parse(first, None)?;
        let found = service::search_icd10(request(ctx)?, &search, page.first).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Who treats whom, last begun first. Needs `patients.care_team.read`; a restricted therapist sees those of
    /// charts open to them.
    async fn care_relationships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this patient alone.")] patient_id: Option<PatientId>,
        #[graphql(desc = "Of this provider alone, a user.")] user_id: Option<UserId>,
        #[graphql(desc = "Also those that have ended; not when left out.")] ended: Option<bool>,
        #[graphql(desc = "Relationships to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<CareRelationshipConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let filter = RelationshipFilter { patient: patient_id, user: user_id, ended: ended.unwrap_or(false) };
        let found = service::list_care_relationships(request, filter, page).await?.map(CareRelationship::from);
        let total = if counted(ctx) { Some(service::count_care_relationships(request, filter).await?) } else { None };
        Ok(CareRelationshipConnection::new(found, page.after.is_some(), total, |row| row.id.encode()))
    }

    /// Emergency accesses to charts, the latest first. Needs `patients.break_glass.read`.
    async fn break_glass_accesses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those that wait for review; all when left out.")] unreviewed_only: Option<bool>,
        #[graphql(desc = "Accesses to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<BreakGlassAccessConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let unreviewed_only = unreviewed_only.unwrap_or(false);
        let found =
            service::list_break_glass_accesses(request, unreviewed_only, page).await?.map(BreakGlassAccess::from);
        let total = if counted(ctx) {
            Some(service::count_break_glass_accesses(request, unreviewed_only).await?)
        } else {
            None
        };
        Ok(BreakGlassAccessConnection::new(found, page.after.is_some(), total, |row| row.id.encode()))
    }
}
