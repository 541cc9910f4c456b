//! Objects of the domain by their ids, for `node`.

use async_graphql::Context;
use uuid::Uuid;

use crate::domains::chat::loaders::{ConversationLoader, MessageLoader};
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::node::Node;
use crate::ids::{ConversationId, MessageId, TypedId as _};

/// The object with an id of this kind, loaded together with others of its kind; `None` when the kind is of another
/// domain, and `Some(None)` when there is none the caller may see.
pub async fn node(ctx: &Context<'_>, prefix: &str, id: Uuid) -> Option<Result<Option<Node>, LoadError>> {
    Some(match prefix {
        ConversationId::PREFIX => load_one::<ConversationLoader>(ctx, ConversationId::from_uuid(id))
            .await
            .map(|found| found.map(|row| Node::Conversation(row.into()))),
        MessageId::PREFIX => load_one::<MessageLoader>(ctx, MessageId::from_uuid(id))
            .await
            .map(|found| found.map(|row| Node::Message(row.into()))),
        _ => return None,
    })
}
