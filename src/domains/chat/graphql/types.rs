//! Objects of the domain.

use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::domains::chat::agents::graphql::{Agent, MessageAnswer};
use crate::domains::chat::keeping::OnRecord;
use crate::domains::chat::loaders::{
    AgentsLoader, AnswerLoader, AttachmentsLoader, ContactLoader, ConversationLoader, DeliveryLoader, DraftsLoader,
    HistoryLoader, LastMessageLoader, MentionsLoader, MessageLoader, MessagesLoader, ParticipantsLoader,
    ReactionsLoader, RepliesLoader, ReplyCountLoader, UnreadLoader,
};
use crate::domains::chat::messages::parts::EarlierText;
use crate::domains::chat::model::{
    self, ConversationKind, ConversationPriority, ConversationStatus, MessageKind, MessageSensitivity,
    MessageSystemEvent, ParticipantParty, ParticipantRole, Refusal, decode_sequence, encode_sequence,
};
use crate::domains::chat::whatsapp::graphql::{MessageDelivery, WhatsappContact};
use crate::domains::chat::{drafts, export};
use crate::domains::documents::graphql::Document;
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::domains::patients::graphql::Patient;
use crate::domains::patients::loaders::PatientLoader;
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_many, load_one, or_null};
use crate::graphql::payload::user_error;
use crate::graphql::request::request;
use crate::ids::{ConversationId, DocumentId, MessageId, PatientId, UserId, WhatsappContactId};
use crate::pagination::{End, WindowRequest};
use crate::phi::Phi;

user_error!(
    /// Why an operation on conversations was refused.
    ChatUserError(Refusal)
);

async fn users(ctx: &Context<'_>, ids: Vec<UserId>) -> Result<Vec<User>, LoadError> {
    Ok(load_many::<UserLoader>(ctx, ids).await?.into_iter().map(Into::into).collect())
}

pub(in crate::domains::chat) async fn user(ctx: &Context<'_>, id: UserId) -> Option<User> {
    or_null(ctx, load_one::<UserLoader>(ctx, id).await)?.map(Into::into)
}

/// What several people talk about; seen by those who take part in it and nobody else. Needs `chat.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Conversation {
    /// Typed, opaque id.
    pub id: ConversationId,
    /// What it is for.
    pub kind: ConversationKind,
    /// Title, or the subject of a secure mail; null when there is none.
    pub title: Option<String>,
    /// Words it is sorted by, in the order given.
    pub tags: Vec<String>,
    /// How much it presses.
    pub priority: ConversationPriority,
    /// Whether it goes on.
    pub status: ConversationStatus,
    /// When the status last changed; null while it never did.
    pub status_changed_at: Option<DateTime<Utc>>,
    /// How many messages were ever sent in it, those of the system and the deleted ones too.
    pub message_count: i64,
    /// When its last message was sent; when it was begun while there is none.
    pub last_activity_at: DateTime<Utc>,
    /// Whether a legal hold lasts: then nothing of it goes away.
    pub on_hold: bool,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// Give this as `expectedVersion` when changing the conversation. Messages do not raise it.
    pub version: i32,
    #[graphql(skip)]
    patient_id: Option<PatientId>,
    #[graphql(skip)]
    status_changed_by_id: Option<UserId>,
    #[graphql(skip)]
    created_by_id: Option<UserId>,
    #[graphql(skip)]
    assigned_id: Option<UserId>,
    #[graphql(skip)]
    contact_id: Option<WhatsappContactId>,
}

