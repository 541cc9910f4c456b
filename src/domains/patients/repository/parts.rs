//! Contacts, coverages and allergies: parts of a record that are few and read all at once.

use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::{patient_allergies, patient_contacts, patient_coverages};
use crate::domains::patients::model::{
    AllergyColumns, AllergyRow, ContactColumns, ContactRow, CoverageColumns, CoverageRow, NewAllergy, NewContact,
    NewCoverage,
};
use crate::error::Result;
use crate::ids::{AllergyId, ContactId, CoverageId, FacilityId, PatientId};

pub(in crate::domains::patients) async fn contacts_of(
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

pub(in crate::domains::patients) async fn find_contact(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ContactId,
) -> Result<Option<ContactRow>> {
    Ok(patient_contacts::table
        .filter(patient_contacts::facility_id.eq(facility))
        .filter(patient_contacts::id.eq(id))
        .select(ContactRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::patients) async fn insert_contact(mut db: &AsyncPgConnection, new: NewContact) -> Result<()> {
    diesel::insert_into(patient_contacts::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn update_contact_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ContactId,
    version: i32,
    columns: ContactColumns,
) -> Result<bool> {
    let updated = diesel::update(patient_contacts::table)
        .filter(patient_contacts::facility_id.eq(facility))
        .filter(patient_contacts::id.eq(id))
        .filter(patient_contacts::version.eq(version))
        .set((columns, patient_contacts::version.eq(version + 1)))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn delete_contact_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ContactId,
    version: i32,
) -> Result<bool> {
    let deleted = diesel::delete(patient_contacts::table)
        .filter(patient_contacts::facility_id.eq(facility))
        .filter(patient_contacts::id.eq(id))
        .filter(patient_contacts::version.eq(version))
        .execute(&mut db)
        .await?;
    Ok(deleted == 1)
}

/// Those who pay first come first; of one priority the newest.
pub(in crate::domains::patients) async fn coverages_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patients: &[PatientId],
) -> Result<Vec<CoverageRow>> {
    Ok(patient_coverages::table
        .filter(patient_coverages::facility_id.eq(facility))
        .filter(patient_coverages::patient_id.eq_any(patients))
        .order((
            patient_coverages::patient_id,
            patient_coverages::priority,
            patient_coverages::effective_on.desc(),
            patient_coverages::id,
        ))
        .select(CoverageRow::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn find_coverage(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: CoverageId,
) -> Result<Option<CoverageRow>> {
    Ok(patient_coverages::table
        .filter(patient_coverages::facility_id.eq(facility))
        .filter(patient_coverages::id.eq(id))
        .select(CoverageRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::patients) async fn insert_coverage(mut db: &AsyncPgConnection, new: NewCoverage) -> Result<()> {
    diesel::insert_into(patient_coverages::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn update_coverage_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: CoverageId,
    version: i32,
    columns: CoverageColumns,
) -> Result<bool> {
    let updated = diesel::update(patient_coverages::table)
        .filter(patient_coverages::facility_id.eq(facility))
        .filter(patient_coverages::id.eq(id))
        .filter(patient_coverages::version.eq(version))
        .set((columns, patient_coverages::version.eq(version + 1)))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

/// Oldest entry first.
pub(in crate::domains::patients) async fn allergies_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patients: &[PatientId],
) -> Result<Vec<AllergyRow>> {
    Ok(patient_allergies::table
        .filter(patient_allergies::facility_id.eq(facility))
        .filter(patient_allergies::patient_id.eq_any(patients))
        .order((patient_allergies::patient_id, patient_allergies::id))
        .select(AllergyRow::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn find_allergy(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AllergyId,
) -> Result<Option<AllergyRow>> {
    Ok(patient_allergies::table
        .filter(patient_allergies::facility_id.eq(facility))
        .filter(patient_allergies::id.eq(id))
        .select(AllergyRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::patients) async fn insert_allergy(mut db: &AsyncPgConnection, new: NewAllergy) -> Result<()> {
    diesel::insert_into(patient_allergies::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn update_allergy_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AllergyId,
    version: i32,
    columns: AllergyColumns,
) -> Result<bool> {
    let updated = diesel::update(patient_allergies::table)
        .filter(patient_allergies::facility_id.eq(facility))
        .filter(patient_allergies::id.eq(id))
        .filter(patient_allergies::version.eq(version))
        .set((columns, patient_allergies::version.eq(version + 1)))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}
