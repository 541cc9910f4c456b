//! The jobs around a change of the embedding model.

use std::convert::Infallible;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::{cells, fault, models, passages, repository, unembedded};
use crate::access::{RequestContext, Subject};
use crate::domains::documents::policy;
use crate::error::Result;
use crate::ids::ChunkId;
use crate::jobs::{Failure, Handler, Job};
use crate::phi::Phi;

/// Passages given vectors in one transaction.
const BATCH: i64 = 128;

/// Gives the passages of a facility vectors of the model being prepared. What is done stays done: a job that was
/// stopped goes on with the passages that still lack one.
pub(super) struct Reembed;
/// Removes the vectors of a retired model from a facility.
pub(super) struct DropVectors;

impl Handler for Reembed {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        reembed(ctx, job).boxed()
    }
}

impl Handler for DropVectors {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        drop_vectors(ctx, job).boxed()
    }
}

async fn state(ctx: &RequestContext, id: i16) -> Result<Option<models::Model>> {
    let read = ctx.read(&policy::REEMBED).await?;
    let model = models::find(read.db()?, id).await?;
    ctx.finish().await?;
    Ok(model)
}

async fn reembed(ctx: RequestContext, job: &Job) -> Result<(), Failure> {
    let id = job.about("modelId")?;
    let Some(model) = state(&ctx, id).await?.filter(|model| model.state == "preparing") else { return Ok(()) };
    // Another process may be the one with the model: it takes the job later.
    let provider = models::provider(ctx.app(), &model).map_err(|_| Failure::Transient("MODEL_NOT_HERE"))?;
    let mut after = None;
    loop {
        let texts = next_texts(&ctx, id, after).await?;
        let Some((last, _)) = texts.last() else { break };
        after = Some(*last);
        let vectors = {
            let texts: Vec<&str> = texts.iter().map(|(_, text)| text.reveal_str()).collect();
            passages::embed(&*provider, &texts).await.map_err(|error| unembedded(&error))?
        };
        let vectors = texts.into_iter().map(|(chunk, _)| chunk).zip(vectors).collect();
        store(&ctx, id, vectors).await?;
    }
    if models::promote_if_complete(ctx.app(), id).await? {
        tracing::info!(model = model.name, "an embedding model serves from now on");
    }
    Ok(())
}

async fn next_texts(ctx: &RequestContext, model: i16, after: Option<ChunkId>) -> Result<Vec<(ChunkId, Phi<String>)>> {
    let read = ctx.read(&policy::REEMBED).await?;
    let rows = repository::lacking(read.db()?, ctx.facility(), model, after, BATCH).await?;
    let texts = if rows.is_empty() {
        Vec::new()
    } else {
        let keys = read.keys().await?;
        let opened =
            rows.into_iter().map(|row| Ok((row.id, passages::open_text(&keys, row.id, &row.text_ciphertext)?)));
        opened.collect::<Result<_>>()?
    };
    // The transaction is given up before the long work: the database ends idle ones.
    ctx.finish().await?;
    Ok(texts)
}

async fn store(ctx: &RequestContext, model: i16, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()> {
    let stored = ctx
        .write(&policy::REEMBED)
        .run::<(), Infallible, _, _>(|tx| async move {
            let count = vectors.len();
            repository::insert_vectors(tx.db()?, tx.ctx().facility(), model, vectors).await?;
            cells::divide_if_due(&tx, model).await?;
            tx.audit(Subject::default(), json!({ "model": model, "passages": count }));
            Ok(())
        })
        .await;
    stored.map_err(fault)
}

async fn drop_vectors(ctx: RequestContext, job: &Job) -> Result<(), Failure> {
    let id = job.about("modelId")?;
    loop {
        let dropped = ctx
            .write(&policy::REEMBED)
            .run::<usize, Infallible, _, _>(|tx| async move {
                let db = tx.db()?;
                // A model that was called back from retirement keeps what it has.
                let in_use = models::hold(db).await?.iter().any(|held| held.id == id);
                let dropped = if in_use { 0 } else { repository::drop_vectors(db, tx.ctx().facility(), id).await? };
                if !in_use && dropped == 0 {
                    cells::forget(db, tx.ctx().facility(), id).await?;
                }
                tx.audit(Subject::default(), json!({ "model": id, "dropped": dropped }));
                Ok(dropped)
            })
            .await
            .map_err(fault)?;
        if dropped == 0 {
            return Ok(());
        }
    }
}
