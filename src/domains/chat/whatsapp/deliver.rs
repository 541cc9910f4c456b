//! Queueing what goes to people outside, and what became of it.

use serde_json::json;

use super::deliver_later;
use super::model::{Delivery, WINDOW, WhatsappIntegrationStatus};
use super::repository::{contacts, deliveries};
use crate::access::{Once, RequestContext, Tx};
use crate::domains::chat::changes::spoken;
use crate::domains::chat::conversations::service::{locked, observer};
use crate::domains::chat::messages::change::conversation_of;
use crate::domains::chat::messages::service::{SendMessage, subject};
use crate::domains::chat::model::{MessageKind, MessageSensitivity, ParticipantRole, Refusal};
use crate::domains::chat::{participants, policy};
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{MessageId, WhatsappContactId};
use crate::whatsapp::MAX_TEXT;

/// What became of messages on their way; those that go nowhere are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn deliveries_of(ctx: &RequestContext, messages: &[MessageId]) -> Result<Vec<Delivery>> {
    let read = ctx.read(&policy::READ).await?;
    deliveries::of_messages(read.db()?, ctx.facility(), messages).await
}

/// Has a message that was just written sent to somebody outside, in the transaction that writes it.
pub(in crate::domains::chat) async fn queue(
    tx: &Tx,
    contact: WhatsappContactId,
    message: MessageId,
    new: &SendMessage,
) -> Result<(), Stop<Refusal>> {
    sendable(new)?;
    reachable(tx, contact, "conversationId").await?;
    let ctx = tx.ctx();
    deliveries::insert(tx.db()?, ctx.facility(), message, contact, None, ctx.now()).await?;
    deliver_later(tx, message).await?;
    Ok(())
}

/// Refused unless it is a plain text.
fn sendable(new: &SendMessage) -> Result<(), Stop<Refusal>> {
    let only =
        |field: &'static str, sentence: &'static str| Err(Stop::refuse(Refusal::TextOnly, &["input", field], sentence));
    if new.kind != MessageKind::Text {
        return only("kind", "texts alone go out over WhatsApp");
    }
    if !new.documents.is_empty() {
        return only("documentIds", "no document goes out over WhatsApp");
    }
    if new.sensitivity == MessageSensitivity::Sensitive {
        return only("sensitivity", "nothing sensitive goes out over WhatsApp");
    }
    if new.body.length_chars() > MAX_TEXT {
        let sentence = format!("over WhatsApp a text has at most {MAX_TEXT} characters");
        return Err(Stop::refuse(Refusal::Invalid, &["input", "body"], sentence));
    }
    Ok(())
}

/// Refused unless somebody may be written to now.
async fn reachable(tx: &Tx, contact: WhatsappContactId, field: &'static str) -> Result<(), Stop<Refusal>> {
    let ctx = tx.ctx();
    let reach = contacts::reach(tx.db()?, ctx.facility(), contact).await?.ok_or(Error::NotFound)?;
    let refuse = |code, sentence: &'static str| Err(Stop::refuse(code, &["input", field], sentence));
    if reach.status != WhatsappIntegrationStatus::Active {
        return refuse(Refusal::NumberInactive, "the facility's number is not verified, or disabled");
    }
    if reach.opted_out_at.is_some() {
        return refuse(Refusal::OptedOut, "they want to hear nothing: they must write START first");
    }
    if reach.last_received_at + WINDOW <= ctx.now() {
        let sentence = "they last wrote more than 24 hours ago: WhatsApp takes nothing until they write again";
        return refuse(Refusal::WindowClosed, sentence);
    }
    Ok(())
}

/// Sends a message that failed once more. Where nobody knew whether it was sent, it may arrive twice: that is for whoever
/// asks to weigh.
///
/// # Errors
/// Refused when it goes nowhere or did not fail, or somebody may not be written to now.
pub async fn retry(ctx: &RequestContext, message: MessageId, once: Option<Once>) -> Result<MessageId, Stop<Refusal>> {
    ctx.write(&policy::SEND)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let conversation = conversation_of(&tx, message).await?;
            let found = locked(&tx, conversation).await?;
            tx.audit(subject(message, found.patient_id), json!({ "change": "delivery retried" }));
            if found.role == ParticipantRole::Observer {
                return Err(observer());
            }
            let failed = |sentence: &'static str| Stop::refuse(Refusal::NotFailed, &["input", "messageId"], sentence);
            let contact = deliveries::contact_of(db, ctx.facility(), message).await?;
            let contact = contact.ok_or_else(|| failed("the message goes to nobody outside"))?;
            reachable(&tx, contact, "messageId").await?;
            if !deliveries::set_queued_again(db, ctx.facility(), message, ctx.now()).await? {
                return Err(failed("the delivery of the message did not fail"));
            }
            deliver_later(&tx, message).await?;
            let audience = participants::present_users(&tx, conversation).await?;
            spoken(&tx, EventKind::MessageChanged, conversation, message, &audience);
            Ok(message)
        })
        .await
}
