//! From a stored document to what search reads: text, passages, vectors, terms.
//!
//! Invariants: what search reads of a document is replaced in one transaction, so a search sees all of it or none;
//! doing a job twice leaves what doing it once leaves; nothing of the text is stored in clear; a document whose file
//! is at fault becomes failed with a reason, and one that we fail on is tried again before it does; where a virus scanner is configured, nothing is read before
//! it was scanned, and what is infected is never read. While another
//! model is prepared the old one serves, and they change places in one transaction when no passage lacks a vector.
//!
//! Knows nothing of permissions of people: jobs act as the system, in the facility they were queued in.

mod cells;
mod document;
mod language;
pub mod models;
mod passages;
mod reading;
mod reembed;
mod repository;

use std::convert::Infallible;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;

pub use cells::divide_now;
pub(super) use cells::look_after;
pub(super) use document::quarantine;
pub(super) use passages::open_text;

use super::service;
use crate::crypto::FacilityKeys;
use crate::embedding::EmbeddingError;
use crate::error::{Error, Result, Stop};
use crate::jobs::{Failure, Handlers};

/// The `failure_code` of a document that we fail on again and again; all others but the next are codes of
/// [`ExtractionError`](crate::extraction::ExtractionError).
pub const PROCESSING_FAILED: &str = "processing_failed";
/// The `failure_code` of a document whose worker went down with it each time.
pub const PROCESSING_INTERRUPTED: &str = "processing_interrupted";
/// The `failure_code` of a document in which a virus was found.
pub const INFECTED: &str = "infected";

/// What is said of a document that no job is about any more, and that is our fault; `None` for another code.
#[must_use]
pub fn reason(failure_code: &str) -> Option<&'static str> {
    match failure_code {
        PROCESSING_FAILED => Some(
            "The document could not be made searchable because of a problem on our side. The file is kept. \
             Try again later; if it fails again, tell your administrator.",
        ),
        PROCESSING_INTERRUPTED => Some(
            "Reading the document was interrupted again and again. The file is kept. \
             Try again; if it fails again, tell your administrator.",
        ),
        INFECTED => Some(
            "A virus was found in the file. It is kept apart and not served. Tell your administrator, and whoever sent it.",
        ),
        _ => None,
    }
}

/// Gives the passages of a facility vectors of the model being prepared. Payload: `{"modelId": …}`.
pub const REEMBED: &str = "documents.reembed";
/// Removes the vectors of a retired model from a facility. Payload: `{"modelId": …}`.
pub const DROP_VECTORS: &str = "documents.drop_vectors";

/// Makes the cells of a large facility. Payload: `{"modelId": …}`.
pub const DIVIDE: &str = "documents.divide";

/// Adds the jobs of this part of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(service::EXTRACT_JOB, Arc::new(document::FromFile));
    handlers.insert(service::INDEX_NOTE_JOB, Arc::new(document::FromNote));
    handlers.insert(REEMBED, Arc::new(reembed::Reembed));
    handlers.insert(DIVIDE, Arc::new(cells::Divide));
    handlers.insert(DROP_VECTORS, Arc::new(reembed::DropVectors));
}

/// The lexemes of texts as search keeps them, hashed, with how often each occurs: what other domains are found by as
/// documents are. The texts pass through the database's own parser and stay nowhere.
///
/// # Errors
/// A fault.
pub async fn terms_of(db: &AsyncPgConnection, keys: &FacilityKeys, texts: &[&str]) -> Result<Vec<Vec<(i64, i16)>>> {
    passages::terms_of(db, keys, texts).await
}

/// Nothing here is refused: a job has no user who could mend anything.
pub(super) fn fault(stop: Stop<Infallible>) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Refused(refused) => match refused.first() {
            Some(one) => match one.code {},
            None => Error::internal("a refusal without a reason"),
        },
    }
}

/// A model's error as a job's. Trying again helps also against a model that is put in place later.
fn unembedded(error: &EmbeddingError) -> Failure {
    tracing::warn!(%error, "passages could not be embedded");
    Failure::Transient("EMBEDDING_UNAVAILABLE")
}
