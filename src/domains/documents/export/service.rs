//! Asking for an export, and fetching it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::EXPORT_JOB;
use super::repository::{self, ExportRow, NewExport};
use crate::access::{Once, RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys, Key32};
use crate::domains::documents::model::Refusal;
use crate::domains::documents::policy;
use crate::domains::documents::service::Download;
use crate::domains::patients;
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, PatientId, RecordExportId, TypedId as _, new_id};
use crate::jobs::{self, NewJob};
use crate::storage::FileRef;
use crate::text_enum::text_enum;

/// How long an archive is kept.
const KEPT_DAYS: i64 = 7;

const FILE_KEY: ColumnId = ColumnId::new("record_exports", "file_key");

text_enum! {
    /// How far an export is.
    RecordExportStatus {
        /// Waiting to be made, or being made.
        Queued = "queued",
        /// It can be fetched.
        Ready = "ready",
        /// It could not be made: ask for another one.
        Failed = "failed",
        /// It was kept for seven days and is gone.
        Expired = "expired",
    }
}

/// An export.
#[derive(Debug, Clone)]
pub struct RecordExport {
    pub id: RecordExportId,
    pub patient: PatientId,
    pub requested_at: DateTime<Utc>,
    pub status: RecordExportStatus,
    pub size_bytes: Option<i64>,
    pub sha256: Option<Vec<u8>>,
    pub document_count: Option<i32>,
    pub ready_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

/// Asks for the documents of a patient as one archive.
///
/// # Errors
/// Refused when there is no such patient, or none whose chart the caller may open.
pub async fn start_export(
    ctx: &RequestContext,
    patient: PatientId,
    once: Option<Once>,
) -> Result<RecordExportId, Stop<Refusal>> {
    ctx.write(&policy::EXPORT)
        .once(once)
        .run(|tx| async move {
            let (ctx, id): (_, RecordExportId) = (tx.ctx(), new_id());
            if !patients::service::are_open(&tx, &[patient]).await? {
                let field = &["input", "patientId"];
                return Err(Stop::refuse(Refusal::PatientNotFound, field, "there is no such patient"));
            }
            let now = ctx.now();
            let expires_at = now + TimeDelta::days(KEPT_DAYS);
            let part2 = tx.may(&policy::PART2_READ);
            let new = NewExport { id, patient, by: ctx.user()?, part2, now, expires_at };
            repository::insert(tx.db()?, ctx.facility(), new).await?;
            jobs::enqueue(&tx, NewJob::new(ctx.facility(), EXPORT_JOB, json!({ "exportId": id }))).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({}));
            Ok(id)
        })
        .await
}

/// An export that the caller asked for.
///
/// # Errors
/// [`Error::NotFound`] when they asked for none of this id.
pub async fn export(ctx: &RequestContext, id: RecordExportId) -> Result<RecordExport> {
    let row = own(ctx, id).await?;
    ctx.note_read(Subject::of(id).in_record_of(row.patient_id));
    let status = match RecordExportStatus::parse(&row.status) {
        _ if row.expires_at <= ctx.now() => RecordExportStatus::Expired,
        Some(status) => status,
        None => return Err(Error::internal("an export with a status that is none")),
    };
    Ok(RecordExport {
        id,
        patient: row.patient_id,
        requested_at: row.requested_at,
        status,
        size_bytes: row.size_bytes,
        sha256: row.sha256,
        document_count: row.document_count,
        ready_at: row.ready_at,
        expires_at: row.expires_at,
    })
}

async fn own(ctx: &RequestContext, id: RecordExportId) -> Result<ExportRow> {
    let read = ctx.read(&policy::EXPORT).await?;
    let user = ctx.user()?;
    let found = repository::find(read.db()?, ctx.facility(), id).await?;
    found.filter(|row| row.requested_by == user).ok_or(Error::NotFound)
}

/// A link for this user and session alone, as a path with a token. Whoever follows it is asked for the permission again.
///
/// # Errors
/// A denial.
pub async fn export_link(ctx: &RequestContext, id: RecordExportId) -> Result<String> {
    ctx.read(&policy::EXPORT).await?;
    let token = ctx.download_token(id.uuid())?;
    Ok(format!("/documents/{id}/content?token={token}"))
}

/// Opens an archive. That it is fetched is on record in the patient's record before this returns.
///
/// # Errors
/// [`Error::NotFound`] when the caller asked for none of this id, or it is not there, not yet or no longer.
pub async fn open_export(ctx: &RequestContext, id: RecordExportId) -> Result<Download> {
    let row = own(ctx, id).await?;
    if row.expires_at <= ctx.now() {
        return Err(Error::NotFound);
    }
    let read = ctx.read(&policy::EXPORT).await?;
    if row.part2 && !read.may(&policy::PART2_READ) {
        return Err(Error::NotFound);
    }
    let keys = read.keys().await?;
    let (file, size_bytes) = file_of(ctx.facility(), &keys, &row)?.ok_or(Error::NotFound)?;
    ctx.note(&policy::EXPORT, Subject::of(id).in_record_of(row.patient_id), json!({ "fetched": true }));
    drop(read);
    ctx.finish().await?;
    let content = ctx.app().storage.get(&file).await?;
    let file_name = format!("record-{}.zip", row.requested_at.format("%Y-%m-%d")).into();
    Ok(Download { mime_type: "application/zip".to_owned(), file_name, size_bytes: Some(size_bytes), content })
}

/// Where the archive is; `None` before it is made.
fn file_of(facility: FacilityId, keys: &FacilityKeys, row: &ExportRow) -> Result<Option<(FileRef, i64)>> {
    let (Some(object_key), Some(sealed), Some(size_bytes), Some(sha256)) =
        (&row.object_key, &row.file_key_ciphertext, row.size_bytes, &row.sha256)
    else {
        return Ok(None);
    };
    let key = keys.fields.decrypt(FILE_KEY, row.id.uuid(), sealed)?;
    let file = FileRef {
        facility,
        file: row.id.uuid(),
        object_key: object_key.clone(),
        file_key: Key32::from_slice(key.reveal())
            .ok_or_else(|| Error::internal("a stored file key has no 32 bytes"))?,
        size_bytes: u64::try_from(size_bytes).map_err(Error::internal)?,
        sha256: sha256.as_slice().try_into().map_err(Error::internal)?,
    };
    Ok(Some((file, size_bytes)))
}

/// Encrypts the key of an archive for its row.
pub(super) fn seal_file_key(keys: &FacilityKeys, id: RecordExportId, key: &Key32) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt(FILE_KEY, id.uuid(), key.expose())?)
}
