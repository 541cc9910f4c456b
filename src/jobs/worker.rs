//! The worker: claims, runs, extends leases, backs off, stops when told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::queue::{self, Claimed};
use crate::access::RequestContext;
use crate::app::App;
use crate::error::Error;
use crate::ids::{FacilityId, JobId, UserId};
use crate::metrics::JobEnd;
use crate::telemetry::TRACE;

/// How long a job is a worker's own without a word from it.
const LEASE_SECONDS: u64 = 60;
/// How often the queue is looked at when nothing wakes the worker: jobs of other processes, and back-off.
const POLL: Duration = Duration::from_secs(1);
/// First back-off; doubled for each attempt.
const BACK_OFF_SECONDS: i64 = 5;
const MAX_BACK_OFF_SECONDS: i64 = 3600;

/// A claimed job.
#[derive(Debug, Clone)]
pub struct Job {
    pub facility: FacilityId,
    pub id: JobId,
    pub kind: String,
    pub payload: Value,
    /// 1 at the first.
    pub attempt: i32,
    pub max_attempts: i32,
    /// The user whose write queued it.
    pub user: Option<UserId>,
}

impl Job {
    /// What its payload says under a name: the id of what it is about.
    ///
    /// # Errors
    /// [`Failure::Permanent`] when it says nothing of the kind.
    pub fn about<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        T::deserialize(&self.payload[name]).map_err(|_| Failure::Permanent("MALFORMED_PAYLOAD"))
    }
}

/// The code of a job that was running each time its worker went down.
pub const WORKER_LOST: &str = "WORKER_LOST";

