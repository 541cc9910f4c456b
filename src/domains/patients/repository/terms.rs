//! Blind index terms: stored, and looked up.

use diesel::QueryableByName;
use diesel::prelude::ExpressionMethods as _;
use diesel::sql_types::{Array, BigInt, Bool, SmallInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::schema::patient_terms;
use crate::db::sql;
use crate::domains::patients::model::NewTerm;
use crate::error::Result;
use crate::ids::{FacilityId, PatientId, TypedId as _};

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = SqlUuid)]
    patient_id: Uuid,
}

fn ids(rows: Vec<Candidate>) -> Vec<PatientId> {
    rows.into_iter().map(|row| PatientId::from_uuid(row.patient_id)).collect()
}

/// Makes `terms` the terms of the patient: those that stay are not touched.
pub(in crate::domains::patients) async fn replace(
    db: &AsyncPgConnection,
    facility: FacilityId,
    patient: PatientId,
    terms: Vec<i64>,
) -> Result<()> {
    let (mut first, mut second) = (db, db);
    let gone = diesel::delete(patient_terms::table)
        .filter(patient_terms::facility_id.eq(facility))
        .filter(patient_terms::patient_id.eq(patient))
        .filter(patient_terms::term.ne_all(&terms));
    let rows: Vec<NewTerm> =
        terms.iter().map(|term| NewTerm { facility_id: facility, term: *term, patient_id: patient }).collect();
    let added = diesel::insert_into(patient_terms::table).values(rows).on_conflict_do_nothing();
    let (gone, added) = futures::join!(gone.execute(&mut first), added.execute(&mut second));
    gone?;
    added?;
    Ok(())
}

/// Patients who have for each condition one of its terms, newest first. Terms are compared by equality, which
/// is leak-proof: the index is used under row-level security.
pub(in crate::domains::patients) async fn find_all_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conditions: &[Vec<i64>],
    limit: i64,
) -> Result<Vec<PatientId>> {
    let (mut terms, mut numbers) = (Vec::new(), Vec::new());
    for (number, condition) in (0_i16..).zip(conditions) {
        terms.extend_from_slice(condition);
        numbers.resize(terms.len(), number);
    }
    let wanted = i64::try_from(conditions.len()).unwrap_or(i64::MAX);
    let rows: Vec<Candidate> = sql("SELECT t.patient_id FROM unnest($2, $3) AS q (term, number) \
         JOIN patient_terms t ON t.facility_id = $1 AND t.term = q.term \
         GROUP BY t.patient_id HAVING count(DISTINCT q.number) = $4 ORDER BY t.patient_id DESC LIMIT $5")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<BigInt>, _>(terms)
    .bind::<Array<SmallInt>, _>(numbers)
    .bind::<BigInt, _>(wanted)
    .bind::<BigInt, _>(limit)
    .load(&mut db)
    .await?;
    Ok(ids(rows))
}

/// One thing two records may share.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::patients) struct Probe {
    pub term: i64,
    /// Terms of one kind count once.
    pub kind: i16,
    /// Sharing it is worth a look by itself.
    pub telling: bool,
}

/// Patients who share a telling term, or terms of two kinds; those who share most first.
pub(in crate::domains::patients) async fn find_sharing(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    probes: &[Probe],
    limit: i64,
) -> Result<Vec<PatientId>> {
    let rows: Vec<Candidate> = sql("SELECT t.patient_id FROM unnest($2, $3, $4) AS q (term, kind, telling) \
         JOIN patient_terms t ON t.facility_id = $1 AND t.term = q.term \
         GROUP BY t.patient_id HAVING bool_or(q.telling) OR count(DISTINCT q.kind) >= 2 \
         ORDER BY bool_or(q.telling) DESC, count(DISTINCT q.kind) DESC, t.patient_id DESC LIMIT $5")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<BigInt>, _>(probes.iter().map(|probe| probe.term).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(probes.iter().map(|probe| probe.kind).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(probes.iter().map(|probe| probe.telling).collect::<Vec<_>>())
    .bind::<BigInt, _>(limit)
    .load(&mut db)
    .await?;
    Ok(ids(rows))
}

/// Waits until no other transaction of the facility registers someone with this term.
pub(in crate::domains::patients) async fn lock(mut db: &AsyncPgConnection, term: i64) -> Result<()> {
    sql("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(term).execute(&mut db).await?;
    Ok(())
}
