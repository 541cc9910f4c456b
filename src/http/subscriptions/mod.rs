//! Operations that answer more than once: over a websocket, and as server-sent events where networks let no websocket
//! through. Both run any operation, under the limits of the plain route.
//!
//! Each operation runs in a task of its own and reads on only when its last answer was taken: a client that does not receive
//! holds up its own answers, and never a connection to the database or another operation.

pub(super) mod sse;
pub(super) mod websocket;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{Request, Response as GraphqlResponse};
use futures::stream::{BoxStream, Stream, StreamExt as _, unfold};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::Edge;
use super::graphql::{failed, outcome_of, sealed};
use crate::access::{ContextParts, RequestContext};
use crate::domains::identity::graphql::Cookies;
use crate::error::{Error, Result};
use crate::graphql::loaders::batched_stream;
use crate::graphql::observe::Observed;

/// Runs an operation: every answer of it, each after what it read is on record.
pub(super) fn answers(edge: &Edge, ctx: RequestContext, request: Request) -> BoxStream<'static, GraphqlResponse> {
    let observed = Observed::default();
    // An operation of this kind sets no cookies: its headers have been sent long before.
    let request = request.data(ctx.clone()).data(Cookies::default()).data(observed.clone());
    let schema = edge.schema.clone();
    let operation = batched_stream(move |loads| schema.execute_stream(request.data(loads)));
    let limit = Duration::from_secs(edge.app.config.request_seconds);
    let mut running = Running {
        operation: operation.boxed(),
        ctx,
        observed,
        edge: edge.clone(),
        begun: Instant::now(),
        limit: Some(limit),
        over: false,
    };
    let request_id = running.ctx.parts().request_id;
    let (told, taken) = mpsc::channel(1);
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok(place) = told.reserve().await {
            match running.next().await {
                Some(answer) => place.send(answer),
                None => return,
            }
        }
    }));
    unfold(Some((taken, task)), move |state| async move {
        let (mut taken, task) = state?;
        match taken.recv().await {
            Some(answer) => Some((answer, Some((taken, task)))),
            None if task.await.is_ok() => None,
            None => Some((sealed(failed(Error::internal("an operation panicked")), request_id), None)),
        }
    })
    .boxed()
}

/// One denial, as an operation would answer it.
fn refused(error: Error) -> BoxStream<'static, GraphqlResponse> {
    futures::stream::once(async move { sealed(failed(error), Uuid::now_v7()) }).boxed()
}

struct Running<S> {
    operation: S,
    ctx: RequestContext,
    observed: Observed,
    edge: Edge,
    begun: Instant,
    /// Of the first answer: a subscription says at once that it listens, and anything else has no second.
    limit: Option<Duration>,
    over: bool,
}

impl<S: Stream<Item = GraphqlResponse> + Unpin> Running<S> {
    async fn next(&mut self) -> Option<GraphqlResponse> {
        if self.over {
            return None;
        }
        let (answer, ended) = match self.limit.take() {
            None => (self.operation.next().await, self.ctx.finish().await),
            Some(limit) => self.first(limit).await,
        };
        let request_id = self.ctx.parts().request_id;
        match ended {
            Ok(()) => answer.map(|answer| sealed(answer, request_id)),
            Err(error) => {
                // What was read is not on record: it is not shown.
                self.over = true;
                Some(sealed(failed(error), request_id))
            }
        }
    }

    /// The first answer, within its limit.
    async fn first(&mut self, limit: Duration) -> (Option<GraphqlResponse>, Result<()>) {
        let Ok(answer) = tokio::time::timeout(limit, self.operation.next()).await else {
            self.over = true;
            return (Some(failed(Error::Timeout)), self.ctx.abandon().await);
        };
        if let Some(answer) = &answer {
            self.count(answer);
        }
        (answer, self.ctx.finish().await)
    }

    fn count(&self, answer: &GraphqlResponse) {
        self.edge.app.metrics.operation(self.observed.kind(), outcome_of(answer), self.begun.elapsed(), 0);
    }
}

/// The same caller, in an operation of its own.
fn another(parts: &ContextParts) -> ContextParts {
    ContextParts { request_id: Uuid::now_v7(), ..parts.clone() }
}

/// Counts a connection while it is open.
struct Open(Arc<crate::app::App>, &'static str);

impl Open {
    fn new(edge: &Edge, transport: &'static str) -> Self {
        edge.app.metrics.connected(transport, 1);
        Self(Arc::clone(&edge.app), transport)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connected(self.1, -1);
    }
}