#[ComplexObject]
impl Conversation {
    /// Who is to see to it; null while nobody is named.
    async fn assigned_to(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.assigned_id?).await
    }

    /// With whom outside it is, over WhatsApp; null when it is among users. Needs `chat.read`.
    async fn whatsapp(&self, ctx: &Context<'_>) -> Result<Option<WhatsappContact>, LoadError> {
        contact(ctx, self.contact_id).await
    }

    /// Assistants that may be asked in it, in the order they were invited. Needs `agents.read`.
    async fn agents(&self, ctx: &Context<'_>) -> Result<Vec<Agent>, LoadError> {
        let found = load_one::<AgentsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().map(|(_, agent)| agent.into()).collect())
    }

    /// Whom it is about; null when it is about nobody in particular, or the caller may not open the chart. Needs
    /// `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Patient> {
        or_null(ctx, load_one::<PatientLoader>(ctx, self.patient_id?).await)?.map(Into::into)
    }

    /// Who began it; null when somebody outside did by writing, or the account cannot be shown.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.created_by_id?).await
    }

    /// Who changed the status last; null while nobody did, and when the server did of itself.
    async fn status_changed_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.status_changed_by_id?).await
    }

    /// Where it can be fetched as an archive for five minutes, by this user in this session: a path on this server, with a
    /// token. Needs `chat.export`; fetching is recorded.
    async fn export_url(&self, ctx: &Context<'_>) -> Result<String> {
        export::service::link(request(ctx)?, self.id).await
    }

    /// Who takes part, the longest first. Needs `chat.read`.
    async fn participants(&self, ctx: &Context<'_>) -> Result<Vec<ConversationParticipant>, LoadError> {
        let found = load_one::<ParticipantsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// The caller as one who takes part; null when they have just left. Needs `chat.read`.
    async fn viewer_participant(&self, ctx: &Context<'_>) -> Result<Option<ConversationParticipant>, LoadError> {
        let own = request(ctx)?.user()?;
        let found = load_one::<ParticipantsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().find(|participant| participant.user == own).map(Into::into))
    }

    /// How many messages the caller has not read: those of the system count, their own and the deleted ones do not.
    /// Needs `chat.read`.
    async fn unread_count(&self, ctx: &Context<'_>) -> Result<i64, LoadError> {
        Ok(load_one::<UnreadLoader>(ctx, self.id).await?.unwrap_or(0))
    }

    /// The message sent last, a deleted one too; null while there is none. Needs `chat.read`.
    async fn last_message(&self, ctx: &Context<'_>) -> Result<Option<Message>, LoadError> {
        Ok(load_one::<LastMessageLoader>(ctx, self.id).await?.map(Into::into))
    }

    /// What the caller has begun to write here and not sent, the one outside threads first. Needs `chat.read`.
    async fn drafts(&self, ctx: &Context<'_>) -> Result<Vec<MessageDraft>, LoadError> {
        let found = load_one::<DraftsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Messages in the order they were sent; the last ones when nothing is said. Needs `chat.read`.
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Messages to return from the first on, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "Messages to return from the last back, 1 to 100; 20 when `first` is left out too.")]
        last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection, LoadError> {
        let window =
            WindowRequest::parse(first, after.as_deref(), last, before.as_deref(), End::Last, decode_sequence)?;
        let found = load_one::<MessagesLoader>(ctx, (self.id, window)).await?;
        let found = found.unwrap_or_else(|| window.cut(Vec::new()));
        let total = ctx.look_ahead().field("totalCount").exists().then_some(self.message_count);
        Ok(MessageConnection::new(found.page.map(Into::into), found.has_previous, total, cursor))
    }
}

fn cursor(message: &Message) -> String {
    encode_sequence(message.sequence)
}

connection!(ConversationConnection, ConversationEdge, Conversation, "conversations");
connection!(MessageConnection, MessageEdge, Message, "messages");

/// Someone who takes part in a conversation. Needs `chat.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct ConversationParticipant {
    /// What they may do in it.
    pub role: ParticipantRole,
    /// Whether they work here or are in care here, as of when they joined.
    pub party: ParticipantParty,
    /// When they joined last.
    pub joined_at: DateTime<Utc>,
    #[graphql(skip)]
    user_id: UserId,
    #[graphql(skip)]
    invited_by_id: Option<UserId>,
    #[graphql(skip)]
    muted_until: Option<DateTime<Utc>>,
}

#[ComplexObject]
impl ConversationParticipant {
    /// Who it is; null only when the account cannot be shown.
    async fn user(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.user_id).await
    }

    /// Who invited them; null for who began the conversation, and where the server did.
    async fn invited_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.invited_by_id?).await
    }

    /// Until when they want no notifications of the conversation; null when they do, and for anybody but the caller.
    async fn muted_until(&self, ctx: &Context<'_>) -> Result<Option<DateTime<Utc>>> {
        let request = request(ctx)?;
        let own = self.user_id == request.user()?;
        Ok(self.muted_until.filter(|until| own && *until > request.now()))
    }
}

