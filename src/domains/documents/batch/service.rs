//! Sending files together, and asking what became of them.

use async_graphql::resolver_utils::EnumType;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use uuid::Uuid;

use super::repository;
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::documents::model::{DocumentKind, DocumentLabel, Refusal, UploadDocument};
use crate::domains::documents::service::{Staged, upload_in_batch};
use crate::domains::documents::{policy, validation};
use crate::domains::patients;
use crate::error::{Error, Result, Stop};
use crate::ids::{DocumentId, PatientId, UploadBatchId, new_id};
use crate::phi::Phi;

/// Files of one batch.
pub const MAX_FILES: usize = 50;

const FILE_NAME: ColumnId = ColumnId::new("upload_batch_files", "file_name");

/// What holds for all files of a batch.
#[derive(Debug, Clone)]
pub struct UploadMany {
    pub kind: DocumentKind,
    /// The day of the upload when left out.
    pub document_date: Option<NaiveDate>,
    pub labels: Vec<DocumentLabel>,
    pub patient_ids: Vec<PatientId>,
}

/// A batch, and what became of each file.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: UploadBatchId,
    pub created_at: DateTime<Utc>,
    pub files: Vec<BatchFile>,
}

/// A file of a batch. With neither a document nor a refusal it was not kept, and that was our fault.
#[derive(Debug, Clone)]
pub struct BatchFile {
    pub name: Phi<String>,
    pub document: Option<DocumentId>,
    pub refusal: Option<Refusal>,
}

/// Makes a document of each file. A file that is refused does not hold up the others.
///
/// # Errors
/// Refused when what holds for all of them is malformed; a denial, or a fault, before the first.
pub async fn upload_many(
    ctx: &RequestContext,
    new: UploadMany,
    files: Vec<(Phi<String>, Staged)>,
    once: Option<Once>,
) -> Result<UploadBatchId, Stop<Refusal>> {
    let id: UploadBatchId = new_id();
    let rows: Vec<(Uuid, Phi<String>)> =
        files.iter().map(|(name, _)| (Uuid::now_v7(), validation::file_name(name))).collect();
    let begun = begin(ctx, id, new.clone(), rows.clone(), once).await?;
    if begun != id {
        // Sent before: the files of this time are removed as they are dropped.
        return Ok(begun);
    }
    for ((name, staged), (file, _)) in files.into_iter().zip(rows) {
        let one = UploadDocument {
            kind: new.kind,
            title: None,
            file_name: name,
            document_date: new.document_date,
            labels: new.labels.clone(),
            patient_ids: new.patient_ids.clone(),
            visit_id: None,
        };
        match upload_in_batch(ctx, one, staged, file).await {
            Ok(_) => {}
            Err(Stop::Refused(faults)) => refuse(ctx, file, faults.first().map(|fault| fault.code)).await?,
            // The others may fare better; this one has no result, which says so.
            Err(Stop::Error(error)) if error.is_fault() => {
                tracing::error!(request_id = %ctx.parts().request_id, "a file of a batch could not be kept");
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(id)
}

async fn begin(
    ctx: &RequestContext,
    id: UploadBatchId,
    new: UploadMany,
    rows: Vec<(Uuid, Phi<String>)>,
    once: Option<Once>,
) -> Result<UploadBatchId, Stop<Refusal>> {
    ctx.write(&policy::UPLOAD)
        .once(once)
        .run(|tx| async move {
            policy::require_kind(&tx, new.kind)?;
            let ctx = tx.ctx();
            if rows.is_empty() || rows.len() > MAX_FILES {
                let message = format!("must be 1 to {MAX_FILES} files");
                return Err(Stop::refuse(Refusal::Invalid, &["input", "files"], message));
            }
            let patients = validation::batch(new.document_date, new.patient_ids, ctx.now().date_naive())?;
            if !patients::service::are_open(&tx, &patients).await? {
                let field = &["input", "patientIds"];
                return Err(Stop::refuse(Refusal::PatientNotFound, field, "there is no such patient"));
            }
            let keys = tx.keys().await?;
            let seal = |(id, name): (Uuid, Phi<String>)| Ok((id, keys.fields.encrypt_text(FILE_NAME, id, &name)?));
            let sealed = rows.into_iter().map(seal).collect::<Result<Vec<_>>>()?;
            repository::insert(tx.db()?, ctx.facility(), id, ctx.user()?, ctx.now()).await?;
            repository::insert_files(tx.db()?, ctx.facility(), id, &sealed).await?;
            tx.audit(Subject::of(id), json!({ "files": sealed.len() }));
            Ok(id)
        })
        .await
}

/// Puts a document on record as what a file became, in the transaction that makes it.
pub(in crate::domains::documents) async fn record(tx: &Tx, file: Uuid, document: DocumentId) -> Result<()> {
    repository::set_result(tx.db()?, tx.ctx().facility(), file, Some(document), None).await
}

/// The batch a document was sent in.
pub(in crate::domains::documents) async fn of_document(tx: &Tx, document: DocumentId) -> Result<Option<UploadBatchId>> {
    repository::of_document(tx.db()?, tx.ctx().facility(), document).await
}

async fn refuse(ctx: &RequestContext, file: Uuid, code: Option<Refusal>) -> Result<(), Stop<Refusal>> {
    let name = code.and_then(name_of).unwrap_or("INVALID");
    ctx.write(&policy::UPLOAD)
        .run(|tx| async move {
            repository::set_result(tx.db()?, tx.ctx().facility(), file, None, Some(name)).await?;
            tx.audit_refused(Subject::default(), json!({ "refusal": name }));
            Ok(())
        })
        .await
}

fn name_of(code: Refusal) -> Option<&'static str> {
    Refusal::items().iter().find(|item| item.value == code).map(|item| item.name)
}

fn code_of(name: &str) -> Refusal {
    Refusal::items().iter().find(|item| item.name == name).map_or(Refusal::Invalid, |item| item.value)
}

/// A batch that the caller sent.
///
/// # Errors
/// [`Error::NotFound`] when they sent none of this id.
pub async fn batch(ctx: &RequestContext, id: UploadBatchId) -> Result<Batch> {
    let read = ctx.read(&policy::UPLOAD).await?;
    let row = repository::find(read.db()?, ctx.facility(), id, ctx.user()?).await?.ok_or(Error::NotFound)?;
    let files = repository::files_of(read.db()?, ctx.facility(), id).await?;
    let keys = read.keys().await?;
    ctx.note_read(Subject::of(id));
    let files = files.into_iter().map(|file| open(&keys, file)).collect::<Result<_>>()?;
    Ok(Batch { id: row.id, created_at: row.created_at, files })
}

fn open(keys: &FacilityKeys, row: repository::FileRow) -> Result<BatchFile> {
    Ok(BatchFile {
        name: keys.fields.decrypt_text(FILE_NAME, row.id, &row.file_name_ciphertext)?,
        document: row.document_id,
        refusal: row.refusal.as_deref().map(code_of),
    })
}
