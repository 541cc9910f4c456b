//! What the provider calls us with: the handshake, and what people outside write.
//!
//! A call is one transaction: what the provider is told was taken is on record, and what is not on record it sends again.

use std::convert::Infallible;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::answers::{self, Heard as Answered};
use super::crisis::{self, Wish};
use super::model::{Integration, WhatsappIntegrationStatus};
use super::repository::contacts::{self, ContactRow, Current};
use super::webhook::{self, Incoming, Said};
use super::{repository, sealing, statuses};
use crate::access::{RequestContext, Subject, Tx};
use crate::app::App;
use crate::crypto::FacilityKeys;
use crate::crypto::token::TokenHash;
use crate::domains::chat::messages::received;
use crate::domains::chat::messages::service::subject;
use crate::domains::chat::model::MessageSystemEvent;
use crate::domains::chat::validation::MAX_BODY;
use crate::domains::chat::{changes, policy};
use crate::domains::facilities;
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{FacilityId, WhatsappContactId, WhatsappIntegrationId, new_id};
use crate::phi::Phi;
use crate::text_enum::text_enum;

/// The provider sends a message again for as long; an older one is a replay.
const OLDEST: TimeDelta = TimeDelta::days(7);
/// How far clocks may be apart.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// A replay is told for longer than a message is taken.
const REMEMBERED: TimeDelta = TimeDelta::days(9);
/// What stands at the end of a text that was cut.
const CUT: &str = " […]";

/// Which number a call is for.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    pub facility: FacilityId,
    pub integration: WhatsappIntegrationId,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on record.
    Done,
    /// There is no such number, or it is disabled, or the signature is not its own: nobody is told which.
    Unauthorized,
    /// It is signed and not JSON.
    Malformed,
}

fn system(app: &Arc<App>, address: Address) -> RequestContext {
    RequestContext::system(Arc::clone(app), address.facility, "whatsapp webhook")
}

fn fault(stop: Stop<Infallible>) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("a call was refused by a rule"),
    }
}

/// Whether the token is that of the number, which is verified then.
///
/// # Errors
/// A fault.
pub async fn handshake(app: &Arc<App>, address: Address, token: &str) -> Result<bool> {
    let ctx = system(app, address);
    let read = ctx.read(&policy::WHATSAPP_RECEIVE).await?;
    let found = repository::find(read.db()?, address.facility, address.integration).await?;
    drop(read);
    ctx.finish().await?;
    let given = TokenHash::of_token(token);
    let known = found.is_some_and(|found| {
        let same: bool = found.verify_token_hash.as_slice().ct_eq(given.as_bytes()).into();
        same && found.status != WhatsappIntegrationStatus::Disabled
    });
    if !known {
        return Ok(false);
    }
    ctx.write(&policy::WHATSAPP_RECEIVE)
        .run::<bool, Infallible, _, _>(|tx| async move {
            let (db, now) = (tx.db()?, tx.ctx().now());
            let found = repository::lock(db, address.facility, address.integration).await?;
            // Nothing changed meanwhile.
            let same = found.is_some_and(|found| {
                found.verify_token_hash == given.as_bytes() && found.status != WhatsappIntegrationStatus::Disabled
            });
            if same {
                repository::set_verified(db, address.facility, address.integration, now).await?;
            }
            tx.audit(Subject::of(address.integration), json!({ "handshake": same }));
            Ok(same)
        })
        .await
        .map_err(fault)
}

