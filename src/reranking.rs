//! A cross-encoder that reads a query and a passage together, and says how well the one answers the other; behind a
//! `/rerank` endpoint of the form that Jina, Cohere, vLLM and llama.cpp share.

use std::fmt;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Secret};
use crate::endpoint::{Endpoint, EndpointError, EndpointSettings};

/// A person waits.
const TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES: usize = 256 * 1024;

/// Puts passages in order.
pub trait Reranker: Send + Sync + fmt::Debug + 'static {
    /// How well each passage answers the query, in their order; the greater the better.
    ///
    /// # Errors
    /// Any [`EndpointError`].
    fn scores<'a>(&'a self, query: &'a str, passages: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<f64>, EndpointError>>;
}

/// A cross-encoder behind an endpoint.
#[derive(Debug)]
pub struct HttpReranker {
    model: String,
    endpoint: Endpoint,
}

impl HttpReranker {
    /// The one the settings name; `None` when they name none.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn of(config: &Config) -> Result<Option<Self>, EndpointError> {
        let (Some(url), Some(model)) = (&config.rerank_url, &config.rerank_model) else { return Ok(None) };
        Self::new(url, model, config.rerank_api_key.clone()).map(Some)
    }

    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn new(base_url: &str, model: &str, api_key: Option<Secret>) -> Result<Self, EndpointError> {
        let settings =
            EndpointSettings { base_url: base_url.to_owned(), api_key, timeout: TIMEOUT, allow_plaintext: false };
        Ok(Self { model: model.to_owned(), endpoint: Endpoint::new(&settings, "rerank")? })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [&'a str],
    return_documents: bool,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    index: usize,
    relevance_score: f64,
}

impl Reranker for HttpReranker {
    fn scores<'a>(&'a self, query: &'a str, passages: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<f64>, EndpointError>> {
        async move {
            let request = Request { model: &self.model, query, documents: passages, return_documents: false };
            let body = self.endpoint.post(&request, ANSWER_BYTES).await?;
            let answer: Answer =
                serde_json::from_slice(&body).map_err(|_| EndpointError::Malformed("not the expected JSON"))?;
            let mut scores = vec![None; passages.len()];
            for Scored { index, relevance_score } in answer.results {
                let place = scores.get_mut(index).ok_or(EndpointError::Malformed("an index beyond the passages"))?;
                if !relevance_score.is_finite() || place.replace(relevance_score).is_some() {
                    return Err(EndpointError::Malformed("no score, or two of them"));
                }
            }
            scores.into_iter().collect::<Option<_>>().ok_or(EndpointError::Malformed("a passage without a score"))
        }
        .boxed()
    }
}
