//! The visit history of a patient.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::json;

use super::{changeable, same_version, written};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::facilities;
use crate::domains::patients::model::{
    Diagnosis, NewDiagnosis, NewVisit, Refusal, Visit, VisitCursor, VisitFields, VisitPatch,
};
use crate::domains::patients::{policy, repository, sealing, validation};
use crate::error::{Error, Refused, Result, Stop};
use crate::ids::{PatientId, UserId, VisitId, new_id};
use crate::pagination::{Page, PageRequest};

/// One visit.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may see.
pub async fn visit(ctx: &RequestContext, id: VisitId) -> Result<Visit> {
    let read = ctx.read(&policy::VISITS_READ).await?;
    let row = repository::visits::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_visit(ctx, &*read.keys().await?, row)
}

/// Several visits, those the caller may see.
///
/// # Errors
/// A denial, or a fault.
pub async fn visits_by_ids(ctx: &RequestContext, ids: &[VisitId]) -> Result<Vec<Visit>> {
    let read = ctx.read(&policy::VISITS_READ).await?;
    let rows = repository::visits::find_many(read.db()?, ctx.facility(), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_visit(ctx, &keys, row)).collect()
}

/// A page of visits for each of several patients, the latest first: all in one statement.
///
/// # Errors
/// A denial, or a fault.
pub async fn visits_of(
    ctx: &RequestContext,
    patients: &[PatientId],
    page: PageRequest<VisitCursor>,
) -> Result<HashMap<PatientId, Page<Visit>>> {
    let read = ctx.read(&policy::VISITS_READ).await?;
    let rows = repository::visits::pages_of(read.db()?, ctx.facility(), patients, page.limit(), page.after).await?;
    let mut by_patient: HashMap<PatientId, Vec<_>> = HashMap::new();
    for row in rows {
        by_patient.entry(row.patient_id).or_default().push(row);
    }
    let keys = read.keys().await?;
    by_patient
        .into_iter()
        .map(|(patient, rows)| {
            let cut = page.cut(rows);
            let visits = cut.rows.into_iter().map(|row| sealing::open_visit(ctx, &keys, row)).collect::<Result<_>>()?;
            Ok((patient, Page { rows: visits, has_next: cut.has_next }))
        })
        .collect()
}

/// How many visits each of several patients has; those without any are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_visits_of(ctx: &RequestContext, patients: &[PatientId]) -> Result<HashMap<PatientId, i64>> {
    let read = ctx.read(&policy::VISITS_READ).await?;
    Ok(repository::visits::count_of(read.db()?, ctx.facility(), patients).await?.into_iter().collect())
}

/// Diagnoses of several visits, each visit's in order. Their visits are shown, and noted, beside them.
///
/// # Errors
/// A denial, or a fault.
pub async fn diagnoses_of(ctx: &RequestContext, visits: &[VisitId]) -> Result<Vec<Diagnosis>> {
    let read = ctx.read(&policy::VISITS_READ).await?;
    repository::visits::diagnoses_of(read.db()?, ctx.facility(), visits).await
}

/// Records a visit.
///
/// # Errors
/// Refused when a value is malformed or out of range, a diagnosis code is unknown or a heading, the attending
/// provider never worked in the facility, or the record is archived.
pub async fn record_visit(
    ctx: &RequestContext,
    patient: PatientId,
    new: VisitFields,
    once: Option<Once>,
) -> Result<VisitId, Stop<Refusal>> {
    ctx.write(&policy::VISIT_RECORD)
        .once(once)
        .run(|tx| async move {
            let fields = validation::visit(new, tx.ctx().now())?;
            let (ctx, db, id): (_, _, VisitId) = (tx.ctx(), tx.db()?, new_id());
            changeable(&tx, patient).await?;
            check_attending(&tx, fields.attending_id).await?;
            check_codes(&tx, &fields.diagnoses).await?;
            let columns = sealing::seal_visit(&*tx.keys().await?, id, &fields, ctx.now())?;
            let row = NewVisit { facility_id: ctx.facility(), id, patient_id: patient, created_at: ctx.now(), columns };
            repository::visits::insert(db, row).await?;
            let diagnoses = diagnoses(&tx, id, patient, fields.diagnoses);
            repository::visits::replace_diagnoses(db, ctx.facility(), id, diagnoses).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({}));
            Ok(id)
        })
        .await
}