/// Takes what a call holds, as a whole or not at all.
///
/// # Errors
/// A fault: nothing was taken.
pub async fn take(app: &Arc<App>, address: Address, signature: Option<&str>, body: &[u8]) -> Result<Taken> {
    let ctx = system(app, address);
    let read = ctx.read(&policy::WHATSAPP_RECEIVE).await?;
    let found = repository::find(read.db()?, address.facility, address.integration).await?;
    let Some(found) = found.filter(|found| found.status == WhatsappIntegrationStatus::Active) else {
        drop(read);
        ctx.finish().await?;
        return Ok(Taken::Unauthorized);
    };
    let secret = sealing::open_app_secret(&*read.keys().await?, address.integration, &found.app_secret_ciphertext)?;
    drop(read);
    ctx.finish().await?;
    if !webhook::is_signed(&secret, signature, body) {
        return Ok(Taken::Unauthorized);
    }
    let Some(call) = webhook::read(body, &found.phone_number_id) else { return Ok(Taken::Malformed) };
    let counted = [("malformed", call.malformed), ("foreign", call.foreign), ("ignored", call.ignored)];
    if !call.messages.is_empty() || !call.news.is_empty() {
        let outcomes = ctx
            .write(&policy::WHATSAPP_RECEIVE)
            .run::<Option<Vec<Outcome>>, Infallible, _, _>(|tx| async move {
                Ok(take_all(&tx, address.integration, call).await?)
            })
            .await
            .map_err(fault)?;
        let Some(outcomes) = outcomes else { return Ok(Taken::Unauthorized) };
        for outcome in outcomes {
            app.metrics.whatsapp(outcome.as_str());
        }
    }
    for (outcome, times) in counted {
        for _ in 0..times {
            app.metrics.whatsapp(outcome);
        }
    }
    Ok(Taken::Done)
}

text_enum! {
    /// What came of a piece of a call.
    Outcome {
        /// It is a message now.
        Received = "received",
        /// It was one already.
        Repeated = "repeated",
        /// It is too old, or from the future.
        Stale = "stale",
        /// It is news of a message.
        News = "status",
        /// It was known, or is behind what is known.
        OldNews = "status_old",
        /// It is of no message of ours.
        UnknownNews = "status_unknown",
    }
}

/// What every message of a call needs.
pub(super) struct Receiving<'a> {
    pub tx: &'a Tx,
    pub keys: Arc<FacilityKeys>,
    pub integration: Integration,
    pub zone: Tz,
}

async fn take_all(tx: &Tx, integration: WhatsappIntegrationId, call: webhook::Call) -> Result<Option<Vec<Outcome>>> {
    let (ctx, db) = (tx.ctx(), tx.db()?);
    // Two calls for one number are taken one after the other.
    let found = repository::lock(db, ctx.facility(), integration).await?;
    let Some(found) = found.filter(|found| found.status == WhatsappIntegrationStatus::Active) else {
        return Ok(None);
    };
    let receiving = Receiving {
        tx,
        keys: tx.keys().await?,
        integration: found.try_into()?,
        zone: facilities::service::time_zone(tx).await?,
    };
    tx.audit(Subject::of(integration), json!({ "messages": call.messages.len(), "statuses": call.news.len() }));
    let mut outcomes = Vec::new();
    for message in call.messages {
        outcomes.push(receiving.message(message).await?);
    }
    for news in call.news {
        outcomes.push(statuses::heard(tx, &receiving.keys, integration, news).await?);
    }
    contacts::forget_before(db, ctx.facility(), integration, ctx.now() - REMEMBERED).await?;
    Ok(Some(outcomes))
}

