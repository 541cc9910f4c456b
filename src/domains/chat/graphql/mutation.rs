//! Mutations of the domain.

use async_graphql::{Context, Object};

use super::inputs::{
    ConversationCreateInput, ConversationEscalateInput, ConversationHoldPlaceInput, ConversationHoldReleaseInput,
    ConversationInviteInput, ConversationLeaveInput, ConversationMuteInput, ConversationRemoveParticipantInput,
    ConversationSetRoleInput, ConversationStatusInput, ConversationTypingInput, ConversationUpdateInput,
    MessageDeleteInput, MessageDraftDiscardInput, MessageDraftSaveInput, MessageEditInput, MessageReactionInput,
    MessageReceiptInput, MessageSendInput,
};
use super::types::{ChatUserError, Conversation, Message};
use crate::domains::chat::conversations::service::{self as conversations, NewConversation, UpdateConversation};
use crate::domains::chat::drafts::service as drafts;
use crate::domains::chat::keeping::service as keeping;
use crate::domains::chat::messages::change;
use crate::domains::chat::messages::service::{self as messages, SendMessage};
use crate::domains::chat::model::{
    ConversationPriority, ConversationStatus, MessageKind, MessageSensitivity, ParticipantRole, Refusal,
};
use crate::domains::chat::participants::service::{self as participants, Receipt};
use crate::error::{Result, Stop};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{ConversationId, MessageId};
use crate::phi::Phi;

payload!(
    /// What became of a conversation.
    ConversationPayload {
        /// The conversation; null when refused.
        conversation: Conversation,
    } or ChatUserError
);

payload!(
    /// What became of a conversation that is to be left.
    ConversationLeavePayload {
        /// Its id; null when refused.
        left_id: ConversationId,
    } or ChatUserError
);

payload!(
    /// Whether the others were told.
    ConversationTypingPayload {
        /// Id of the conversation.
        conversation_id: ConversationId,
    } or ChatUserError
);

payload!(
    /// What became of a legal hold.
    ConversationHoldPayload {
        /// Id of the conversation; null when refused.
        conversation_id: ConversationId,
    } or ChatUserError
);

payload!(
    /// What became of a message.
    MessagePayload {
        /// The message; null when refused.
        message: Message,
    } or ChatUserError
);

pub(in crate::domains::chat) async fn conversation(
    ctx: &Context<'_>,
    outcome: Result<ConversationId, Stop<Refusal>>,
) -> Result<ConversationPayload> {
    match outcome {
        Ok(id) => Ok(ConversationPayload::done(conversations::conversation(request(ctx)?, id).await?.into())),
        Err(stop) => ConversationPayload::refused(stop),
    }
}

pub(in crate::domains::chat) async fn message(
    ctx: &Context<'_>,
    outcome: Result<MessageId, Stop<Refusal>>,
) -> Result<MessagePayload> {
    match outcome {
        Ok(id) => Ok(MessagePayload::done(messages::message(request(ctx)?, id).await?.into())),
        Err(stop) => MessagePayload::refused(stop),
    }
}

async fn set_status(
    ctx: &Context<'_>,
    input: ConversationStatusInput,
    status: ConversationStatus,
) -> Result<ConversationPayload> {
    let ConversationStatusInput { id, expected_version, idempotency_key } = input;
    let once = once(ctx, idempotency_key)?;
    conversation(ctx, conversations::set_status(request(ctx)?, id, expected_version, status, None, once).await).await
}

async fn receive(ctx: &Context<'_>, input: MessageReceiptInput, receipt: Receipt) -> Result<ConversationPayload> {
    let MessageReceiptInput { id, idempotency_key } = input;
    let once = once(ctx, idempotency_key)?;
    conversation(ctx, participants::receive(request(ctx)?, id, receipt, once).await).await
}

/// Mutations of conversations.
#[derive(Debug, Default)]
pub struct ChatMutation;

