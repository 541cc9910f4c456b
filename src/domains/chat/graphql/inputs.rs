//! Inputs of mutations.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::{DateTime, Utc};

use crate::domains::chat::model::{
    ConversationKind, ConversationPriority, MessageKind, MessageSensitivity, ParticipantRole,
};
use crate::ids::{ConversationId, DocumentId, MessageId, PatientId, UserId};

/// A conversation to be begun.
#[derive(InputObject)]
pub struct ConversationCreateInput {
    /// What it is for.
    pub kind: ConversationKind,
    /// Title of at most 200 characters on one line; required for secure mail, as its subject.
    pub title: Option<String>,
    /// Whom it is about; required for conversations about a patient and with a care team.
    pub patient_id: Option<PatientId>,
    /// Users who take part beside the caller, at most 199. Of people in care one at most takes part.
    pub participant_ids: Vec<UserId>,
    /// How much it presses; as usual when left out.
    pub priority: Option<ConversationPriority>,
    /// Words to sort it by, at most 10 of at most 40 characters.
    pub tags: Option<Vec<String>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What is to be changed of a conversation. What is left out stays.
#[derive(InputObject)]
pub struct ConversationUpdateInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Title of at most 200 characters on one line; null for none.
    pub title: MaybeUndefined<String>,
    /// How much it presses.
    pub priority: Option<ConversationPriority>,
    /// Words to sort it by, at most 10 of at most 40 characters; all of them.
    pub tags: Option<Vec<String>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A conversation whose status is to change.
#[derive(InputObject)]
pub struct ConversationStatusInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A conversation that somebody must see to.
#[derive(InputObject)]
pub struct ConversationEscalateInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Who is to see to it: somebody of the staff who takes part and does not only observe; nobody in particular when
    /// left out.
    pub assignee_id: Option<UserId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Users to be brought into a conversation.
#[derive(InputObject)]
pub struct ConversationInviteInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// Users to take part.
    pub participant_ids: Vec<UserId>,
    /// What they may do in it; send messages when left out.
    pub role: Option<ParticipantRole>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A conversation to be left.
#[derive(InputObject)]
pub struct ConversationLeaveInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Someone to be taken out of a conversation.
#[derive(InputObject)]
pub struct ConversationRemoveParticipantInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// Who is to be taken out.
    pub user_id: UserId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What someone may do in a conversation from now on.
#[derive(InputObject)]
pub struct ConversationSetRoleInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// Who it is about.
    pub user_id: UserId,
    /// What they may do.
    pub role: ParticipantRole,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Whether the caller wants notifications of a conversation.
#[derive(InputObject)]
pub struct ConversationMuteInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// Until when they want none; null or left out when they want them again.
    pub until: Option<DateTime<Utc>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A message to be sent.
#[derive(InputObject)]
pub struct MessageSendInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// The text, 1 to 20,000 characters.
    pub body: String,
    /// The message it answers; it joins the thread of that.
    pub parent_id: Option<MessageId>,
    /// What it is; something the caller wrote when left out.
    pub kind: Option<MessageKind>,
    /// How carefully it is to be handled; like the rest when left out.
    pub sensitivity: Option<MessageSensitivity>,
    /// Users it names, at most 50; each takes part in the conversation.
    pub mention_ids: Option<Vec<UserId>>,
    /// Documents it shares, at most 50; required for a message that is a document.
    pub document_ids: Option<Vec<DocumentId>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A conversation the caller is writing in.
#[derive(InputObject)]
pub struct ConversationTypingInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
}

/// How far the caller has got.
#[derive(InputObject)]
pub struct MessageReceiptInput {
    /// Id of the message.
    pub id: MessageId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A message that is to say something else.
#[derive(InputObject)]
pub struct MessageEditInput {
    /// Id of the message.
    pub id: MessageId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// The text from now on, 1 to 20,000 characters.
    pub body: String,
    /// Users it names from now on, at most 50; those it named when left out.
    pub mention_ids: Option<Vec<UserId>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A message to be deleted.
#[derive(InputObject)]
pub struct MessageDeleteInput {
    /// Id of the message.
    pub id: MessageId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What the caller thinks of a message.
#[derive(InputObject)]
pub struct MessageReactionInput {
    /// Id of the message.
    pub id: MessageId,
    /// One emoji.
    pub emoji: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What the caller has written so far.
#[derive(InputObject)]
pub struct MessageDraftSaveInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// First message of the thread it is for; null or left out outside threads.
    pub thread_root_id: Option<MessageId>,
    /// The text so far, 1 to 20,000 characters.
    pub body: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What the caller no longer wants to send.
#[derive(InputObject)]
pub struct MessageDraftDiscardInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// First message of the thread it is for; null or left out outside threads.
    pub thread_root_id: Option<MessageId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A conversation to be put under a legal hold.
#[derive(InputObject)]
pub struct ConversationHoldPlaceInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// Why, 1 to 1,000 characters.
    pub reason: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A conversation whose legal hold is over.
#[derive(InputObject)]
pub struct ConversationHoldReleaseInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}
