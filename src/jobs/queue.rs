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

/// Takes up to `most` jobs that are due, or whose worker is gone, and leases them.
pub(super) async fn claim(app: &App, worker: &str, most: i64, lease: TimeDelta) -> Result<Vec<Job>> {
    let now = app.clock.now();
    let session = Session::open(&app.database, Mode::Write, Binding::Worker, now).await?;
    // A job that took its worker down as often as it may is not given another.
    sql("UPDATE jobs SET state = 'dead', last_error = 'WORKER_LOST', leased_until = NULL, worker = NULL, updated_at = $1 \
         WHERE state = 'running' AND leased_until < $1 AND attempts >= max_attempts")
        .bind::<Timestamptz, _>(now)
        .execute(&mut session.connection()?)
        .await?;
    let rows: Vec<JobRow> = sql(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = $1, leased_until = $2, updated_at = $3 \
         WHERE (facility_id, id) IN ( \
             SELECT facility_id, id FROM jobs \
             WHERE (state = 'queued' AND run_at <= $3) OR (state = 'running' AND leased_until < $3) \
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
    Ok(rows
        .into_iter()
        .map(|row| Job {
            facility: FacilityId::from_uuid(row.facility_id),
            id: JobId::from_uuid(row.id),
            kind: row.kind,
            payload: row.payload,
            attempt: row.attempts,
            max_attempts: row.max_attempts,
            user: row.user_id.map(UserId::from_uuid),
        })
        .collect())
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

/// Puts a failed job back, or lays it down dead when `again` is `None`.
pub(super) async fn fail(
    app: &App,
    worker: &str,
    job: &Job,
    error: &'static str,
    again: Option<TimeDelta>,
) -> Result<()> {
    let now = app.clock.now();
    let statement =
        sql("UPDATE jobs SET state = $4, run_at = $5, last_error = $6, leased_until = NULL, worker = NULL, \
         updated_at = $7 WHERE facility_id = $1 AND id = $2 AND worker = $3 AND state = 'running'")
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
