//! Insurance coverages of a patient.

use async_graphql::MaybeUndefined;
use chrono::NaiveDate;
use serde_json::json;

use super::{changeable, same_version, too_many, written};
use crate::access::{Action, Once, RequestContext, Subject, Tx};
use crate::domains::patients::model::{Coverage, CoverageFields, CoveragePatch, NewCoverage, Refusal};
use crate::domains::patients::{policy, repository, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{CoverageId, PatientId, new_id};

const MAX_COVERAGES: usize = 50;

/// One coverage.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may see.
pub async fn coverage(ctx: &RequestContext, id: CoverageId) -> Result<Coverage> {
    let read = ctx.read(&policy::COVERAGES_READ).await?;
    let row = repository::parts::find_coverage(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_coverage(ctx, &*read.keys().await?, row)
}

/// Coverages of several patients: those billed first come first.
///
/// # Errors
/// A denial, or a fault.
pub async fn coverages_of(ctx: &RequestContext, patients: &[PatientId]) -> Result<Vec<Coverage>> {
    let read = ctx.read(&policy::COVERAGES_READ).await?;
    let rows = repository::parts::coverages_of(read.db()?, ctx.facility(), patients).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_coverage(ctx, &keys, row)).collect()
}

/// Those on record, for rules over all of them; the record is locked.
async fn on_record(tx: &Tx, patient: PatientId) -> Result<Vec<Coverage>> {
    let ctx = tx.ctx();
    let keys = tx.keys().await?;
    let rows = repository::parts::coverages_of(tx.db()?, ctx.facility(), &[patient]).await?;
    rows.into_iter().map(|row| sealing::open_coverage(ctx, &keys, row)).collect()
}

/// Adds a coverage.
///
/// # Errors
/// Refused when a value is malformed, another coverage of the same priority covers some of the days, there are
/// too many, or the record is archived.
pub async fn add_coverage(
    ctx: &RequestContext,
    patient: PatientId,
    new: CoverageFields,
    once: Option<Once>,
) -> Result<CoverageId, Stop<Refusal>> {
    ctx.write(&policy::COVERAGE_ADD)
        .once(once)
        .run(|tx| async move {
            let fields = validation::coverage(new)?;
            let (ctx, db, id): (_, _, CoverageId) = (tx.ctx(), tx.db()?, new_id());
            changeable(&tx, patient).await?;
            let others = on_record(&tx, patient).await?;
            if others.len() >= MAX_COVERAGES {
                return Err(too_many("coverages", MAX_COVERAGES));
            }
            validation::no_overlap(&fields, None, &others)?;
            let columns = sealing::seal_coverage(&*tx.keys().await?, id, &fields, ctx.now())?;
            let row =
                NewCoverage { facility_id: ctx.facility(), id, patient_id: patient, created_at: ctx.now(), columns };
            repository::parts::insert_coverage(db, row).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({}));
            Ok(id)
        })
        .await
}

/// Changes a coverage.
///
/// # Errors
/// Those of [`add_coverage`], and when it changed meanwhile.
pub async fn update_coverage(
    ctx: &RequestContext,
    id: CoverageId,
    expected_version: i32,
    patch: CoveragePatch,
    once: Option<Once>,
) -> Result<CoverageId, Stop<Refusal>> {
    change(ctx, &policy::COVERAGE_UPDATE, id, expected_version, patch, once).await
}

/// Ends a coverage with its last day.
///
/// # Errors
/// Refused when the day is before the first day covered, it changed meanwhile, or the record is archived.
pub async fn end_coverage(
    ctx: &RequestContext,
    id: CoverageId,
    expected_version: i32,
    ends_on: NaiveDate,
    once: Option<Once>,
) -> Result<CoverageId, Stop<Refusal>> {
    let patch = CoveragePatch { ends_on: MaybeUndefined::Value(ends_on), ..CoveragePatch::default() };
    change(ctx, &policy::COVERAGE_END, id, expected_version, patch, once).await
}

async fn change(
    ctx: &RequestContext,
    action: &'static Action,
    id: CoverageId,
    expected_version: i32,
    patch: CoveragePatch,
    once: Option<Once>,
) -> Result<CoverageId, Stop<Refusal>> {
    ctx.write(action)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, keys) = (tx.ctx(), tx.db()?, tx.keys().await?);
            let row = repository::parts::find_coverage(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let patient = row.patient_id;
            tx.audit(Subject::of(id).in_record_of(patient), json!({ "changed": patch.given() }));
            changeable(&tx, patient).await?;
            same_version(row.version, expected_version)?;
            let current = sealing::open_coverage(ctx, &keys, row)?.fields;
            let fields = validation::changed_coverage(patch, current)?;
            validation::no_overlap(&fields, Some(id), &on_record(&tx, patient).await?)?;
            let columns = sealing::seal_coverage(&keys, id, &fields, ctx.now())?;
            written(
                repository::parts::update_coverage_if_version(db, ctx.facility(), id, expected_version, columns)
                    .await?,
            )?;
            Ok(id)
        })
        .await
}