#[Object]
impl ChatMutation {
    /// Begins a conversation, which the caller owns. Needs `chat.create`; of other kinds than secure mail,
    /// `chat.create_staff`.
    async fn conversation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationCreateInput,
    ) -> Result<ConversationPayload> {
        let ConversationCreateInput { kind, title, patient_id, participant_ids, priority, tags, idempotency_key } =
            input;
        let once = once(ctx, idempotency_key)?;
        let new = NewConversation {
            kind,
            title: title.map(Phi::new),
            patient: patient_id,
            participants: participant_ids,
            priority: priority.unwrap_or(ConversationPriority::Normal),
            tags: tags.unwrap_or_default(),
        };
        conversation(ctx, conversations::create_conversation(request(ctx)?, new, once).await).await
    }

    /// Changes title, priority or tags. Needs `chat.manage`.
    async fn conversation_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ConversationUpdateInput,
    ) -> Result<ConversationPayload> {
        let ConversationUpdateInput { id, expected_version, title, priority, tags, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let update = UpdateConversation { title: title.map_value(Phi::new), priority, tags };
        let outcome = conversations::update_conversation(request(ctx)?, id, expected_version, update, once).await;
        conversation(ctx, outcome).await
    }

    /// Puts a conversation away; nothing is sent in it then. Needs `chat.manage`.
    async fn conversation_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationStatusInput,
    ) -> Result<ConversationPayload> {
        set_status(ctx, input, ConversationStatus::Archived).await
    }

    /// Says that somebody must see to a conversation, and who; those who take part are told. Needs `chat.manage`.
    async fn conversation_escalate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation, and who is to see to it.")] input: ConversationEscalateInput,
    ) -> Result<ConversationPayload> {
        let ConversationEscalateInput { id, expected_version, assignee_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let escalated = ConversationStatus::Escalated;
        let outcome =
            conversations::set_status(request(ctx)?, id, expected_version, escalated, assignee_id, once).await;
        conversation(ctx, outcome).await
    }

    /// Says that a conversation is over; nothing is sent in it then. Needs `chat.manage`.
    async fn conversation_complete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationStatusInput,
    ) -> Result<ConversationPayload> {
        set_status(ctx, input, ConversationStatus::Completed).await
    }

    /// Lets a conversation go on. Needs `chat.manage`.
    async fn conversation_reopen(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationStatusInput,
    ) -> Result<ConversationPayload> {
        set_status(ctx, input, ConversationStatus::Active).await
    }

    /// Brings users into a conversation. They see what was said before, and it counts as read. Needs
    /// `chat.participants`.
    async fn conversation_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation and the users.")] input: ConversationInviteInput,
    ) -> Result<ConversationPayload> {
        let ConversationInviteInput { id, participant_ids, role, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let role = role.unwrap_or(ParticipantRole::Member);
        conversation(ctx, participants::invite(request(ctx)?, id, participant_ids, role, once).await).await
    }

    /// Leaves a conversation, and sees nothing of it any more. Needs `chat.leave`.
    async fn conversation_leave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationLeaveInput,
    ) -> Result<ConversationLeavePayload> {
        let ConversationLeaveInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match participants::leave(request(ctx)?, id, once).await {
            Ok(id) => Ok(ConversationLeavePayload::done(id)),
            Err(stop) => ConversationLeavePayload::refused(stop),
        }
    }

    /// Takes someone out of a conversation; they see nothing of it any more. Needs `chat.participants`, and that the
    /// caller owns it.
    async fn conversation_remove_participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation and who is to go.")] input: ConversationRemoveParticipantInput,
    ) -> Result<ConversationPayload> {
        let ConversationRemoveParticipantInput { id, user_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        conversation(ctx, participants::remove(request(ctx)?, id, user_id, once).await).await
    }

    /// Says what someone may do in a conversation. Needs `chat.participants`, and that the caller owns it.
    async fn conversation_set_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation, who and what.")] input: ConversationSetRoleInput,
    ) -> Result<ConversationPayload> {
        let ConversationSetRoleInput { id, user_id, role, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        conversation(ctx, participants::set_role(request(ctx)?, id, user_id, role, once).await).await
    }

    /// Says whether the caller wants notifications of a conversation. Needs `chat.mute`.
    async fn conversation_mute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation, and until when.")] input: ConversationMuteInput,
    ) -> Result<ConversationPayload> {
        let ConversationMuteInput { id, until, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        conversation(ctx, participants::mute(request(ctx)?, id, until, once).await).await
    }

    /// Puts a conversation under a legal hold: while it lasts, nothing of it goes away. Needs `chat.hold`.
    async fn conversation_hold_place(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation, and why.")] input: ConversationHoldPlaceInput,
    ) -> Result<ConversationHoldPayload> {
        let ConversationHoldPlaceInput { conversation_id, reason, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match keeping::place_hold(request(ctx)?, conversation_id, Phi::new(reason), once).await {
            Ok(id) => Ok(ConversationHoldPayload::done(id)),
            Err(stop) => ConversationHoldPayload::refused(stop),
        }
    }

    /// Releases a legal hold. Needs `chat.hold`.
    async fn conversation_hold_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationHoldReleaseInput,
    ) -> Result<ConversationHoldPayload> {
        let ConversationHoldReleaseInput { conversation_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match keeping::release_hold(request(ctx)?, conversation_id, once).await {
            Ok(id) => Ok(ConversationHoldPayload::done(id)),
            Err(stop) => ConversationHoldPayload::refused(stop),
        }
    }

    /// Tells those who listen to the conversation that the caller is writing; to be sent again every few seconds while
    /// they are. Nothing is written down. Needs `chat.typing`.
    async fn conversation_typing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation.")] input: ConversationTypingInput,
    ) -> Result<ConversationTypingPayload> {
        match participants::typing(request(ctx)?, input.conversation_id).await {
            Ok(id) => Ok(ConversationTypingPayload::done(id)),
            Err(stop) => ConversationTypingPayload::refused(stop),
        }
    }

    /// Sends a message. Needs `chat.send`.
    async fn message_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: MessageSendInput,
    ) -> Result<MessagePayload> {
        let MessageSendInput {
            conversation_id,
            body,
            parent_id,
            kind,
            sensitivity,
            mention_ids,
            document_ids,
            idempotency_key,
        } = input;
        let once = once(ctx, idempotency_key)?;
        let new = SendMessage {
            conversation: conversation_id,
            kind: kind.unwrap_or(MessageKind::Text),
            body: Phi::new(body),
            parent: parent_id,
            sensitivity: sensitivity.unwrap_or(MessageSensitivity::Normal),
            mentions: mention_ids.unwrap_or_default(),
            documents: document_ids.unwrap_or_default(),
        };
        message(ctx, messages::send_message(request(ctx)?, new, once).await).await
    }

    /// Gives a message of one's own another text; what it said before is kept. What goes out over WhatsApp is not edited.
    /// Needs `chat.send`.
    async fn message_edit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message and its text.")] input: MessageEditInput,
    ) -> Result<MessagePayload> {
        let MessageEditInput { id, expected_version, body, mention_ids, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let outcome =
            change::edit_message(request(ctx)?, id, expected_version, Phi::new(body), mention_ids, once).await;
        message(ctx, outcome).await
    }

    /// Deletes a message of one's own, or of a conversation one owns: that there was one stays, what it said goes, and
    /// what it said before, reactions, mentions and attachments with it. What went out over WhatsApp stays with whoever got
    /// it. Needs `chat.send`.
    async fn message_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: MessageDeleteInput,
    ) -> Result<MessagePayload> {
        let MessageDeleteInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        message(ctx, change::delete_message(request(ctx)?, id, once).await).await
    }

    /// Gives a message an emoji. Needs `chat.send`.
    async fn message_react(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message and the emoji.")] input: MessageReactionInput,
    ) -> Result<MessagePayload> {
        let MessageReactionInput { id, emoji, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        message(ctx, change::react(request(ctx)?, id, emoji, true, once).await).await
    }

    /// Takes an emoji of one's own back. Needs `chat.send`.
    async fn message_unreact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message and the emoji.")] input: MessageReactionInput,
    ) -> Result<MessagePayload> {
        let MessageReactionInput { id, emoji, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        message(ctx, change::react(request(ctx)?, id, emoji, false, once).await).await
    }

    /// Keeps what the caller has written so far, in place of what they had there. Needs `chat.draft`.
    async fn message_draft_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, and what.")] input: MessageDraftSaveInput,
    ) -> Result<ConversationPayload> {
        let MessageDraftSaveInput { conversation_id, thread_root_id, body, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let saved = drafts::save_draft(request(ctx)?, conversation_id, thread_root_id, Phi::new(body), once).await;
        conversation(ctx, saved).await
    }

    /// Forgets what the caller has written and not sent. Needs `chat.draft`.
    async fn message_draft_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where.")] input: MessageDraftDiscardInput,
    ) -> Result<ConversationPayload> {
        let MessageDraftDiscardInput { conversation_id, thread_root_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        conversation(ctx, drafts::discard_draft(request(ctx)?, conversation_id, thread_root_id, once).await).await
    }

    /// Says that the caller has read a message, and so what came before it. Its author learns of it. Needs `chat.receipt`.
    async fn message_mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: MessageReceiptInput,
    ) -> Result<ConversationPayload> {
        receive(ctx, input, Receipt::Read).await
    }

    /// Says that a message, and what came after it, counts as not read for the caller. Receipts stay. Needs
    /// `chat.receipt`.
    async fn message_mark_unread(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: MessageReceiptInput,
    ) -> Result<ConversationPayload> {
        receive(ctx, input, Receipt::Unread).await
    }

    /// Says that a message, and so what came before it, has reached a device of the caller. Needs `chat.receipt`.
    async fn message_mark_delivered(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: MessageReceiptInput,
    ) -> Result<ConversationPayload> {
        receive(ctx, input, Receipt::Delivered).await
    }
}
