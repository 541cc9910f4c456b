//! What the domain knows of conversations, who takes part and what is said, and why an operation may be refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ids::{ConversationId, MessageId, PatientId, TypedId as _, UserId, WhatsappContactId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// What a conversation is for.
    ConversationKind {
        /// Among staff, about anything.
        General = "general",
        /// Among staff, about a patient.
        Patient = "patient",
        /// Among staff, about running the facility.
        Administrative = "administrative",
        /// A letter with a subject and what is answered to it; patients may begin one.
        SecureMail = "secure_mail",
        /// Between a patient and those who treat them.
        CareTeam = "care_team",
        /// With somebody outside, over WhatsApp; begun by their writing.
        Whatsapp = "whatsapp",
    }
}

text_enum! {
    /// How much a conversation presses.
    ConversationPriority {
        /// When there is time.
        Low = "low",
        /// As usual.
        Normal = "normal",
        /// Soon.
        High = "high",
        /// Now.
        Urgent = "urgent",
    }
}

text_enum! {
    /// Whether a conversation goes on.
    ConversationStatus {
        /// It goes on.
        Active = "active",
        /// It is put away; nothing is sent in it.
        Archived = "archived",
        /// It goes on, and somebody must see to it.
        Escalated = "escalated",
        /// It is over; nothing is sent in it, and it is kept as long as the facility's rule says.
        Completed = "completed",
    }
}

impl ConversationStatus {
    /// Whether messages may be sent.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Escalated)
    }
}

text_enum! {
    /// A folder of secure mail.
    ConversationFolder {
        /// With something in it by somebody else, and not put away.
        Inbox = "inbox",
        /// With something in it by the caller.
        Sent = "sent",
        /// Put away.
        Archived = "archived",
    }
}

text_enum! {
    /// What someone may do in a conversation.
    ParticipantRole {
        /// Everything, and take others out.
        Owner = "owner",
        /// Send messages.
        Member = "member",
        /// Read.
        Observer = "observer",
    }
}

text_enum! {
    /// On which side someone takes part.
    ParticipantParty {
        /// They work here.
        Staff = "staff",
        /// They are in care here.
        Patient = "patient",
    }
}

text_enum! {
    /// What a message is.
    MessageKind {
        /// Something somebody wrote.
        Text = "text",
        /// A document somebody shares.
        Document = "document",
        /// Something that happened to the conversation.
        System = "system",
        /// What an assistant answered.
        Assistant = "assistant",
        /// What a question to the records found, as somebody shares it.
        QueryResult = "query_result",
    }
}

text_enum! {
    /// How carefully a message is to be handled.
    MessageSensitivity {
        /// Like the rest.
        Normal = "normal",
        /// Kept out of previews and away from models.
        Sensitive = "sensitive",
    }
}

text_enum! {
    /// What happened to a conversation.
    MessageSystemEvent {
        /// Somebody joined.
        ParticipantJoined = "participant_joined",
        /// Somebody left.
        ParticipantLeft = "participant_left",
        /// Somebody was taken out.
        ParticipantRemoved = "participant_removed",
        /// It was put away.
        Archived = "archived",
        /// Somebody must see to it.
        Escalated = "escalated",
        /// It is over.
        Completed = "completed",
        /// It goes on again.
        Reopened = "reopened",
        /// Somebody outside wants to hear nothing more.
        ContactOptedOut = "contact_opted_out",
        /// Somebody outside wants to hear of the facility again.
        ContactOptedIn = "contact_opted_in",
    }
}

