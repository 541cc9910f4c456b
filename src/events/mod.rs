//! What has happened, told to those who listen: an outbox of events for each facility.
//!
//! Invariants: an event exists if and only if the write that published it committed; positions are in the order of
//! commits and have no gaps, so that whoever knows the position of the last event they have can be given exactly what
//! they missed; an event holds ids and never what they stand for. Whether a listener may see the object of an event is
//! asked of the database when it is delivered, as that listener, each time.
//!
//! Writes publish with [`crate::access::Tx::publish`]. Each node that has listeners follows the stream of their
//! facility once (`feed`), told by its own commits and by `NOTIFY` of other nodes (`listener`); a listener follows
//! the feed from a position of its own ([`Follower`]), and reads from the database what the feed no longer holds. So a
//! slow listener holds up nobody and costs no memory.
//!
//! A signal is told to those who listen now and never written down.

mod cursor;
mod feed;
mod follower;
mod hub;
mod listener;
mod repository;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Action;
use crate::ids::{TypedId, UserId};
use crate::text_enum::text_enum;

pub use cursor::Cursor;
pub use follower::{Follower, Heard};
pub use hub::Events;
pub(crate) use listener::{CHANNEL, news};
pub use repository::sweep;

/// Listens to what happens in the facility.
pub const SUBSCRIBE: Action = Action::member("events.subscribe");

text_enum! {
    /// What happened.
    EventKind {
        /// Nothing yet: the first event of every subscription. From its cursor on nothing is missed.
        Listening = "listening",
        /// A document was uploaded, read, changed, signed or assigned. Its subject is the document.
        DocumentChanged = "document_changed",
        /// A conversation was opened or its title, priority, tags or status changed. Its subject is the conversation.
        ConversationChanged = "conversation_changed",
        /// Somebody joined or left a conversation, or their part in it changed. Its subject is the conversation.
        ParticipantsChanged = "participants_changed",
        /// Somebody received or read messages. Its subject is the conversation.
        ReceiptsChanged = "receipts_changed",
        /// A message was sent. Its subject is the message.
        MessageSent = "message_sent",
        /// A message was edited, or a reaction to it changed. Its subject is the message.
        MessageChanged = "message_changed",
        /// A message was deleted. Its subject is what is left of it.
        MessageDeleted = "message_deleted",
        /// A message that is still being written has more words. Its subject is the message. Not replayed.
        MessageGrew = "message_grew",
        /// Somebody is writing. Its subject is the conversation. Not replayed.
        Typing = "typing",
        /// There is something new for the user. Its subject is the notification.
        NotificationCreated = "notification_created",
    }
}

/// An event about to be published, or a signal about to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    kind: EventKind,
    subject_kind: String,
    subject_id: Uuid,
    about: Vec<Uuid>,
    audience: Option<Vec<UserId>>,
}

impl NewEvent {
    /// What happened to an object that can be looked up as a node.
    #[must_use]
    pub fn new<T: TypedId>(kind: EventKind, subject: T) -> Self {
        Self { kind, subject_kind: T::KIND.to_owned(), subject_id: subject.uuid(), about: Vec::new(), audience: None }
    }

    /// What the object belongs to: who listens to that hears of it.
    #[must_use]
    pub fn about<T: TypedId>(mut self, whole: T) -> Self {
        self.about.push(whole.uuid());
        self
    }

    /// Told to these users alone, of whom each must be allowed to see the object all the same.
    #[must_use]
    pub fn to(mut self, audience: Vec<UserId>) -> Self {
        self.audience = Some(audience);
        self
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    /// Type of the object, as the API names it.
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub about: Vec<Uuid>,
    pub audience: Option<Vec<Uuid>>,
    pub actor: Option<UserId>,
    pub occurred_at: DateTime<Utc>,
    /// Place in the stream; of a signal, of the last event before it.
    pub position: i64,
}

impl Event {
    /// Whether it is told to a user at all.
    #[must_use]
    pub fn is_for(&self, user: UserId) -> bool {
        self.audience.as_ref().is_none_or(|audience| audience.contains(&user.uuid()))
    }

    /// Whether it happened to one of these objects, or to what belongs to one.
    #[must_use]
    pub fn concerns(&self, objects: &[Uuid]) -> bool {
        objects.contains(&self.subject_id) || self.about.iter().any(|whole| objects.contains(whole))
    }
}
