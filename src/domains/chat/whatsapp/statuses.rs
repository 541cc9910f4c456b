//! What the provider says became of messages.

use serde_json::json;

use super::model::WhatsappDeliveryStatus;
use super::receive::Outcome;
use super::repository::{contacts, deliveries};
use super::sealing;
use super::sending::UNCERTAIN;
use super::webhook::News;
use crate::access::Tx;
use crate::crypto::FacilityKeys;
use crate::domains::chat::changes::spoken;
use crate::domains::chat::messages::service::subject;
use crate::domains::chat::participants;
use crate::error::Result;
use crate::events::EventKind;
use crate::ids::WhatsappIntegrationId;

/// Writes down what became of a message.
pub(super) async fn heard(
    tx: &Tx,
    keys: &FacilityKeys,
    integration: WhatsappIntegrationId,
    news: News,
) -> Result<Outcome> {
    let (ctx, db, facility) = (tx.ctx(), tx.db()?, tx.ctx().facility());
    let term = sealing::wamid_term(keys, news.wamid.reveal());
    let Some(known) = deliveries::known(db, facility, integration, news.reference, term).await? else {
        return Ok(Outcome::UnknownNews);
    };
    contacts::lock_conversation(db, facility, known.conversation_id).await?;
    let Some(standing) = deliveries::lock(db, facility, known.message_id).await? else {
        return Ok(Outcome::UnknownNews);
    };
    let believed = standing.error_code.as_deref() == Some(UNCERTAIN);
    let moves = standing.status.moves_to(news.status, believed);
    let at = news.at.unwrap_or_else(|| ctx.now()).min(ctx.now());
    deliveries::set_news(db, facility, known.message_id, term, (news.status, moves), news.error_code, at).await?;
    if !moves {
        return Ok(Outcome::OldNews);
    }
    if standing.status == WhatsappDeliveryStatus::Queued {
        // It was to be sent again, and had been sent: what waits behind it need not wait.
        if let Some(next) = deliveries::first_in_line(db, facility, standing.contact_id).await? {
            super::deliver_later(tx, next).await?;
        }
    }
    tx.audit(subject(known.message_id, known.patient_id), json!({ "delivery": news.status.as_str() }));
    let audience = participants::present_users(tx, known.conversation_id).await?;
    spoken(tx, EventKind::MessageChanged, known.conversation_id, known.message_id, &audience);
    Ok(Outcome::News)
}
