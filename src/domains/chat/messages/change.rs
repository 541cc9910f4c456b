//! Editing and deleting messages, and reacting to them.

use serde_json::json;

use super::emoji::is_emoji;
use super::repository::{self, Target};
use super::service::subject;
use super::{parts, sealing};
use crate::access::{Once, RequestContext, Tx};
use crate::domains::chat::changes::spoken;
use crate::domains::chat::conversations::Locked;
use crate::domains::chat::conversations::service::{locked, observer};
use crate::domains::chat::model::{ConversationKind, MessageKind, ParticipantRole, Refusal};
use crate::domains::chat::search::index_later;
use crate::domains::chat::{participants, policy, validation};
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{ConversationId, MessageId, UserId};
use crate::phi::Phi;

/// Earlier texts of one message.
const MAX_VERSIONS: i64 = 100;

/// A message about to be changed, and its conversation, which is locked.
async fn target(tx: &Tx, id: MessageId) -> Result<(Locked, Target), Stop<Refusal>> {
    let (db, facility) = (tx.db()?, tx.ctx().facility());
    let found = repository::target(db, facility, id).await?.ok_or(Error::NotFound)?;
    let conversation = locked(tx, found.conversation_id).await?;
    tx.audit(subject(id, conversation.patient_id), json!({}));
    // As it is now that nobody else changes it.
    let found = repository::target(db, facility, id).await?.ok_or(Error::NotFound)?;
    if found.deleted_at.is_some() {
        return Err(Stop::refuse(Refusal::Deleted, &["input", "id"], "the message is deleted"));
    }
    if found.kind == MessageKind::System {
        return Err(Stop::refuse(Refusal::NotAuthor, &["input", "id"], "what happened is not changed"));
    }
    Ok((conversation, found))
}

/// The conversation a message stands in; [`Error::NotFound`] when there is none the caller takes part in.
pub(in crate::domains::chat) async fn conversation_of(tx: &Tx, id: MessageId) -> Result<ConversationId> {
    let found = repository::target(tx.db()?, tx.ctx().facility(), id).await?;
    found.map(|found| found.conversation_id).ok_or(Error::NotFound)
}

/// The same for who does more than observe, in a conversation that goes on.
async fn open_target(tx: &Tx, id: MessageId) -> Result<(Locked, Target), Stop<Refusal>> {
    let (conversation, found) = target(tx, id).await?;
    if conversation.role == ParticipantRole::Observer {
        return Err(observer());
    }
    if !conversation.status.is_open() {
        let sentence = "the conversation is archived or completed: reopen it first";
        return Err(Stop::refuse(Refusal::Closed, &["input", "id"], sentence));
    }
    Ok((conversation, found))
}

async fn tell(tx: &Tx, kind: EventKind, id: MessageId, found: &Target) -> Result<()> {
    let audience = participants::present_users(tx, found.conversation_id).await?;
    spoken(tx, kind, found.conversation_id, id, &audience);
    Ok(())
}

/// Gives a message another text; what it said before is kept.
///
/// # Errors
/// Refused when the caller did not write it, it went out over WhatsApp, it is deleted, the conversation is closed, the text is empty or too long,
/// somebody named takes no part, or the version is stale.
pub async fn edit_message(
    ctx: &RequestContext,
    id: MessageId,
    expected_version: i32,
    body: Phi<String>,
    mentions: Option<Vec<UserId>>,
    once: Option<Once>,
) -> Result<MessageId, Stop<Refusal>> {
    ctx.write(&policy::SEND)
        .once(once)
        .run(|tx| async move {
            let (conversation, found) = open_target(&tx, id).await?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            if found.author_user_id != Some(ctx.user()?) {
                return Err(not_author());
            }
            if conversation.kind == ConversationKind::Whatsapp {
                let sentence = "what goes out over WhatsApp is not edited: send another message";
                return Err(Stop::refuse(Refusal::SentOutside, &["input", "id"], sentence));
            }
            validation::body(&body)?;
            if found.version != expected_version {
                let sentence = "the message changed since it was read";
                return Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], sentence));
            }
            if i64::from(found.version) > MAX_VERSIONS {
                let sentence = format!("a message is edited at most {MAX_VERSIONS} times");
                return Err(Stop::refuse(Refusal::TooMany, &["input", "id"], sentence));
            }
            let keys = tx.keys().await?;
            let before = found.body_ciphertext.as_deref().ok_or_else(|| Error::internal("a message without text"))?;
            let (version, sealed) = sealing::reseal_version(&keys, id, before)?;
            let written_at = found.edited_at.unwrap_or(found.created_at);
            repository::keep_version(db, ctx.facility(), version, id, sealed, written_at).await?;
            let sealed = sealing::seal_body(&keys, id, &body)?;
            repository::set_body(db, ctx.facility(), id, sealed, ctx.now()).await?;
            repository::forget(db, ctx.facility(), id).await?;
            index_later(&tx, id).await?;
            if let Some(mentions) = mentions {
                repository::clear_mentions(db, ctx.facility(), id).await?;
                parts::mention(&tx, found.conversation_id, id, mentions).await?;
            }
            tell(&tx, EventKind::MessageChanged, id, &found).await?;
            Ok(id)
        })
        .await
}

/// Deletes a message: that there was one stays, what it said and all that belongs to it goes. Where it went out over
/// WhatsApp, it stays with whoever got it.
///
/// # Errors
/// Refused when the caller neither wrote it nor owns the conversation, it is deleted already, or a legal hold lasts.
pub async fn delete_message(
    ctx: &RequestContext,
    id: MessageId,
    once: Option<Once>,
) -> Result<MessageId, Stop<Refusal>> {
    ctx.write(&policy::SEND)
        .once(once)
        .run(|tx| async move {
            let (conversation, found) = target(&tx, id).await?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            if found.author_user_id != Some(ctx.user()?) && conversation.role != ParticipantRole::Owner {
                return Err(not_author());
            }
            if conversation.held {
                let sentence = "the conversation is under a legal hold: nothing of it goes away";
                return Err(Stop::refuse(Refusal::OnHold, &["input", "id"], sentence));
            }
            repository::forget(db, ctx.facility(), id).await?;
            repository::erase(db, ctx.facility(), id, ctx.user()?, ctx.now()).await?;
            tell(&tx, EventKind::MessageDeleted, id, &found).await?;
            Ok(id)
        })
        .await
}

fn not_author() -> Stop<Refusal> {
    Stop::refuse(Refusal::NotAuthor, &["input", "id"], "only whoever wrote the message may do this")
}

/// Reacts to a message, or takes a reaction back. Once is enough for either.
///
/// # Errors
/// Refused when it is no emoji, the message is deleted, the conversation is closed or the caller only observes.
pub async fn react(
    ctx: &RequestContext,
    id: MessageId,
    emoji: String,
    wanted: bool,
    once: Option<Once>,
) -> Result<MessageId, Stop<Refusal>> {
    ctx.write(&policy::SEND)
        .once(once)
        .run(|tx| async move {
            let (_, found) = open_target(&tx, id).await?;
            if !is_emoji(&emoji) {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "emoji"], "must be one emoji"));
            }
            let (ctx, db) = (tx.ctx(), tx.db()?);
            if repository::react(db, ctx.facility(), id, ctx.user()?, &emoji, wanted, ctx.now()).await? {
                tell(&tx, EventKind::MessageChanged, id, &found).await?;
            }
            Ok(id)
        })
        .await
}
