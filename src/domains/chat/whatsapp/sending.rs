//! The jobs that send, and that give up what nobody knows of.
//!
//! A message is marked before it is sent and again afterwards. One that is found marked was sent by whoever died over it,
//! or was not: it is not sent again.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model::{WINDOW, WhatsappAutomaticReply, WhatsappDeliveryStatus, WhatsappIntegrationStatus};
use super::repository::deliveries::Line;
use super::repository::{self, contacts, deliveries};
use super::{deliver_later, sealing, settle_later};
use crate::access::{RequestContext, Tx};
use crate::domains::chat::changes::spoken;
use crate::domains::chat::messages::received::text_of;
use crate::domains::chat::messages::service::subject;
use crate::domains::chat::{participants, policy};
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{MessageId, TypedId as _};
use crate::jobs::{Failure, Handler, Job};
use crate::phi::Phi;
use crate::whatsapp::{Credentials, MessengerError, Outgoing};

/// The code of a failure that only we believe to be one.
pub(super) const UNCERTAIN: &str = "uncertain";
/// Other codes of ours, beside those of the provider.
const GIVEN_UP: &str = "given_up";
const DELETED: &str = "deleted";
const OPTED_OUT: &str = "opted_out";
const WINDOW_CLOSED: &str = "window_closed";
const NUMBER_INACTIVE: &str = "number_inactive";

pub(super) struct Sending;
pub(super) struct Settling;

impl Handler for Sending {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move { send(&ctx, job.about::<MessageId>("messageId")?).await }.boxed()
    }

    fn died<'a>(&'a self, ctx: RequestContext, job: &'a Job, _: &'static str) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            let Ok(id) = job.about::<MessageId>("messageId") else { return Ok(()) };
            give_up(&ctx, id).await
        }
        .boxed()
    }
}

impl Handler for Settling {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move { Ok(settle(&ctx, job.about::<MessageId>("messageId")?).await?) }.boxed()
    }
}

/// What is to be done about a message whose turn may have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Turn {
    /// It is marked: send it.
    Send,
    /// It is done with, or waits for another.
    Nothing,
}

async fn send(ctx: &RequestContext, id: MessageId) -> Result<(), Failure> {
    let read = ctx.read(&policy::WHATSAPP_DELIVER).await?;
    let line = deliveries::line(read.db()?, ctx.facility(), id).await?;
    let text = text_of(&read, id).await?;
    let keys = read.keys().await?;
    drop(read);
    ctx.finish().await?;
    let Some(line) = line else { return Ok(()) };
    let credentials = Credentials {
        phone_number_id: line.phone_number_id.clone(),
        access_token: sealing::open_access_token(&keys, line.integration_id, &line.access_token_ciphertext)?,
    };
    let message = Outgoing {
        to: sealing::open_phone(&keys, line.contact_id, &line.phone_ciphertext)?,
        text: text.unwrap_or_else(|| Phi::new(String::new())),
        reference: id.encode(),
    };
    if mark(ctx, id).await? == Turn::Nothing {
        return Ok(());
    }
    let sent = ctx.app().messenger.send_text(&credentials, &message).await;
    let outcome = match &sent {
        Ok(_) => "sent",
        Err(MessengerError::Later(_)) => "later",
        Err(MessengerError::Refused(_)) => "refused",
        Err(MessengerError::Credentials(_)) => "credentials",
        Err(MessengerError::Unknown) => UNCERTAIN,
    };
    ctx.app().metrics.whatsapp(outcome);
    let later = matches!(sent, Err(MessengerError::Later(_)));
    record(ctx, &line, sent).await?;
    if later { Err(Failure::Transient("WHATSAPP_LATER")) } else { Ok(()) }
}

fn fault<R>(stop: Stop<R>) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("a delivery was refused by a rule"),
    }
}