impl Receiving<'_> {
    async fn message(&self, message: Incoming) -> Result<Outcome> {
        let (ctx, db) = (self.tx.ctx(), self.tx.db()?);
        let now = ctx.now();
        if message.at < now - OLDEST || message.at > now + AHEAD {
            return Ok(Outcome::Stale);
        }
        let term = sealing::wamid_term(&self.keys, message.wamid.reveal());
        if !contacts::is_first(db, ctx.facility(), self.integration.id, term, now).await? {
            return Ok(Outcome::Repeated);
        }
        let contact = self.contact(&message).await?;
        let text = text(message.said);
        let conversation = answers::conversation(self, &contact).await?;
        let alarm = answers::raises_alarm(&contact, text.reveal(), now);
        if alarm {
            answers::bring_in(self, conversation.id).await?;
        }
        let id = received::append(self.tx, conversation.id, contact.id, &text).await?;
        let detail = json!({ "conversation": conversation.id, "whatsapp": self.integration.id });
        self.tx.audit(subject(id, conversation.patient_id), detail);
        let wish = crisis::wish(text.reveal());
        let opted_out_at = self.opted_out_at(&contact, &conversation, wish, message.at).await?;
        let answered = if alarm {
            answers::alarm(self, &contact, conversation).await?
        } else if wish.is_none() && opted_out_at.is_none() && !crisis::is_crisis(text.reveal()) {
            answers::closed(self, &contact, conversation).await?
        } else {
            Answered::Nothing
        };
        self.heard(contact, message.at, message.name, opted_out_at, answered).await?;
        Ok(Outcome::Received)
    }

    /// Whoever wrote, known from now on; theirs until the transaction ends.
    async fn contact(&self, message: &Incoming) -> Result<ContactRow> {
        let (ctx, db) = (self.tx.ctx(), self.tx.db()?);
        let (facility, integration) = (ctx.facility(), self.integration.id);
        let term = sealing::phone_term(&self.keys, &message.from);
        if let Some(found) = contacts::lock_by_phone(db, facility, integration, term).await? {
            return Ok(found);
        }
        let id: WhatsappContactId = new_id();
        let sealed = sealing::seal_phone(&self.keys, id, &message.from)?;
        contacts::make(db, facility, id, integration, (sealed, term), message.at, ctx.now()).await?;
        let found = contacts::lock_by_phone(db, facility, integration, term).await?;
        found.ok_or_else(|| Error::internal("a contact that was just made"))
    }

    /// Since when they want to hear nothing, after this message. Those who take part are told when it changes.
    async fn opted_out_at(
        &self,
        contact: &ContactRow,
        conversation: &Current,
        wish: Option<Wish>,
        at: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let (opted_out_at, event) = match (wish, contact.opted_out_at) {
            (Some(Wish::Stop), None) => (Some(at), MessageSystemEvent::ContactOptedOut),
            // One that was written before they said stop, and came late, takes nothing back.
            (Some(Wish::Start), Some(since)) if since <= at => (None, MessageSystemEvent::ContactOptedIn),
            (_, was) => return Ok(was),
        };
        received::note(self.tx, conversation.id, event).await?;
        changes::changed(self.tx, EventKind::ConversationChanged, conversation.id).await?;
        Ok(opted_out_at)
    }

    async fn heard(
        &self,
        contact: ContactRow,
        at: DateTime<Utc>,
        name: Option<Phi<String>>,
        opted_out_at: Option<DateTime<Utc>>,
        answered: Answered,
    ) -> Result<()> {
        let (ctx, db) = (self.tx.ctx(), self.tx.db()?);
        let known = sealing::open_name(&self.keys, contact.id, contact.name_ciphertext.as_deref())?;
        let name = name.filter(|name| known.as_ref().is_none_or(|known| known.reveal() != name.reveal()));
        let heard = contacts::Heard {
            at,
            name_ciphertext: name.map(|name| sealing::seal_name(&self.keys, contact.id, &name)).transpose()?,
            opted_out_at,
            closed_replied_at: match answered {
                Answered::Closed => Some(ctx.now()),
                _ => contact.closed_replied_at,
            },
            crisis_at: match answered {
                Answered::Alarm => Some(ctx.now()),
                _ => contact.crisis_at,
            },
        };
        contacts::set_heard(db, ctx.facility(), contact.id, heard).await
    }
}

/// What is kept of what somebody said: their words, or that something else came.
fn text(said: Said) -> Phi<String> {
    let text = match said {
        Said::Text(text) if text.is_blank() => Phi::from("(An empty message.)"),
        Said::Text(text) => text,
        Said::Other(what, caption) => {
            let told = format!("({what} came over WhatsApp. It was not taken over: ask for it in another way.)");
            match caption.and_then(|caption| caption.non_blank()) {
                Some(caption) => Phi::new(format!("{told}\n{}", caption.reveal())),
                None => Phi::new(told),
            }
        }
    };
    let text = text.map(|text| text.replace('\0', " "));
    if text.length_chars() <= MAX_BODY {
        return text;
    }
    text.map(|text| {
        let mut kept: String = text.chars().take(MAX_BODY - CUT.chars().count()).collect();
        kept.push_str(CUT);
        kept
    })
}
