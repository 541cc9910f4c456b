//! SQL of links.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{Link, NewLink};
use crate::db::schema::patient_users;
use crate::domains::patients::model::Refusal;
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, PatientId, PatientUserId, UserId};

/// Links of a patient, those taken back too, oldest first.
pub(super) async fn of_patient(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patient: PatientId,
) -> Result<Vec<Link>> {
    Ok(patient_users::table
        .filter(patient_users::facility_id.eq(facility))
        .filter(patient_users::patient_id.eq(patient))
        .order(patient_users::id)
        .select(Link::as_select())
        .load(&mut db)
        .await?)
}

/// Links of a user that last, oldest first.
pub(super) async fn of_user(mut db: &AsyncPgConnection, facility: FacilityId, user: UserId) -> Result<Vec<Link>> {
    Ok(patient_users::table
        .filter(patient_users::facility_id.eq(facility))
        .filter(patient_users::user_id.eq(user))
        .filter(patient_users::revoked_at.is_null())
        .order(patient_users::id)
        .select(Link::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn find(mut db: &AsyncPgConnection, facility: FacilityId, id: PatientUserId) -> Result<Option<Link>> {
    Ok(patient_users::table
        .filter(patient_users::facility_id.eq(facility))
        .filter(patient_users::id.eq(id))
        .select(Link::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: NewLink) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(patient_users::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) => match violated_constraint(&error) {
            Some("patient_users_facility_id_patient_id_user_id_key") => Err(Stop::refuse(
                Refusal::AlreadyRecorded,
                &["input", "portalUserId"],
                "the user sees this chart already",
            )),
            _ => Err(error.into()),
        },
    }
}

/// `false` when it was taken back before.
pub(super) async fn revoke(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: PatientUserId,
    by: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let revoked = diesel::update(patient_users::table)
        .filter(patient_users::facility_id.eq(facility))
        .filter(patient_users::id.eq(id))
        .filter(patient_users::revoked_at.is_null())
        .set((patient_users::revoked_by.eq(by), patient_users::revoked_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(revoked == 1)
}
