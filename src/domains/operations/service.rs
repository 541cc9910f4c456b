//! Operations on jobs of the facility bound, or of the platform where none is.

use chrono::TimeDelta;
use serde_json::json;

use super::model::{JobRow, JobState, Refusal};
use super::{policy, repository};
use crate::access::{Action, Once, RequestContext, Subject, Tx};
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, JobId};
use crate::pagination::{Page, PageRequest};

/// How long the result of a mutation is remembered under its idempotency key.
const RESULTS_KEPT_HOURS: i64 = 24;

/// One deed, two permissions: a facility's operators and the platform's are different people.
fn here(ctx: &RequestContext, facility: &'static Action, platform: &'static Action) -> &'static Action {
    if ctx.facility() == FacilityId::PLATFORM { platform } else { facility }
}

fn reading(ctx: &RequestContext) -> &'static Action {
    here(ctx, &policy::JOBS_READ, &policy::PLATFORM_JOBS_READ)
}

/// One job.
///
/// # Errors
/// [`Error::NotFound`] when there is none here: what was done is gone.
pub async fn job(ctx: &RequestContext, id: JobId) -> Result<JobRow> {
    let read = ctx.read(reading(ctx)).await?;
    repository::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)
}

/// A page of dead jobs, the newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_dead_jobs(ctx: &RequestContext, page: PageRequest<JobId>) -> Result<Page<JobRow>> {
    let read = ctx.read(reading(ctx)).await?;
    Ok(page.cut(repository::dead_page(read.db()?, ctx.facility(), page).await?))
}

/// How many jobs are dead.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_dead_jobs(ctx: &RequestContext) -> Result<i64> {
    let read = ctx.read(reading(ctx)).await?;
    repository::count_dead(read.db()?, ctx.facility()).await
}

/// Has a dead job tried again, from the first attempt on.
///
/// # Errors
/// [`Error::NotFound`]; refused when it is not dead, or another that does the same waits.
pub async fn retry_job(ctx: &RequestContext, id: JobId, once: Option<Once>) -> Result<JobId, Stop<Refusal>> {
    ctx.write(here(ctx, &policy::JOB_RETRY, &policy::PLATFORM_JOB_RETRY))
        .once(once)
        .run(|tx| async move {
            lock_dead(&tx, id).await?;
            repository::requeue(tx.db()?, tx.ctx().facility(), id, tx.ctx().now()).await?;
            Ok(id)
        })
        .await
}

/// Gives up a dead job: what it was to do is not done.
///
/// # Errors
/// [`Error::NotFound`]; refused when it is not dead.
pub async fn discard_job(ctx: &RequestContext, id: JobId, once: Option<Once>) -> Result<JobId, Stop<Refusal>> {
    ctx.write(here(ctx, &policy::JOB_DISCARD, &policy::PLATFORM_JOB_DISCARD))
        .once(once)
        .run(|tx| async move {
            lock_dead(&tx, id).await?;
            repository::delete(tx.db()?, tx.ctx().facility(), id).await?;
            Ok(id)
        })
        .await
}

async fn lock_dead(tx: &Tx, id: JobId) -> Result<(), Stop<Refusal>> {
    let job = repository::lock(tx.db()?, tx.ctx().facility(), id).await?.ok_or(Error::NotFound)?;
    tx.audit(Subject::of(id), json!({ "kind": job.kind, "lastError": job.last_error }));
    if job.state == JobState::Dead {
        Ok(())
    } else {
        Err(Stop::refuse(Refusal::NotDead, &["input", "id"], "the job waits or runs: only a dead one can be changed"))
    }
}

/// Forgets results of mutations that are too old to be replayed, and says how many. For a regular job.
///
/// # Errors
/// A fault; [`Error::Forbidden`] for anyone but the system.
pub async fn sweep(ctx: &RequestContext) -> Result<usize, Stop<Refusal>> {
    let read = ctx.read(&policy::SWEEP).await?;
    let before = ctx.now() - TimeDelta::hours(RESULTS_KEPT_HOURS);
    let any = repository::has_results(read.db()?, ctx.facility(), before).await?;
    drop(read);
    ctx.finish().await?;
    if !any {
        // A facility where nothing happened gets no audit row either.
        return Ok(0);
    }
    ctx.write(&policy::SWEEP)
        .run(|tx| async move {
            let forgotten = repository::forget_results(tx.db()?, tx.ctx().facility(), before).await?;
            tx.audit(Subject::default(), json!({ "rows": forgotten }));
            Ok(forgotten)
        })
        .await
}
