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
use diesel::sql_types::{Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
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

/// Queues a job in the transaction that causes it.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(tx: &Tx, job: NewJob) -> Result<JobId> {
    let ctx = tx.ctx();
    let now = ctx.now();
    sql("INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, max_attempts, deduplication_key, user_id, \
         request_id, created_at, updated_at) VALUES ($1, $2, $3, $4, 'queued', $5, $6, $7, $8, $9, $10, $10) \
         ON CONFLICT (facility_id, kind, deduplication_key) WHERE state = 'queued' DO NOTHING")
    .bind::<SqlUuid, _>(job.facility)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Text, _>(job.kind)
    .bind::<Jsonb, _>(job.payload)
    .bind::<Timestamptz, _>(now + job.delay)
    .bind::<Integer, _>(job.max_attempts)
    .bind::<Nullable<Text>, _>(job.deduplication_key)
    .bind::<Nullable<SqlUuid>, _>(ctx.user().ok())
    .bind::<SqlUuid, _>(ctx.parts().request_id)
    .bind::<Timestamptz, _>(now)
    .execute(&mut tx.db()?)
    .await?;
    Ok(job.id)
}