/// A message on its way that nobody else touches until the transaction ends; `None` when it is gone.
async fn held(tx: &Tx, id: MessageId) -> Result<Option<Line>> {
    let (db, facility) = (tx.db()?, tx.ctx().facility());
    let Some(found) = deliveries::line(db, facility, id).await? else { return Ok(None) };
    contacts::lock(db, facility, found.contact_id).await?;
    contacts::lock_conversation(db, facility, found.conversation_id).await?;
    deliveries::lock(db, facility, id).await?;
    // As it is now that nobody else changes it.
    deliveries::line(db, facility, id).await
}

/// Marks a message whose turn has come, before anything leaves.
async fn mark(ctx: &RequestContext, id: MessageId) -> Result<Turn> {
    ctx.write(&policy::WHATSAPP_DELIVER)
        .run::<Turn, std::convert::Infallible, _, _>(|tx| async move {
            let Some(line) = held(&tx, id).await? else { return Ok(Turn::Nothing) };
            let (ctx, db) = (tx.ctx(), tx.db()?);
            tx.audit(subject(id, line.patient_id), json!({ "delivery": line.status.as_str() }));
            match line.status {
                WhatsappDeliveryStatus::Sending if line.uncertain_at.is_none() => {
                    uncertain(&tx, &line).await?;
                    Ok(Turn::Nothing)
                }
                WhatsappDeliveryStatus::Queued => {
                    if deliveries::first_in_line(db, ctx.facility(), line.contact_id).await? != Some(id) {
                        // Whatever comes before it has a job of its own, which calls the next one.
                        return Ok(Turn::Nothing);
                    }
                    if let Some(code) = unsendable(&tx, &line) {
                        failed(&tx, &line, code).await?;
                        return Ok(Turn::Nothing);
                    }
                    deliveries::set_sending(db, ctx.facility(), id, ctx.now()).await?;
                    Ok(Turn::Send)
                }
                _ => Ok(Turn::Nothing),
            }
        })
        .await
        .map_err(fault)
}

/// Why a message may not go any more. An answer to words of danger goes also to who wants to hear nothing.
fn unsendable(tx: &Tx, line: &Line) -> Option<&'static str> {
    if line.deleted_at.is_some() {
        Some(DELETED)
    } else if line.integration_status != WhatsappIntegrationStatus::Active {
        Some(NUMBER_INACTIVE)
    } else if line.opted_out_at.is_some() && line.automatic != Some(WhatsappAutomaticReply::Crisis) {
        Some(OPTED_OUT)
    } else if line.last_received_at + WINDOW <= tx.ctx().now() {
        Some(WINDOW_CLOSED)
    } else {
        None
    }
}

/// Writes down what came of sending, and calls the next.
async fn record(ctx: &RequestContext, line: &Line, sent: Result<String, MessengerError>) -> Result<()> {
    let (id, integration, had_fault) = (line.message_id, line.integration_id, line.last_fault.is_some());
    ctx.write(&policy::WHATSAPP_DELIVER)
        .run::<(), std::convert::Infallible, _, _>(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            // First of all, in the order of locks.
            match &sent {
                Ok(_) if had_fault => {
                    repository::set_fault(db, ctx.facility(), integration, None, ctx.now()).await?;
                }
                Err(MessengerError::Credentials(code)) => {
                    repository::set_fault(db, ctx.facility(), integration, Some(code), ctx.now()).await?;
                }
                _ => {}
            }
            let Some(line) = held(&tx, id).await? else { return Ok(()) };
            match sent {
                Ok(wamid) => {
                    tx.audit(subject(id, line.patient_id), json!({ "delivery": "sent" }));
                    let term = sealing::wamid_term(&*tx.keys().await?, &wamid);
                    if deliveries::set_taken(db, ctx.facility(), id, term, ctx.now()).await? {
                        told(&tx, &line).await?;
                    }
                    next(&tx, &line).await?;
                }
                Err(MessengerError::Later(code)) => {
                    tx.audit(subject(id, line.patient_id), json!({ "delivery": "waits", "code": code }));
                    deliveries::set_waiting(db, ctx.facility(), id, &code).await?;
                }
                Err(MessengerError::Refused(code) | MessengerError::Credentials(code)) => {
                    tx.audit(subject(id, line.patient_id), json!({ "delivery": "failed", "code": code }));
                    failed(&tx, &line, &code).await?;
                }
                Err(MessengerError::Unknown) => {
                    tx.audit(subject(id, line.patient_id), json!({ "delivery": UNCERTAIN }));
                    uncertain(&tx, &line).await?;
                }
            }
            Ok(())
        })
        .await
        .map_err(fault)
}

