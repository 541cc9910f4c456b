//! A lane: texts of many requests, worked on in batches by one operating-system thread.
//!
//! Requests are served a text each in turn, so that a document of a thousand passages does not hold up one of
//! ten. A request whose caller has gone is dropped, with what is left of it. Nothing here knows about models;
//! the work is a function from texts to vectors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::EmbeddingError;

/// What a lane does with a batch: one vector per text, in order.
pub(super) type Work = Box<dyn Fn(&[&str]) -> Result<Vec<Vec<f32>>, EmbeddingError> + Send>;

type Answer = Result<Vec<Vec<f32>>, EmbeddingError>;

/// A lane. Dropping it lets its thread finish the batch under way and end; callers still waiting get
/// [`EmbeddingError::Stopped`].
pub(super) struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// The most texts that may wait.
    capacity: usize,
}

#[derive(Default)]
struct State {
    arrived: Vec<Request>,
    /// Texts not yet answered, those under way included.
    texts: usize,
    closed: bool,
}

/// The texts of one caller, and the vectors of those already done.
struct Request {
    texts: Vec<String>,
    done: Vec<Vec<f32>>,
    reply: oneshot::Sender<Answer>,
}

impl Lane {
    /// Starts a thread called `name` that gives `work` up to `batch` texts at a time.
    ///
    /// # Errors
    /// What the operating system says if it starts no thread.
    pub(super) fn start(name: &str, batch: usize, capacity: usize, work: Work) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), capacity });
        let worker = Arc::clone(&shared);
        std::thread::Builder::new().name(name.into()).spawn(move || worker.run(batch, &work))?;
        Ok(Self { shared })
    }

    /// Puts `texts` into the lane and waits for their vectors.
    ///
    /// # Errors
    /// [`EmbeddingError::Overloaded`] at once if the lane is full, [`EmbeddingError::Stopped`] if it is dropped,
    /// [`EmbeddingError::Failed`] if the work panics, and what the work itself answers.
    pub(super) async fn embed(&self, texts: Vec<String>) -> Answer {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            // A request larger than the lane gets in when the lane is empty: it could never run otherwise.
            if state.texts > 0 && state.texts + texts.len() > self.shared.capacity {
                return Err(EmbeddingError::Overloaded);
            }
            state.texts += texts.len();
            state.arrived.push(Request { texts, done: Vec::new(), reply });
        }
        self.shared.wake.notify_one();
        answer.await.unwrap_or(Err(EmbeddingError::Stopped))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one is still sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, batch: usize, work: &Work) {
        let mut active = Vec::new();
        while self.take_arrived(&mut active) {
            let mut off = drop_abandoned(&mut active);
            let finished = step(&mut active, batch, work, &mut off);
            off += drop_abandoned(&mut active);
            // Before the answers go out: whoever has one finds the room it took free again.
            self.lock().texts -= off;
            for (reply, answer) in finished {
                // The caller may have gone meanwhile; then nobody wants the answer.
                let _ = reply.send(answer);
            }
        }
    }

    /// Moves what has arrived into `active`, waiting for something if there is nothing to do. False once the lane
    /// is dropped.
    fn take_arrived(&self, active: &mut Vec<Request>) -> bool {
        let idle = active.is_empty();
        let mut state = self
            .wake
            .wait_while(self.lock(), |state| idle && state.arrived.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        active.append(&mut state.arrived);
        !state.closed
    }
}

/// Drops the requests whose callers have gone. Gives the number of texts that are off the queue with them.
fn drop_abandoned(active: &mut Vec<Request>) -> usize {
    active
        .extract_if(.., |request| request.reply.is_closed())
        .map(|request| request.texts.len() - request.done.len())
        .sum()
}

/// Works on one batch. Gives the requests that are done with, each with its answer; those that have more texts go
/// to the back. Adds to `off` the number of texts that are off the queue.
fn step(
    active: &mut Vec<Request>,
    batch: usize,
    work: &Work,
    off: &mut usize,
) -> Vec<(oneshot::Sender<Answer>, Answer)> {
    let shares = deal(active, batch);
    let answers = work_on(active, &shares, work);
    let served: Vec<Request> = active.drain(..shares.len()).collect();
    let mut finished = Vec::new();
    for (mut request, answer) in served.into_iter().zip(answers) {
        match answer {
            Ok(vectors) => {
                *off += vectors.len();
                request.done.extend(vectors);
                if request.done.len() < request.texts.len() {
                    active.push(request);
                } else {
                    finished.push((request.reply, Ok(request.done)));
                }
            }
            Err(error) => {
                *off += request.texts.len() - request.done.len();
                finished.push((request.reply, Err(error)));
            }
        }
    }
    finished
}

