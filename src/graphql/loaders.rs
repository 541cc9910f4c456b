//! What loaders share: their error, and how the batches of a request run.
//!
//! A batch is handed to [`spawn`] and run by [`batched`] in the task of the request itself, and only while the
//! resolvers wait: all that ask at one level of the answer are in one batch, however many they are and however
//! slow the machine. A batch run by another task would start on a timer, with as many keys as were there by
//! then. Batches also end with a request that is cancelled.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_graphql::Context;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};

use crate::error::Error;

/// A loader's error: every edge of the batch gets the same one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub Arc<Error>);

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// An edge that is null with its error told beside it, as the specification wants of a nullable field. Left to
/// itself, async-graphql 7 leaves the field out of the data.
pub fn or_null<T>(ctx: &Context<'_>, outcome: Result<T, LoadError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let error = async_graphql::Error::from(error).into_server_error(ctx.item.pos);
            ctx.add_error(ctx.set_error_path(error));
            None
        }
    }
}

tokio::task_local! {
    /// Where the loaders of the request being answered put their batches.
    static BATCHES: UnboundedSender<BoxFuture<'static, ()>>;
}

/// How loaders start a batch: `DataLoader::new(loader, spawn)`.
pub fn spawn(batch: BoxFuture<'static, ()>) {
    match BATCHES.try_with(Clone::clone) {
        // Nobody receives any more when the request is over, and nobody waits for the batch either.
        Ok(batches) => drop(batches.unbounded_send(batch)),
        Err(_) => drop(tokio::spawn(batch)),
    }
}

/// Runs an operation together with the batches of its loaders.
pub async fn batched<T>(operation: impl Future<Output = T>) -> T {
    let (sender, mut started) = unbounded();
    let mut running = FuturesUnordered::new();
    let mut operation = pin!(operation);
    let both = poll_fn(|cx| {
        if let Poll::Ready(output) = operation.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        // The operation waits: everything it could ask for now has been asked.
        while let Poll::Ready(Some(batch)) = started.poll_next_unpin(cx) {
            running.push(batch);
        }
        while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {}
        Poll::Pending
    });
    BATCHES.scope(sender, both).await
}

#[cfg(test)]
mod tests {

    use std::collections::HashMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use async_graphql::dataloader::{DataLoader, Loader};

    use super::{LoadError, batched, spawn};

    struct Doubling(Arc<AtomicUsize>);

    #[async_graphql::async_trait::async_trait]
    impl Loader<u32> for Doubling {
        type Value = u32;
        type Error = LoadError;

        async fn load(&self, keys: &[u32]) -> Result<HashMap<u32, u32>, LoadError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(keys.iter().map(|key| (*key, key * 2)).collect())
        }
    }

    #[tokio::test]
    async fn slow_resolvers_of_one_level_share_a_batch() {
        let batches = Arc::new(AtomicUsize::new(0));
        let loader = DataLoader::new(Doubling(Arc::clone(&batches)), spawn);
        let ask = async |key: u32| {
            // Longer than the loader waits for more keys before it starts.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(2) {
                std::hint::spin_loop();
            }
            loader.load_one(key).await.unwrap()
        };
        let doubled = batched(futures::future::join_all((0..20).map(ask))).await;
        assert_eq!(doubled, (0..20).map(|key| Some(key * 2)).collect::<Vec<_>>());
        assert_eq!(batches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_level_below_is_a_batch_of_its_own() {
        let batches = Arc::new(AtomicUsize::new(0));
        let loader = DataLoader::new(Doubling(Arc::clone(&batches)), spawn);
        let ask = async |key: u32| {
            let once = loader.load_one(key).await.unwrap().unwrap();
            loader.load_one(once).await.unwrap()
        };
        let doubled = batched(futures::future::join_all((1..50).map(ask))).await;
        assert_eq!(doubled, (1..50).map(|key| Some(key * 4)).collect::<Vec<_>>());
        assert_eq!(batches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_loader_outside_a_request_still_answers() {
        let loader = DataLoader::new(Doubling(Arc::default()), spawn);
        assert_eq!(loader.load_one(21).await.unwrap(), Some(42));
    }
}
