//! Text to vector, for search by meaning.
//!
//! A [`Provider`] is one model: on this machine ([`local::LocalProvider`]) or behind an HTTP endpoint
//! ([`http::HttpProvider`]). Callers hold it as `Arc<dyn Provider>` and do not know which.
//!
//! Invariants of every provider:
//! - Vectors have [`ModelInfo::dimensions`] finite numbers and length 1, so cosine distance and inner product
//!   order alike.
//! - A query does not wait for documents.
//! - Texts are PHI. They live in memory while they are worked on, go nowhere but to the configured model, and
//!   never into an error, a log or a cache key.
//! - Vectors of different models are never comparable; nothing here compares.
//!
//! What it does not do: store vectors (see [`halfvec`] for how they reach the database), choose a model, or
//! decide what is worth embedding. That is the domain of documents.

mod cache;
pub mod halfvec;
pub mod http;
pub mod local;
mod models;
mod queue;

use std::sync::Arc;

use futures::future::BoxFuture;

pub use anamnesis_encoder::Chunk;
pub use models::{LOCAL_MODEL, Models};

/// What identifies the vectors of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// As in the registry of models; part of every cache key.
    pub name: String,
    /// The length of every vector.
    pub dimensions: usize,
}

/// Who waits for the vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A person, over a search. Short text, worked on at once, its vector cached.
    Query,
    /// A background job, over the chunks of a document.
    Document,
}

/// A model that turns text into vectors.
pub trait Provider: Send + Sync + 'static {
    /// Which model this is. Known without loading it.
    fn model(&self) -> &ModelInfo;

    /// One vector per text, in the order of `texts`. A text longer than the model reads counts with its
    /// beginning only; [`Provider::chunk`] gives pieces that fit.
    ///
    /// Dropping the future takes the texts that are not yet under way off the queue.
    ///
    /// # Errors
    /// Any [`EmbeddingError`]; all of `texts` succeed or none.
    fn embed(&self, texts: Vec<String>, priority: Priority) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbeddingError>>;

    /// Cuts a text into overlapping passages that fit the model, in the order of the text. Empty for a text
    /// of nothing but space. Character offsets count Unicode scalar values.
    ///
    /// # Errors
    /// Any [`EmbeddingError`].
    fn chunk(&self, text: Arc<str>) -> BoxFuture<'_, Result<Vec<Chunk>, EmbeddingError>>;

    /// Makes the first use fast and finds out whether the model works: loads a local one, asks an endpoint for
    /// one vector of a fixed word.
    ///
    /// # Errors
    /// Any [`EmbeddingError`]. A later call tries again.
    fn warm(&self) -> BoxFuture<'_, Result<(), EmbeddingError>>;
}

/// Why there is no vector. `Display` is safe to log: it never holds text, vectors, keys or an answer's body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingError {
    /// The local model cannot be loaded; the message names the file.
    #[error("the embedding model cannot be loaded: {0}")]
    Model(String),
    /// The settings of the HTTP provider make no sense.
    #[error("the embedding endpoint is misconfigured: {0}")]
    Settings(&'static str),
    /// The model failed on a text.
    #[error("the embedding model failed on a text")]
    Failed,
    /// Too much is waiting already.
    #[error("too many texts are waiting to be embedded")]
    Overloaded,
    /// The provider was dropped, or the program is ending.
    #[error("the embedding model was stopped")]
    Stopped,
    /// The endpoint could not be reached, or broke off.
    #[error("the embedding endpoint cannot be reached")]
    Unreachable,
    /// The endpoint did not answer in time.
    #[error("the embedding endpoint did not answer in time")]
    Timeout,
    /// The endpoint is overloaded or broken, also after the retries.
    #[error("the embedding endpoint is unavailable (status {0})")]
    Unavailable(u16),
    /// The endpoint refuses the request: key, model name, or a text it does not take.
    #[error("the embedding endpoint refused the request (status {0})")]
    Refused(u16),
    /// The endpoint answered something else than one proper vector per text.
    #[error("the embedding endpoint gave a malformed answer: {0}")]
    Malformed(&'static str),
    /// The model's vectors are not as long as the registry says.
    #[error("the embedding model gives vectors of {found} dimensions, not {expected}")]
    Dimensions {
        /// By the registry.
        expected: usize,
        /// By the model.
        found: usize,
    },
}

impl EmbeddingError {
    /// Whether the same call may succeed later without anyone's help. A job tries again then, and gives up at
    /// once otherwise.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Overloaded | Self::Stopped | Self::Unreachable | Self::Timeout | Self::Unavailable(_) => true,
            Self::Model(_)
            | Self::Settings(_)
            | Self::Failed
            | Self::Refused(_)
            | Self::Malformed(_)
            | Self::Dimensions { .. } => false,
        }
    }
}
