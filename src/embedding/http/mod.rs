//! A model behind an OpenAI-compatible `/embeddings` endpoint: a hosted one, or an inference server of one's own.
//!
//! How clinical text gets there is told in [`crate::endpoint`].
//!
//! Answers are believed as far as they are checked: one finite vector of the right length per text, each index
//! once. Vectors are scaled to length 1 here, as not every model does it.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use anamnesis_encoder::chunk_approximately;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::cache::QueryCache;
use super::{Chunk, EmbeddingError, ModelInfo, Priority, Provider};
use crate::config::Secret;
use crate::endpoint::{Endpoint, EndpointError, EndpointSettings};

/// Bytes of JSON per number of an answer: 25 at most, with room for indentation.
const ANSWER_BYTES_PER_VALUE: usize = 64;

/// Bytes of an answer beside its numbers.
const ANSWER_BYTES_EXTRA: usize = 64 * 1024;

/// Where the endpoint is and how to treat it.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Up to and including the version, such as `https://api.example.org/v1`; `/embeddings` is added.
    pub base_url: String,
    /// Its name at the endpoint, and the dimensions every vector must have.
    pub model: ModelInfo,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// The most texts in a request.
    pub batch_size: NonZero<usize>,
    /// For one request, from connecting to the last byte.
    pub timeout: Duration,
    /// The wait before the first retry; it doubles with each.
    pub backoff: Duration,
    /// Whether plain HTTP to another machine is accepted, as within a cluster that encrypts below.
    pub allow_plaintext: bool,
}

impl HttpSettings {
    /// The usual: 64 texts in a request, 30 s for each, half a second before the first retry, TLS.
    pub fn new(base_url: impl Into<String>, model: ModelInfo) -> Self {
        Self {
            base_url: base_url.into(),
            model,
            api_key: None,
            batch_size: NonZero::new(64).unwrap_or(NonZero::<usize>::MIN),
            timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            allow_plaintext: false,
        }
    }

    fn endpoint(&self) -> Result<Endpoint, EmbeddingError> {
        let settings = EndpointSettings {
            base_url: self.base_url.clone(),
            api_key: self.api_key.clone(),
            timeout: self.timeout,
            allow_plaintext: self.allow_plaintext,
        };
        Ok(Endpoint::new(&settings, "embeddings")?)
    }
}

/// How persistent a call is. A person waits for a query, so it fails early.
struct Patience {
    attempts: u32,
    /// The longest single wait; a server that asks for more is not waited for.
    longest_wait: Duration,
}

impl Patience {
    const fn of(priority: Priority) -> Self {
        match priority {
            Priority::Query => Self { attempts: 2, longest_wait: Duration::from_secs(1) },
            Priority::Document => Self { attempts: 5, longest_wait: Duration::from_secs(30) },
        }
    }
}

/// A model behind an endpoint.
pub struct HttpProvider {
    settings: HttpSettings,
    endpoint: Endpoint,
    cache: QueryCache,
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl HttpProvider {
    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// [`EmbeddingError::Settings`].
    pub fn new(settings: HttpSettings) -> Result<Self, EmbeddingError> {
        let endpoint = settings.endpoint()?;
        Ok(Self { cache: QueryCache::new(&settings.model.name), settings, endpoint })
    }

    async fn embed_all(&self, texts: Vec<String>, priority: Priority) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(self.settings.batch_size.get()) {
            vectors.extend(self.embed_batch(batch, &Patience::of(priority)).await?);
        }
        Ok(vectors)
    }

    async fn embed_batch(&self, batch: &[String], patience: &Patience) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let mut attempt = 1;
        loop {
            let (error, retry_after) = match self.attempt(batch).await {
                Ok(answer) => return parse(&answer, batch.len(), self.settings.model.dimensions),
                Err(EndpointError::Unavailable { status, retry_after }) => {
                    (EmbeddingError::Unavailable(status), retry_after)
                }
                Err(error) => (error.into(), None),
            };
            let wait = retry_after.unwrap_or_else(|| self.backoff(attempt).min(patience.longest_wait));
            if !error.is_transient() || attempt == patience.attempts || wait > patience.longest_wait {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Doubling, less up to half at random, so that clients that failed together do not come back together.
    fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self.settings.backoff.saturating_mul(1 << (attempt - 1).min(16));
        doubled.mul_f64(rand::random_range(0.5..=1.0))
    }

    async fn attempt(&self, batch: &[String]) -> Result<Vec<u8>, EndpointError> {
        let model = &self.settings.model;
        let limit = batch.len() * model.dimensions * ANSWER_BYTES_PER_VALUE + ANSWER_BYTES_EXTRA;
        self.endpoint.post(&Request { model: &model.name, input: batch, encoding_format: "float" }, limit).await
    }
}

impl Provider for HttpProvider {
    fn model(&self) -> &ModelInfo {
        &self.settings.model
    }

    fn embed(&self, texts: Vec<String>, priority: Priority) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbeddingError>> {
        match priority {
            Priority::Query => self.cache.complete(texts, move |texts| self.embed_all(texts, priority)).boxed(),
            Priority::Document => self.embed_all(texts, priority).boxed(),
        }
    }

    /// Approximate: the endpoint's tokenizer is not known, so letters are counted
    /// (see [`chunk_approximately`]). Cutting a large text takes milliseconds, off the async threads all the same.
    fn chunk(&self, text: Arc<str>) -> BoxFuture<'_, Result<Vec<Chunk>, EmbeddingError>> {
        let work = tokio::task::spawn_blocking(move || chunk_approximately(&text));
        work.map(|chunks| chunks.map_err(|_| EmbeddingError::Failed)).boxed()
    }

    fn warm(&self) -> BoxFuture<'_, Result<(), EmbeddingError>> {
        self.embed_all(vec!["ready".to_owned()], Priority::Query).map(|vectors| vectors.map(drop)).boxed()
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: usize,
    embedding: Vec<f32>,
}

impl From<EndpointError> for EmbeddingError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Settings(fault) => Self::Settings(fault),
            EndpointError::Unreachable => Self::Unreachable,
            EndpointError::Timeout => Self::Timeout,
            EndpointError::Unavailable { status, .. } => Self::Unavailable(status),
            EndpointError::Refused(status) => Self::Refused(status),
            EndpointError::Malformed(what) => Self::Malformed(what),
        }
    }
}

/// One vector of length 1 for each of `count` texts, put in order by their index.
fn parse(body: &[u8], count: usize, dimensions: usize) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    // The parser's own message may quote the answer, which may quote the text.
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| EmbeddingError::Malformed("not the expected JSON"))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for Entry { index, mut embedding } in answer.data {
        let slot = vectors.get_mut(index).ok_or(EmbeddingError::Malformed("an index beyond the texts"))?;
        if slot.is_some() {
            return Err(EmbeddingError::Malformed("an index given twice"));
        }
        if embedding.len() != dimensions {
            return Err(EmbeddingError::Dimensions { expected: dimensions, found: embedding.len() });
        }
        let length = embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
        if !length.is_normal() {
            return Err(EmbeddingError::Malformed("a vector without direction"));
        }
        for value in &mut embedding {
            *value /= length;
        }
        *slot = Some(embedding);
    }
    vectors.into_iter().collect::<Option<_>>().ok_or(EmbeddingError::Malformed("a text without a vector"))
}

#[cfg(test)]
mod tests;
