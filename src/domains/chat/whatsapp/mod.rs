//! People outside who write to a facility's WhatsApp number, and are answered by staff in an ordinary conversation.
//!
//! Invariants: nothing is sent to anybody who has not written first, wrote longer ago than a day, or said stop; a message
//! is sent once and never again unasked, also where nobody knows whether it was; what comes in is believed only with the
//! signature of the facility's own secret, is taken once however often it is sent, and is on record before the provider
//! is told so; a number is matched by a keyed hash, and so is the id of a message, which holds a number; what is said is
//! encrypted as everything said is. Who somebody outside is, is what staff say it is: nothing is matched by number.
//!
//! Words of acute danger raise an alarm and are answered at once. That is a net under the people who read, not one who
//! watches: a list of phrases misses what is said in other words.
//!
//! Locks are taken in one order: number, contact, conversation, delivery.

mod answers;
pub mod contacts;
mod crisis;
pub mod deliver;
pub mod graphql;
mod hours;
pub mod model;
pub mod receive;
mod repository;
mod sealing;
mod sending;
pub mod service;
mod statuses;
#[cfg(test)]
mod tests;
mod validation;
mod webhook;

use std::sync::Arc;

use chrono::TimeDelta;

use crate::access::Tx;
use crate::error::Result;
use crate::ids::MessageId;
use crate::jobs::{self, Handlers, NewJob};

/// Sends a message. Payload: `{"messageId": …}`.
pub const DELIVER: &str = "whatsapp.deliver";
/// Gives a message up of which nobody knows whether it was sent. Payload: `{"messageId": …}`.
pub const SETTLE: &str = "whatsapp.settle";

/// With the pauses between them, about three quarters of an hour.
const MAX_ATTEMPTS: i32 = 10;
/// How long news of a message is waited for that may have been sent.
const NEWS_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Queues the sending of a message.
async fn deliver_later(tx: &Tx, message: MessageId) -> Result<()> {
    let mut job = job(tx, DELIVER, message);
    job.max_attempts = MAX_ATTEMPTS;
    jobs::enqueue(tx, job).await?;
    Ok(())
}

/// Queues the look at a message of which nobody knows whether it was sent.
async fn settle_later(tx: &Tx, message: MessageId) -> Result<()> {
    let mut job = job(tx, SETTLE, message);
    job.delay = NEWS_WITHIN;
    jobs::enqueue(tx, job).await?;
    Ok(())
}

fn job(tx: &Tx, kind: &'static str, message: MessageId) -> NewJob {
    let payload = serde_json::json!({ "messageId": message });
    let mut job = NewJob::new(tx.ctx().facility(), kind, payload);
    job.deduplication_key = Some(crate::ids::TypedId::uuid(message).to_string());
    job
}

/// Adds the jobs of this part of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(DELIVER, Arc::new(sending::Sending));
    handlers.insert(SETTLE, Arc::new(sending::Settling));
}
