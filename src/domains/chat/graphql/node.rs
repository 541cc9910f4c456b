//! Objects of the domain by their ids, for `node`.

use uuid::Uuid;

use crate::access::RequestContext;
use crate::domains::chat::agents::service as agents;
use crate::domains::chat::conversations::service as conversations;
use crate::domains::chat::memories::service as memories;
use crate::domains::chat::messages::service as messages;
use crate::domains::chat::whatsapp;
use crate::error::Result;
use crate::graphql::node::Node;
use crate::ids::{
    AgentId, ConversationId, MemoryId, MessageId, TypedId as _, WhatsappContactId, WhatsappIntegrationId,
};

/// The object with an id of this kind; `None` when the kind is of another domain.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    Some(match prefix {
        ConversationId::PREFIX => conversations::conversation(ctx, ConversationId::from_uuid(id))
            .await
            .map(|found| Node::Conversation(found.into())),
        MessageId::PREFIX => {
            messages::message(ctx, MessageId::from_uuid(id)).await.map(|found| Node::Message(found.into()))
        }
        AgentId::PREFIX => agents::agent(ctx, AgentId::from_uuid(id)).await.map(|found| Node::Agent(found.into())),
        MemoryId::PREFIX => {
            memories::memory(ctx, MemoryId::from_uuid(id)).await.map(|found| Node::AgentMemory(found.into()))
        }
        WhatsappIntegrationId::PREFIX => whatsapp::service::integration(ctx, WhatsappIntegrationId::from_uuid(id))
            .await
            .map(|found| Node::WhatsappIntegration(found.into())),
        WhatsappContactId::PREFIX => whatsapp::contacts::contact(ctx, WhatsappContactId::from_uuid(id))
            .await
            .map(|found| Node::WhatsappContact(found.into())),
        _ => return None,
    })
}
