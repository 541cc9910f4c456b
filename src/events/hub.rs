//! The streams this node follows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::feed::Feed;
use super::{Event, NewEvent, listener};
use crate::app::App;
use crate::clock::Clock;
use crate::error::Result;
use crate::ids::{FacilityId, UserId};

/// Feeds by facility, while somebody listens.
#[derive(Debug, Default)]
pub struct Events {
    feeds: Mutex<HashMap<FacilityId, Weak<Feed>>>,
    /// A task listens to other nodes.
    listens: AtomicBool,
    /// And is connected.
    hears: AtomicBool,
}

impl Events {
    /// Called after each commit that published something, here or on another node.
    pub(crate) fn wake(&self, facility: FacilityId) {
        if let Some(feed) = self.known(facility) {
            feed.wake();
        }
    }

    /// Looks at every stream: notifications may have been missed.
    pub(super) fn wake_all(&self) {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.values().filter_map(Weak::upgrade).for_each(|feed| feed.wake());
    }

    /// Whether other nodes are heard.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Acquire)
    }

    pub(super) fn set_hears(&self, hears: bool) {
        self.hears.store(hears, Ordering::Release);
    }

    /// Whether anybody listens on this node; forgets streams that nobody follows any more.
    pub(super) fn in_use(&self) -> bool {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        !feeds.is_empty()
    }

    /// The listening task has ended; the next listener begins another.
    pub(super) fn set_listens(&self, listens: bool) -> bool {
        self.listens.swap(listens, Ordering::AcqRel)
    }

    /// Tells a signal to those who listen on this node.
    pub(super) fn hear(&self, clock: &Clock, facility: FacilityId, actor: Option<UserId>, signal: NewEvent) {
        let Some(feed) = self.known(facility) else { return };
        feed.signal(Event {
            kind: signal.kind,
            subject_kind: signal.subject_kind,
            subject_id: signal.subject_id,
            about: signal.about,
            audience: signal.audience.map(|users| users.into_iter().map(crate::ids::TypedId::uuid).collect()),
            actor,
            occurred_at: clock.now(),
            position: 0,
        });
    }

    fn known(&self, facility: FacilityId) -> Option<Arc<Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).get(&facility).and_then(Weak::upgrade)
    }

    /// The feed of a facility, begun.
    pub(super) async fn feed(&self, app: &Arc<App>, facility: FacilityId) -> Result<Arc<Feed>> {
        let feed = {
            let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
            feeds.get(&facility).and_then(Weak::upgrade).unwrap_or_else(|| {
                let feed = Arc::new(Feed::new(facility));
                feeds.insert(facility, Arc::downgrade(&feed));
                feed
            })
        };
        if !self.set_listens(true) {
            tokio::spawn(listener::listen(Arc::downgrade(app)));
        }
        feed.begin(app).await?;
        Ok(feed)
    }
}
