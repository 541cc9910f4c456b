//! SQL of the domain. Named constraints become refusals here and nowhere else.

use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{ContactRow, NewPatient, NewTerm, PatientRow, Refusal};
use crate::db::schema::{patient_contacts, patient_terms, patients};
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, PatientId};
use crate::pagination::PageRequest;

pub(super) async fn find_by_ids(mut db: &AsyncPgConnection, facility: FacilityId, ids: &[PatientId]) -> Result<Vec<PatientRow>> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq_any(ids))
        .select(PatientRow::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn find_by_id(mut db: &AsyncPgConnection, facility: FacilityId, id: PatientId) -> Result<Option<PatientRow>> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::id.eq(id))
        .select(PatientRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Newest first. Two statements rather than one with an optional condition: each keeps its index condition.
pub(super) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: &str,
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

pub(super) async fn count(mut db: &AsyncPgConnection, facility: FacilityId, status: &str) -> Result<i64> {
    Ok(patients::table
        .filter(patients::facility_id.eq(facility))
        .filter(patients::status.eq(status))
        .count()
        .get_result(&mut db)
        .await?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: NewPatient) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(patients::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("patients_facility_id_mrn_key") => Err(Stop::refuse(
            Refusal::MrnTaken,
            &["input", "mrn"],
            "another patient of this facility has this medical record number",
        )),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn insert_terms(mut db: &AsyncPgConnection, terms: Vec<NewTerm>) -> Result<()> {
    diesel::insert_into(patient_terms::table).values(terms).on_conflict_do_nothing().execute(&mut db).await?;
    Ok(())
}

pub(super) async fn contacts_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patients: &[PatientId],
) -> Result<Vec<ContactRow>> {
    Ok(patient_contacts::table
        .filter(patient_contacts::facility_id.eq(facility))
        .filter(patient_contacts::patient_id.eq_any(patients))
        .order((patient_contacts::patient_id, patient_contacts::priority, patient_contacts::id))
        .select(ContactRow::as_select())
        .load(&mut db)
        .await?)
}
