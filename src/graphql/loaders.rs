//! How edges are loaded: one statement for all parents of a level of the answer.
//!
//! A resolver asks with [`load_one`] or [`load_many`] and waits. When everything of the operation waits, all that was
//! asked of one [`Loader`] is one batch; the batches of a level run side by side in the task of the request, and are
//! delivered together when the last of them has ended. So the statements of an operation depend on its shape alone,
//! not on how many rows there are, how slow the machine is or which batch was faster; and batches end with a request
//! that is cancelled. There is no timer, and nothing is kept between levels: what changed in between is read anew.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use async_graphql::Context;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::channel::oneshot;
use futures::future::{BoxFuture, FutureExt as _, Shared};
use futures::stream::{FuturesUnordered, Stream, StreamExt as _};
use futures::task::AtomicWaker;

use crate::access::RequestContext;
use crate::error::{Error, Result};
use crate::graphql::request::request;

/// A loader's error: every edge of the batch gets the same one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub Arc<Error>);

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// What can be looked up for many keys at once.
pub trait Loader: 'static {
    /// What is asked with.
    type Key: Hash + Eq + Clone + Send + Sync + 'static;
    /// What is answered; each asker gets a copy.
    type Value: Clone + Send + Sync + 'static;

    /// What there is for `keys`, which are distinct; a key without a value is left out.
    ///
    /// # Errors
    /// The service's; all that asked get it.
    fn load(
        ctx: &RequestContext,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>>> + Send;
}

/// What the loader has for one key; none when there is nothing.
///
/// # Errors
/// The loader's.
pub async fn load_one<L: Loader>(ctx: &Context<'_>, key: L::Key) -> Result<Option<L::Value>, LoadError> {
    let found = ask::<L>(ctx, vec![key.clone()]).await?;
    Ok(found.get(&key).cloned())
}

/// What the loader has for some keys, in their order; those with nothing are left out.
///
/// # Errors
/// The loader's.
pub async fn load_many<L: Loader>(ctx: &Context<'_>, keys: Vec<L::Key>) -> Result<Vec<L::Value>, LoadError> {
    let found = ask::<L>(ctx, keys.clone()).await?;
    Ok(keys.iter().filter_map(|key| found.get(key).cloned()).collect())
}

async fn ask<L: Loader>(ctx: &Context<'_>, keys: Vec<L::Key>) -> Answer<L::Key, L::Value> {
    let caller = request(ctx)?.clone();
    let load = move |keys: Vec<L::Key>| async move { L::load(&caller, &keys).await }.boxed();
    ctx.data_unchecked::<Loads>().ask(TypeId::of::<L>(), keys, load).await
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

/// Rows by what they belong to.
pub fn grouped<K: Hash + Eq, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

type Answer<K, V> = Result<Arc<HashMap<K, V>>, LoadError>;
/// Tells all that asked.
type Delivery = Box<dyn FnOnce() + Send>;
type Batch = BoxFuture<'static, Delivery>;

/// What has been asked of one loader and not been started.
struct Round<K, V> {
    keys: HashSet<K>,
    answer: Shared<oneshot::Receiver<Answer<K, V>>>,
}

/// Where the resolvers of one operation ask.
#[derive(Clone)]
pub struct Loads {
    /// The open round of each loader, by the loader's type.
    open: Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>,
    batches: UnboundedSender<Batch>,
}

impl Loads {
    /// Puts the keys into the loader's open round, or opens one.
    async fn ask<K, V>(
        &self,
        loader: TypeId,
        keys: Vec<K>,
        load: impl FnOnce(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>>> + Send + 'static,
    ) -> Answer<K, V>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let answer = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let round = open.entry(loader).or_insert_with(|| Box::new(self.begin::<K, V>(loader, load)));
            round.downcast_mut::<Round<K, V>>().map(|round| {
                round.keys.extend(keys);
                round.answer.clone()
            })
        };
        match answer {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(lost())),
            None => Err(lost()),
        }
    }

    fn begin<K, V>(
        &self,
        loader: TypeId,
        load: impl FnOnce(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>>> + Send + 'static,
    ) -> Round<K, V>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let (tell, answer) = oneshot::channel();
        let open = Arc::clone(&self.open);
        let batch = async move {
            let round = open.lock().unwrap_or_else(PoisonError::into_inner).remove(&loader);
            let keys = round.and_then(|round| round.downcast::<Round<K, V>>().ok()).map(|round| round.keys);
            let found = load(keys.unwrap_or_default().into_iter().collect()).await;
            let found = found.map(Arc::new).map_err(LoadError::from);
            let delivery: Delivery = Box::new(move || drop(tell.send(found)));
            delivery
        };
        // Nobody receives any more when the operation is over, and nobody waits for the batch either.
        drop(self.batches.unbounded_send(batch.boxed()));
        Round { keys: HashSet::new(), answer: answer.shared() }
    }
}

