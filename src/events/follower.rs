//! One listener: where it is, and what comes next for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::feed::{Feed, PAGE};
use super::{Cursor, Event, SUBSCRIBE, repository};
use crate::access::RequestContext;
use crate::error::{Error, Result};
use crate::ids::FacilityId;

/// How long a listener hears nothing before it is asked again whether it may listen at all.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// What a listener hears.
#[derive(Debug)]
pub enum Heard {
    /// An event or a signal. Whether the listener may see its object is not known yet.
    Event(Arc<Event>),
    /// Nothing for a while: ask whether the listener may still listen.
    Silence,
}

/// A listener's place in the stream of its facility.
#[derive(Debug)]
pub struct Follower {
    feed: Arc<Feed>,
    facility: FacilityId,
    head: watch::Receiver<i64>,
    signals: broadcast::Receiver<Arc<Event>>,
    /// Of the last event handed out, or passed over.
    position: i64,
    waiting: VecDeque<Arc<Event>>,
}

impl Follower {
    /// Follows the stream of the request's facility, from a cursor or from now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`] for who may not listen; [`Error::CursorExpired`] when what
    /// came after the cursor is no longer kept; [`Error::BadInput`] for a cursor that is none.
    pub async fn start(ctx: &RequestContext, after: Option<&str>) -> Result<Self> {
        let read = ctx.read(&SUBSCRIBE).await?;
        let facility = ctx.facility();
        let after = after.map(|text| Cursor::decode(text, facility)).transpose()?;
        let extent = repository::extent(read.db()?, facility).await?;
        drop(read);
        ctx.finish().await?;
        let feed = ctx.app().events.feed(ctx.app(), facility).await?;
        let (head, signals) = (feed.head(), feed.signals());
        let position = match after {
            // A cursor from the future is of a database that was set back since: it means something else now.
            Some(cursor) if cursor.position < extent.tail || cursor.position > extent.head => {
                return Err(Error::CursorExpired);
            }
            Some(cursor) => cursor.position,
            None => extent.head,
        };
        Ok(Self { feed, facility, head, signals, position, waiting: VecDeque::new() })
    }

    /// Where the listener is.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { facility: self.facility, position: self.position }
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`Error::CursorExpired`] when the listener was so slow that what comes next is no longer kept; denials of who
    /// may no longer listen; faults.
    pub async fn next(&mut self, ctx: &RequestContext) -> Result<Heard> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.position = event.position;
                return Ok(Heard::Event(event));
            }
            let head = *self.head.borrow_and_update();
            if self.position < head {
                self.fetch(ctx, head).await?;
                continue;
            }
            tokio::select! {
                changed = self.head.changed() => changed.map_err(|_| Error::internal("the feed has ended"))?,
                signal = self.signals.recv() => match signal {
                    Ok(signal) => return Ok(Heard::Event(Arc::new(Event { position: self.position, ..(*signal).clone() }))),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(Error::internal("the feed has ended")),
                },
                () = tokio::time::sleep(ASK_AGAIN) => return Ok(Heard::Silence),
            }
        }
    }

    /// Gets what is between here and the head: from memory, or else from the database.
    async fn fetch(&mut self, ctx: &RequestContext, head: i64) -> Result<()> {
        if let Some(recent) = self.feed.after(self.position) {
            self.waiting.extend(recent);
            return Ok(());
        }
        let read = ctx.read(&SUBSCRIBE).await?;
        let (extent, events) = futures::try_join!(
            repository::extent(read.db()?, self.facility),
            repository::after(read.db()?, self.facility, self.position, head, PAGE),
        )?;
        drop(read);
        ctx.finish().await?;
        if self.position < extent.tail {
            return Err(Error::CursorExpired);
        }
        if events.is_empty() {
            // What is up to the head is not for this listener.
            self.position = head;
        }
        self.waiting.extend(events.into_iter().map(Arc::new));
        Ok(())
    }
}
