//! Who treats whom: the rows that open charts to restricted therapists.

use serde_json::json;

use super::{changeable, same_version, written};
use crate::access::{Once, RequestContext, Subject};
use crate::domains::facilities::{self, model::MemberStatus};
use crate::domains::patients::model::{
    CareRelationship, CareRelationshipKind, NewCareRelationship, Refusal, RelationshipFilter,
};
use crate::domains::patients::{policy, repository};
use crate::error::{Error, Result, Stop};
use crate::ids::{CareRelationshipId, PatientId, UserId, new_id};
use crate::pagination::{Page, PageRequest};

/// Notes that someone saw who treats a patient: that alone says something about them.
fn shown(ctx: &RequestContext, relationship: CareRelationship) -> CareRelationship {
    ctx.note_read(Subject::of(relationship.id).in_record_of(relationship.patient_id));
    relationship
}

/// One relationship.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may see.
pub async fn care_relationship(ctx: &RequestContext, id: CareRelationshipId) -> Result<CareRelationship> {
    let read = ctx.read(&policy::CARE_TEAM_READ).await?;
    let row = repository::care::find_relationship(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    Ok(shown(ctx, row))
}

/// Open relationships of several patients, the oldest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn care_teams_of(ctx: &RequestContext, patients: &[PatientId]) -> Result<Vec<CareRelationship>> {
    let read = ctx.read(&policy::CARE_TEAM_READ).await?;
    let rows = repository::care::teams_of(read.db()?, ctx.facility(), patients).await?;
    Ok(rows.into_iter().map(|row| shown(ctx, row)).collect())
}

/// A page of relationships, the newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_care_relationships(
    ctx: &RequestContext,
    filter: RelationshipFilter,
    page: PageRequest<CareRelationshipId>,
) -> Result<Page<CareRelationship>> {
    let read = ctx.read(&policy::CARE_TEAM_READ).await?;
    let rows = repository::care::relationships_page(read.db()?, ctx.facility(), filter, page).await?;
    Ok(page.cut(rows).map(|row| shown(ctx, row)))
}

/// How many relationships [`list_care_relationships`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_care_relationships(ctx: &RequestContext, filter: RelationshipFilter) -> Result<i64> {
    let read = ctx.read(&policy::CARE_TEAM_READ).await?;
    repository::care::count_relationships(read.db()?, ctx.facility(), filter).await
}

/// Opens a chart to a provider.
///
/// # Errors
/// Refused when the user does not work in the facility, treats the patient already, or the record is archived.
pub async fn start_care_relationship(
    ctx: &RequestContext,
    patient: PatientId,
    user: UserId,
    kind: CareRelationshipKind,
    once: Option<Once>,
) -> Result<CareRelationshipId, Stop<Refusal>> {
    ctx.write(&policy::CARE_TEAM_START)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, id): (_, _, CareRelationshipId) = (tx.ctx(), tx.db()?, new_id());
            changeable(&tx, patient).await?;
            if facilities::service::standing(&tx, user).await? != Some(MemberStatus::Active) {
                return Err(Stop::refuse(
                    Refusal::UnknownMember,
                    &["input", "userId"],
                    "nobody who works in this facility has this id",
                ));
            }
            let row = NewCareRelationship {
                facility_id: ctx.facility(),
                id,
                patient_id: patient,
                user_id: user,
                kind,
                started_at: ctx.now(),
                created_at: ctx.now(),
                updated_at: ctx.now(),
            };
            repository::care::insert_relationship(db, row).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({ "user": user }));
            Ok(id)
        })
        .await
}

/// Closes a chart to a provider. Also for an archived record: access must be possible to take away.
///
/// # Errors
/// Refused when it has ended, or changed meanwhile.
pub async fn end_care_relationship(
    ctx: &RequestContext,
    id: CareRelationshipId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<CareRelationshipId, Stop<Refusal>> {
    ctx.write(&policy::CARE_TEAM_END)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let row = repository::care::find_relationship(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            tx.audit(Subject::of(id).in_record_of(row.patient_id), json!({ "user": row.user_id }));
            if row.ended_at.is_some() {
                return Err(Stop::refuse(Refusal::AlreadyEnded, &["input", "id"], "the relationship has ended"));
            }
            same_version(row.version, expected_version)?;
            let now = ctx.now();
            written(
                repository::care::end_relationship_if_version(db, ctx.facility(), id, expected_version, now).await?,
            )?;
            Ok(id)
        })
        .await
}
