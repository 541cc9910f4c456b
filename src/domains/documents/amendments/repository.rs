//! SQL of amendment requests.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{AmendmentFilter, AmendmentRow, Decided};
use crate::db::schema::{amendment_requests, documents};
use crate::domains::documents::repository::Sight;
use crate::error::Result;
use crate::ids::{AmendmentId, FacilityId, PatientId};
use crate::pagination::PageRequest;

/// Last recorded first, about documents the actor may know of.
pub(super) async fn list_page(
    mut db: &AsyncPgConnection,
    sight: Sight,
    filter: AmendmentFilter,
    page: PageRequest<AmendmentId>,
) -> Result<Vec<AmendmentRow>> {
    let mut query = amendment_requests::table
        .filter(amendment_requests::facility_id.eq(sight.facility))
        .filter(amendment_requests::document_id.eq_any(sight.documents().select(documents::id)))
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(amendment_requests::status.eq(status));
    }
    if let Some(document) = filter.document {
        query = query.filter(amendment_requests::document_id.eq(document));
    }
    if let Some(patient) = filter.patient {
        query = query.filter(amendment_requests::patient_id.eq(patient));
    }
    if let Some(after) = page.after {
        query = query.filter(amendment_requests::id.lt(after));
    }
    let query = query.order(amendment_requests::id.desc()).limit(page.limit());
    Ok(query.select(AmendmentRow::as_select()).load(&mut db).await?)
}

pub(super) async fn find(mut db: &AsyncPgConnection, sight: Sight, id: AmendmentId) -> Result<Option<AmendmentRow>> {
    Ok(amendment_requests::table
        .filter(amendment_requests::facility_id.eq(sight.facility))
        .filter(amendment_requests::id.eq(id))
        .filter(amendment_requests::document_id.eq_any(sight.documents().select(documents::id)))
        .select(AmendmentRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: AmendmentRow) -> Result<()> {
    diesel::insert_into(amendment_requests::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// A request whatever is known of its document, as far as the database lets it be seen.
pub(super) async fn find_any(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AmendmentId,
) -> Result<Option<AmendmentRow>> {
    Ok(amendment_requests::table
        .filter(amendment_requests::facility_id.eq(facility))
        .filter(amendment_requests::id.eq(id))
        .select(AmendmentRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Requests of a patient, last made first.
pub(super) async fn of_patient(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patient: PatientId,
    page: PageRequest<AmendmentId>,
) -> Result<Vec<AmendmentRow>> {
    let mut query = amendment_requests::table
        .filter(amendment_requests::facility_id.eq(facility))
        .filter(amendment_requests::patient_id.eq(patient))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(amendment_requests::id.lt(after));
    }
    let query = query.order(amendment_requests::id.desc()).limit(page.limit());
    Ok(query.select(AmendmentRow::as_select()).load(&mut db).await?)
}

/// Puts the last day of a request of a known version off, once; `false` when it has another by now, or was put off before.
pub(super) async fn extend(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AmendmentId,
    expected_version: i32,
    (due_on, reason, now): (NaiveDate, Vec<u8>, DateTime<Utc>),
) -> Result<bool> {
    let updated = diesel::update(amendment_requests::table)
        .filter(amendment_requests::facility_id.eq(facility))
        .filter(amendment_requests::id.eq(id))
        .filter(amendment_requests::version.eq(expected_version))
        .filter(amendment_requests::extended_at.is_null())
        .set((
            amendment_requests::due_on.eq(due_on),
            amendment_requests::extended_at.eq(now),
            amendment_requests::extension_ciphertext.eq(reason),
            amendment_requests::version.eq(expected_version + 1),
            amendment_requests::updated_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

/// Decides a request of a known version; `false` when it has another by now.
pub(super) async fn decide(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AmendmentId,
    expected_version: i32,
    decided: Decided,
) -> Result<bool> {
    let updated = diesel::update(amendment_requests::table)
        .filter(amendment_requests::facility_id.eq(facility))
        .filter(amendment_requests::id.eq(id))
        .filter(amendment_requests::version.eq(expected_version))
        .set(decided)
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}
