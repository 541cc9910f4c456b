//! A model that words answers, behind an OpenAI-compatible `/chat/completions` endpoint.
//!
//! What is sent is the caller's business: nothing here knows what a patient is. How it gets there is told in
//! [`crate::endpoint`].

use std::fmt;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Secret};
use crate::endpoint::{Endpoint, EndpointError, EndpointSettings, Parts};

/// Below the time a request may take, so that a slow model is not the end of what was found.
const TIMEOUT: Duration = Duration::from_secs(15);
/// An answer that is told as it comes is waited for by nobody's request.
const STREAM_TIMEOUT: Duration = Duration::from_mins(2);
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

    /// The same piece by piece, as it comes; by a model of that name where one is given, else by its own.
    fn stream<'a>(
        &'a self,
        name: Option<&str>,
        conversation: Vec<Message>,
    ) -> BoxStream<'a, Result<Piece, EndpointError>>;
}

/// A piece of what a model says.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Piece {
    /// What it adds; may be empty.
    pub text: String,
    /// What the endpoint calls the model that speaks, often with its version.
    pub model: Option<String>,
}

/// Nothing of what is said stands in a log.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("model", &self.model).finish_non_exhaustive()
    }
}

/// A model behind an endpoint.
#[derive(Debug)]
pub struct HttpLanguageModel {
    name: String,
    endpoint: Endpoint,
    /// The same with more time.
    streaming: Endpoint,
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
        let of = |timeout| {
            let (base_url, api_key) = (base_url.to_owned(), api_key.clone());
            Endpoint::new(&EndpointSettings { base_url, api_key, timeout, allow_plaintext: false }, "chat/completions")
        };
        Ok(Self { name: name.to_owned(), endpoint: of(TIMEOUT)?, streaming: of(STREAM_TIMEOUT)? })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Message],
    /// The likeliest words: the same question has the same answer, as far as the model goes along.
    temperature: f32,
    max_tokens: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
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
            let request = request(&self.name, &conversation, false);
            let body = self.endpoint.post(&request, ANSWER_BYTES).await?;
            // The parser's own message may quote the answer.
            let answer: Answer =
                serde_json::from_slice(&body).map_err(|_| EndpointError::Malformed("not the expected JSON"))?;
            let said = answer.choices.into_iter().next().and_then(|choice| choice.message.content);
            said.ok_or(EndpointError::Malformed("nothing was said"))
        }
        .boxed()
    }

    fn stream<'a>(
        &'a self,
        name: Option<&str>,
        conversation: Vec<Message>,
    ) -> BoxStream<'a, Result<Piece, EndpointError>> {
        let name = name.unwrap_or(&self.name).to_owned();
        let opened = async move { self.streaming.open(&request(&name, &conversation, true), ANSWER_BYTES).await };
        let said = opened.map(|opened| match opened {
            Ok(parts) => stream::try_unfold(Reading::of(parts), Reading::next).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        });
        said.flatten_stream().boxed()
    }
}

const fn request<'a>(model: &'a str, messages: &'a [Message], stream: bool) -> Request<'a> {
    Request { model, messages, temperature: 0.0, max_tokens: ANSWER_TOKENS, stream }
}

/// Server-sent events on their way, of which those that are complete have been taken out.
struct Reading {
    parts: Parts,
    buffer: Vec<u8>,
    /// The endpoint has said that it is done.
    done: bool,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Delta>,
}

#[derive(Deserialize)]
struct Delta {
    delta: Said,
}

impl Reading {
    const fn of(parts: Parts) -> Self {
        Self { parts, buffer: Vec::new(), done: false }
    }

    async fn next(mut self) -> Result<Option<(Piece, Self)>, EndpointError> {
        loop {
            if self.done {
                return Ok(None);
            }
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                match told(&line)? {
                    Told::Piece(piece) => return Ok(Some((piece, self))),
                    Told::Done => self.done = true,
                    Told::Nothing => {}
                }
            } else if let Some(part) = self.parts.next().await? {
                self.buffer.extend_from_slice(&part);
            } else {
                // It ended without saying so: whoever cut it off, the answer is not whole.
                return Err(EndpointError::Malformed("it broke off"));
            }
        }
    }
}

/// What a line of the stream says.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Piece(Piece),
    Done,
    Nothing,
}

fn told(line: &[u8]) -> Result<Told, EndpointError> {
    let line = std::str::from_utf8(line).map_err(|_| EndpointError::Malformed("not text"))?;
    let Some(data) = line.strip_prefix("data:") else { return Ok(Told::Nothing) };
    let data = data.trim();
    if data == "[DONE]" {
        return Ok(Told::Done);
    }
    // The parser's own message may quote the answer.
    let chunk: Chunk = serde_json::from_str(data).map_err(|_| EndpointError::Malformed("not the expected JSON"))?;
    let text = chunk.choices.into_iter().next().and_then(|choice| choice.delta.content).unwrap_or_default();
    Ok(Told::Piece(Piece { text, model: chunk.model }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_stream_are_pieces_an_end_or_nothing() {
        let piece = |text: &str| Told::Piece(Piece { text: text.to_owned(), model: Some("m-1".to_owned()) });
        let line = br#"data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"Hello"}}]}"#;
        assert_eq!(told(line), Ok(piece("Hello")));
        assert_eq!(told(br#"data: {"model":"m-1","choices":[{"delta":{"role":"assistant"}}]}"#), Ok(piece("")));
        assert_eq!(told(br#"data:{"model":"m-1","choices":[]}"#), Ok(piece("")));
        assert_eq!(told(b"data: [DONE]\r"), Ok(Told::Done));
        assert_eq!(told(b": keep-alive"), Ok(Told::Nothing));
        assert_eq!(told(b"\r"), Ok(Told::Nothing));
        assert!(told(b"data: {").is_err());
    }
}
