//! The one subscription: everything that happens to what the caller may see.
//!
//! Each event is delivered as the caller stands when it is delivered: session, membership, role and row-level security
//! are asked again, in a database session of its own, and what the caller may not see is passed over without a trace.

use std::time::Duration;

use async_graphql::{Context, ID, Object, Subscription};
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt as _, try_unfold};
use uuid::Uuid;

use super::loaders::{LoadError, load_one, or_null};
use super::node::{Node, find_one};
use super::request::request;
use crate::access::{Action, RequestContext};
use crate::domains::documents;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::error::{Error, Result};
use crate::events::{self, EventKind, Follower, Heard};
use crate::ids::{encode_as, split};

/// How long is waited before a busy database is asked again, each time.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// Something that happened.
pub struct Event {
    heard: events::Event,
    cursor: String,
    subject: Option<Node>,
}

/// Something that happened, or for the first of a subscription that it listens now.
#[Object]
impl Event {
    /// Where the subscription is with this event: subscribe with `after` to go on from here, without a gap and without
    /// hearing anything twice. Opaque.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// What happened.
    async fn kind(&self) -> EventKind {
        self.heard.kind
    }

    /// When, by the clock of the server.
    async fn occurred_at(&self) -> DateTime<Utc> {
        self.heard.occurred_at
    }

    /// Who did it; null for the system, and for somebody the caller does not know.
    async fn actor(&self, ctx: &Context<'_>) -> Option<User> {
        let actor = self.heard.actor?;
        or_null(ctx, load_one::<UserLoader>(ctx, actor).await).flatten().map(User::from)
    }

    /// What it happened to, as it is now; null for the first event of a subscription. Needs what the object needs: an
    /// event whose subject the caller may not see is not delivered.
    async fn subject(&self) -> Option<&Node> {
        self.subject.as_ref()
    }
}

/// The subscription root.
#[derive(Debug, Default)]
pub struct EventsSubscription;

/// What is told as it happens.
#[Subscription(name = "Subscription")]
impl EventsSubscription {
    /// What happens in the facility, as it happens, in the order it was committed, each event once. The first event is
    /// of the kind `LISTENING` and has the cursor everything after is told from: what is read after it is complete. A
    /// subscription that broke off goes on with `after`; when it was away for too long it ends with `CURSOR_EXPIRED`, and
    /// the client reads anew. Who may see the subject is asked for every event; a subscription of somebody who was
    /// signed out or left the facility ends. Needs `events.subscribe`, and for each event what its subject needs.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only what happens to these objects and to what belongs to them, such as the messages of a \
                          conversation or the documents of a batch; null for everything. Typing is told of \
                          conversations named here alone.")]
        of: Option<Vec<ID>>,
        #[graphql(desc = "Only events of these kinds; null for all.")] kinds: Option<Vec<EventKind>>,
        #[graphql(desc = "Cursor of the last event the client has; null to begin now.")] after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Event, LoadError>>, LoadError> {
        let request = request(ctx)?.clone();
        let of = of.map(|ids| ids.iter().map(|id| object(id)).collect::<Result<Vec<_>>>()).transpose()?;
        let follower = Follower::start(&request, after.as_deref()).await?;
        let listening = Listening { request, follower, of, kinds, begun: false };
        Ok(try_unfold(listening, |mut listening| async move {
            let event = listening.next().await?;
            Ok(Some((event, listening)))
        })
        .boxed())
    }
}

fn object(id: &str) -> Result<Uuid> {
    split(id).map(|(_, uuid)| uuid).ok_or_else(|| Error::bad_input("`of` holds what is not a valid id"))
}

struct Listening {
    request: RequestContext,
    follower: Follower,
    of: Option<Vec<Uuid>>,
    kinds: Option<Vec<EventKind>>,
    begun: bool,
}

impl Listening {
    async fn next(&mut self) -> Result<Event> {
        if !self.begun {
            self.begun = true;
            return Ok(self.listens());
        }
        loop {
            match self.follower.next(&self.request).await? {
                Heard::Event(heard) if self.wants(&heard)? => {
                    if let Some(subject) = self.visible_at_last(&heard).await? {
                        let cursor = self.follower.cursor().encode();
                        return Ok(Event { heard: (*heard).clone(), cursor, subject: Some(subject) });
                    }
                }
                Heard::Event(_) => {}
                Heard::Silence => {
                    self.request.read(&events::SUBSCRIBE).await?;
                    self.request.finish().await?;
                }
            }
        }
    }

    fn listens(&self) -> Event {
        let cursor = self.follower.cursor();
        let heard = events::Event {
            kind: EventKind::Listening,
            subject_kind: String::new(),
            subject_id: Uuid::nil(),
            about: Vec::new(),
            audience: None,
            actor: None,
            occurred_at: self.request.now(),
            position: cursor.position,
        };
        Event { heard, cursor: cursor.encode(), subject: None }
    }

    /// What can be told without the database.
    fn wants(&self, heard: &events::Event) -> Result<bool> {
        let named = self.of.as_ref().map(|of| heard.concerns(of));
        let named = named.unwrap_or(heard.kind != EventKind::Typing);
        let kind = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&heard.kind));
        Ok(named && kind && heard.is_for(self.request.user()?))
    }

    /// The same, however busy the database is: who hears of an event late is better off than who must connect again, as
    /// all others then do.
    async fn visible_at_last(&self, heard: &events::Event) -> Result<Option<Node>> {
        for pause in PAUSES {
            match self.visible(heard).await {
                Err(Error::Unavailable(_)) => tokio::time::sleep(pause).await,
                answered => return answered,
            }
        }
        self.visible(heard).await
    }

    /// The subject, if the caller may see it now. Without one the database session is given back.
    async fn visible(&self, heard: &events::Event) -> Result<Option<Node>> {
        let read = self.request.read(&events::SUBSCRIBE).await?;
        // Asked beforehand: what somebody's role does not let them hear of is no denial to be put on record.
        let subject = if read.may(needed(heard.kind)) {
            let id = encode_as(&heard.subject_kind, heard.subject_id);
            let id = id.ok_or_else(|| Error::internal("an event of an unknown kind of object"))?;
            let (prefix, uuid) = split(&id).ok_or_else(|| Error::internal("an id of ours"))?;
            find_one(&self.request, prefix, uuid).await?
        } else {
            None
        };
        drop(read);
        if subject.is_none() {
            self.request.finish().await?;
        }
        Ok(subject)
    }
}

/// What one needs to hear of a kind of event at all.
const fn needed(kind: EventKind) -> &'static Action {
    match kind {
        EventKind::DocumentChanged => &documents::policy::READ,
        EventKind::Listening
        | EventKind::ConversationChanged
        | EventKind::ParticipantsChanged
        | EventKind::ReceiptsChanged
        | EventKind::MessageSent
        | EventKind::MessageChanged
        | EventKind::MessageDeleted
        | EventKind::MessageGrew
        | EventKind::Typing
        | EventKind::NotificationCreated => &events::SUBSCRIBE,
    }
}
