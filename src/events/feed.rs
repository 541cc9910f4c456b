//! The stream of one facility as this node follows it, for all its listeners at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OnceCell, broadcast, watch};

use super::{Event, repository};
use crate::app::App;
use crate::db::{Binding, Mode, Session};
use crate::error::{Error, Result};
use crate::ids::FacilityId;

/// Events kept in memory for listeners that are a little behind.
const RECENT: usize = 1024;
/// Events read at once.
pub(super) const PAGE: i64 = 256;
/// Signals kept for a listener that is busy; older ones are lost to it, as is their nature.
const SIGNALS: usize = 32;
/// How often the stream is looked at when nothing is heard: of other nodes through a pooler that forwards no
/// notifications, and after a notification that was lost.
const LOOK: Duration = Duration::from_secs(5);
/// The same while this node hears nothing of others.
const LOOK_DEAF: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Feed {
    facility: FacilityId,
    head: watch::Sender<i64>,
    recent: Mutex<VecDeque<Arc<Event>>>,
    signals: broadcast::Sender<Arc<Event>>,
    wake: Arc<Notify>,
    begun: OnceCell<()>,
}

impl Feed {
    pub(super) fn new(facility: FacilityId) -> Self {
        Self {
            facility,
            head: watch::Sender::new(0),
            recent: Mutex::default(),
            signals: broadcast::Sender::new(SIGNALS),
            wake: Arc::default(),
            begun: OnceCell::new(),
        }
    }

    /// Begins to follow the stream from where it is, once.
    pub(super) async fn begin(self: &Arc<Self>, app: &Arc<App>) -> Result<()> {
        let begin = || async {
            let session = self.session(app).await?;
            let extent = repository::extent(session.connection()?, self.facility).await?;
            session.end(false).await?;
            self.head.send_replace(extent.head);
            tokio::spawn(follow(Arc::downgrade(self), Arc::downgrade(app), Arc::clone(&self.wake)));
            Ok::<_, Error>(())
        };
        self.begun.get_or_try_init(begin).await?;
        Ok(())
    }

    async fn session(&self, app: &App) -> Result<Session> {
        Session::open(&app.database, Mode::Read, Binding::System { facility: self.facility }, app.clock.now()).await
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Position of the last event this node has read; changes are told.
    pub(super) fn head(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    pub(super) fn signals(&self) -> broadcast::Receiver<Arc<Event>> {
        self.signals.subscribe()
    }

    /// Tells a signal to those who listen now.
    pub(super) fn signal(&self, event: Event) {
        // Nobody listens: that is no fault.
        drop(self.signals.send(Arc::new(Event { position: *self.head.borrow(), ..event })));
    }

    /// Events after a position, the next first; `None` when some of them are no longer in memory.
    pub(super) fn after(&self, position: i64) -> Option<Vec<Arc<Event>>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.front()?.position;
        let skipped = usize::try_from(position.checked_sub(first)?.checked_add(1)?).ok()?;
        Some(recent.iter().skip(skipped).take(usize::try_from(PAGE).unwrap_or(1)).cloned().collect())
    }

    /// Reads what has come since.
    async fn read_on(&self, app: &App) -> Result<()> {
        loop {
            let head = *self.head.borrow();
            let session = self.session(app).await?;
            let events = repository::after(session.connection()?, self.facility, head, i64::MAX, PAGE).await?;
            session.end(false).await?;
            let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
            {
                let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
                recent.extend(events.into_iter().map(Arc::new));
                let surplus = recent.len().saturating_sub(RECENT);
                recent.drain(..surplus);
            }
            self.head.send_replace(last);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // The task that follows sees that nobody listens any more.
        self.wake.notify_one();
    }
}

/// Follows a stream for as long as somebody listens.
async fn follow(feed: Weak<Feed>, app: Weak<App>, wake: Arc<Notify>) {
    while let (Some(feed), Some(app)) = (feed.upgrade(), app.upgrade()) {
        if let Err(error) = feed.read_on(&app).await {
            tracing::warn!(code = error.code(), "events could not be read and are tried again");
        }
        let look = if app.events.hears() { LOOK } else { LOOK_DEAF };
        drop((feed, app));
        // Whichever is first.
        let _ = tokio::time::timeout(look, wake.notified()).await;
    }
}