/// How many texts of each of the first requests go into the next batch: one of each in turn, from the front, until
/// the batch is full. Every number is at least 1.
fn deal(active: &[Request], batch: usize) -> Vec<usize> {
    let mut shares = vec![0; active.len().min(batch)];
    let mut room = batch;
    loop {
        let before = room;
        for (request, share) in active.iter().zip(&mut shares) {
            if room > 0 && request.done.len() + *share < request.texts.len() {
                *share += 1;
                room -= 1;
            }
        }
        if room == before {
            return shares;
        }
    }
}

/// One answer for each share. If the whole batch fails, each share is tried alone: one caller's text must not cost
/// another its vectors.
fn work_on(active: &[Request], shares: &[usize], work: &Work) -> Vec<Answer> {
    let parts: Vec<Vec<&str>> = active
        .iter()
        .zip(shares)
        .map(|(request, share)| request.texts[request.done.len()..][..*share].iter().map(String::as_str).collect())
        .collect();
    match attempt(work, &parts.concat()) {
        Ok(vectors) => {
            let mut vectors = vectors.into_iter();
            shares.iter().map(|share| Ok(vectors.by_ref().take(*share).collect())).collect()
        }
        Err(error) if parts.len() == 1 => vec![Err(error)],
        Err(_) => parts.iter().map(|part| attempt(work, part)).collect(),
    }
}

