//! A model behind an OpenAI-compatible `/embeddings` endpoint: a hosted one, or an inference server of one's own.
//!
//! Choosing this provider sends clinical text to that endpoint. Hence: TLS, unless the endpoint is on this machine
//! or plain HTTP is allowed by name; no redirects, which could lead elsewhere; no proxy from the environment. The
//! answer's body is read only if the status says success, and no error carries any of it, as servers like to quote
//! the input in their messages.
//!
//! Answers are believed as far as they are checked: one finite vector of the right length per text, each index
//! once. Vectors are scaled to length 1 here, as not every model does it.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use anamnesis_encoder::chunk_approximately;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use serde::{Deserialize, Serialize};

use super::cache::QueryCache;
use super::{Chunk, EmbeddingError, ModelInfo, Priority, Provider};
use crate::config::Secret;

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

    /// The address of the endpoint.
    fn url(&self) -> Result<Url, EmbeddingError> {
        let url = Url::parse(&format!("{}/embeddings", self.base_url.trim_end_matches('/')))
            .map_err(|_| EmbeddingError::Settings("the base URL is not a URL"))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !url.username().is_empty() || url.password().is_some() {
            Err(EmbeddingError::Settings("the base URL holds a password; use the API key"))
        } else if url.query().is_some() || url.fragment().is_some() {
            Err(EmbeddingError::Settings("the base URL holds a query or fragment"))
        } else if url.scheme() == "https" || (url.scheme() == "http" && (local || self.allow_plaintext)) {
            Ok(url)
        } else {
            Err(EmbeddingError::Settings("clinical text needs https, except on this machine"))
        }
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
    url: Url,
    client: Client,
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
        let url = settings.url()?;
        let client = Client::builder()
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| EmbeddingError::Settings("TLS cannot be set up"))?;
        Ok(Self { cache: QueryCache::new(&settings.model.name), settings, url, client })
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
            let Failure { error, retry_after } = match self.attempt(batch).await {
                Ok(vectors) => return Ok(vectors),
                Err(failure) => failure,
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

    async fn attempt(&self, batch: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
        let model = &self.settings.model.name;
        let request =
            self.client.post(self.url.clone()).json(&Request { model, input: batch, encoding_format: "float" });
        let request = match &self.settings.api_key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        };
        let response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(Failure {
                retry_after: retry_after(&response),
                error: EmbeddingError::Unavailable(status.as_u16()),
            });
        }
        if status != StatusCode::OK {
            return Err(EmbeddingError::Refused(status.as_u16()).into());
        }
        let dimensions = self.settings.model.dimensions;
        let limit = batch.len() * dimensions * ANSWER_BYTES_PER_VALUE + ANSWER_BYTES_EXTRA;
        let body = read(response, limit).await?;
        Ok(parse(&body, batch.len(), dimensions)?)
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

struct Failure {
    error: EmbeddingError,
    retry_after: Option<Duration>,
}

impl From<EmbeddingError> for Failure {
    fn from(error: EmbeddingError) -> Self {
        Self { error, retry_after: None }
    }
}

fn transport(error: &reqwest::Error) -> EmbeddingError {
    if error.is_timeout() { EmbeddingError::Timeout } else { EmbeddingError::Unreachable }
}

/// The wait that the server asks for in seconds. The other form, a date, is not read: the back-off applies then.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The body, unless it is longer than `limit` bytes.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, EmbeddingError> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| transport(&error))? {
        if body.len() + part.len() > limit {
            return Err(EmbeddingError::Malformed("too long"));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
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
