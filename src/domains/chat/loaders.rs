//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use super::agents::model::Agent;
use super::agents::service as agents;
use super::conversations::service as conversations;
use super::drafts::{Draft, service as drafts};
use super::messages::answers::{self, Answer};
use super::messages::parts::{self, EarlierText, Reaction};
use super::messages::service as messages;
use super::model::{Conversation, Message, Participant};
use super::participants::service as participants;
use super::whatsapp::model::{Contact, Delivery};
use super::whatsapp::{contacts, deliver, service as whatsapp};
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::{Loader, grouped};
use crate::ids::{AgentId, ConversationId, DocumentId, MessageId, UserId, WhatsappContactId, WhatsappIntegrationId};
use crate::pagination::{Window, WindowRequest};

/// Conversations by id.
#[derive(Debug)]
pub struct ConversationLoader;

impl Loader for ConversationLoader {
    type Key = ConversationId;
    type Value = Conversation;

    async fn load(ctx: &RequestContext, keys: &[ConversationId]) -> Result<HashMap<ConversationId, Conversation>> {
        let found = conversations::conversations_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|conversation| (conversation.id, conversation)).collect())
    }
}

/// Who takes part, by conversation.
#[derive(Debug)]
pub struct ParticipantsLoader;

impl Loader for ParticipantsLoader {
    type Key = ConversationId;
    type Value = Vec<Participant>;

    async fn load(ctx: &RequestContext, keys: &[ConversationId]) -> Result<HashMap<ConversationId, Vec<Participant>>> {
        Ok(grouped(participants::participants_of(ctx, keys).await?, |participant| participant.conversation))
    }
}

/// How many messages the caller has not read, by conversation.
#[derive(Debug)]
pub struct UnreadLoader;

impl Loader for UnreadLoader {
    type Key = ConversationId;
    type Value = i64;

    async fn load(ctx: &RequestContext, keys: &[ConversationId]) -> Result<HashMap<ConversationId, i64>> {
        participants::unread_of(ctx, keys).await
    }
}

/// Messages by id.
#[derive(Debug)]
pub struct MessageLoader;

impl Loader for MessageLoader {
    type Key = MessageId;
    type Value = Message;

    async fn load(ctx: &RequestContext, keys: &[MessageId]) -> Result<HashMap<MessageId, Message>> {
        let found = messages::messages_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|message| (message.id, message)).collect())
    }
}

/// The last message, by conversation.
#[derive(Debug)]
pub struct LastMessageLoader;

impl Loader for LastMessageLoader {
    type Key = ConversationId;
    type Value = Message;

    async fn load(ctx: &RequestContext, keys: &[ConversationId]) -> Result<HashMap<ConversationId, Message>> {
        let found = messages::last_messages_of(ctx, keys).await?;
        Ok(found.into_iter().map(|message| (message.conversation, message)).collect())
    }
}

/// Declares a loader of windows of messages: one statement for all parents whose windows are alike.
macro_rules! window_loader {
    ($(#[$doc:meta])* $name:ident: $key:ty, $service:path) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Loader for $name {
            type Key = ($key, WindowRequest<i64>);
            type Value = Window<Message>;

            async fn load(ctx: &RequestContext, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
                let mut found = HashMap::new();
                for (window, wanted) in grouped(keys.to_vec(), |(_, window)| *window) {
                    let parents: Vec<$key> = wanted.into_iter().map(|(parent, _)| parent).collect();
                    let windows = $service(ctx, &parents, window).await?;
                    found.extend(windows.into_iter().map(|(parent, messages)| ((parent, window), messages)));
                }
                Ok(found)
            }
        }
    };
}

window_loader!(
    /// Windows of messages, by conversation.
    MessagesLoader: ConversationId, messages::messages_of
);

window_loader!(
    /// Windows of the answers in a thread, by its first message.
    RepliesLoader: MessageId, messages::replies_of
);

/// How many answers a thread has, by its first message.
#[derive(Debug)]
pub struct ReplyCountLoader;

impl Loader for ReplyCountLoader {
    type Key = MessageId;
    type Value = i64;

    async fn load(ctx: &RequestContext, keys: &[MessageId]) -> Result<HashMap<MessageId, i64>> {
        messages::reply_counts(ctx, keys).await
    }
}

/// What became of questions, by the message the answer is in.
#[derive(Debug)]
pub struct AnswerLoader;

impl Loader for AnswerLoader {
    type Key = MessageId;
    type Value = Answer;

    async fn load(ctx: &RequestContext, keys: &[MessageId]) -> Result<HashMap<MessageId, Answer>> {
        let found = answers::answers_of(ctx, keys).await?;
        Ok(found.into_iter().map(|answer| (answer.message, answer)).collect())
    }
}

/// Assistants by id.
#[derive(Debug)]
pub struct AgentLoader;

impl Loader for AgentLoader {
    type Key = AgentId;
    type Value = Agent;

    async fn load(ctx: &RequestContext, keys: &[AgentId]) -> Result<HashMap<AgentId, Agent>> {
        Ok(agents::agents_by_ids(ctx, keys).await?.into_iter().map(|agent| (agent.id, agent)).collect())
    }
}

/// People outside by id.
#[derive(Debug)]
pub struct ContactLoader;

impl Loader for ContactLoader {
    type Key = WhatsappContactId;
    type Value = Contact;

    async fn load(ctx: &RequestContext, keys: &[WhatsappContactId]) -> Result<HashMap<WhatsappContactId, Contact>> {
        let found = contacts::contacts_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|contact| (contact.id, contact)).collect())
    }
}

/// What became of messages on their way to people outside, by message.
#[derive(Debug)]
pub struct DeliveryLoader;

impl Loader for DeliveryLoader {
    type Key = MessageId;
    type Value = Delivery;

    async fn load(ctx: &RequestContext, keys: &[MessageId]) -> Result<HashMap<MessageId, Delivery>> {
        let found = deliver::deliveries_of(ctx, keys).await?;
        Ok(found.into_iter().map(|delivery| (delivery.message, delivery)).collect())
    }
}

/// Declares a loader of lists: `Name: Key => Value, service function, key of a row`.
macro_rules! list_loaders {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty, $service:path, $by:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Loader for $name {
            type Key = $key;
            type Value = Vec<$value>;

            async fn load(ctx: &RequestContext, keys: &[$key]) -> Result<HashMap<$key, Vec<$value>>> {
                Ok(grouped($service(ctx, keys).await?, $by))
            }
        }
    )*};
}

list_loaders! {
    /// Earlier texts, by message.
    HistoryLoader: MessageId => EarlierText, parts::history_of, |text| text.message;
    /// Reactions, by message.
    ReactionsLoader: MessageId => Reaction, parts::reactions_of, |reaction| reaction.message;
    /// Who is named, by message.
    MentionsLoader: MessageId => (MessageId, UserId), parts::mentions_of, |(message, _)| *message;
    /// Which documents are shared, by message.
    AttachmentsLoader: MessageId => (MessageId, DocumentId), parts::attachments_of, |(message, _)| *message;
    /// Assistants that answer, by conversation.
    AgentsLoader: ConversationId => (ConversationId, Agent), agents::agents_of, |(conversation, _)| *conversation;
    /// Who takes part in new conversations of a number.
    IntegrationMembersLoader: WhatsappIntegrationId => (WhatsappIntegrationId, UserId), whatsapp::members_of, |(id, _)| *id;
    /// The caller's drafts, by conversation.
    DraftsLoader: ConversationId => Draft, drafts::drafts_of, |draft| draft.conversation;
}
