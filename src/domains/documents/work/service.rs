//! Folders of work, assignment, review, retention and legal holds.

use serde_json::json;
use uuid::Uuid;

use super::model::{Counts, DocumentInboxFolder, DocumentRetentionClass, DocumentReviewState, Hold, Work};
use super::repository::{self, Changes, WorkRow};
use super::sealing;
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::documents::changes::changed_with;
use crate::domains::documents::model::{Document, DocumentKind, Refusal};
use crate::domains::documents::policy;
use crate::domains::documents::service::{documents_by_ids, sight};
use crate::domains::facilities::{self, model::MemberStatus};
use crate::domains::notifications::model::NotificationKind;
use crate::domains::notifications::service as notifications;
use crate::error::{Error, Result, Stop};
use crate::ids::{DocumentId, FacilityId, UserId};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Longest reason, in characters.
const MAX_REASON: usize = 1000;

/// By which rule a document of this kind is kept until somebody says otherwise.
#[must_use]
pub fn usual_retention(kind: DocumentKind) -> DocumentRetentionClass {
    if policy::ADMINISTRATIVE.contains(&kind) {
        DocumentRetentionClass::Administrative
    } else {
        DocumentRetentionClass::Clinical
    }
}

/// An upload waits for a review from the moment it is there.
pub(in crate::domains::documents) async fn insert_waiting(tx: &Tx, id: DocumentId, kind: DocumentKind) -> Result<()> {
    repository::insert(tx.db()?, tx.ctx().facility(), id, usual_retention(kind)).await
}

/// A page of a folder, last added first.
///
/// # Errors
/// A denial, or a fault.
pub async fn inbox(
    ctx: &RequestContext,
    folder: DocumentInboxFolder,
    page: PageRequest<DocumentId>,
) -> Result<Page<Document>> {
    let read = ctx.read(&policy::INBOX).await?;
    let ids = page.cut(repository::folder(read.db()?, sight(ctx, &read), folder, page).await?);
    let mut rows = documents_by_ids(ctx, &ids.rows).await?;
    rows.sort_by_key(|document| std::cmp::Reverse(document.id));
    Ok(Page { rows, has_next: ids.has_next })
}

/// How many documents each folder holds.
///
/// # Errors
/// A denial, or a fault.
pub async fn inbox_counts(ctx: &RequestContext) -> Result<Counts> {
    let read = ctx.read(&policy::INBOX).await?;
    let row = repository::counts(read.db()?, sight(ctx, &read)).await?;
    Ok(Counts {
        unassigned: row.unassigned,
        needs_review: row.needs_review,
        failed: row.failed,
        quarantined: row.quarantined,
        mine: row.mine,
    })
}

/// The work on documents, those the caller may know of.
///
/// # Errors
/// A denial, or a fault.
pub async fn work_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<Work>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::work_of(read.db()?, sight(ctx, &read), ids).await?;
    Ok(rows.into_iter().map(open).collect())
}

fn open(row: WorkRow) -> Work {
    let kind = DocumentKind::parse(&row.kind).unwrap_or(DocumentKind::MedicalRecord);
    Work {
        document: row.document_id,
        review_state: row.review_state,
        reviewed_by: row.reviewed_by,
        reviewed_at: row.reviewed_at,
        assignee: row.assignee_id,
        assigned_at: row.assigned_at,
        retention: row.retention_class.unwrap_or_else(|| usual_retention(kind)),
        on_hold: row.on_hold,
        version: row.version,
    }
}

/// Gives a document to somebody to look at, or takes it from whoever has it.
///
/// # Errors
/// Refused when the user does not work here, or the version is stale.
pub async fn assign(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    assignee: Option<UserId>,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::ASSIGN)
        .once(once)
        .run(|tx| async move {
            let work = known(&tx, id).await?;
            if let Some(user) = assignee
                && facilities::service::standing(&tx, user).await? != Some(MemberStatus::Active)
            {
                let field = &["input", "assigneeId"];
                return Err(Stop::refuse(Refusal::NotMember, field, "nobody of that id works in this facility"));
            }
            let changes = Changes { assignee: Some(assignee), ..Changes::default() };
            change(&tx, &work, expected_version, changes).await?;
            if let Some(user) = assignee {
                notifications::tell(&tx, &[user], NotificationKind::DocumentAssigned, id).await?;
            }
            changed_with(&tx, id, &[], &json!({ "assignee": assignee }));
            Ok(id)
        })
        .await
}

/// Says that a document was looked at.
///
/// # Errors
/// Refused when it waits for no review, or the version is stale.
pub async fn review(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::REVIEW)
        .once(once)
        .run(|tx| async move {
            let work = known(&tx, id).await?;
            if work.review_state != Some(DocumentReviewState::Needed) {
                return Err(Stop::refuse(Refusal::NotWaiting, &["input", "id"], "the document waits for no review"));
            }
            let changes = Changes { reviewed_by: Some(tx.ctx().user()?), ..Changes::default() };
            change(&tx, &work, expected_version, changes).await?;
            changed_with(&tx, id, &[], &json!({ "reviewed": true }));
            Ok(id)
        })
        .await
}

