//! Care relationships and emergency accesses.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::pg::Pg;
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{BigInt, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::schema::{break_glass_accesses, care_relationships};
use crate::db::sql;
use crate::domains::patients::model::{
    BreakGlassRow, CareRelationship, NewBreakGlass, NewCareRelationship, Refusal, RelationshipFilter,
};
use crate::error::{Error, Result, Stop, violated_constraint};
use crate::ids::{BreakGlassId, CareRelationshipId, FacilityId, PatientId, TypedId as _, UserId};
use crate::pagination::PageRequest;

/// Open relationships of several patients, the oldest first.
pub(in crate::domains::patients) async fn teams_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patients: &[PatientId],
) -> Result<Vec<CareRelationship>> {
    Ok(care_relationships::table
        .filter(care_relationships::facility_id.eq(facility))
        .filter(care_relationships::patient_id.eq_any(patients))
        .filter(care_relationships::ended_at.is_null())
        .order((care_relationships::patient_id, care_relationships::started_at, care_relationships::id))
        .select(CareRelationship::as_select())
        .load(&mut db)
        .await?)
}

fn relationships(facility: FacilityId, filter: RelationshipFilter) -> care_relationships::BoxedQuery<'static, Pg> {
    let mut listed = care_relationships::table.filter(care_relationships::facility_id.eq(facility)).into_boxed();
    if let Some(patient) = filter.patient {
        listed = listed.filter(care_relationships::patient_id.eq(patient));
    }
    if let Some(user) = filter.user {
        listed = listed.filter(care_relationships::user_id.eq(user));
    }
    if !filter.ended {
        listed = listed.filter(care_relationships::ended_at.is_null());
    }
    listed
}

/// Newest first.
pub(in crate::domains::patients) async fn relationships_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    filter: RelationshipFilter,
    page: PageRequest<CareRelationshipId>,
) -> Result<Vec<CareRelationship>> {
    let mut listed = relationships(facility, filter);
    if let Some(after) = page.after {
        listed = listed.filter(care_relationships::id.lt(after));
    }
    Ok(listed
        .order(care_relationships::id.desc())
        .limit(page.limit())
        .select(CareRelationship::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn count_relationships(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    filter: RelationshipFilter,
) -> Result<i64> {
    Ok(relationships(facility, filter).count().get_result(&mut db).await?)
}

pub(in crate::domains::patients) async fn find_relationship(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: CareRelationshipId,
) -> Result<Option<CareRelationship>> {
    Ok(care_relationships::table
        .filter(care_relationships::facility_id.eq(facility))
        .filter(care_relationships::id.eq(id))
        .select(CareRelationship::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::patients) async fn insert_relationship(
    mut db: &AsyncPgConnection,
    new: NewCareRelationship,
) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(care_relationships::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("care_relationships_open_key") => Err(Stop::refuse(
            Refusal::AlreadyRecorded,
            &["input", "userId"],
            "this provider treats the patient already",
        )),
        Err(error) => Err(error.into()),
    }
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn end_relationship_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: CareRelationshipId,
    version: i32,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = diesel::update(care_relationships::table)
        .filter(care_relationships::facility_id.eq(facility))
        .filter(care_relationships::id.eq(id))
        .filter(care_relationships::version.eq(version))
        .filter(care_relationships::ended_at.is_null())
        .set((
            care_relationships::ended_at.eq(now),
            care_relationships::updated_at.eq(now),
            care_relationships::version.eq(version + 1),
        ))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

#[derive(QueryableByName)]
struct FoundPatient {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
}

/// The patient with a record number, also one the actor may not open: the one look past the policy, for
/// emergency access alone (`src/db/replaceable/40_patients.sql`).
pub(in crate::domains::patients) async fn patient_by_mrn(
    mut db: &AsyncPgConnection,
    mrn_index: i64,
) -> Result<Option<PatientId>> {
    let found: FoundPatient =
        sql("SELECT break_glass_patient($1) AS id").bind::<BigInt, _>(mrn_index).get_result(&mut db).await?;
    Ok(found.id.map(PatientId::from_uuid))
}

/// Opens a chart. The foreign key looks past the policies: it tells whether there is such a patient.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub(in crate::domains::patients) async fn insert_access(mut db: &AsyncPgConnection, new: NewBreakGlass) -> Result<()> {
    match diesel::insert_into(break_glass_accesses::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("break_glass_accesses_facility_id_patient_id_fkey") => {
            Err(Error::NotFound)
        }
        Err(error) => Err(error.into()),
    }
}

pub(in crate::domains::patients) async fn find_access(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: BreakGlassId,
) -> Result<Option<BreakGlassRow>> {
    Ok(break_glass_accesses::table
        .filter(break_glass_accesses::facility_id.eq(facility))
        .filter(break_glass_accesses::id.eq(id))
        .select(BreakGlassRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

fn accesses(facility: FacilityId, unreviewed_only: bool) -> break_glass_accesses::BoxedQuery<'static, Pg> {
    let listed = break_glass_accesses::table.filter(break_glass_accesses::facility_id.eq(facility)).into_boxed();
    if unreviewed_only { listed.filter(break_glass_accesses::reviewed_at.is_null()) } else { listed }
}

/// Newest first.
pub(in crate::domains::patients) async fn accesses_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    unreviewed_only: bool,
    page: PageRequest<BreakGlassId>,
) -> Result<Vec<BreakGlassRow>> {
    let mut listed = accesses(facility, unreviewed_only);
    if let Some(after) = page.after {
        listed = listed.filter(break_glass_accesses::id.lt(after));
    }
    Ok(listed
        .order(break_glass_accesses::id.desc())
        .limit(page.limit())
        .select(BreakGlassRow::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn count_accesses(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    unreviewed_only: bool,
) -> Result<i64> {
    Ok(accesses(facility, unreviewed_only).count().get_result(&mut db).await?)
}

/// False when it has been reviewed.
pub(in crate::domains::patients) async fn review_access(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: BreakGlassId,
    reviewer: UserId,
    (justified, note): (bool, Option<Vec<u8>>),
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = diesel::update(break_glass_accesses::table)
        .filter(break_glass_accesses::facility_id.eq(facility))
        .filter(break_glass_accesses::id.eq(id))
        .filter(break_glass_accesses::reviewed_at.is_null())
        .set((
            break_glass_accesses::reviewed_at.eq(now),
            break_glass_accesses::reviewed_by.eq(reviewer),
            break_glass_accesses::justified.eq(justified),
            break_glass_accesses::review_note_ciphertext.eq(note),
            break_glass_accesses::updated_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}