fn attempt(work: &Work, texts: &[&str]) -> Answer {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    // A panic is a defect of the model's code. It must not take the lane down with it: whoever asks next would
    // wait for ever.
    let vectors = catch_unwind(AssertUnwindSafe(|| work(texts))).unwrap_or(Err(EmbeddingError::Failed))?;
    if vectors.len() == texts.len() { Ok(vectors) } else { Err(EmbeddingError::Failed) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use futures::poll;

    use super::*;

    /// A lane whose work shows each batch and then waits to be told how it ends. A text stands for the number in
    /// it; `Err` and panics are asked for by the texts "bad" and "panic".
    struct Slow {
        lane: Lane,
        batches: Receiver<Vec<String>>,
        go: Sender<()>,
    }

    fn slow(batch: usize, capacity: usize) -> Slow {
        let (show, batches) = channel();
        let (go, wait) = channel();
        let work = move |texts: &[&str]| {
            show.send(texts.iter().map(|text| (*text).to_owned()).collect()).unwrap();
            wait.recv().unwrap();
            assert!(!texts.contains(&"panic"));
            if texts.contains(&"bad") { Err(EmbeddingError::Failed) } else { Ok(vectors(texts)) }
        };
        Slow { lane: Lane::start("test", batch, capacity, Box::new(work)).unwrap(), batches, go }
    }

    fn vectors(texts: &[&str]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| text.bytes().map(f32::from).collect()).collect()
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    impl Slow {
        fn next_batch(&self) -> Vec<String> {
            self.batches.recv().unwrap()
        }
    }

    /// Starts requests while a first one occupies the thread, so that all are waiting when it is done.
    macro_rules! waiting {
        ($slow:ident, $($name:ident = $texts:expr),*) => {
            let mut occupied = Box::pin($slow.lane.embed(owned(&["first"])));
            assert!(poll!(&mut occupied).is_pending());
            assert_eq!($slow.next_batch(), ["first"]);
            $(
                let mut $name = Box::pin($slow.lane.embed(owned(&$texts)));
                assert!(poll!(&mut $name).is_pending());
            )*
            $slow.go.send(()).unwrap();
            assert_eq!(occupied.await, Ok(vectors(&["first"])));
        };
    }

    #[tokio::test]
    async fn texts_of_all_waiting_requests_share_batches_in_turn() {
        let slow = slow(4, 100);
        waiting!(slow, large = ["l1", "l2", "l3", "l4", "l5"], small = ["s1"], middle = ["m1", "m2"]);
        assert_eq!(slow.next_batch(), ["l1", "l2", "s1", "m1"]);
        slow.go.send(()).unwrap();
        assert_eq!(small.await, Ok(vectors(&["s1"])));
        assert_eq!(slow.next_batch(), ["l3", "l4", "l5", "m2"]);
        slow.go.send(()).unwrap();
        assert_eq!(large.await, Ok(vectors(&["l1", "l2", "l3", "l4", "l5"])));
        assert_eq!(middle.await, Ok(vectors(&["m1", "m2"])));
    }

    #[tokio::test]
    async fn more_requests_than_a_batch_holds_take_turns() {
        let slow = slow(2, 100);
        waiting!(slow, a = ["a1", "a2"], b = ["b1", "b2"], c = ["c1"]);
        for batch in [["a1", "b1"], ["c1", "a2"]] {
            assert_eq!(slow.next_batch(), batch);
            slow.go.send(()).unwrap();
        }
        assert_eq!(slow.next_batch(), ["b2"]);
        slow.go.send(()).unwrap();
        assert_eq!(c.await, Ok(vectors(&["c1"])));
        assert_eq!(a.await, Ok(vectors(&["a1", "a2"])));
        assert_eq!(b.await, Ok(vectors(&["b1", "b2"])));
    }

    #[tokio::test]
    async fn a_caller_that_leaves_takes_its_texts_along() {
        let slow = slow(2, 5);
        waiting!(slow, gone = ["g1", "g2", "g3"], stays = ["s1"]);
        assert_eq!(slow.next_batch(), ["g1", "s1"]);
        drop(gone);
        slow.go.send(()).unwrap();
        assert_eq!(stays.await, Ok(vectors(&["s1"])));
        // The lane has its full capacity again, and nothing of the caller who left is worked on.
        waiting!(slow, next = ["n1", "n2", "n3", "n4"]);
        for batch in [["n1", "n2"], ["n3", "n4"]] {
            assert_eq!(slow.next_batch(), batch);
            slow.go.send(()).unwrap();
        }
        assert_eq!(next.await, Ok(vectors(&["n1", "n2", "n3", "n4"])));
    }

    #[tokio::test]
    async fn a_full_lane_refuses_at_once_and_an_empty_one_takes_anything() {
        let slow = slow(8, 3);
        let mut large = Box::pin(slow.lane.embed(owned(&["1", "2", "3", "4"])));
        assert!(poll!(&mut large).is_pending());
        assert_eq!(slow.lane.embed(owned(&["5"])).await, Err(EmbeddingError::Overloaded));
        assert_eq!(slow.next_batch(), ["1", "2", "3", "4"]);
        slow.go.send(()).unwrap();
        assert_eq!(large.await, Ok(vectors(&["1", "2", "3", "4"])));
    }

    #[tokio::test]
    async fn a_text_that_fails_or_panics_costs_only_its_own_caller() {
        for bad in ["bad", "panic"] {
            let slow = slow(8, 100);
            waiting!(slow, good = ["g1", "g2"], failing = ["f1", bad]);
            assert_eq!(slow.next_batch(), ["g1", "g2", "f1", bad]);
            slow.go.send(()).unwrap();
            assert_eq!(slow.next_batch(), ["g1", "g2"]);
            slow.go.send(()).unwrap();
            assert_eq!(slow.next_batch(), ["f1", bad]);
            slow.go.send(()).unwrap();
            assert_eq!(good.await, Ok(vectors(&["g1", "g2"])));
            assert_eq!(failing.await, Err(EmbeddingError::Failed));
        }
    }

    #[tokio::test]
    async fn a_wrong_number_of_vectors_is_a_failure() {
        let lane = Lane::start("test", 8, 8, Box::new(|_| Ok(vec![vec![1.0]]))).unwrap();
        assert_eq!(lane.embed(owned(&["a", "b"])).await, Err(EmbeddingError::Failed));
        assert_eq!(lane.embed(owned(&["a"])).await, Ok(vec![vec![1.0]]));
    }

    #[tokio::test]
    async fn nothing_needs_no_thread() {
        let lane = Lane::start("test", 8, 8, Box::new(|_| unreachable!("no work expected"))).unwrap();
        assert_eq!(lane.embed(Vec::new()).await, Ok(Vec::new()));
    }

    #[test]
    fn dropping_the_lane_ends_its_thread() {
        let (ended, end) = channel::<()>();
        let work = move |texts: &[&str]| {
            // Held by the closure, which the thread owns: the channel closes when the thread is gone.
            let _ = &ended;
            Ok(vectors(texts))
        };
        drop(Lane::start("test", 8, 8, Box::new(work)).unwrap());
        assert!(end.recv().is_err());
    }
}
