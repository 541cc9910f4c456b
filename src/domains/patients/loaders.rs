//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;
use std::hash::Hash;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Request};

use super::model::{Allergy, CareRelationship, Contact, Coverage, Diagnosis, Patient, Visit, VisitCursor};
use super::service;
use crate::access::RequestContext;
use crate::graphql::loaders::{LoadError, spawn};
use crate::ids::{PatientId, VisitId};
use crate::pagination::{Page, PageRequest};

/// Gives a request the loaders of the domain.
pub fn attach(request: Request, ctx: &RequestContext) -> Request {
    request
        .data(DataLoader::new(PatientLoader(ctx.clone()), spawn))
        .data(DataLoader::new(ContactsLoader(ctx.clone()), spawn))
        .data(DataLoader::new(CoveragesLoader(ctx.clone()), spawn))
        .data(DataLoader::new(AllergiesLoader(ctx.clone()), spawn))
        .data(DataLoader::new(CareTeamLoader(ctx.clone()), spawn))
        .data(DataLoader::new(VisitsLoader(ctx.clone()), spawn))
        .data(DataLoader::new(VisitCountLoader(ctx.clone()), spawn))
        .data(DataLoader::new(DiagnosesLoader(ctx.clone()), spawn))
}

/// What a loader of the request has for one key.
///
/// # Errors
/// The loader's.
pub async fn load<L, K>(ctx: &Context<'_>, key: K) -> Result<Option<L::Value>, LoadError>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    L: Loader<K, Error = LoadError>,
{
    ctx.data_unchecked::<DataLoader<L>>().load_one(key).await
}

fn grouped<K: Hash + Eq, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

/// Patients by id.
#[derive(Debug)]
pub struct PatientLoader(RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<PatientId> for PatientLoader {
    type Value = Patient;
    type Error = LoadError;

    async fn load(&self, keys: &[PatientId]) -> Result<HashMap<PatientId, Patient>, LoadError> {
        let found = service::patients_by_ids(&self.0, keys).await?;
        Ok(found.into_iter().map(|patient| (patient.id, patient)).collect())
    }
}

/// Declares a loader of lists: `Name: Key => Value, service function, key of a row`.
macro_rules! list_loaders {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty, $service:path, $by:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(RequestContext);

        #[async_graphql::async_trait::async_trait]
        impl Loader<$key> for $name {
            type Value = Vec<$value>;
            type Error = LoadError;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Vec<$value>>, LoadError> {
                Ok(grouped($service(&self.0, keys).await?, |row| row.$by))
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
pub struct VisitsLoader(RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<VisitPage> for VisitsLoader {
    type Value = Page<Visit>;
    type Error = LoadError;

    async fn load(&self, keys: &[VisitPage]) -> Result<HashMap<VisitPage, Page<Visit>>, LoadError> {
        let mut found = HashMap::new();
        for ((first, after), wanted) in grouped(keys.to_vec(), |key| (key.first, key.after)) {
            let patients: Vec<PatientId> = wanted.iter().map(|key| key.patient).collect();
            let pages = service::visits_of(&self.0, &patients, PageRequest { first, after }).await?;
            found.extend(pages.into_iter().map(|(patient, page)| (VisitPage { patient, first, after }, page)));
        }
        Ok(found)
    }
}

/// How many visits a patient has.
#[derive(Debug)]
pub struct VisitCountLoader(RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<PatientId> for VisitCountLoader {
    type Value = i64;
    type Error = LoadError;

    async fn load(&self, keys: &[PatientId]) -> Result<HashMap<PatientId, i64>, LoadError> {
        Ok(service::count_visits_of(&self.0, keys).await?)
    }
}