/// Why a job was not done. The code is shown to administrators; it holds no data.
#[derive(Debug)]
pub enum Failure {
    /// Trying again may help.
    Transient(&'static str),
    /// Trying again will not help.
    Permanent(&'static str),
    /// Something unforeseen; tried again.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// Does one kind of job. Must be idempotent: it may run twice.
pub trait Handler: Send + Sync {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>>;

    /// Hears that a job will not be tried again, with the code of its last failure, before it is laid down: the
    /// place to say so on what the job was about. Idempotent too. Where the database is away it is called again.
    ///
    /// # Errors
    /// A fault; the job is laid down all the same unless the database was away.
    fn died<'a>(&'a self, _: RequestContext, _: &'a Job, _: &'static str) -> BoxFuture<'a, Result<(), Error>> {
        futures::future::ready(Ok(())).boxed()
    }
}

/// Handlers by kind.
pub type Handlers = HashMap<&'static str, Arc<dyn Handler>>;

/// Does jobs until it is stopped.
pub struct Worker {
    app: Arc<App>,
    handlers: Arc<Handlers>,
    name: String,
    concurrency: usize,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Worker {
    #[must_use]
    pub fn new(app: Arc<App>, handlers: Handlers) -> Self {
        let concurrency = app.config.worker_concurrency;
        let name = format!("{}-{}", std::process::id(), Uuid::now_v7().simple());
        Self { app, handlers: Arc::new(handlers), name, concurrency }
    }

    /// Works until `stop`; then lets running jobs end. A job cut off by force is taken over when its lease
    /// runs out.
    pub async fn run(&self, stop: CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            let free = self.concurrency.saturating_sub(running.len());
            let claimed = if free == 0 || stop.is_cancelled() { 0 } else { self.start(&mut running, free).await };
            if stop.is_cancelled() {
                break;
            }
            if claimed == free && free > 0 {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.app.jobs.woken(), if running.len() < self.concurrency => {}
                Some(_) = running.join_next() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Does every job that is due now, one after another, and says how many. For tests and `work --once`.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn drain(&self) -> Result<usize, Error> {
        let mut done = 0;
        loop {
            let jobs = queue::claim(&self.app, &self.name, 1, lease()).await?;
            if jobs.is_empty() {
                return Ok(done);
            }
            for job in jobs {
                run_one(Arc::clone(&self.app), Arc::clone(&self.handlers), self.name.clone(), job).await;
                done += 1;
            }
        }
    }

    async fn start(&self, running: &mut JoinSet<()>, free: usize) -> usize {
        match queue::claim(&self.app, &self.name, i64::try_from(free).unwrap_or(1), lease()).await {
            Ok(jobs) => {
                let claimed = jobs.len();
                for job in jobs {
                    running.spawn(run_one(Arc::clone(&self.app), Arc::clone(&self.handlers), self.name.clone(), job));
                }
                claimed
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "the queue cannot be read");
                0
            }
        }
    }
}

fn lease() -> TimeDelta {
    TimeDelta::seconds(i64::try_from(LEASE_SECONDS).unwrap_or(60))
}

/// Runs a job in a span of its own and counts how it ended.
async fn run_one(app: Arc<App>, handlers: Arc<Handlers>, worker: String, claimed: Claimed) {
    let job = &claimed.job;
    // The name as the handler has it: what stands in the database becomes no label.
    let kind = handlers.get_key_value(job.kind.as_str()).map_or("unknown", |(kind, _)| *kind);
    let outcome = tracing::field::Empty;
    let span = tracing::info_span!(target: TRACE, "job", kind, attempt = job.attempt, outcome);
    let begun = Instant::now();
    let end = run_to_end(&app, &handlers, &worker, &claimed).instrument(span.clone()).await;
    span.record("outcome", end.word());
    app.metrics.job(kind, end, begun.elapsed());
}

/// Runs a job beside its heartbeat, then says how it ended.
async fn run_to_end(app: &Arc<App>, handlers: &Handlers, worker: &str, claimed: &Claimed) -> JobEnd {
    let Claimed { job, lost } = claimed;
    let handler = handlers.get(job.kind.as_str());
    let ended = {
        let work = async {
            match attempt(app, handler, job, *lost).await {
                Ok(()) => queue::complete(app, worker, job).await.map(|()| JobEnd::Done),
                Err(failure) => give_back(app, handler, worker, job, failure).await,
            }
        };
        tokio::select! {
            ended = work => ended,
            () = heartbeat(app, worker, job) => return JobEnd::Lost,
        }
    };
    ended.unwrap_or_else(|error| {
        // The lease runs out and the job is done again: that is what at-least-once is for.
        tracing::warn!(code = error.code(), kind = job.kind, "the end of a job could not be recorded");
        JobEnd::Lost
    })
}

async fn attempt(app: &Arc<App>, handler: Option<&Arc<dyn Handler>>, job: &Job, lost: bool) -> Result<(), Failure> {
    if lost {
        return Err(Failure::Permanent(WORKER_LOST));
    }
    let handler = handler.ok_or(Failure::Transient("NO_HANDLER"))?;
    let ctx = RequestContext::system(Arc::clone(app), job.facility, "job");
    let outcome = handler.run(ctx.clone(), job).await;
    match (outcome, ctx.finish().await) {
        (Ok(()), Err(error)) => Err(Failure::Fault(error)),
        (outcome, _) => outcome,
    }
}

/// Extends the lease until the job is lost to another worker.
async fn heartbeat(app: &App, worker: &str, job: &Job) {
    let mut beat = tokio::time::interval(Duration::from_secs(LEASE_SECONDS / 3));
    beat.tick().await;
    loop {
        beat.tick().await;
        match queue::extend(app, worker, job, lease()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(code = error.code(), "a lease could not be extended"),
        }
    }
}

async fn give_back(
    app: &Arc<App>,
    handler: Option<&Arc<dyn Handler>>,
    worker: &str,
    job: &Job,
    failure: Failure,
) -> Result<JobEnd, Error> {
    let (code, permanent) = match failure {
        Failure::Transient(code) => (code, false),
        Failure::Permanent(code) => (code, true),
        Failure::Fault(error) => {
            crate::graphql::errors::log_fault(&error, crate::ids::TypedId::uuid(job.id));
            (error.code(), false)
        }
    };
    let again = (!permanent && job.attempt < job.max_attempts).then(|| back_off(job.attempt));
    tracing::warn!(kind = job.kind, attempt = job.attempt, code, dead = again.is_none(), "a job failed");
    if let (None, Some(handler)) = (again, handler) {
        lay_down(app, handler.as_ref(), job, code).await?;
    }
    queue::fail(app, worker, job, code, again).await?;
    Ok(if again.is_some() { JobEnd::Retried } else { JobEnd::Dead })
}

/// Lets the handler say what became of it. While the database is away nothing is recorded: the lease runs out and
/// it is tried again. Any other fault must not keep a dead job from being seen.
async fn lay_down(app: &Arc<App>, handler: &dyn Handler, job: &Job, code: &'static str) -> Result<(), Error> {
    let ctx = RequestContext::system(Arc::clone(app), job.facility, "job");
    let said = handler.died(ctx.clone(), job, code).await;
    match said.and(ctx.finish().await) {
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(error) => {
            crate::graphql::errors::log_fault(&error, crate::ids::TypedId::uuid(job.id));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// 5 s, 10 s, 20 s … up to an hour.
fn back_off(attempt: i32) -> TimeDelta {
    let doublings = u32::try_from(attempt.clamp(1, 12)).unwrap_or(1) - 1;
    TimeDelta::seconds((BACK_OFF_SECONDS << doublings).min(MAX_BACK_OFF_SECONDS))
}