/// A batch went away before it answered; only a request that is over sees this.
fn lost() -> LoadError {
    Error::internal("a batch of a loader was lost").into()
}

/// Whether the operation has something to do.
struct Stirred {
    flag: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Stirred {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// Runs an operation together with the batches of its loaders. `operation` is given the [`Loads`] to put into its
/// request.
pub async fn batched<T, F: Future<Output = T>>(operation: impl FnOnce(Loads) -> F) -> T {
    let mut answers = pin!(batched_stream(|loads| futures::stream::once(operation(loads))));
    loop {
        if let Some(answer) = answers.next().await {
            return answer;
        }
    }
}

/// The same for an operation that answers more than once.
pub fn batched_stream<S: Stream>(operation: impl FnOnce(Loads) -> S) -> impl Stream<Item = S::Item> {
    let (batches, mut begun) = unbounded();
    let mut operation = Box::pin(operation(Loads { open: Arc::default(), batches }));
    let stirred = Arc::new(Stirred { flag: AtomicBool::new(true), task: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&stirred));
    let mut level = Level::default();
    futures::stream::poll_fn(move |cx| {
        stirred.task.register(cx.waker());
        loop {
            while stirred.flag.swap(false, Ordering::AcqRel) {
                // A pause in favour of other tasks would look like waiting, and cut a level in two.
                let next = pin!(tokio::task::unconstrained(operation.next()));
                if let Poll::Ready(output) = next.poll(&mut TaskContext::from_waker(&waker)) {
                    // It may have more to say at once.
                    stirred.flag.store(true, Ordering::Release);
                    return Poll::Ready(output);
                }
            }
            // The operation waits: everything it could ask for now has been asked.
            if !level.advance(&mut begun, cx) {
                return Poll::Pending;
            }
        }
    })
}

/// The batches asked for at one level of the answer.
#[derive(Default)]
struct Level {
    running: FuturesUnordered<Batch>,
    ended: Vec<Delivery>,
}

impl Level {
    /// Runs the batches as far as they go; once all have ended, delivers what they found and says so.
    fn advance(&mut self, begun: &mut UnboundedReceiver<Batch>, cx: &mut TaskContext<'_>) -> bool {
        while let Poll::Ready(Some(batch)) = begun.poll_next_unpin(cx) {
            self.running.push(batch);
        }
        while let Poll::Ready(Some(delivery)) = self.running.poll_next_unpin(cx) {
            self.ended.push(delivery);
        }
        let over = self.running.is_empty() && !self.ended.is_empty();
        if over {
            self.ended.drain(..).for_each(|deliver| deliver());
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;

    use super::*;

    /// Asks for the double of a number; `batches` counts how often that was looked up.
    async fn double(loads: &Loads, batches: &Arc<AtomicUsize>, key: usize) -> usize {
        let batches = Arc::clone(batches);
        let load = move |keys: Vec<usize>| {
            batches.fetch_add(1, Ordering::SeqCst);
            async move { Ok(keys.into_iter().map(|key| (key, key * 2)).collect()) }.boxed()
        };
        loads.ask(TypeId::of::<usize>(), vec![key], load).await.unwrap()[&key]
    }

    #[tokio::test]
    async fn resolvers_of_one_level_share_a_batch_however_many() {
        for many in [1, 20, 1000] {
            let batches = Arc::new(AtomicUsize::new(0));
            let doubled =
                batched(async |loads| join_all((0..many).map(|key| double(&loads, &batches, key))).await).await;
            assert_eq!(doubled, (0..many).map(|key| key * 2).collect::<Vec<_>>());
            assert_eq!(batches.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test]
    async fn a_level_below_is_a_batch_of_its_own() {
        let batches = Arc::new(AtomicUsize::new(0));
        let doubled = batched(async |loads| {
            let twice = async |key| double(&loads, &batches, double(&loads, &batches, key).await).await;
            join_all((1..500).map(twice)).await
        })
        .await;
        assert_eq!(doubled, (1..500).map(|key| key * 4).collect::<Vec<_>>());
        assert_eq!(batches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_slow_batch_holds_up_the_level_so_that_what_follows_is_one_batch() {
        let batches = Arc::new(AtomicUsize::new(0));
        let doubled = batched(async |loads| {
            let after = async |key, slow: bool| {
                let load = move |keys: Vec<u8>| {
                    async move {
                        if slow {
                            tokio::task::yield_now().await;
                        }
                        Ok(keys.into_iter().map(|key| (key, ())).collect())
                    }
                    .boxed()
                };
                let loader = if slow { TypeId::of::<u8>() } else { TypeId::of::<u16>() };
                loads.ask(loader, vec![0], load).await.unwrap();
                double(&loads, &batches, key).await
            };
            join_all((0..50).map(|key| after(key, key % 2 == 0))).await
        })
        .await;
        assert_eq!(doubled.len(), 50);
        assert_eq!(batches.load(Ordering::SeqCst), 1);
    }
}
