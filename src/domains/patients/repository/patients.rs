//! The patients themselves.

use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::patients;
use crate::domains::patients::model::{NewPatient, PatientColumns, PatientRow, PatientStatus, Refusal};
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, PatientId};
use crate::pagination::PageRequest;

pub(in crate::domains::patients) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[PatientId],
) -> Result<Vec<PatientRow>> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq_any(ids))
        .select(PatientRow::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn find_by_id(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: PatientId,
) -> Result<Option<PatientRow>> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq(id))
        .select(PatientRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// The patient, locked against other changes of the record until the transaction ends.
pub(in crate::domains::patients) async fn lock(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: PatientId,
) -> Result<Option<PatientRow>> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq(id))
        .select(PatientRow::as_select())
        .for_no_key_update()
        .first(&mut db)
        .await
        .optional()?)
}

/// The lock alone. Whoever changes a part of the record takes it, so that nothing is added to a record
/// while it is archived, and rules over all parts of one kind hold.
pub(in crate::domains::patients) async fn lock_status(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: PatientId,
) -> Result<Option<PatientStatus>> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq(id))
        .select(patients::status)
        .for_no_key_update()
        .first(&mut db)
        .await
        .optional()?)
}

/// Newest first. Two statements rather than one with an optional condition: each keeps its index condition.
pub(in crate::domains::patients) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: PatientStatus,
    page: PageRequest<PatientId>,
) -> Result<Vec<PatientRow>> {
    let listed = patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::status.eq(status))
        .order(patients::id.desc())
        .limit(page.limit())
        .select(PatientRow::as_select());
    Ok(match page.after {
        Some(after) => listed.filter(patients::id.lt(after)).load(&mut db).await?,
        None => listed.load(&mut db).await?,
    })
}

pub(in crate::domains::patients) async fn count(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: PatientStatus,
) -> Result<i64> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::status.eq(status))
        .count()
        .get_result(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn insert(
    mut db: &AsyncPgConnection,
    new: NewPatient,
) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(patients::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) => Err(mrn_taken(error)),
    }
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn update_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: PatientId,
    version: i32,
    columns: PatientColumns,
) -> Result<bool, Stop<Refusal>> {
    let updated = diesel::update(patients::table)
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq(id))
        .filter(patients::version.eq(version))
        .set((columns, patients::version.eq(version + 1)))
        .execute(&mut db)
        .await
        .map_err(mrn_taken)?;
    Ok(updated == 1)
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn set_status_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: PatientId,
    version: i32,
    status: PatientStatus,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<bool> {
    let archived_at = (status == PatientStatus::Archived).then_some(now);
    let updated = diesel::update(patients::table)
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq(id))
        .filter(patients::version.eq(version))
        .set((
            patients::status.eq(status),
            patients::archived_at.eq(archived_at),
            patients::updated_at.eq(now),
            patients::version.eq(version + 1),
        ))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

fn mrn_taken(error: diesel::result::Error) -> Stop<Refusal> {
    if violated_constraint(&error) == Some("patients_facility_id_mrn_key") {
        return Stop::refuse(
            Refusal::MrnTaken,
            &["input", "mrn"],
            "another patient of this facility has this medical record number",
        );
    }
    error.into()
}
