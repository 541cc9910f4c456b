//! Removing conversations that have been kept long enough.

use std::convert::Infallible;

use chrono::TimeDelta;
use serde_json::json;

use super::repository;
use crate::access::RequestContext;
use crate::domains::chat::conversations::service::subject;
use crate::domains::chat::policy;
use crate::domains::facilities;
use crate::error::{Error, Result, Stop};
use crate::ids::ConversationId;

/// Conversations removed in one transaction; the next turn goes on.
const BATCH: i64 = 100;

/// Removes conversations that were completed longer ago than the facility keeps them, unless a legal hold lasts. Each
/// leaves a row in the audit log. Says how many.
///
/// # Errors
/// A fault.
pub async fn sweep(ctx: &RequestContext) -> Result<usize> {
    let read = ctx.read(&policy::RETAIN).await?;
    let days = facilities::service::settings_of(&read).await?.conversation_retention_days;
    let before = ctx.now() - TimeDelta::days(i64::from(days));
    let due = days > 0 && !repository::overdue(read.db()?, ctx.facility(), before, 1, false).await?.is_empty();
    drop(read);
    ctx.finish().await?;
    if !due {
        // A facility where nothing happened gets no audit row either.
        return Ok(0);
    }
    let removed = ctx
        .write(&policy::RETAIN)
        .run::<usize, Infallible, _, _>(|tx| async move {
            let (db, facility) = (tx.db()?, tx.ctx().facility());
            let overdue = repository::overdue(db, facility, before, BATCH, true).await?;
            let ids: Vec<ConversationId> = overdue.iter().map(|found| found.id).collect();
            repository::remove(db, facility, &ids).await?;
            for found in &overdue {
                tx.audit(subject(found.id, found.patient_id), json!({ "removed": "kept long enough" }));
            }
            Ok(ids.len())
        })
        .await;
    removed.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("the sweep was refused"),
    })
}