/// What is said in a conversation. Needs `chat.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Message {
    /// Typed, opaque id.
    pub id: MessageId,
    /// 1, 2, 3 in the conversation, without gaps.
    pub sequence: i64,
    /// What it is.
    pub kind: MessageKind,
    /// The text; null for messages of the system, and when it was deleted.
    pub body: Option<String>,
    /// What happened to the conversation; null for what somebody wrote.
    pub system_event: Option<MessageSystemEvent>,
    /// How carefully it is to be handled.
    pub sensitivity: MessageSensitivity,
    /// The model that was asked for it; null for people, and where none was asked.
    pub model_name: Option<String>,
    /// What its endpoint said it is, often with a version; null for people, and where it said nothing.
    pub model_version: Option<String>,
    /// Of the sentences the model wrote, the share that could be held against the passages it named for them, 0 to 1; the
    /// others are left out. Null for people, and where no model worded the answer.
    pub confidence: Option<f64>,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// When the text last changed; null while it never did.
    pub edited_at: Option<DateTime<Utc>>,
    /// When it was deleted; null while it is there.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when editing the message.
    pub version: i32,
    #[graphql(skip)]
    conversation_id: ConversationId,
    #[graphql(skip)]
    author_id: Option<UserId>,
    #[graphql(skip)]
    contact_id: Option<WhatsappContactId>,
    #[graphql(skip)]
    system_subject_id: Option<UserId>,
    #[graphql(skip)]
    thread_root_id: Option<MessageId>,
    #[graphql(skip)]
    parent_id: Option<MessageId>,
}

#[ComplexObject]
impl Message {
    /// Where it is said; null only when the caller has just left. Needs `chat.read`.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>, LoadError> {
        Ok(load_one::<ConversationLoader>(ctx, self.conversation_id).await?.map(Into::into))
    }

    /// What became of the question it answers; null for what people and the system say. Needs `chat.read`.
    async fn answer(&self, ctx: &Context<'_>) -> Result<Option<MessageAnswer>, LoadError> {
        if self.kind != MessageKind::Assistant {
            return Ok(None);
        }
        Ok(load_one::<AnswerLoader>(ctx, self.id).await?.map(Into::into))
    }

    /// Who outside wrote it, over WhatsApp; null for everybody else. Needs `chat.read`.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<WhatsappContact>, LoadError> {
        contact(ctx, self.contact_id).await
    }

    /// What became of it on its way to somebody outside; null when it goes to nobody there. Needs `chat.read`.
    async fn delivery(&self, ctx: &Context<'_>) -> Result<Option<MessageDelivery>, LoadError> {
        if self.contact_id.is_some() || self.kind != MessageKind::Text {
            return Ok(None);
        }
        Ok(load_one::<DeliveryLoader>(ctx, self.id).await?.map(Into::into))
    }

    /// Who wrote it; null for messages of the system, of an assistant and of somebody outside.
    async fn author(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.author_id?).await
    }

    /// To whom it happened, or who did it; null for what somebody wrote, and where nobody here did it.
    async fn system_subject(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.system_subject_id?).await
    }

    /// The message it answers; null when it answers none. Needs `chat.read`.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Message>, LoadError> {
        load(ctx, self.parent_id).await
    }

    /// The first message of the thread it belongs to; null outside threads and for the first itself. Needs `chat.read`.
    async fn thread_root(&self, ctx: &Context<'_>) -> Result<Option<Message>, LoadError> {
        load(ctx, self.thread_root_id).await
    }

    /// How many messages its thread has beyond it, the deleted ones too; 0 for what began none. Needs `chat.read`.
    async fn reply_count(&self, ctx: &Context<'_>) -> Result<i64, LoadError> {
        Ok(load_one::<ReplyCountLoader>(ctx, self.id).await?.unwrap_or(0))
    }

    /// The messages of its thread beyond it, in the order they were sent; `totalCount` is in `replyCount`. Needs
    /// `chat.read`.
    async fn replies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Messages to return from the first on, 1 to 100; 20 when `last` is left out too.")]
        first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "Messages to return from the last back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection, LoadError> {
        let window =
            WindowRequest::parse(first, after.as_deref(), last, before.as_deref(), End::First, decode_sequence)?;
        let found = load_one::<RepliesLoader>(ctx, (self.id, window)).await?;
        let found = found.unwrap_or_else(|| window.cut(Vec::new()));
        Ok(MessageConnection::new(found.page.map(Into::into), found.has_previous, None, cursor))
    }

    /// What it said before it was edited, the oldest first. Needs `chat.read`.
    async fn history(&self, ctx: &Context<'_>) -> Result<Vec<MessageEarlierText>, LoadError> {
        if self.edited_at.is_none() {
            return Ok(Vec::new());
        }
        let found = load_one::<HistoryLoader>(ctx, self.id).await?.unwrap_or_default();
        let shown =
            |text: EarlierText| MessageEarlierText { body: text.body.into_revealed(), written_at: text.written_at };
        Ok(found.into_iter().map(shown).collect())
    }

    /// What those who take part think of it, the first emoji first. Needs `chat.read`.
    async fn reactions(&self, ctx: &Context<'_>) -> Result<Vec<MessageReaction>, LoadError> {
        let own = request(ctx)?.user()?;
        let mut reactions: Vec<MessageReaction> = Vec::new();
        for reaction in load_one::<ReactionsLoader>(ctx, self.id).await?.unwrap_or_default() {
            let place = reactions.iter().position(|one| one.emoji == reaction.emoji);
            let place = place.unwrap_or_else(|| {
                let emoji = reaction.emoji.clone();
                reactions.push(MessageReaction { emoji, viewer_reacted: false, user_ids: Vec::new() });
                reactions.len() - 1
            });
            if let Some(one) = reactions.get_mut(place) {
                one.viewer_reacted |= reaction.user == own;
                one.user_ids.push(reaction.user);
            }
        }
        Ok(reactions)
    }

    /// Whom it names; those whose account cannot be shown are left out. Needs `chat.read`.
    async fn mentions(&self, ctx: &Context<'_>) -> Result<Vec<User>, LoadError> {
        let named = load_one::<MentionsLoader>(ctx, self.id).await?.unwrap_or_default();
        users(ctx, named.into_iter().map(|(_, user)| user).collect()).await
    }

    /// Documents it shares, in their order. Needs `chat.read`.
    async fn attachments(&self, ctx: &Context<'_>) -> Result<Vec<MessageAttachment>, LoadError> {
        let shared = load_one::<AttachmentsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(shared.into_iter().map(|(_, document_id)| MessageAttachment { document_id }).collect())
    }

    /// Who of the others has read it, the longest there first; null for anybody but its author. Needs `chat.read`.
    async fn read_by(&self, ctx: &Context<'_>) -> Result<Option<Vec<ConversationParticipant>>, LoadError> {
        self.reached(ctx, |participant| participant.seen_sequence).await
    }

    /// Whom of the others it has reached, the longest there first; null for anybody but its author. Needs `chat.read`.
    async fn delivered_to(&self, ctx: &Context<'_>) -> Result<Option<Vec<ConversationParticipant>>, LoadError> {
        self.reached(ctx, |participant| participant.delivered_sequence).await
    }
}

