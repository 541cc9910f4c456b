//! What a write leaves behind for those who listen. Whoever takes part when it commits is told, and the conversation's
//! row is locked until then: nobody who joined before misses anything, nobody who left before is told.

use super::participants;
use crate::access::Tx;
use crate::error::Result;
use crate::events::{EventKind, NewEvent};
use crate::ids::{ConversationId, MessageId, UserId};

/// Tells those who take part now what happened to a conversation.
pub(super) async fn changed(tx: &Tx, kind: EventKind, conversation: ConversationId) -> Result<Vec<UserId>> {
    let audience = participants::present_users(tx, conversation).await?;
    told(tx, kind, conversation, &audience);
    Ok(audience)
}

/// Tells these what happened to a conversation.
pub(super) fn told(tx: &Tx, kind: EventKind, conversation: ConversationId, audience: &[UserId]) {
    tx.publish(NewEvent::new(kind, conversation).to(audience.to_vec()));
}

/// Tells these what happened to a message.
pub(super) fn spoken(tx: &Tx, kind: EventKind, conversation: ConversationId, message: MessageId, audience: &[UserId]) {
    tx.publish(NewEvent::new(kind, message).about(conversation).to(audience.to_vec()));
}
