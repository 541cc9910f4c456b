//! SQL of supervisions.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{NewSupervision, Supervision};
use crate::db::schema::note_supervisions;
use crate::domains::documents::model::Refusal;
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, SupervisionId, UserId};
use crate::pagination::PageRequest;

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: SupervisionId,
) -> Result<Option<Supervision>> {
    Ok(note_supervisions::table
        .filter(note_supervisions::facility_id.eq(facility))
        .filter(note_supervisions::id.eq(id))
        .select(Supervision::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Last begun first.
pub(super) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ended: bool,
    page: PageRequest<SupervisionId>,
) -> Result<Vec<Supervision>> {
    let mut query = note_supervisions::table.filter(note_supervisions::facility_id.eq(facility)).into_boxed();
    if !ended {
        query = query.filter(note_supervisions::ended_at.is_null());
    }
    if let Some(after) = page.after {
        query = query.filter(note_supervisions::id.lt(after));
    }
    let query = query.order(note_supervisions::id.desc()).limit(page.limit());
    Ok(query.select(Supervision::as_select()).load(&mut db).await?)
}

/// Who supervises a member now.
pub(super) async fn supervisor_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    supervisee: UserId,
) -> Result<Option<UserId>> {
    Ok(note_supervisions::table
        .filter(note_supervisions::facility_id.eq(facility))
        .filter(note_supervisions::supervisee_id.eq(supervisee))
        .filter(note_supervisions::ended_at.is_null())
        .select(note_supervisions::supervisor_id)
        .first(&mut db)
        .await
        .optional()?)
}

/// Whom a member supervises now.
pub(super) async fn supervisees_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    supervisor: UserId,
) -> Result<Vec<UserId>> {
    Ok(note_supervisions::table
        .filter(note_supervisions::facility_id.eq(facility))
        .filter(note_supervisions::supervisor_id.eq(supervisor))
        .filter(note_supervisions::ended_at.is_null())
        .select(note_supervisions::supervisee_id)
        .load(&mut db)
        .await?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: NewSupervision) -> Result<(), Stop<Refusal>> {
    let inserted = diesel::insert_into(note_supervisions::table).values(new).execute(&mut db).await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("note_supervisions_open_key") => {
            let message = "somebody supervises them already: end that first";
            Err(Stop::refuse(Refusal::AlreadySupervised, &["input", "superviseeId"], message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends a supervision of a known version; `false` when it has another by now.
pub(super) async fn end(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: SupervisionId,
    expected_version: i32,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = diesel::update(note_supervisions::table)
        .filter(note_supervisions::facility_id.eq(facility))
        .filter(note_supervisions::id.eq(id))
        .filter(note_supervisions::version.eq(expected_version))
        .set((
            note_supervisions::ended_at.eq(now),
            note_supervisions::updated_at.eq(now),
            note_supervisions::version.eq(expected_version + 1),
        ))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}