/// Says by which rule a document is kept.
///
/// # Errors
/// Refused when the version is stale.
pub async fn set_retention(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    retention: DocumentRetentionClass,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::RETENTION)
        .once(once)
        .run(|tx| async move {
            let work = known(&tx, id).await?;
            let changes = Changes { retention: Some(retention), ..Changes::default() };
            change(&tx, &work, expected_version, changes).await?;
            changed_with(&tx, id, &[], &json!({ "retention": retention.as_str() }));
            Ok(id)
        })
        .await
}

/// The work on a document that the caller may know of.
async fn known(tx: &Tx, id: DocumentId) -> Result<Work, Stop<Refusal>> {
    let row = repository::work_of(tx.db()?, sight(tx.ctx(), tx), &[id]).await?.pop().ok_or(Error::NotFound)?;
    Ok(open(row))
}

async fn change(tx: &Tx, work: &Work, expected_version: i32, changes: Changes) -> Result<(), Stop<Refusal>> {
    let (ctx, id) = (tx.ctx(), work.document);
    let changed =
        repository::change(tx.db()?, ctx.facility(), id, expected_version, work.retention, changes, ctx.now()).await?;
    if changed {
        return Ok(());
    }
    let field = &["input", "expectedVersion"];
    Err(Stop::refuse(Refusal::StaleVersion, field, "the work on the document changed since it was read"))
}

/// Places a legal hold. Of any document, whatever its kind: what a court may ask for is not for the kind to say.
///
/// # Errors
/// Refused when the reason is empty or too long, or a hold lasts already.
pub async fn place_hold(
    ctx: &RequestContext,
    document: DocumentId,
    reason: Phi<String>,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::HOLD)
        .once(once)
        .run(|tx| async move {
            let reason = reason_of(&reason)?;
            let (ctx, id) = (tx.ctx(), Uuid::now_v7());
            if !repository::lock(tx.db()?, ctx.facility(), document).await? {
                return Err(Error::NotFound.into());
            }
            let sealed = sealing::seal_reason(&*tx.keys().await?, id, &reason)?;
            repository::place(tx.db()?, ctx.facility(), id, document, sealed, ctx.user()?, ctx.now()).await?;
            changed_with(&tx, document, &[], &json!({ "hold": "placed" }));
            Ok(document)
        })
        .await
}

/// Releases a legal hold.
///
/// # Errors
/// Refused when the reason is empty or too long, or no hold lasts.
pub async fn release_hold(
    ctx: &RequestContext,
    document: DocumentId,
    reason: Phi<String>,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::HOLD)
        .once(once)
        .run(|tx| async move {
            let reason = reason_of(&reason)?;
            let ctx = tx.ctx();
            if !repository::lock(tx.db()?, ctx.facility(), document).await? {
                return Err(Error::NotFound.into());
            }
            let Some(id) = repository::lasting(tx.db()?, ctx.facility(), document).await? else {
                let field = &["input", "documentId"];
                return Err(Stop::refuse(Refusal::NotOnHold, field, "the document is under no legal hold"));
            };
            let sealed = sealing::seal_release_reason(&*tx.keys().await?, id, &reason)?;
            repository::release(tx.db()?, ctx.facility(), id, sealed, ctx.user()?, ctx.now()).await?;
            changed_with(&tx, document, &[], &json!({ "hold": "released" }));
            Ok(document)
        })
        .await
}

/// Holds of a document, the newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn holds(ctx: &RequestContext, document: DocumentId) -> Result<Vec<Hold>> {
    let read = ctx.read(&policy::HOLD).await?;
    let rows = repository::holds_of(read.db()?, ctx.facility(), document).await?;
    let keys = read.keys().await?;
    let subject = Subject::of(document);
    let about = repository::patients_of(read.db()?, ctx.facility(), document).await?;
    if about.is_empty() {
        ctx.note_read(subject);
    }
    for patient in about {
        ctx.note_read(subject.in_record_of(patient));
    }
    rows.into_iter().map(|row| sealing::open_hold(&keys, row)).collect()
}

fn reason_of(reason: &Phi<String>) -> Result<Phi<String>, Stop<Refusal>> {
    let reason = reason.trimmed();
    let refuse = |message: String| Err(Stop::refuse(Refusal::Invalid, &["input", "reason"], message));
    if reason.is_blank() {
        refuse("must not be empty".to_owned())
    } else if reason.length_chars() > MAX_REASON {
        refuse(format!("is longer than {MAX_REASON} characters"))
    } else {
        Ok(reason)
    }
}

/// Whether any document of the facility that the transaction is bound to is under a legal hold.
///
/// # Errors
/// A fault.
pub async fn any_hold(tx: &Tx, facility: FacilityId) -> Result<bool> {
    repository::any_hold(tx.db()?, facility).await
}
