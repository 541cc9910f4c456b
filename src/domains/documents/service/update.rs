//! Changing what is said of a document, and trying again what failed.

use serde_json::json;

use super::{EXTRACT_JOB, INDEX_NOTE_JOB, changeable, enqueue, sight, stale};
use crate::access::{Once, RequestContext};
use crate::domains::documents::changes::{changed, changed_with};
use crate::domains::documents::model::{DocumentChanges, DocumentOrigin, DocumentStatus, Refusal, UpdateDocument};
use crate::domains::documents::versions::model::DocumentVersionChange;
use crate::domains::documents::{policy, repository, sealing, validation, versions};
use crate::error::{Error, Stop};
use crate::ids::DocumentId;

/// Changes title, kind, date or visit.
///
/// # Errors
/// Refused when a value is malformed, the version is stale or the note is signed.
pub async fn update_document(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    changes: UpdateDocument,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::UPDATE)
        .once(once)
        .run(|tx| async move {
            let changes = validation::update(changes, tx.ctx().now().date_naive())?;
            let row = changeable(&tx, id).await?;
            if let Some(kind) = changes.kind {
                policy::require_kind(&tx, kind)?;
                super::same_class(row.kind, kind)?;
            }
            super::links::require_visit(&tx, changes.visit.flatten(), &row.patient_ids).await?;
            let keys = tx.keys().await?;
            let seal = |title| sealing::seal_title(&keys, id, title);
            let columns = DocumentChanges {
                title_ciphertext: changes.title.as_ref().map(seal).transpose()?,
                kind: changes.kind,
                document_date: changes.document_date,
                visit_id: changes.visit,
                updated_at: Some(tx.ctx().now()),
                ..DocumentChanges::default()
            };
            if !repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, columns).await? {
                return Err(stale());
            }
            versions::record(&tx, id, DocumentVersionChange::Edited).await?;
            changed(&tx, id, &row.patient_ids);
            Ok(id)
        })
        .await
}

/// Has a document read again that failed, or in which no text was found.
///
/// # Errors
/// Refused when it has not failed.
pub async fn retry_document(
    ctx: &RequestContext,
    id: DocumentId,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::RETRY)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let row = repository::find_by_id(tx.db()?, sight(ctx, &tx), id).await?.ok_or(Error::NotFound)?;
            let not_failed = || Stop::refuse(Refusal::NotFailed, &["input", "id"], "the document has not failed");
            if !matches!(row.status, DocumentStatus::Failed | DocumentStatus::ReadyWithoutText) {
                return Err(not_failed());
            }
            let changes = DocumentChanges {
                status: Some(DocumentStatus::Uploaded),
                failure_code: Some(None),
                updated_at: Some(ctx.now()),
                ..DocumentChanges::default()
            };
            if !repository::update_if_version(tx.db()?, ctx.facility(), id, row.version, changes).await? {
                return Err(not_failed());
            }
            let job = if row.origin == DocumentOrigin::Note { INDEX_NOTE_JOB } else { EXTRACT_JOB };
            enqueue(&tx, job, id).await?;
            changed_with(&tx, id, &[], &json!({ "failure": row.failure_code }));
            Ok(id)
        })
        .await
}