/// Changes a visit. Diagnoses, when given, replace those on record.
///
/// # Errors
/// Those of [`record_visit`], and when it changed meanwhile.
pub async fn update_visit(
    ctx: &RequestContext,
    id: VisitId,
    expected_version: i32,
    patch: VisitPatch,
    once: Option<Once>,
) -> Result<VisitId, Stop<Refusal>> {
    ctx.write(&policy::VISIT_UPDATE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, keys) = (tx.ctx(), tx.db()?, tx.keys().await?);
            let row = repository::visits::find(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let patient = row.patient_id;
            tx.audit(Subject::of(id).in_record_of(patient), json!({ "changed": patch.given() }));
            changeable(&tx, patient).await?;
            same_version(row.version, expected_version)?;
            let (attending_before, recoded) = (row.attending_id, !patch.diagnoses.is_undefined());
            let codes = repository::visits::diagnoses_of(db, ctx.facility(), &[id]).await?;
            let codes = codes.into_iter().map(|diagnosis| diagnosis.code).collect();
            let current = sealing::open_visit(ctx, &keys, row)?;
            let fields = validation::changed_visit(patch, current, codes, ctx.now())?;
            if fields.attending_id != attending_before {
                check_attending(&tx, fields.attending_id).await?;
            }
            let columns = sealing::seal_visit(&keys, id, &fields, ctx.now())?;
            written(repository::visits::update_if_version(db, ctx.facility(), id, expected_version, columns).await?)?;
            // Codes left as they are may have been retired since: they stay.
            if recoded {
                check_codes(&tx, &fields.diagnoses).await?;
                let diagnoses = diagnoses(&tx, id, patient, fields.diagnoses);
                repository::visits::replace_diagnoses(db, ctx.facility(), id, diagnoses).await?;
            }
            Ok(id)
        })
        .await
}

/// The history may name someone who has left.
async fn check_attending(tx: &Tx, attending: Option<UserId>) -> Result<(), Stop<Refusal>> {
    let Some(user) = attending else { return Ok(()) };
    if facilities::service::standing(tx, user).await?.is_some() {
        return Ok(());
    }
    Err(Stop::refuse(Refusal::UnknownMember, &["input", "attendingId"], "nobody of this facility has this id"))
}

/// Every code exists and may be billed; all that do not are listed.
async fn check_codes(tx: &Tx, codes: &[String]) -> Result<(), Stop<Refusal>> {
    if codes.is_empty() {
        return Ok(());
    }
    let known: HashMap<String, bool> =
        repository::visits::codes(tx.db()?, codes).await?.into_iter().map(|code| (code.code, code.billable)).collect();
    let refused = |at: usize, code, message: &'static str| Refused {
        code,
        field: vec![Cow::Borrowed("input"), Cow::Borrowed("diagnoses"), Cow::Owned(at.to_string())],
        message: Cow::Borrowed(message),
    };
    let faults: Vec<_> = codes
        .iter()
        .enumerate()
        .filter_map(|(at, code)| match known.get(code) {
            Some(true) => None,
            Some(false) => Some(refused(
                at,
                Refusal::DiagnosisNotBillable,
                "is a heading or retired: choose a code that may be billed",
            )),
            None => Some(refused(at, Refusal::UnknownDiagnosis, "is not an ICD-10-CM code")),
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Stop::Refused(faults)) }
}

fn diagnoses(tx: &Tx, visit: VisitId, patient: PatientId, codes: Vec<String>) -> Vec<NewDiagnosis> {
    (1..)
        .zip(codes)
        .map(|(position, icd10_code)| NewDiagnosis {
            facility_id: tx.ctx().facility(),
            id: new_id(),
            visit_id: visit,
            patient_id: patient,
            icd10_code,
            position,
        })
        .collect()
}
