//! Removing files that no document names: what a killed process left behind.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures::TryStreamExt as _;

use crate::access::RequestContext;
use crate::domains::documents::{policy, processing, repository};
use crate::error::{Error, Result};

/// No upload takes that long, so what is older and has no row never gets one.
const GRACE_HOURS: i64 = 24;
/// Objects looked up at once.
const BATCH: usize = 500;

/// Sees to the cells by which a large facility is searched, however its passages came; gives how many jobs it queued.
///
/// # Errors
/// A fault of the database.
pub async fn look_after_search(ctx: &RequestContext) -> Result<usize> {
    processing::look_after(ctx).await
}

/// Removes objects of the context's facility that are older than 24 hours and named by no document and no export that is still kept, and parts of
/// uploads that old; gives how many. For a context of the server itself.
///
/// After a restore of an older database, hold it back: files of documents that are in no row any more would go.
///
/// # Errors
/// A fault of the store or the database.
pub async fn sweep_orphans(ctx: &RequestContext) -> Result<usize> {
    let before = ctx.now() - TimeDelta::hours(GRACE_HOURS);
    let (facility, storage) = (ctx.facility(), &ctx.app().storage);
    let mut removed = storage.remove_parts_before(facility, before).await?;
    let mut old = storage.stored_before(facility, before).try_chunks(BATCH);
    while let Some(keys) = old.try_next().await.map_err(|failed| Error::from(failed.1))? {
        let read = ctx.read(&policy::SWEEP).await?;
        let named = repository::named_objects(read.db()?, facility, &keys, ctx.now()).await?;
        drop(read);
        // A snapshot for each batch, and no connection held while objects are removed.
        ctx.finish().await?;
        let named: HashSet<String> = named.into_iter().collect();
        for key in keys.iter().filter(|key| !named.contains(*key)) {
            storage.delete(key).await?;
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, "files without a document were removed");
    }
    Ok(removed)
}
