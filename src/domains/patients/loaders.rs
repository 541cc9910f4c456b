//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use super::model::{Allergy, CareRelationship, Contact, Coverage, Diagnosis, Patient, Visit, VisitCursor};
use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::{Loader, grouped};
use crate::ids::{PatientId, VisitId};
use crate::pagination::{Page, PageRequest};

/// Patients by id.
#[derive(Debug)]
pub struct PatientLoader;

impl Loader for PatientLoader {
    type Key = PatientId;
    type Value = Patient;

    async fn load(ctx: &RequestContext, keys: &[PatientId]) -> Result<HashMap<PatientId, Patient>> {
        let found = service::patients_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|patient| (patient.id, patient)).collect())
    }
}

/// Visits by id.
#[derive(Debug)]
pub struct VisitLoader;

impl Loader for VisitLoader {
    type Key = VisitId;
    type Value = Visit;

    async fn load(ctx: &RequestContext, keys: &[VisitId]) -> Result<HashMap<VisitId, Visit>> {
        let found = service::visits_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|visit| (visit.id, visit)).collect())
    }
}

/// Declares a loader of lists: `Name: Key => Value, service function, key of a row`.
macro_rules! list_loaders {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty, $service:path, $by:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Loader for $name {
            type Key = $key;
            type Value = Vec<$value>;

            async fn load(ctx: &RequestContext, keys: &[$key]) -> Result<HashMap<$key, Vec<$value>>> {
                Ok(grouped($service(ctx, keys).await?, |row| row.$by))
            }
        }
    )*};
}

list_loaders! {
    /// Contacts by patient.
    ContactsLoader: PatientId => Contact, service::contacts_of, patient_id;
    /// Coverages by patient.
    CoveragesLoader: PatientId => Coverage, service::coverages_of, patient_id;
    /// Allergies by patient.
    AllergiesLoader: PatientId => Allergy, service::allergies_of, patient_id;
    /// Open care relationships by patient.
    CareTeamLoader: PatientId => CareRelationship, service::care_teams_of, patient_id;
    /// Diagnoses by visit.
    DiagnosesLoader: VisitId => Diagnosis, service::diagnoses_of, visit_id;
}

/// A page of the visits of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VisitPage {
    pub patient: PatientId,
    /// 1 to the largest page.
    pub first: i64,
    pub after: Option<VisitCursor>,
}

/// Pages of visits: one statement for all patients whose pages are alike.
#[derive(Debug)]
pub struct VisitsLoader;

impl Loader for VisitsLoader {
    type Key = VisitPage;
    type Value = Page<Visit>;

    async fn load(ctx: &RequestContext, keys: &[VisitPage]) -> Result<HashMap<VisitPage, Page<Visit>>> {
        let mut found = HashMap::new();
        for ((first, after), wanted) in grouped(keys.to_vec(), |key| (key.first, key.after)) {
            let patients: Vec<PatientId> = wanted.iter().map(|key| key.patient).collect();
            let pages = service::visits_of(ctx, &patients, PageRequest { first, after }).await?;
            found.extend(pages.into_iter().map(|(patient, page)| (VisitPage { patient, first, after }, page)));
        }
        Ok(found)
    }
}

/// How many visits a patient has.
#[derive(Debug)]
pub struct VisitCountLoader;

impl Loader for VisitCountLoader {
    type Key = PatientId;
    type Value = i64;

    async fn load(ctx: &RequestContext, keys: &[PatientId]) -> Result<HashMap<PatientId, i64>> {
        service::count_visits_of(ctx, keys).await
    }
}
