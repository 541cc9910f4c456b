//! Assistants of the facility: set up by its administrators, invited into a conversation by its owners, asked by its
//! staff.
//!
//! Invariants: an assistant looks in the record as whoever asks it, in the session they asked in, and never as the
//! server: what policy, row-level security or a label keeps from them, it keeps from the assistant; what is labelled
//! 42 CFR Part 2 and what is said in a sensitive message is sent to no model; what identifies a person is replaced by
//! tokens before anything leaves, as far as it can be told; only sentences that can be held against the passages
//! they name are shown, so that what is seen of an answer on its way is never taken back; a crisis is handed to a
//! person. An assistant supports staff: it is not asked where a patient takes part.
//!
//! An answer is written by a job. It may be done twice; the answer is complete once.

pub mod answering;
pub mod graphql;
pub mod model;
mod repository;
pub mod service;
mod validation;

use std::sync::Arc;

use crate::access::Tx;
use crate::error::Result;
use crate::ids::MessageId;
use crate::jobs::{self, Handlers, NewJob};

/// Writes an answer. Payload: `{"messageId": …}`.
pub const ANSWER: &str = "chat.answer";

/// An answer that failed so often is given up: whoever asked waits for it.
const MAX_ATTEMPTS: i32 = 3;

/// Queues an answer.
pub(super) async fn answer_later(tx: &Tx, message: MessageId) -> Result<()> {
    let payload = serde_json::json!({ "messageId": message });
    let job = NewJob { max_attempts: MAX_ATTEMPTS, ..NewJob::new(tx.ctx().facility(), ANSWER, payload) };
    jobs::enqueue(tx, job).await?;
    Ok(())
}

/// Adds the jobs of this part of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(ANSWER, Arc::new(answering::Answering));
}
