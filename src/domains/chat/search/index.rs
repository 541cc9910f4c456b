//! The job that brings a message into search. Doing it twice leaves what doing it once leaves.

use std::convert::Infallible;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::repository::{self, Indexed};
use crate::access::{RequestContext, Subject};
use crate::domains::chat::model::{Message, MessageSensitivity};
use crate::domains::chat::{messages, policy};
use crate::domains::documents::processing::{self, models};
use crate::embedding::Priority;
use crate::error::{Error, Stop};
use crate::ids::MessageId;
use crate::jobs::{Failure, Handler, Job};

/// Shorter texts mean too little to be compared.
const MIN_WORDS: usize = 3;

pub(super) struct Index;

impl Handler for Index {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move { index(&ctx, job.about("messageId")?).await }.boxed()
    }
}

async fn index(ctx: &RequestContext, id: MessageId) -> Result<(), Failure> {
    let read = ctx.read(&policy::INDEX).await?;
    let found = messages::service::to_be_indexed(&read, id).await?;
    let Some((message, text)) = found else {
        ctx.finish().await?;
        return Ok(());
    };
    // PostgreSQL's text knows no NUL.
    let text = text.into_revealed().replace('\0', " ");
    let keys = read.keys().await?;
    let terms = processing::terms_of(read.db()?, &keys, &[text.as_str()]).await?.pop().unwrap_or_default();
    let model = models::serving(read.db()?).await?;
    drop(read);
    // The transaction is given up before the long work: the database ends idle ones.
    ctx.finish().await?;
    let meaningful = message.sensitivity == MessageSensitivity::Normal && text.split_whitespace().count() >= MIN_WORDS;
    let embedded = if meaningful { embed(ctx, &model, text).await } else { Ok(None) };
    let (vector, failure) = match embedded {
        Ok(vector) => (vector.map(|vector| (model.id, vector)), None),
        Err(failure) => (None, Some(failure)),
    };
    // What can be found by its words is, also while the model is away.
    store(ctx, &message, Indexed { terms, vector }).await?;
    failure.map_or(Ok(()), Err)
}

async fn embed(ctx: &RequestContext, model: &models::Model, text: String) -> Result<Option<Vec<f32>>, Failure> {
    let provider = models::provider(ctx.app(), model)?;
    let vectors = provider.embed(vec![text], Priority::Document).await;
    let vectors = vectors.map_err(|error| {
        tracing::warn!(%error, "a message could not be embedded");
        Failure::Transient("EMBEDDING_UNAVAILABLE")
    })?;
    Ok(vectors.into_iter().next())
}

/// Stores what a message is found by, unless it changed meanwhile: then another job is about it.
async fn store(ctx: &RequestContext, message: &Message, indexed: Indexed) -> Result<(), Failure> {
    let (id, conversation, version) = (message.id, message.conversation, message.version);
    let stored = ctx
        .write(&policy::INDEX)
        .run::<(), Infallible, _, _>(|tx| async move {
            repository::store(tx.db()?, tx.ctx().facility(), id, conversation, version, indexed).await?;
            tx.audit(Subject::of(id), json!({}));
            Ok(())
        })
        .await;
    stored.map_err(|stop| match stop {
        Stop::Error(error) => error.into(),
        Stop::Refused(_) => Error::internal("a job was refused").into(),
    })
}