impl Message {
    async fn reached(
        &self,
        ctx: &Context<'_>,
        up_to: impl Fn(&model::Participant) -> i64,
    ) -> Result<Option<Vec<ConversationParticipant>>, LoadError> {
        let own = request(ctx)?.user()?;
        if self.author_id != Some(own) {
            return Ok(None);
        }
        let found = load_one::<ParticipantsLoader>(ctx, self.conversation_id).await?.unwrap_or_default();
        let reached = found.into_iter().filter(|one| one.user != own && up_to(one) >= self.sequence);
        Ok(Some(reached.map(Into::into).collect()))
    }
}

async fn contact(ctx: &Context<'_>, id: Option<WhatsappContactId>) -> Result<Option<WhatsappContact>, LoadError> {
    let Some(id) = id else { return Ok(None) };
    Ok(load_one::<ContactLoader>(ctx, id).await?.map(Into::into))
}

async fn load(ctx: &Context<'_>, id: Option<MessageId>) -> Result<Option<Message>, LoadError> {
    let Some(id) = id else { return Ok(None) };
    Ok(load_one::<MessageLoader>(ctx, id).await?.map(Into::into))
}

/// What a message said before it was edited.
#[derive(Debug, Clone, SimpleObject)]
pub struct MessageEarlierText {
    /// The text.
    pub body: String,
    /// When it was given that text.
    pub written_at: DateTime<Utc>,
}

/// An emoji that a message was given.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct MessageReaction {
    /// The emoji.
    pub emoji: String,
    /// Whether the caller gave it.
    pub viewer_reacted: bool,
    #[graphql(skip)]
    user_ids: Vec<UserId>,
}

#[ComplexObject]
impl MessageReaction {
    /// How many gave it.
    async fn count(&self) -> usize {
        self.user_ids.len()
    }

    /// Who gave it, the first first; those whose account cannot be shown are left out.
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>, LoadError> {
        users(ctx, self.user_ids.clone()).await
    }
}

