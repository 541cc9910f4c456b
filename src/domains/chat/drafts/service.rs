//! Saving and discarding drafts.

use serde_json::json;
use uuid::Uuid;

use super::Draft;
use super::repository::{self, Place};
use crate::access::{Once, RequestContext, Tx};
use crate::crypto::ColumnId;
use crate::domains::chat::conversations::service::subject;
use crate::domains::chat::model::Refusal;
use crate::domains::chat::{participants, policy, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{ConversationId, MessageId};
use crate::phi::Phi;

const BODY: ColumnId = ColumnId::new("message_drafts", "body");

/// The caller's drafts in these conversations.
///
/// # Errors
/// A denial, or a fault.
pub async fn drafts_of(ctx: &RequestContext, conversations: &[ConversationId]) -> Result<Vec<Draft>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::of_conversations(read.db()?, ctx.facility(), ctx.user()?, conversations).await?;
    let keys = read.keys().await?;
    rows.into_iter()
        .map(|row| {
            Ok(Draft {
                conversation: row.conversation_id,
                thread_root: row.thread_root_id,
                body: keys.fields.decrypt_text(BODY, row.id, &row.body_ciphertext)?,
                saved_at: row.saved_at,
            })
        })
        .collect()
}

/// Keeps what the caller has written so far, in place of what they had.
///
/// # Errors
/// Refused when the text is empty or too long, there is no such message to answer, or another was saved meanwhile.
pub async fn save_draft(
    ctx: &RequestContext,
    conversation: ConversationId,
    thread_root: Option<MessageId>,
    body: Phi<String>,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::DRAFT)
        .once(once)
        .run(|tx| async move {
            let place = place(&tx, conversation, thread_root).await?;
            validation::body(&body)?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            if let Some(root) = thread_root
                && !repository::is_root(db, ctx.facility(), conversation, root).await?
            {
                let field = &["input", "threadRootId"];
                return Err(Stop::refuse(Refusal::MessageNotFound, field, "no thread begins with such a message"));
            }
            let id = repository::id_at(db, ctx.facility(), place).await?.unwrap_or_else(Uuid::now_v7);
            let sealed = tx.keys().await?.fields.encrypt_text(BODY, id, &body)?;
            if !repository::save(db, ctx.facility(), id, place, sealed, ctx.now()).await? {
                return Err(Stop::refuse(Refusal::StaleVersion, &["input"], "it was saved elsewhere at the same time"));
            }
            Ok(conversation)
        })
        .await
}

/// Forgets what the caller has written and not sent. Nothing is done when there is nothing.
///
/// # Errors
/// [`Error::NotFound`] when the caller takes no part in it.
pub async fn discard_draft(
    ctx: &RequestContext,
    conversation: ConversationId,
    thread_root: Option<MessageId>,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::DRAFT)
        .once(once)
        .run(|tx| async move {
            let place = place(&tx, conversation, thread_root).await?;
            repository::discard(tx.db()?, tx.ctx().facility(), place).await?;
            Ok(conversation)
        })
        .await
}

/// Where a draft of the caller belongs, in a conversation they take part in.
async fn place(tx: &Tx, conversation: ConversationId, thread_root: Option<MessageId>) -> Result<Place, Stop<Refusal>> {
    let user = tx.ctx().user()?;
    tx.audit(subject(conversation, None), json!({ "draft": true }));
    if !participants::present_users(tx, conversation).await?.contains(&user) {
        return Err(Error::NotFound.into());
    }
    Ok(Place { conversation, user, thread_root })
}