/// Nobody knows whether it was sent: news of it is waited for, and what comes after it waits no longer.
async fn uncertain(tx: &Tx, line: &Line) -> Result<()> {
    let ctx = tx.ctx();
    deliveries::set_uncertain(tx.db()?, ctx.facility(), line.message_id, ctx.now()).await?;
    settle_later(tx, line.message_id).await?;
    next(tx, line).await
}

/// It is given up; those who take part are told.
async fn failed(tx: &Tx, line: &Line, code: &str) -> Result<()> {
    let ctx = tx.ctx();
    if deliveries::set_failed(tx.db()?, ctx.facility(), line.message_id, code, ctx.now()).await? {
        told(tx, line).await?;
    }
    next(tx, line).await
}

async fn told(tx: &Tx, line: &Line) -> Result<()> {
    let audience = participants::present_users(tx, line.conversation_id).await?;
    spoken(tx, EventKind::MessageChanged, line.conversation_id, line.message_id, &audience);
    Ok(())
}

/// Calls the message that comes next to the same person.
async fn next(tx: &Tx, line: &Line) -> Result<()> {
    match deliveries::first_in_line(tx.db()?, tx.ctx().facility(), line.contact_id).await? {
        Some(next) if next != line.message_id => deliver_later(tx, next).await,
        _ => Ok(()),
    }
}

/// After the wait for news: a message of which there is none is given up.
async fn settle(ctx: &RequestContext, id: MessageId) -> Result<()> {
    ctx.write(&policy::WHATSAPP_DELIVER)
        .run::<(), std::convert::Infallible, _, _>(|tx| async move {
            let Some(line) = held(&tx, id).await? else { return Ok(()) };
            tx.audit(subject(id, line.patient_id), json!({ "delivery": line.status.as_str() }));
            let Some(since) = line.uncertain_at.filter(|_| line.status == WhatsappDeliveryStatus::Sending) else {
                return Ok(());
            };
            if since + super::NEWS_WITHIN <= tx.ctx().now() {
                failed(&tx, &line, UNCERTAIN).await?;
            } else {
                // This job was queued for an earlier time it was sent, and stood in the way of one for this time.
                settle_later(&tx, id).await?;
            }
            Ok(())
        })
        .await
        .map_err(fault)
}

/// Its job is tried no more.
async fn give_up(ctx: &RequestContext, id: MessageId) -> Result<()> {
    ctx.write(&policy::WHATSAPP_DELIVER)
        .run::<(), std::convert::Infallible, _, _>(|tx| async move {
            let Some(line) = held(&tx, id).await? else { return Ok(()) };
            tx.audit(subject(id, line.patient_id), json!({ "delivery": GIVEN_UP }));
            match line.status {
                WhatsappDeliveryStatus::Queued => {
                    let code = line.error_code.clone().unwrap_or_else(|| GIVEN_UP.to_owned());
                    failed(&tx, &line, &code).await
                }
                // Whoever sent it died over it.
                WhatsappDeliveryStatus::Sending if line.uncertain_at.is_none() => uncertain(&tx, &line).await,
                _ => Ok(()),
            }
            .map_err(Stop::from)
        })
        .await
        .map_err(fault)
}
