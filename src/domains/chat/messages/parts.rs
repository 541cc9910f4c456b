//! What belongs to a message: whom it names, the documents it shares, what it said before, what others think of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{repository, sealing};
use crate::access::{RequestContext, Tx};
use crate::domains::chat::model::Refusal;
use crate::domains::chat::policy;
use crate::domains::documents;
use crate::error::{Result, Stop};
use crate::ids::{ConversationId, DocumentId, MessageId, UserId};
use crate::phi::Phi;

/// Most who are named in a message, and most documents it shares.
const MAX_PARTS: usize = 50;

/// A text a message had.
#[derive(Debug, Clone)]
pub struct EarlierText {
    pub message: MessageId,
    pub body: Phi<String>,
    pub written_at: DateTime<Utc>,
}

/// What somebody thinks of a message.
#[derive(Debug, Clone)]
pub struct Reaction {
    pub message: MessageId,
    pub user: UserId,
    pub emoji: String,
}

/// Names users in a message; each must take part.
pub(super) async fn mention(
    tx: &Tx,
    conversation: ConversationId,
    message: MessageId,
    users: Vec<UserId>,
) -> Result<(), Stop<Refusal>> {
    let users: Vec<UserId> = users.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let field = &["input", "mentionIds"];
    if users.len() > MAX_PARTS {
        return Err(Stop::refuse(Refusal::TooMany, field, format!("at most {MAX_PARTS} are named")));
    }
    if users.is_empty() {
        return Ok(());
    }
    let named = repository::mention(tx.db()?, tx.ctx().facility(), conversation, message, &users).await?;
    if named == users.len() {
        return Ok(());
    }
    Err(Stop::refuse(Refusal::NotThere, field, "somebody named does not take part"))
}

/// Shares documents in a message; whoever sends it must be able to read them.
pub(super) async fn attach(tx: &Tx, message: MessageId, documents: &[DocumentId]) -> Result<(), Stop<Refusal>> {
    if documents.is_empty() {
        return Ok(());
    }
    let mut distinct = Vec::with_capacity(documents.len());
    for document in documents {
        if !distinct.contains(document) {
            distinct.push(*document);
        }
    }
    let field = &["input", "documentIds"];
    if distinct.len() > MAX_PARTS {
        return Err(Stop::refuse(Refusal::TooMany, field, format!("at most {MAX_PARTS} are shared")));
    }
    if !documents::service::are_readable(tx, &distinct).await? {
        return Err(Stop::refuse(Refusal::DocumentNotFound, field, "there is no such document"));
    }
    repository::attach(tx.db()?, tx.ctx().facility(), message, &distinct).await?;
    Ok(())
}

/// What messages said before, the oldest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn history_of(ctx: &RequestContext, messages: &[MessageId]) -> Result<Vec<EarlierText>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::versions_of(read.db()?, ctx.facility(), messages).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_version(&keys, row)).collect()
}

/// What others think of messages, in the order they said so.
///
/// # Errors
/// A denial, or a fault.
pub async fn reactions_of(ctx: &RequestContext, messages: &[MessageId]) -> Result<Vec<Reaction>> {
    let read = ctx.read(&policy::READ).await?;
    repository::reactions_of(read.db()?, ctx.facility(), messages).await
}

/// Whom messages name.
///
/// # Errors
/// A denial, or a fault.
pub async fn mentions_of(ctx: &RequestContext, messages: &[MessageId]) -> Result<Vec<(MessageId, UserId)>> {
    let read = ctx.read(&policy::READ).await?;
    repository::mentions_of(read.db()?, ctx.facility(), messages).await
}

/// Documents that messages share, in their order.
///
/// # Errors
/// A denial, or a fault.
pub async fn attachments_of(ctx: &RequestContext, messages: &[MessageId]) -> Result<Vec<(MessageId, DocumentId)>> {
    let read = ctx.read(&policy::READ).await?;
    repository::attachments_of(read.db()?, ctx.facility(), messages).await
}
