//! Linking users to charts, and what of a chart they see.

use serde_json::json;

use super::model::{Link, NewLink, PatientUserRelationship, Record};
use super::repository;
use crate::access::{Once, Read, RequestContext, Role, Subject, Tx};
use crate::domains::facilities;
use crate::domains::patients::model::{Refusal, Visit, VisitCursor};
use crate::domains::patients::service::changeable;
use crate::domains::patients::{policy, repository as patients, sealing};
use crate::error::{Error, Result, Stop};
use crate::ids::{PatientId, PatientUserId, UserId, new_id};
use crate::pagination::{Page, PageRequest};

fn shown(ctx: &RequestContext, link: Link) -> Link {
    ctx.note_read(Subject::of(link.id).in_record_of(link.patient_id));
    link
}

/// One link.
///
/// # Errors
/// [`Error::NotFound`] when there is none of a chart open to the caller.
pub async fn patient_user(ctx: &RequestContext, id: PatientUserId) -> Result<Link> {
    let read = ctx.read(&policy::PORTAL_LINKS_READ).await?;
    let link = repository::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    Ok(shown(ctx, link))
}

/// Who is and was linked to a chart, oldest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn patient_users(ctx: &RequestContext, patient: PatientId) -> Result<Vec<Link>> {
    let read = ctx.read(&policy::PORTAL_LINKS_READ).await?;
    let links = repository::of_patient(read.db()?, ctx.facility(), patient).await?;
    Ok(links.into_iter().map(|link| shown(ctx, link)).collect())
}

/// Lets a member with the role patient see a chart.
///
/// # Errors
/// Refused when the user is no such member, sees it already, or the record is archived.
pub async fn link_user(
    ctx: &RequestContext,
    patient: PatientId,
    user: UserId,
    relationship: PatientUserRelationship,
    once: Option<Once>,
) -> Result<PatientUserId, Stop<Refusal>> {
    ctx.write(&policy::PORTAL_LINK)
        .once(once)
        .run(|tx| async move {
            let (ctx, id): (_, PatientUserId) = (tx.ctx(), new_id());
            changeable(&tx, patient).await?;
            let roles = facilities::service::roles_of_users(&tx, &[user]).await?;
            if !roles.get(&user).is_some_and(|roles| roles.contains(&Role::Patient)) {
                let message = "nobody with this id uses the portal of this facility";
                return Err(Stop::refuse(Refusal::UnknownMember, &["input", "portalUserId"], message));
            }
            let new = NewLink {
                facility_id: ctx.facility(),
                id,
                patient_id: patient,
                user_id: user,
                relationship,
                granted_by: ctx.user().ok(),
                granted_at: ctx.now(),
            };
            repository::insert(tx.db()?, new).await?;
            tx.audit(
                Subject::of(id).in_record_of(patient),
                json!({ "user": user, "relationship": relationship.as_str() }),
            );
            Ok(id)
        })
        .await
}

/// Takes a link back; also of an archived record: access must be possible to take away.
///
/// # Errors
/// Refused when it was taken back before.
pub async fn unlink_user(
    ctx: &RequestContext,
    id: PatientUserId,
    once: Option<Once>,
) -> Result<PatientUserId, Stop<Refusal>> {
    ctx.write(&policy::PORTAL_UNLINK)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let link = repository::find(tx.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            tx.audit(Subject::of(id).in_record_of(link.patient_id), json!({ "user": link.user_id }));
            if !repository::revoke(tx.db()?, ctx.facility(), id, ctx.user().ok(), ctx.now()).await? {
                let message = "the link was taken back before";
                return Err(Stop::refuse(Refusal::AlreadyEnded, &["input", "id"], message));
            }
            Ok(id)
        })
        .await
}

/// The charts the caller is linked to.
///
/// # Errors
/// A denial, or a fault.
pub async fn portal_records(ctx: &RequestContext) -> Result<Vec<Record>> {
    let read = ctx.read(&policy::PORTAL_READ).await?;
    let db = read.db()?;
    let links = repository::of_user(db, ctx.facility(), ctx.user()?).await?;
    let ids: Vec<PatientId> = links.iter().map(|link| link.patient_id).collect();
    let rows = patients::patients::find_by_ids(db, ctx.facility(), &ids).await?;
    let keys = read.keys().await?;
    let opened = rows.into_iter().map(|row| sealing::open_patient(ctx, &keys, row)).collect::<Result<Vec<_>>>()?;
    let of = |patient: crate::domains::patients::model::Patient| {
        let link = links.iter().find(|link| link.patient_id == patient.id)?;
        Some(Record { relationship: link.relationship, patient })
    };
    Ok(opened.into_iter().filter_map(of).collect())
}

/// A page of the visits in a chart the caller is linked to, the latest first.
///
/// # Errors
/// [`Error::NotFound`] when they are not; a denial, or a fault.
pub async fn portal_visits(
    ctx: &RequestContext,
    patient: PatientId,
    page: PageRequest<VisitCursor>,
) -> Result<Page<Visit>> {
    let read = ctx.read(&policy::PORTAL_READ).await?;
    require_linked(&read, patient).await?;
    let rows = patients::visits::pages_of(read.db()?, ctx.facility(), &[patient], page.limit(), page.after).await?;
    let keys = read.keys().await?;
    let Page { rows, has_next } = page.cut(rows);
    let rows = rows.into_iter().map(|row| sealing::open_visit(ctx, &keys, row)).collect::<Result<_>>()?;
    Ok(Page { rows, has_next })
}

/// Lets a caller pass who is linked to a chart.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require_linked(read: &Read, patient: PatientId) -> Result<()> {
    let ctx = read.ctx();
    let links = repository::of_user(read.db()?, ctx.facility(), ctx.user()?).await?;
    if links.iter().any(|link| link.patient_id == patient) { Ok(()) } else { Err(Error::NotFound) }
}

/// The same in a transaction.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require_linked_to_write(tx: &Tx, patient: PatientId) -> Result<()> {
    let ctx = tx.ctx();
    let links = repository::of_user(tx.db()?, ctx.facility(), ctx.user()?).await?;
    if links.iter().any(|link| link.patient_id == patient) { Ok(()) } else { Err(Error::NotFound) }
}
