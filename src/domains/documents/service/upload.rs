//! Uploading a file: permission first, then the content, then the row.

use bytes::Bytes;
use chrono::Datelike as _;
use futures::Stream;
use uuid::Uuid;

use super::{EXTRACT_JOB, enqueue};
use crate::access::{Once, RequestContext};
use crate::domains::documents::batch::service as batch;
use crate::domains::documents::changes::changed;
use crate::domains::documents::model::{
    DocumentKind, DocumentLabel, DocumentOrigin, DocumentStatus, NewDocument, Refusal, UploadDocument,
};
use crate::domains::documents::versions::model::DocumentVersionChange;
use crate::domains::documents::work::service as work;
use crate::domains::documents::{policy, repository, sealing, validation, versions};
use crate::error::{Error, Result, Stop};
use crate::extraction::sniff;
use crate::ids::{DocumentId, TypedId as _, new_id};
use crate::storage::{Place, Stored};

/// Someone who may upload. There is no other way to store a file.
#[derive(Debug)]
pub struct Uploader {
    ctx: RequestContext,
    kinds: &'static [DocumentKind],
}

/// A file that is stored, encrypted, and belongs to no document yet. Dropped, it is removed again.
#[derive(Debug)]
pub struct Staged {
    id: DocumentId,
    stored: Stored,
}

impl Staged {
    /// SHA-256 of the content.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.stored.file.sha256
    }
}

/// Asks for permission, before any of the content is read. The connection it took is given back: a slow upload holds
/// none.
///
/// # Errors
/// [`Error::Unauthenticated`] or [`Error::Forbidden`].
pub async fn begin_upload(ctx: &RequestContext) -> Result<Uploader> {
    let read = ctx.read(&policy::UPLOAD).await?;
    let kinds = policy::readable_kinds(&read);
    drop(read);
    ctx.finish().await?;
    Ok(Uploader { ctx: ctx.clone(), kinds })
}

impl Uploader {
    /// Whether a document of this kind may be uploaded, where the kind is known before the content.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require_kind(&self, kind: DocumentKind) -> Result<()> {
        if self.kinds.contains(&kind) { Ok(()) } else { Err(Error::Forbidden(policy::needed(kind))) }
    }

    /// Stores a file as it arrives, encrypted, in bounded memory.
    ///
    /// # Errors
    /// [`Error::Limit`] past the largest upload, [`Error::BadInput`] when it does not arrive whole, or a fault. Nothing
    /// is left in the store then.
    pub async fn stage<S, E>(&self, content: S) -> Result<Staged>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let id: DocumentId = new_id();
        let app = self.ctx.app();
        let place = Place { facility: self.ctx.facility(), file: id.uuid(), year: self.ctx.now().year() };
        let stored = app.storage.put(place, content, app.config.max_upload_bytes).await?;
        Ok(Staged { id, stored })
    }
}

/// Makes a document of a stored file and queues it for search. When this returns, the document is there to stay.
///
/// # Errors
/// Refused when a value is malformed, the file is empty or a patient's chart is not open to the caller; then the file
/// is removed.
pub async fn upload_document(
    ctx: &RequestContext,
    new: UploadDocument,
    staged: Staged,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    upload(ctx, new, staged, once, None).await
}

/// The same for a file of a batch, where what became of it is put on record too.
pub(in crate::domains::documents) async fn upload_in_batch(
    ctx: &RequestContext,
    new: UploadDocument,
    staged: Staged,
    batch_file: Uuid,
) -> Result<DocumentId, Stop<Refusal>> {
    upload(ctx, new, staged, None, Some(batch_file)).await
}

async fn upload(
    ctx: &RequestContext,
    new: UploadDocument,
    staged: Staged,
    once: Option<Once>,
    batch_file: Option<Uuid>,
) -> Result<DocumentId, Stop<Refusal>> {
    let kind = new.kind;
    let Staged { id, stored } = staged;
    let mime_type = sniff(&stored.prefix).mime();
    // From here on the row may commit though we never hear of it: only a clear no removes the file, anything else
    // leaves it to the sweep, which looks for the row.
    let file = stored.keep();
    let row_file = file.clone();
    let outcome = ctx
        .write(&policy::UPLOAD)
        .once(once)
        .run(|tx| async move {
            policy::require_kind(&tx, kind)?;
            uploadable(kind)?;
            let ctx = tx.ctx();
            let (part2, visit_id) = (new.labels.contains(&DocumentLabel::Part2), new.visit_id);
            let upload = validation::upload(new, ctx.now().date_naive())?;
            if row_file.size_bytes == 0 {
                return Err(Stop::refuse(Refusal::EmptyFile, &["input", "file"], "the file is empty"));
            }
            let keys = tx.keys().await?;
            let row = NewDocument {
                facility_id: ctx.facility(),
                id,
                origin: DocumentOrigin::Upload,
                kind,
                title_ciphertext: sealing::seal_title(&keys, id, &upload.title)?,
                file_name_ciphertext: Some(sealing::seal_file_name(&keys, id, &upload.file_name)?),
                mime_type,
                size_bytes: i64::try_from(row_file.size_bytes).map_err(Error::internal)?,
                sha256: row_file.sha256.to_vec(),
                object_key: Some(row_file.object_key),
                file_key_ciphertext: Some(sealing::seal_file_key(&keys, id, &row_file.file_key)?),
                body_ciphertext: None,
                author_id: ctx.user().ok(),
                document_date: upload.document_date,
                status: DocumentStatus::Uploaded,
                note_state: None,
                addendum_to: None,
                part2,
                template_id: None,
                template_number: None,
                fields_ciphertext: None,
                visit_id,
                created_at: ctx.now(),
                updated_at: ctx.now(),
            };
            super::links::require_visit(&tx, visit_id, &upload.patient_ids).await?;
            repository::insert(tx.db()?, row).await?;
            super::links::link_new(&tx, id, &upload.patient_ids).await?;
            versions::record(&tx, id, DocumentVersionChange::Created).await?;
            work::insert_waiting(&tx, id, kind).await?;
            if let Some(file) = batch_file {
                batch::record(&tx, file, id).await?;
            }
            enqueue(&tx, EXTRACT_JOB, id).await?;
            changed(&tx, id, &upload.patient_ids);
            Ok(id)
        })
        .await;
    let unused = is_unused(&outcome, id);
    if !unused && outcome.is_ok() {
        ctx.app().metrics.document(DocumentStatus::Uploaded.as_str());
    }
    if unused && let Err(error) = ctx.app().storage.delete(&file.object_key).await {
        tracing::warn!(%error, "a refused upload was left for the sweep");
    }
    outcome
}

/// Whether a stored file belongs to no document after all, and is to be removed.
fn is_unused(outcome: &Result<DocumentId, Stop<Refusal>>, id: DocumentId) -> bool {
    match outcome {
        // Another id is the answer to an earlier request with the same idempotency key.
        Ok(document) => *document != id,
        Err(Stop::Refused(_)) => true,
        Err(Stop::Error(error)) => !error.is_fault() && !matches!(error, Error::Timeout),
    }
}

/// A psychotherapy note has no file: it would be read into search.
fn uploadable(kind: DocumentKind) -> Result<(), Stop<Refusal>> {
    if kind != DocumentKind::PsychotherapyNote {
        return Ok(());
    }
    Err(Stop::refuse(Refusal::KeptApart, &["input", "kind"], "a psychotherapy note is written here, not uploaded"))
}