/// Why an operation on conversations was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "ChatErrorCode")]
pub enum Refusal {
    /// A value is empty, too long or malformed.
    Invalid,
    /// There is no such patient, or none whose chart the caller may open.
    PatientNotFound,
    /// A conversation of this kind is about a patient; none was given.
    PatientRequired,
    /// There is no such active member of the facility.
    NotMember,
    /// A user of these roles takes no part in a conversation of this kind, or with these participants.
    MayNotTakePart,
    /// There are as many as there may be.
    TooMany,
    /// The user takes part already.
    AlreadyThere,
    /// The user does not take part.
    NotThere,
    /// The conversation would be left without staff.
    LastParticipant,
    /// Only an owner of the conversation may do this.
    NotOwner,
    /// The conversation would be left without an owner.
    LastOwner,
    /// An observer only reads.
    Observer,
    /// The conversation is archived or completed: reopen it first.
    Closed,
    /// The conversation has that status already.
    SameStatus,
    /// There is no such message in the conversation.
    MessageNotFound,
    /// There is no such document, or none the caller may read.
    DocumentNotFound,
    /// Only whoever wrote it may do this.
    NotAuthor,
    /// The message is deleted.
    Deleted,
    /// The conversation is under a legal hold: nothing of it goes away.
    OnHold,
    /// The conversation is under no legal hold.
    NotOnHold,
    /// The conversation, message, assistant or WhatsApp number changed since it was read: read it again.
    StaleVersion,
    /// There is no such assistant, or it answers no more.
    AgentNotFound,
    /// An assistant or a WhatsApp number of that name or id is there already.
    NameTaken,
    /// The roles of whoever asks do not let them ask the record.
    MayNotAsk,
    /// More than a day has passed since the contact wrote: WhatsApp takes no message for them until they do again.
    WindowClosed,
    /// The contact wants to hear nothing.
    OptedOut,
    /// The WhatsApp number is not verified yet, or disabled.
    NumberInactive,
    /// WhatsApp takes plain texts of people here alone: no documents, no results, nothing sensitive.
    TextOnly,
    /// What went out over WhatsApp is not edited.
    SentOutside,
    /// Only a delivery that failed is tried again.
    NotFailed,
    /// WhatsApp does not take the credentials, or does not know the number; the sentence has its code.
    ProviderRefused,
    /// WhatsApp could not be asked; trying again may help.
    ProviderUnavailable,
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub patient: Option<PatientId>,
    pub title: Option<Phi<String>>,
    pub tags: Vec<String>,
    pub priority: ConversationPriority,
    pub status: ConversationStatus,
    pub status_changed_at: Option<DateTime<Utc>>,
    pub status_changed_by: Option<UserId>,
    pub last_sequence: i64,
    pub last_activity_at: DateTime<Utc>,
    pub held_at: Option<DateTime<Utc>>,
    /// `None` when somebody outside began it.
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
    /// Who is to see to it.
    pub assigned: Option<UserId>,
    /// With whom outside it is.
    pub contact: Option<WhatsappContactId>,
}

/// Someone who takes part.
#[derive(Debug, Clone)]
pub struct Participant {
    pub conversation: ConversationId,
    pub user: UserId,
    pub role: ParticipantRole,
    pub party: ParticipantParty,
    pub joined_at: DateTime<Utc>,
    pub invited_by: Option<UserId>,
    pub muted_until: Option<DateTime<Utc>>,
    pub last_read_sequence: i64,
    pub seen_sequence: i64,
    pub delivered_sequence: i64,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub sequence: i64,
    pub author: Option<UserId>,
    /// Who outside wrote it.
    pub contact: Option<WhatsappContactId>,
    pub kind: MessageKind,
    /// `None` for what happened, and for what was deleted.
    pub body: Option<Phi<String>>,
    pub system_event: Option<MessageSystemEvent>,
    pub system_subject: Option<UserId>,
    pub thread_root: Option<MessageId>,
    pub parent: Option<MessageId>,
    pub sensitivity: MessageSensitivity,
    pub model_name: Option<String>,
    pub model_version: Option<String>,
    pub confidence: Option<f64>,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// Where a conversation stands in a list by last activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActivityCursor {
    pub last_activity_at: DateTime<Utc>,
    pub id: ConversationId,
}

impl ActivityCursor {
    const BYTES: usize = 24;

    /// The opaque form.
    #[must_use]
    pub fn encode(self) -> String {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.last_activity_at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the opaque form; `None` when it is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; Self::BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            last_activity_at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?,
            id: ConversationId::from_uuid(Uuid::from_slice(id).ok()?),
        })
    }
}

/// The opaque form of the number of a message.
#[must_use]
pub fn encode_sequence(sequence: i64) -> String {
    URL_SAFE_NO_PAD.encode(sequence.to_be_bytes())
}

/// Reads the opaque form; `None` when it is none.
#[must_use]
pub fn decode_sequence(text: &str) -> Option<i64> {
    let bytes: [u8; 8] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(i64::from_be_bytes(bytes))
}
