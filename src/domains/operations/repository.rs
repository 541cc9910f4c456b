//! SQL of the domain.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{JobRow, JobState, Refusal};
use crate::db::schema::jobs;
use crate::db::sql;
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, JobId};
use crate::pagination::PageRequest;

/// Newest first.
pub(super) async fn dead_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    page: PageRequest<JobId>,
) -> Result<Vec<JobRow>> {
    let dead = jobs::table
        .filter(jobs::facility_id.eq(facility))
        .filter(jobs::state.eq(JobState::Dead))
        .order(jobs::id.desc())
        .limit(page.limit())
        .select(JobRow::as_select());
    Ok(match page.after {
        Some(after) => dead.filter(jobs::id.lt(after)).load(&mut db).await?,
        None => dead.load(&mut db).await?,
    })
}

pub(super) async fn count_dead(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<i64> {
    Ok(jobs::table
        .filter(jobs::facility_id.eq(facility))
        .filter(jobs::state.eq(JobState::Dead))
        .count()
        .get_result(&mut db)
        .await?)
}

pub(super) async fn find(mut db: &AsyncPgConnection, facility: FacilityId, id: JobId) -> Result<Option<JobRow>> {
    let found = jobs::table.filter(jobs::facility_id.eq(facility)).filter(jobs::id.eq(id));
    Ok(found.select(JobRow::as_select()).first(&mut db).await.optional()?)
}

/// The job, locked against workers until the transaction ends.
pub(super) async fn lock(mut db: &AsyncPgConnection, facility: FacilityId, id: JobId) -> Result<Option<JobRow>> {
    Ok(jobs::table
        .filter(jobs::facility_id.eq(facility))
        .filter(jobs::id.eq(id))
        .select(JobRow::as_select())
        .for_update()
        .first(&mut db)
        .await
        .optional()?)
}

/// Queues a dead job again, with all its attempts before it.
pub(super) async fn requeue(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: JobId,
    now: DateTime<Utc>,
) -> Result<(), Stop<Refusal>> {
    let queued = diesel::update(jobs::table)
        .filter(jobs::facility_id.eq(facility))
        .filter(jobs::id.eq(id))
        .set((jobs::state.eq(JobState::Queued), jobs::attempts.eq(0), jobs::run_at.eq(now), jobs::updated_at.eq(now)))
        .execute(&mut db)
        .await;
    match queued {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("jobs_facility_id_kind_deduplication_key_key") => {
            Err(Stop::refuse(Refusal::AlreadyQueued, &["input", "id"], "another job that does the same waits already"))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete(mut db: &AsyncPgConnection, facility: FacilityId, id: JobId) -> Result<()> {
    diesel::delete(jobs::table).filter(jobs::facility_id.eq(facility)).filter(jobs::id.eq(id)).execute(&mut db).await?;
    Ok(())
}

/// Whether there are results of mutations from before an instant.
pub(super) async fn has_results(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    before: DateTime<Utc>,
) -> Result<bool> {
    let found = sql("SELECT created_at FROM idempotency_keys WHERE facility_id = $1 AND created_at < $2 LIMIT 1")
        .bind::<SqlUuid, _>(facility)
        .bind::<Timestamptz, _>(before)
        .execute(&mut db)
        .await?;
    Ok(found > 0)
}

/// Forgets results of mutations from before an instant.
pub(super) async fn forget_results(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    before: DateTime<Utc>,
) -> Result<usize> {
    Ok(sql("DELETE FROM idempotency_keys WHERE facility_id = $1 AND created_at < $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<Timestamptz, _>(before)
        .execute(&mut db)
        .await?)
}