/// A document that a message shares.
#[derive(Debug, Clone, Copy)]
pub struct MessageAttachment {
    document_id: DocumentId,
}

/// A document that a message shares.
#[Object]
impl MessageAttachment {
    /// The document; null when the caller may not know of it. Needs `documents.read`.
    async fn document(&self, ctx: &Context<'_>) -> Option<Document> {
        or_null(ctx, load_one::<DocumentLoader>(ctx, self.document_id).await)?.map(Into::into)
    }
}

/// What somebody has begun to write and not sent; seen by them alone.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct MessageDraft {
    /// The text so far.
    pub body: String,
    /// When it was saved last.
    pub saved_at: DateTime<Utc>,
    #[graphql(skip)]
    thread_root_id: Option<MessageId>,
}

#[ComplexObject]
impl MessageDraft {
    /// First message of the thread it is for; null outside threads. Needs `chat.read`.
    async fn thread_root(&self, ctx: &Context<'_>) -> Result<Option<Message>, LoadError> {
        load(ctx, self.thread_root_id).await
    }
}

impl From<drafts::Draft> for MessageDraft {
    fn from(draft: drafts::Draft) -> Self {
        Self { body: draft.body.into_revealed(), saved_at: draft.saved_at, thread_root_id: draft.thread_root }
    }
}

/// A conversation as whoever may place a legal hold on it knows it: nothing of what it is called or what is said in it.
/// Needs `chat.hold`.
#[derive(Debug, Clone, SimpleObject)]
pub struct ConversationOnRecord {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// What it is for.
    pub kind: ConversationKind,
    /// Whether it goes on.
    pub status: ConversationStatus,
    /// How many messages were ever sent in it.
    pub message_count: i64,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When its last message was sent; when it was begun while there is none.
    pub last_activity_at: DateTime<Utc>,
    /// Since when it is under a legal hold; null while it is not.
    pub held_at: Option<DateTime<Utc>>,
    /// Why it is under a legal hold; null while it is not.
    pub hold_reason: Option<String>,
}

impl From<OnRecord> for ConversationOnRecord {
    fn from(known: OnRecord) -> Self {
        Self {
            conversation_id: known.id,
            kind: known.kind,
            status: known.status,
            message_count: known.messages,
            created_at: known.created_at,
            last_activity_at: known.last_activity_at,
            held_at: known.held_at,
            hold_reason: known.hold_reason.map(Phi::into_revealed),
        }
    }
}

/// How much the caller has not read.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub struct ConversationUnreadTotal {
    /// Messages, in all conversations the caller takes part in.
    pub messages: i64,
    /// Conversations with one at least.
    pub conversations: i64,
}

impl From<model::Conversation> for Conversation {
    fn from(conversation: model::Conversation) -> Self {
        Self {
            id: conversation.id,
            kind: conversation.kind,
            title: conversation.title.map(Phi::into_revealed),
            tags: conversation.tags,
            priority: conversation.priority,
            status: conversation.status,
            status_changed_at: conversation.status_changed_at,
            message_count: conversation.last_sequence,
            last_activity_at: conversation.last_activity_at,
            on_hold: conversation.held_at.is_some(),
            created_at: conversation.created_at,
            version: conversation.version,
            patient_id: conversation.patient,
            status_changed_by_id: conversation.status_changed_by,
            created_by_id: conversation.created_by,
            assigned_id: conversation.assigned,
            contact_id: conversation.contact,
        }
    }
}

impl From<model::Participant> for ConversationParticipant {
    fn from(participant: model::Participant) -> Self {
        Self {
            role: participant.role,
            party: participant.party,
            joined_at: participant.joined_at,
            user_id: participant.user,
            invited_by_id: participant.invited_by,
            muted_until: participant.muted_until,
        }
    }
}

impl From<model::Message> for Message {
    fn from(message: model::Message) -> Self {
        Self {
            id: message.id,
            sequence: message.sequence,
            kind: message.kind,
            body: message.body.map(Phi::into_revealed),
            system_event: message.system_event,
            sensitivity: message.sensitivity,
            model_name: message.model_name,
            model_version: message.model_version,
            confidence: message.confidence,
            created_at: message.created_at,
            edited_at: message.edited_at,
            deleted_at: message.deleted_at,
            version: message.version,
            conversation_id: message.conversation,
            author_id: message.author,
            contact_id: message.contact,
            system_subject_id: message.system_subject,
            thread_root_id: message.thread_root,
            parent_id: message.parent,
        }
    }
}
