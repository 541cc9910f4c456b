//! Jobs in the API: translation only.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::{JobRow, JobState, Refusal};
use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::node::Node;
use crate::graphql::payload::{payload, user_error};
use crate::graphql::request::{once, request};
use crate::ids::{JobId, TypedId as _};
use crate::pagination::PageRequest;

/// A background job. What it is about is shown to nobody. Needs `operations.jobs.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct Job {
    /// Opaque id.
    pub id: JobId,
    /// What it does, as `domain.verb`.
    pub kind: String,
    /// How it stands.
    pub state: JobState,
    /// How often it was tried since it was last queued.
    pub attempts: i32,
    /// Code of the last failure; null when it has not failed.
    pub last_error: Option<String>,
    /// When it was first queued.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        let JobRow { id, kind, state, attempts, last_error, created_at, updated_at } = row;
        Self { id, kind, state, attempts, last_error, created_at, updated_at }
    }
}

connection!(JobConnection, JobEdge, Job, "background jobs");

user_error!(
    /// Why an operation on a job was refused.
    JobUserError(Refusal)
);

payload!(
    /// What became of having a job tried again.
    JobRetryPayload {
        /// Id of the job; null when refused.
        id: JobId,
    } or JobUserError
);

payload!(
    /// What became of giving up a job.
    JobDiscardPayload {
        /// Id of the job, which is gone; null when refused.
        id: JobId,
    } or JobUserError
);

/// Which job is to be tried again.
#[derive(Debug, InputObject)]
pub struct JobRetryInput {
    /// The dead job.
    pub id: JobId,
    /// Makes a repetition of this request do nothing more: 1 to 200 characters of your own, kept for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Which job is given up.
#[derive(Debug, InputObject)]
pub struct JobDiscardInput {
    /// The dead job.
    pub id: JobId,
    /// Makes a repetition of this request do nothing more: 1 to 200 characters of your own, kept for 24 hours.
    pub idempotency_key: Option<String>,
}

/// The object with an id of this kind, for `node`; `None` when the kind is of another domain.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    if prefix != JobId::PREFIX {
        return None;
    }
    Some(service::job(ctx, JobId::from_uuid(id)).await.map(|row| Node::Job(row.into())))
}

#[derive(Debug, Default)]
pub struct OperationsQuery;

#[Object]
impl OperationsQuery {
    /// Jobs that failed for good, the newest first: those of the facility, or of the platform where no facility is
    /// chosen. Needs `operations.jobs.read`, for the platform `operations.platform_jobs.read`.
    async fn dead_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Jobs to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<JobConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::list_dead_jobs(request, page).await?.map(Job::from);
        let counted = ctx.look_ahead().field("totalCount").exists();
        let total = if counted { Some(service::count_dead_jobs(request).await?) } else { None };
        Ok(JobConnection::new(found, page.after.is_some(), total, |job| job.id.encode()))
    }
}

#[derive(Debug, Default)]
pub struct OperationsMutation;

#[Object]
impl OperationsMutation {
    /// Has a dead job tried again, at once and with all its attempts before it. Needs `operations.jobs.retry`, for
    /// the platform `operations.platform_jobs.retry`.
    async fn job_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which job.")] input: JobRetryInput,
    ) -> Result<JobRetryPayload> {
        let once = once(ctx, input.idempotency_key)?;
        match service::retry_job(request(ctx)?, input.id, once).await {
            Ok(id) => Ok(JobRetryPayload::done(id)),
            Err(stop) => JobRetryPayload::refused(stop),
        }
    }

    /// Gives up a dead job: what it was to do is not done. Needs `operations.jobs.discard`, for the platform
    /// `operations.platform_jobs.discard`.
    async fn job_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which job.")] input: JobDiscardInput,
    ) -> Result<JobDiscardPayload> {
        let once = once(ctx, input.idempotency_key)?;
        match service::discard_job(request(ctx)?, input.id, once).await {
            Ok(id) => Ok(JobDiscardPayload::done(id)),
            Err(stop) => JobDiscardPayload::refused(stop),
        }
    }
}
