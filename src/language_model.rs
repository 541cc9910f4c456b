//! A model that words answers, behind an OpenAI-compatible `/chat/completions` endpoint.
//!
//! What is sent is the caller's business: nothing here knows what a patient is. How it gets there is told in
//! [`crate::endpoint`].

use std::fmt;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Secret};
use crate::endpoint::{Endpoint, EndpointError, EndpointSettings};

/// Below the time a request may take, so that a slow model is not the end of what was found.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longest answer that is read.
const ANSWER_BYTES: usize = 256 * 1024;
/// Longest answer that is asked for, in the model's own pieces.
const ANSWER_TOKENS: u32 = 1200;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// How to behave.
    System,
    User,
    Assistant,
}

/// Something said to or by a model.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub role: Speaker,
    pub content: String,
}

/// Nothing of what is said stands in a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("role", &self.role).finish_non_exhaustive()
    }
}

/// A model that goes on with a conversation.
pub trait LanguageModel: Send + Sync + fmt::Debug + 'static {
    /// Its name, to be written down with what it says.
    fn name(&self) -> &str;

    /// What it says next.
    ///
    /// # Errors
    /// Any [`EndpointError`].
    fn complete(&self, conversation: Vec<Message>) -> BoxFuture<'_, Result<String, EndpointError>>;
}

/// A model behind an endpoint.
#[derive(Debug)]
pub struct HttpLanguageModel {
    name: String,
    endpoint: Endpoint,
}

impl HttpLanguageModel {
    /// The model the settings name; `None` when they name none.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn of(config: &Config) -> Result<Option<Self>, EndpointError> {
        let (Some(url), Some(name)) = (&config.chat_url, &config.chat_model) else { return Ok(None) };
        Self::new(url, name, config.chat_api_key.clone()).map(Some)
    }

    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn new(base_url: &str, name: &str, api_key: Option<Secret>) -> Result<Self, EndpointError> {
        let settings =
            EndpointSettings { base_url: base_url.to_owned(), api_key, timeout: TIMEOUT, allow_plaintext: false };
        Ok(Self { name: name.to_owned(), endpoint: Endpoint::new(&settings, "chat/completions")? })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Message],
    /// The likeliest words: the same question has the same answer, as far as the model goes along.
    temperature: f32,
    max_tokens: u32,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<String>,
}

impl LanguageModel for HttpLanguageModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete(&self, conversation: Vec<Message>) -> BoxFuture<'_, Result<String, EndpointError>> {
        async move {
            let request =
                Request { model: &self.name, messages: &conversation, temperature: 0.0, max_tokens: ANSWER_TOKENS };
            let body = self.endpoint.post(&request, ANSWER_BYTES).await?;
            // The parser's own message may quote the answer.
            let answer: Answer =
                serde_json::from_slice(&body).map_err(|_| EndpointError::Malformed("not the expected JSON"))?;
            let said = answer.choices.into_iter().next().and_then(|choice| choice.message.content);
            said.ok_or(EndpointError::Malformed("nothing was said"))
        }
        .boxed()
    }
}
