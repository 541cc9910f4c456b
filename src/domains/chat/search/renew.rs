//! Bringing messages over to the model that serves, once another does: until then they are found by their words.

use std::convert::Infallible;

use super::{index_later, repository};
use crate::access::RequestContext;
use crate::domains::chat::policy;
use crate::domains::documents::processing::models;
use crate::error::{Error, Result, Stop};

/// Messages queued at a time; the next turn goes on.
const BATCH: i64 = 5000;

/// Queues messages whose vectors are of a model that serves no more. Says how many.
///
/// # Errors
/// A fault.
pub async fn renew(ctx: &RequestContext) -> Result<usize> {
    let read = ctx.read(&policy::INDEX).await?;
    let model = models::serving(read.db()?).await?.id;
    let due = !repository::outdated(read.db()?, ctx.facility(), model, 1).await?.is_empty();
    drop(read);
    ctx.finish().await?;
    if !due {
        // A facility where nothing is to be done gets no audit row either.
        return Ok(0);
    }
    let queued = ctx
        .write(&policy::INDEX)
        .run::<usize, Infallible, _, _>(|tx| async move {
            let outdated = repository::outdated(tx.db()?, tx.ctx().facility(), model, BATCH).await?;
            for message in &outdated {
                index_later(&tx, *message).await?;
            }
            tx.audit(crate::access::Subject::default(), serde_json::json!({ "renewed": outdated.len() }));
            Ok(outdated.len())
        })
        .await;
    queued.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("the queue was refused"),
    })
}
