//! Background work: an outbox written in the transaction that causes it, and a worker that does it at
//! least once. Handlers are idempotent; a job carries its facility and the user it acts for.
//!
//! Invariants: a job exists if and only if the write that caused it committed; a killed worker loses
//! nothing, its lease runs out and another takes over; a job that fails for good stays, dead, until a
//! person retries or discards it, and its handler hears of it first, however it died. A payload holds ids or ciphertext, never PHI in clear.

mod housekeeping;
mod queue;
mod worker;

use std::sync::Arc;

use chrono::TimeDelta;
use diesel::QueryableByName;
use diesel::sql_types::{Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::access::Tx;
use crate::db::sql;
use crate::error::Result;
use crate::ids::{FacilityId, JobId, new_id};

pub use housekeeping::{Housekeeping, Turn};
pub use queue::{Depth, depth};
pub use worker::{Failure, Handler, Handlers, Job, WORKER_LOST, Worker};

/// Attempts before a job is dead, unless it says otherwise.
const MAX_ATTEMPTS: i32 = 8;

/// Wakes the worker of this process when a write may have queued something.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    wake: Arc<Notify>,
}

impl Jobs {
    /// Called after each commit.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until woken.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// A job to be queued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Known beforehand, so that a payload can be encrypted for its row.
    pub id: JobId,
    /// For which facility; the transaction must be bound to it.
    pub facility: FacilityId,
    /// Which handler, as `domain.verb`.
    pub kind: &'static str,
    /// Ids, or ciphertext.
    pub payload: Value,
    pub max_attempts: i32,
    /// How long to wait before it is done.
    pub delay: TimeDelta,
    /// At most one queued job of the kind has the same key; a second is dropped.
    pub deduplication_key: Option<String>,
}

impl NewJob {
    #[must_use]
    pub fn new(facility: FacilityId, kind: &'static str, payload: Value) -> Self {
        Self {
            id: new_id(),
            facility,
            kind,
            payload,
            max_attempts: MAX_ATTEMPTS,
            delay: TimeDelta::zero(),
            deduplication_key: None,
        }
    }
}

#[derive(QueryableByName)]
struct Running {
    #[diesel(sql_type = Bool)]
    running: bool,
}

/// Queues a job in the transaction that causes it.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(tx: &Tx, job: NewJob) -> Result<JobId> {
    let id = job.id;
    enqueue_all(tx, vec![job]).await?;
    Ok(id)
}

/// Queues jobs in the transaction that causes them, by one statement.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue_all(tx: &Tx, jobs: Vec<NewJob>) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ctx = tx.ctx();
    let now = ctx.now();
    let rows: Vec<Value> = jobs
        .into_iter()
        .map(|job| {
            json!({
                "facility_id": job.facility,
                "id": job.id,
                "kind": job.kind,
                "payload": job.payload,
                "run_at": now + job.delay,
                "max_attempts": job.max_attempts,
                "deduplication_key": job.deduplication_key,
            })
        })
        .collect();
    sql("INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, max_attempts, deduplication_key, user_id, \
         request_id, created_at, updated_at) \
         SELECT j.facility_id, j.id, j.kind, j.payload, 'queued', j.run_at, j.max_attempts, j.deduplication_key, $2, \
             $3, $4, $4 \
         FROM jsonb_to_recordset($1) AS j (facility_id uuid, id uuid, kind text, payload jsonb, run_at timestamptz, \
             max_attempts integer, deduplication_key text) \
         ON CONFLICT (facility_id, kind, deduplication_key) WHERE state = 'queued' DO NOTHING")
    .bind::<Jsonb, _>(Value::Array(rows))
    .bind::<Nullable<SqlUuid>, _>(ctx.user().ok())
    .bind::<SqlUuid, _>(ctx.parts().request_id)
    .bind::<Timestamptz, _>(now)
    .execute(&mut tx.db()?)
    .await?;
    Ok(())
}

/// Whether a job of the same kind and key is at work: for work that does not need to be done again for what came meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn is_running(tx: &Tx, job: &NewJob) -> Result<bool> {
    let row: Running = sql("SELECT EXISTS (SELECT FROM jobs WHERE facility_id = $1 AND kind = $2 \
             AND deduplication_key = $3 AND state = 'running') AS running")
    .bind::<SqlUuid, _>(job.facility)
    .bind::<Text, _>(job.kind)
    .bind::<Nullable<Text>, _>(job.deduplication_key.as_deref())
    .get_result(&mut tx.db()?)
    .await?;
    Ok(row.running)
}
