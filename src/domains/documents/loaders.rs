//! Batched look-ups for edges: one statement, or two, for all parents of a page.

use std::collections::HashMap;

use async_graphql::Request;
use async_graphql::dataloader::{DataLoader, Loader};

use super::model::{CheckedSignature, Document};
use super::service;
use crate::access::RequestContext;
use crate::graphql::loaders::{LoadError, spawn};
use crate::ids::{DocumentId, PatientId};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Gives a request the loaders of this domain.
#[must_use]
pub fn attach(request: Request, ctx: &RequestContext) -> Request {
    request
        .data(DataLoader::new(DocumentLoader(ctx.clone()), spawn))
        .data(DataLoader::new(PatientDocumentsLoader(ctx.clone()), spawn))
        .data(DataLoader::new(TextLoader(ctx.clone()), spawn))
        .data(DataLoader::new(AddendaLoader(ctx.clone()), spawn))
        .data(DataLoader::new(SignaturesLoader(ctx.clone()), spawn))
}

/// Documents by id.
#[derive(Debug)]
pub struct DocumentLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<DocumentId> for DocumentLoader {
    type Value = Document;
    type Error = LoadError;

    async fn load(&self, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Document>, LoadError> {
        let found = service::documents_by_ids(&self.0, keys).await?;
        Ok(found.into_iter().map(|document| (document.id, document)).collect())
    }
}

/// A page of documents by patient.
#[derive(Debug)]
pub struct PatientDocumentsLoader(pub RequestContext);

/// A patient, and which page of their documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatientDocuments {
    pub patient: PatientId,
    pub first: i64,
    pub after: Option<DocumentId>,
}

#[async_graphql::async_trait::async_trait]
impl Loader<PatientDocuments> for PatientDocumentsLoader {
    type Value = Page<Document>;
    type Error = LoadError;

    async fn load(&self, keys: &[PatientDocuments]) -> Result<HashMap<PatientDocuments, Page<Document>>, LoadError> {
        // One batch for each page asked for: as many as the operation has fields, whatever the number of patients.
        let mut batches: HashMap<(i64, Option<DocumentId>), Vec<PatientId>> = HashMap::new();
        for key in keys {
            batches.entry((key.first, key.after)).or_default().push(key.patient);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for ((first, after), patients) in batches {
            let pages = service::documents_of_patients(&self.0, &patients, PageRequest { first, after }).await?;
            found.extend(pages.into_iter().map(|(patient, page)| (PatientDocuments { patient, first, after }, page)));
        }
        Ok(found)
    }
}

/// Texts of notes.
#[derive(Debug)]
pub struct TextLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<DocumentId> for TextLoader {
    type Value = Phi<String>;
    type Error = LoadError;

    async fn load(&self, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Phi<String>>, LoadError> {
        Ok(service::texts_of(&self.0, keys).await?.into_iter().collect())
    }
}

/// Addenda by the note they add to.
#[derive(Debug)]
pub struct AddendaLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<DocumentId> for AddendaLoader {
    type Value = Vec<Document>;
    type Error = LoadError;

    async fn load(&self, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Vec<Document>>, LoadError> {
        let mut found: HashMap<DocumentId, Vec<Document>> = HashMap::new();
        for addendum in service::addenda_of(&self.0, keys).await? {
            if let Some(note) = addendum.addendum_to {
                found.entry(note).or_default().push(addendum);
            }
        }
        Ok(found)
    }
}

/// Signatures by document.
#[derive(Debug)]
pub struct SignaturesLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<DocumentId> for SignaturesLoader {
    type Value = Vec<CheckedSignature>;
    type Error = LoadError;

    async fn load(&self, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Vec<CheckedSignature>>, LoadError> {
        let mut found: HashMap<DocumentId, Vec<CheckedSignature>> = HashMap::new();
        for signature in service::signatures_of(&self.0, keys).await? {
            found.entry(signature.row.document_id).or_default().push(signature);
        }
        Ok(found)
    }
}
