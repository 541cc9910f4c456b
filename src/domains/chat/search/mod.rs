//! Finding messages by their words and by what they mean, in the conversations one takes part in.
//!
//! Words are the keyed lexemes that documents are found by; meaning is the vector of the model that serves them. Both
//! are made by a job after the commit. A query is read as one for documents: an abbreviation finds what it stands for. A sensitive message, and one too short to mean something, has no vector. Vectors
//! are compared one by one with those of the caller's conversations: right up to some ten thousands of messages a
//! person; when another model serves, messages are brought over to it in the background, and until then found by their words.

mod index;
mod renew;
mod repository;
pub mod service;

pub use renew::renew;

use std::sync::Arc;

use crate::access::Tx;
use crate::error::Result;
use crate::ids::MessageId;
use crate::jobs::{self, Handlers, NewJob};

/// Brings a message into search. Payload: `{"messageId": …}`.
pub const INDEX: &str = "chat.index";

/// Queues a message for search.
pub(super) async fn index_later(tx: &Tx, message: MessageId) -> Result<()> {
    let payload = serde_json::json!({ "messageId": message });
    jobs::enqueue(tx, NewJob::new(tx.ctx().facility(), INDEX, payload)).await?;
    Ok(())
}

/// Adds the jobs of this part of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(INDEX, Arc::new(index::Index));
}
