//! Visits, their diagnoses, and the classification.

use diesel::QueryableByName;
use diesel::prelude::{
    ExpressionMethods as _, JoinOnDsl as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::schema::{icd10_codes, patient_visits, visit_diagnoses};
use crate::db::sql;
use crate::domains::patients::model::{
    Diagnosis, Icd10Code, NewDiagnosis, NewVisit, VisitColumns, VisitCursor, VisitRow,
};
use crate::error::Result;
use crate::ids::{FacilityId, PatientId, TypedId as _, VisitId};

/// The first visits of each patient after the cursor, latest first: one statement for all patients of a page.
pub(in crate::domains::patients) async fn pages_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patients: &[PatientId],
    limit: i64,
    after: Option<VisitCursor>,
) -> Result<Vec<VisitRow>> {
    // Without a cursor the bound is above every visit: a null is never compared with.
    let (visited_at, id) = after.map_or((None, Uuid::max()), |after| (Some(after.visited_at), after.id.uuid()));
    Ok(sql("SELECT v.* FROM unnest($2) AS p (id) CROSS JOIN LATERAL ( \
             SELECT id, patient_id, visited_at, discharged_at, department, attending_id, reason_ciphertext, \
                 notes_ciphertext, vitals_ciphertext, medications_ciphertext, version \
             FROM patient_visits WHERE facility_id = $1 AND patient_id = p.id \
                 AND (visited_at, id) < (coalesce($3, 'infinity'), $4) \
             ORDER BY visited_at DESC, id DESC LIMIT $5) v \
         ORDER BY v.patient_id, v.visited_at DESC, v.id DESC")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(patients.to_vec())
    .bind::<Nullable<Timestamptz>, _>(visited_at)
    .bind::<SqlUuid, _>(id)
    .bind::<BigInt, _>(limit)
    .load(&mut db)
    .await?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = SqlUuid)]
    patient_id: Uuid,
    #[diesel(sql_type = BigInt)]
    visits: i64,
}

/// How many visits each patient has; patients without any are not listed.
pub(in crate::domains::patients) async fn count_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patients: &[PatientId],
) -> Result<Vec<(PatientId, i64)>> {
    let counted: Vec<Counted> = sql("SELECT patient_id, count(*) AS visits FROM patient_visits \
         WHERE facility_id = $1 AND patient_id = ANY ($2) GROUP BY patient_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(patients.to_vec())
    .load(&mut db)
    .await?;
    Ok(counted.into_iter().map(|row| (PatientId::from_uuid(row.patient_id), row.visits)).collect())
}

pub(in crate::domains::patients) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: VisitId,
) -> Result<Option<VisitRow>> {
    Ok(patient_visits::table
        .filter(patient_visits::facility_id.eq(facility))
        .filter(patient_visits::id.eq(id))
        .select(VisitRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::patients) async fn find_many(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[VisitId],
) -> Result<Vec<VisitRow>> {
    Ok(patient_visits::table
        .filter(patient_visits::facility_id.eq(facility))
        .filter(patient_visits::id.eq_any(ids.to_vec()))
        .select(VisitRow::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::patients) async fn insert(mut db: &AsyncPgConnection, new: NewVisit) -> Result<()> {
    diesel::insert_into(patient_visits::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// False when the version is not the one expected.
pub(in crate::domains::patients) async fn update_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: VisitId,
    version: i32,
    columns: VisitColumns,
) -> Result<bool> {
    let updated = diesel::update(patient_visits::table)
        .filter(patient_visits::facility_id.eq(facility))
        .filter(patient_visits::id.eq(id))
        .filter(patient_visits::version.eq(version))
        .set((columns, patient_visits::version.eq(version + 1)))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

/// Diagnoses of several visits, in order, with what their codes mean.
pub(in crate::domains::patients) async fn diagnoses_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    visits: &[VisitId],
) -> Result<Vec<Diagnosis>> {
    Ok(visit_diagnoses::table
        .inner_join(icd10_codes::table.on(icd10_codes::code.eq(visit_diagnoses::icd10_code)))
        .filter(visit_diagnoses::facility_id.eq(facility))
        .filter(visit_diagnoses::visit_id.eq_any(visits))
        .order((visit_diagnoses::visit_id, visit_diagnoses::position))
        .select((
            visit_diagnoses::id,
            visit_diagnoses::visit_id,
            visit_diagnoses::icd10_code,
            icd10_codes::description,
            visit_diagnoses::position,
        ))
        .load(&mut db)
        .await?)
}

/// Makes these the diagnoses of the visit.
pub(in crate::domains::patients) async fn replace_diagnoses(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    visit: VisitId,
    diagnoses: Vec<NewDiagnosis>,
) -> Result<()> {
    diesel::delete(visit_diagnoses::table)
        .filter(visit_diagnoses::facility_id.eq(facility))
        .filter(visit_diagnoses::visit_id.eq(visit))
        .execute(&mut db)
        .await?;
    if !diagnoses.is_empty() {
        diesel::insert_into(visit_diagnoses::table).values(diagnoses).execute(&mut db).await?;
    }
    Ok(())
}

pub(in crate::domains::patients) async fn codes(
    mut db: &AsyncPgConnection,
    codes: &[String],
) -> Result<Vec<Icd10Code>> {
    Ok(icd10_codes::table.filter(icd10_codes::code.eq_any(codes)).select(Icd10Code::as_select()).load(&mut db).await?)
}

/// Codes that begin with `from` (all that sort from it up to `to`), in order of the classification.
pub(in crate::domains::patients) async fn codes_by_prefix(
    mut db: &AsyncPgConnection,
    prefix: &str,
    limit: i64,
) -> Result<Vec<Icd10Code>> {
    Ok(sql("SELECT code, description, billable FROM icd10_codes WHERE code ^@ $1 ORDER BY code LIMIT $2")
        .bind::<Text, _>(prefix)
        .bind::<BigInt, _>(limit)
        .load(&mut db)
        .await?)
}

/// Codes whose description has all words: as word beginnings, or as English forms of them. Those that may be
/// billed first, then the shortest description, which is the most general.
pub(in crate::domains::patients) async fn codes_by_words(
    mut db: &AsyncPgConnection,
    prefixes: &str,
    words: &str,
    limit: i64,
) -> Result<Vec<Icd10Code>> {
    Ok(sql("SELECT code, description, billable FROM icd10_codes \
         WHERE to_tsvector('simple', description) @@ to_tsquery('simple', $1) \
            OR to_tsvector('english', description) @@ plainto_tsquery('english', $2) \
         ORDER BY billable DESC, length(description), code LIMIT $3")
    .bind::<Text, _>(prefixes)
    .bind::<Text, _>(words)
    .bind::<BigInt, _>(limit)
    .load(&mut db)
    .await?)
}
