//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use super::model::{Contact, Patient};
use super::service;
use crate::access::RequestContext;
use crate::graphql::loaders::LoadError;
use crate::ids::PatientId;

/// Patients by id.
#[derive(Debug)]
pub struct PatientLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<PatientId> for PatientLoader {
    type Value = Patient;
    type Error = LoadError;

    async fn load(&self, keys: &[PatientId]) -> Result<HashMap<PatientId, Patient>, LoadError> {
        let found = service::patients_by_ids(&self.0, keys).await?;
        Ok(found.into_iter().map(|patient| (patient.id, patient)).collect())
    }
}

/// Contacts by patient.
#[derive(Debug)]
pub struct ContactsLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<PatientId> for ContactsLoader {
    type Value = Vec<Contact>;
    type Error = LoadError;

    async fn load(&self, keys: &[PatientId]) -> Result<HashMap<PatientId, Vec<Contact>>, LoadError> {
        let mut found: HashMap<PatientId, Vec<Contact>> = HashMap::new();
        for contact in service::contacts_of(&self.0, keys).await? {
            found.entry(contact.patient_id).or_default().push(contact);
        }
        Ok(found)
    }
}
