//! SQL of the queue, across facilities: the worker's scope sees jobs and nothing else.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::worker::Job;
use crate::app::App;
use crate::db::{Binding, Mode, Session, Sql, sql};
use crate::error::Result;
use crate::ids::{FacilityId, JobId, TypedId as _, UserId};

#[derive(QueryableByName)]
struct JobRow {
    #[diesel(sql_type = SqlUuid)]
    facility_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Jsonb)]
    payload: Value,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    user_id: Option<Uuid>,
}

async fn in_worker_scope(app: &App, now: DateTime<Utc>, statement: Sql<'_>) -> Result<usize> {
    let session = Session::open(&app.database, Mode::Write, Binding::Worker, now).await?;
    let touched = statement.execute(&mut session.connection()?).await?;
    session.end(true).await?;
    Ok(touched)
}

impl JobRow {
    fn into_job(self) -> Job {
        Job {
            facility: FacilityId::from_uuid(self.facility_id),
            id: JobId::from_uuid(self.id),
            kind: self.kind,
            payload: self.payload,
            attempt: self.attempts,
            max_attempts: self.max_attempts,
            user: self.user_id.map(UserId::from_uuid),
        }
    }
}

/// A job leased.
pub(super) struct Claimed {
    pub job: Job,
    /// It took its worker down as often as it may: it is to be laid down, not to be done.
    pub lost: bool,
}

/// Takes up to `most` jobs that are due, or whose worker is gone, and leases them.
pub(super) async fn claim(app: &App, worker: &str, most: i64, lease: TimeDelta) -> Result<Vec<Claimed>> {
    let now = app.clock.now();
    let session = Session::open(&app.database, Mode::Write, Binding::Worker, now).await?;
    let lost: Vec<JobRow> = sql("UPDATE jobs SET worker = $1, leased_until = $2, updated_at = $3 \
         WHERE (facility_id, id) IN ( \
             SELECT facility_id, id FROM jobs \
             WHERE state = 'running' AND leased_until < $3 AND attempts >= max_attempts \
             ORDER BY leased_until, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
         RETURNING facility_id, id, kind, payload, attempts, max_attempts, user_id")
    .bind::<Text, _>(worker)
    .bind::<Timestamptz, _>(now + lease)
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(most)
    .load(&mut session.connection()?)
    .await?;
    let most = most.saturating_sub(i64::try_from(lost.len()).unwrap_or(i64::MAX));
    let due: Vec<JobRow> = sql(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = $1, leased_until = $2, updated_at = $3 \
         WHERE (facility_id, id) IN ( \
             SELECT facility_id, id FROM jobs \
             WHERE (state = 'queued' AND run_at <= $3) \
                 OR (state = 'running' AND leased_until < $3 AND attempts < max_attempts) \
             ORDER BY run_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
         RETURNING facility_id, id, kind, payload, attempts, max_attempts, user_id",
    )
    .bind::<Text, _>(worker)
    .bind::<Timestamptz, _>(now + lease)
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(most)
    .load(&mut session.connection()?)
    .await?;
    session.end(true).await?;
    let lost = lost.into_iter().map(|row| Claimed { job: row.into_job(), lost: true });
    Ok(lost.chain(due.into_iter().map(|row| Claimed { job: row.into_job(), lost: false })).collect())
}

/// The queue in numbers.
#[derive(Debug, Clone, QueryableByName)]
pub struct Depth {
    #[diesel(sql_type = BigInt)]
    pub queued: i64,
    #[diesel(sql_type = BigInt)]
    pub running: i64,
    #[diesel(sql_type = BigInt)]
    pub dead: i64,
    /// When the oldest job that waits was due.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub oldest_due: Option<DateTime<Utc>>,
}

/// Counts the queue, across facilities.
///
/// # Errors
/// When the database does not answer.
pub async fn depth(app: &App) -> Result<Depth> {
    let now = app.clock.now();
    let session = Session::open(&app.database, Mode::Read, Binding::Worker, now).await?;
    let depth = sql("SELECT count(*) FILTER (WHERE state = 'queued') AS queued, \
             count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'dead') AS dead, \
             min(run_at) FILTER (WHERE state = 'queued' AND run_at <= $1) AS oldest_due FROM jobs")
    .bind::<Timestamptz, _>(now)
    .get_result(&mut session.connection()?)
    .await?;
    session.end(false).await?;
    Ok(depth)
}

/// Keeps the lease of a running job. `false` when another worker has taken it over.
pub(super) async fn extend(app: &App, worker: &str, job: &Job, lease: TimeDelta) -> Result<bool> {
    let now = app.clock.now();
    let statement = sql("UPDATE jobs SET leased_until = $4, updated_at = $5 \
         WHERE facility_id = $1 AND id = $2 AND worker = $3 AND state = 'running'")
    .bind::<SqlUuid, _>(job.facility)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Text, _>(worker)
    .bind::<Timestamptz, _>(now + lease)
    .bind::<Timestamptz, _>(now);
    Ok(in_worker_scope(app, now, statement).await? == 1)
}

/// Removes a job that is done.
pub(super) async fn complete(app: &App, worker: &str, job: &Job) -> Result<()> {
    let statement = sql("DELETE FROM jobs WHERE facility_id = $1 AND id = $2 AND worker = $3 AND state = 'running'")
        .bind::<SqlUuid, _>(job.facility)
        .bind::<SqlUuid, _>(job.id)
        .bind::<Text, _>(worker);
    in_worker_scope(app, app.clock.now(), statement).await?;
    Ok(())
}

/// Puts a failed job back, or lays it down dead when `again` is `None`. Where its like was queued meanwhile, that one does it.
pub(super) async fn fail(
    app: &App,
    worker: &str,
    job: &Job,
    error: &'static str,
    again: Option<TimeDelta>,
) -> Result<()> {
    let now = app.clock.now();
    let statement = sql("WITH like_it AS MATERIALIZED (SELECT j.facility_id, j.id FROM jobs j JOIN jobs q \
             USING (facility_id, kind, deduplication_key) WHERE j.facility_id = $1 AND j.id = $2 AND j.worker = $3 \
                 AND j.state = 'running' AND q.state = 'queued' AND $4 = 'queued'), \
         given_way AS (DELETE FROM jobs WHERE (facility_id, id) IN (SELECT facility_id, id FROM like_it)) \
         UPDATE jobs SET state = $4, run_at = $5, last_error = $6, leased_until = NULL, worker = NULL, updated_at = $7 \
         WHERE facility_id = $1 AND id = $2 AND worker = $3 AND state = 'running' AND NOT EXISTS (SELECT FROM like_it)")
    .bind::<SqlUuid, _>(job.facility)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Text, _>(worker)
    .bind::<Text, _>(if again.is_some() { "queued" } else { "dead" })
    .bind::<Timestamptz, _>(now + again.unwrap_or_default())
    .bind::<Text, _>(error)
    .bind::<Timestamptz, _>(now);
    in_worker_scope(app, now, statement).await?;
    Ok(())
}
