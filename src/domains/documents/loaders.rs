//! Batched look-ups for edges: one statement, or two, for all parents of a page.

use std::collections::HashMap;

use super::model::{CheckedSignature, Document};
use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::{Loader, grouped};
use crate::ids::{DocumentId, PatientId};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Documents by id.
#[derive(Debug)]
pub struct DocumentLoader;

impl Loader for DocumentLoader {
    type Key = DocumentId;
    type Value = Document;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Document>> {
        let found = service::documents_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|document| (document.id, document)).collect())
    }
}

/// A page of documents by patient.
#[derive(Debug)]
pub struct PatientDocumentsLoader;

/// A patient, and which page of their documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatientDocuments {
    pub patient: PatientId,
    pub first: i64,
    pub after: Option<DocumentId>,
}

impl Loader for PatientDocumentsLoader {
    type Key = PatientDocuments;
    type Value = Page<Document>;

    async fn load(
        ctx: &RequestContext,
        keys: &[PatientDocuments],
    ) -> Result<HashMap<PatientDocuments, Page<Document>>> {
        // One batch for each page asked for: as many as the operation has fields, whatever the number of patients.
        let mut batches: HashMap<(i64, Option<DocumentId>), Vec<PatientId>> = HashMap::new();
        for key in keys {
            batches.entry((key.first, key.after)).or_default().push(key.patient);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for ((first, after), patients) in batches {
            let pages = service::documents_of_patients(ctx, &patients, PageRequest { first, after }).await?;
            found.extend(pages.into_iter().map(|(patient, page)| (PatientDocuments { patient, first, after }, page)));
        }
        Ok(found)
    }
}

/// Texts of notes.
#[derive(Debug)]
pub struct TextLoader;

impl Loader for TextLoader {
    type Key = DocumentId;
    type Value = Phi<String>;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Phi<String>>> {
        Ok(service::texts_of(ctx, keys).await?.into_iter().collect())
    }
}

/// Addenda by the note they add to.
#[derive(Debug)]
pub struct AddendaLoader;

impl Loader for AddendaLoader {
    type Key = DocumentId;
    type Value = Vec<Document>;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Vec<Document>>> {
        let mut found: HashMap<DocumentId, Vec<Document>> = HashMap::new();
        for addendum in service::addenda_of(ctx, keys).await? {
            if let Some(note) = addendum.addendum_to {
                found.entry(note).or_default().push(addendum);
            }
        }
        Ok(found)
    }
}

/// Signatures by document.
#[derive(Debug)]
pub struct SignaturesLoader;

impl Loader for SignaturesLoader {
    type Key = DocumentId;
    type Value = Vec<CheckedSignature>;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Vec<CheckedSignature>>> {
        Ok(grouped(service::signatures_of(ctx, keys).await?, |signature| signature.row.document_id))
    }
}

/// Files of signed notes.
#[derive(Debug)]
pub struct BundleLoader;

impl Loader for BundleLoader {
    type Key = DocumentId;
    type Value = Phi<String>;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Phi<String>>> {
        Ok(service::bundles_of(ctx, keys).await?.into_iter().collect())
    }
}
