//! Who supervises whom, and what waits for a co-signature.

use serde_json::json;

use super::model::{NewSupervision, Supervision};
use super::repository;
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::documents::model::{Document, Refusal};
use crate::domains::documents::service::sight;
use crate::domains::documents::{policy, repository as documents, sealing};
use crate::domains::facilities;
use crate::domains::facilities::model::MemberStatus;
use crate::error::{Error, Result, Stop};
use crate::ids::{DocumentId, SupervisionId, UserId, new_id};
use crate::pagination::{Page, PageRequest};

/// Who supervises a member now, in a transaction.
pub(in crate::domains::documents) async fn supervisor_of(tx: &Tx, supervisee: UserId) -> Result<Option<UserId>> {
    repository::supervisor_of(tx.db()?, tx.ctx().facility(), supervisee).await
}

/// One supervision.
///
/// # Errors
/// [`Error::NotFound`] when the facility has none such; a denial.
pub async fn supervision(ctx: &RequestContext, id: SupervisionId) -> Result<Supervision> {
    let read = ctx.read(&policy::SUPERVISION_READ).await?;
    repository::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)
}

/// A page of supervisions, last begun first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_supervisions(
    ctx: &RequestContext,
    ended: bool,
    page: PageRequest<SupervisionId>,
) -> Result<Page<Supervision>> {
    let read = ctx.read(&policy::SUPERVISION_READ).await?;
    Ok(page.cut(repository::list_page(read.db()?, ctx.facility(), ended, page).await?))
}

/// From now on, what one member signs needs the co-signature of the other.
///
/// # Errors
/// Refused when one of them does not work in the facility, they are the same, or somebody supervises the member already.
pub async fn start_supervision(
    ctx: &RequestContext,
    supervisee: UserId,
    supervisor: UserId,
    once: Option<Once>,
) -> Result<SupervisionId, Stop<Refusal>> {
    ctx.write(&policy::SUPERVISION_MANAGE)
        .once(once)
        .run(|tx| async move {
            let (facility, now) = (tx.ctx().facility(), tx.ctx().now());
            for (user, field) in [(supervisee, "superviseeId"), (supervisor, "supervisorId")] {
                if facilities::service::standing(&tx, user).await? != Some(MemberStatus::Active) {
                    let message = "is not an active member of the facility";
                    return Err(Stop::refuse(Refusal::NotMember, &["input", field], message));
                }
            }
            if supervisee == supervisor {
                let message = "nobody supervises themself";
                return Err(Stop::refuse(Refusal::Invalid, &["input", "supervisorId"], message));
            }
            let id: SupervisionId = new_id();
            let new = NewSupervision {
                facility_id: facility,
                id,
                supervisee_id: supervisee,
                supervisor_id: supervisor,
                started_at: now,
                created_at: now,
                updated_at: now,
            };
            repository::insert(tx.db()?, new).await?;
            tx.audit(
                Subject::of(id),
                json!({ "supervisee": supervisee.to_string(), "supervisor": supervisor.to_string() }),
            );
            Ok(id)
        })
        .await
}

/// Ends a supervision. What still waits is signed by a successor, or by its author again.
///
/// # Errors
/// Refused when the version is stale or it has ended.
pub async fn end_supervision(
    ctx: &RequestContext,
    id: SupervisionId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<SupervisionId, Stop<Refusal>> {
    ctx.write(&policy::SUPERVISION_MANAGE)
        .once(once)
        .run(|tx| async move {
            let (facility, now) = (tx.ctx().facility(), tx.ctx().now());
            let found = repository::find(tx.db()?, facility, id).await?.ok_or(Error::NotFound)?;
            if found.ended_at.is_some() {
                return Err(Stop::refuse(Refusal::Ended, &["input", "id"], "the supervision has ended"));
            }
            if !repository::end(tx.db()?, facility, id, expected_version, now).await? {
                let message = "the supervision changed since it was read";
                return Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], message));
            }
            tx.audit(Subject::of(id), json!({ "supervisee": found.supervisee_id.to_string() }));
            Ok(id)
        })
        .await
}

/// A page of the notes that wait for the caller's co-signature, last added first.
///
/// # Errors
/// A denial, or a fault.
pub async fn awaiting_cosignature(ctx: &RequestContext, page: PageRequest<DocumentId>) -> Result<Page<Document>> {
    let read = ctx.read(&policy::NOTE_COSIGN).await?;
    let authors = repository::supervisees_of(read.db()?, ctx.facility(), ctx.user()?).await?;
    let rows = documents::awaiting_page(read.db()?, sight(ctx, &read), authors, page).await?;
    let keys = read.keys().await?;
    let Page { rows, has_next } = page.cut(rows);
    let rows = rows.into_iter().map(|row| sealing::open_document(ctx, &keys, row)).collect::<Result<_>>()?;
    Ok(Page { rows, has_next })
}
