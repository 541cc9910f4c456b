//! Messages that no user wrote: what somebody outside says, and what the server answers them of itself.

use super::repository;
use super::sealing;
use super::service::{notify, say};
use crate::access::Tx;
use crate::domains::chat::changes::spoken;
use crate::domains::chat::model::MessageSystemEvent;
use crate::domains::chat::search::index_later;
use crate::error::{Error, Result};
use crate::events::EventKind;
use crate::ids::{ConversationId, MessageId, WhatsappContactId, new_id};
use crate::phi::Phi;

/// Appends what somebody outside says to a conversation that is locked; those who take part are told.
pub(in crate::domains::chat) async fn append(
    tx: &Tx,
    conversation: ConversationId,
    contact: WhatsappContactId,
    body: &Phi<String>,
) -> Result<MessageId> {
    let (id, unmuted) = written(tx, conversation, Some(contact), body).await?;
    notify(tx, conversation, id, &[], unmuted).await?;
    Ok(id)
}

/// Appends what the server answers somebody outside; nobody is notified of that.
pub(in crate::domains::chat) async fn answer(
    tx: &Tx,
    conversation: ConversationId,
    body: &Phi<String>,
) -> Result<MessageId> {
    Ok(written(tx, conversation, None, body).await?.0)
}

async fn written(
    tx: &Tx,
    conversation: ConversationId,
    contact: Option<WhatsappContactId>,
    body: &Phi<String>,
) -> Result<(MessageId, Vec<crate::ids::UserId>)> {
    let (ctx, db, id): (_, _, MessageId) = (tx.ctx(), tx.db()?, new_id());
    let numbered = repository::number(db, ctx.facility(), conversation, 1, ctx.now()).await?;
    let place = (conversation, numbered.ok_or(Error::NotFound)?.last_sequence);
    let sealed = sealing::seal_body(&*tx.keys().await?, id, body)?;
    repository::insert_of_nobody(db, ctx.facility(), id, place, contact, sealed, ctx.now()).await?;
    let sent = repository::audience(db, ctx.facility(), conversation, ctx.now()).await?;
    index_later(tx, id).await?;
    spoken(tx, EventKind::MessageSent, conversation, id, &sent.audience);
    Ok((id, sent.unmuted))
}

/// Writes into a conversation that is locked what became of somebody outside; those who take part are told.
pub(in crate::domains::chat) async fn note(
    tx: &Tx,
    conversation: ConversationId,
    event: MessageSystemEvent,
) -> Result<()> {
    let ctx = tx.ctx();
    let said = say(tx, conversation, event, &[None]).await?;
    let sent = repository::audience(tx.db()?, ctx.facility(), conversation, ctx.now()).await?;
    for message in said {
        spoken(tx, EventKind::MessageSent, conversation, message, &sent.audience);
    }
    Ok(())
}

/// The text of a message, for the server itself; `None` when it is gone or deleted.
pub(in crate::domains::chat) async fn text_of(
    read: &crate::access::Read,
    id: MessageId,
) -> Result<Option<Phi<String>>> {
    Ok(super::service::to_be_indexed(read, id).await?.map(|(_, body)| body))
}
