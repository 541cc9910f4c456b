//! Batches in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::service::{self, UploadMany};
use crate::domains::documents::graphql::{Document, DocumentUserError, Upload};
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::model::{DocumentKind, DocumentLabel, Refusal};
use crate::error::{Error, Result};
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, PatientId, UploadBatchId};
use crate::phi::Phi;

/// Files that were sent together; seen by whoever sent them. Needs `documents.upload`.
#[derive(Debug, Clone, SimpleObject)]
pub struct DocumentUploadBatch {
    /// Typed, opaque id.
    pub id: UploadBatchId,
    /// When they were sent.
    pub created_at: DateTime<Utc>,
    /// The files, in the order sent, each with what became of it; `document.status` says how far it is.
    pub files: Vec<DocumentUploadBatchFile>,
}

/// A file of a batch. With neither a document nor a refusal it was not kept, and that was our fault: send it again.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct DocumentUploadBatchFile {
    /// Its name as sent.
    pub file_name: String,
    /// Why it was refused; null when it was not.
    pub refusal: Option<Refusal>,
    #[graphql(skip)]
    pub document_id: Option<DocumentId>,
}

#[ComplexObject]
impl DocumentUploadBatchFile {
    /// The document it became; null when it became none, or the document cannot be seen any more. Needs
    /// `documents.read`.
    async fn document(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        let Some(id) = self.document_id else { return Ok(None) };
        Ok(load_one::<DocumentLoader>(ctx, id).await?.map(Into::into))
    }
}

impl From<service::Batch> for DocumentUploadBatch {
    fn from(batch: service::Batch) -> Self {
        let files = batch.files.into_iter().map(|file| DocumentUploadBatchFile {
            file_name: file.name.into_revealed(),
            refusal: file.refusal,
            document_id: file.document,
        });
        Self { id: batch.id, created_at: batch.created_at, files: files.collect() }
    }
}

/// Files to be kept.
#[derive(InputObject)]
pub struct DocumentUploadManyInput {
    /// The files, 1 to 50, each a part of a multipart request and at most 50 MiB.
    pub files: Vec<Upload>,
    /// What they are. A kind that is not administrative needs `documents.read_clinical`.
    pub kind: DocumentKind,
    /// The day they are about; today when left out.
    pub document_date: Option<NaiveDate>,
    /// What they are marked as; nothing when left out.
    pub labels: Option<Vec<DocumentLabel>>,
    /// Patients they are about; may be none yet.
    #[graphql(default)]
    pub patient_ids: Vec<PatientId>,
    /// Makes retries safe: the same key, input and files give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of files sent together.
    DocumentUploadManyPayload {
        /// The batch, with what became of each file; null when none was looked at.
        batch: DocumentUploadBatch,
    } or DocumentUserError
);

/// Queries of batches.
#[derive(Debug, Default)]
pub struct DocumentBatchQuery;

#[Object]
impl DocumentBatchQuery {
    /// Files sent together, and what became of each; null when the caller sent no such batch. Needs
    /// `documents.upload`.
    async fn document_upload_batch(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the batch.")] id: UploadBatchId,
    ) -> Result<Option<DocumentUploadBatch>> {
        match service::batch(request(ctx)?, id).await {
            Ok(batch) => Ok(Some(batch.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Mutations of batches.
#[derive(Debug, Default)]
pub struct DocumentBatchMutation;

#[Object]
impl DocumentBatchMutation {
    /// Keeps several files, encrypted, and queues each for search; sent as one multipart request. One that is refused
    /// does not hold up the others. Needs `documents.upload`.
    async fn document_upload_many(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The files, and what they are.")] input: DocumentUploadManyInput,
    ) -> Result<DocumentUploadManyPayload> {
        let DocumentUploadManyInput { files, kind, document_date, labels, patient_ids, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let taken = files.iter().map(|file| file.take(ctx).map(|file| (file.name, file.staged)));
        let taken: Vec<(Phi<String>, _)> = taken.collect::<Result<_>>()?;
        let new = UploadMany { kind, document_date, labels: labels.unwrap_or_default(), patient_ids };
        match service::upload_many(request(ctx)?, new, taken, once).await {
            Ok(id) => Ok(DocumentUploadManyPayload::done(service::batch(request(ctx)?, id).await?.into())),
            Err(stop) => DocumentUploadManyPayload::refused(stop),
        }
    }
}
