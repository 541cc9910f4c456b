//! An HTTP endpoint that clinical text is sent to because the operator said so: a model for embedding, reranking or
//! answering, hosted or of one's own.
//!
//! Hence: TLS, unless the endpoint is on this machine or plain HTTP is allowed by name; no redirects, which could lead
//! elsewhere; no proxy from the environment. The body of an answer is read only if the status says success, and no error
//! carries any of it, as servers like to quote the input in their messages. [`Service`] gives whoever calls it the body
//! of a refusal too, for the code in it.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use serde::Serialize;

use crate::config::Secret;

/// Why there is no answer. `Display` is safe to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The settings make no sense.
    #[error("the endpoint is misconfigured: {0}")]
    Settings(&'static str),
    /// It could not be reached, or broke off.
    #[error("the endpoint cannot be reached")]
    Unreachable,
    /// It did not answer in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
    /// It is overloaded or broken.
    #[error("the endpoint is unavailable (status {status})")]
    Unavailable {
        status: u16,
        /// The wait it asks for. The other form of the header, a date, is not read.
        retry_after: Option<Duration>,
    },
    /// It refuses the request: key, model name, or a text it does not take.
    #[error("the endpoint refused the request (status {0})")]
    Refused(u16),
    /// It answered something else than was asked for.
    #[error("the endpoint gave a malformed answer: {0}")]
    Malformed(&'static str),
}

/// How to reach an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointSettings {
    /// Up to and including the version, such as `https://api.example.org/v1`.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// For one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Whether plain HTTP to another machine is accepted, as within a cluster that encrypts below.
    pub allow_plaintext: bool,
}

impl EndpointSettings {
    fn url(&self, path: &str) -> Result<Url, EndpointError> {
        let url = Url::parse(&format!("{}/{path}", self.base_url.trim_end_matches('/')))
            .map_err(|_| EndpointError::Settings("the base URL is not a URL"))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !url.username().is_empty() || url.password().is_some() {
            Err(EndpointError::Settings("the base URL holds a password; use the API key"))
        } else if self.base_url.contains(['?', '#']) {
            Err(EndpointError::Settings("the base URL holds a query or fragment"))
        } else if url.scheme() == "https" || (url.scheme() == "http" && (local || self.allow_plaintext)) {
            Ok(url)
        } else {
            Err(EndpointError::Settings("clinical text needs https, except on this machine"))
        }
    }
}

/// One operation of an endpoint.
#[derive(Debug)]
pub struct Endpoint {
    url: Url,
    client: Client,
    api_key: Option<Secret>,
}

impl Endpoint {
    /// Checks the settings; nothing is sent yet. `path` is added to the base URL.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn new(settings: &EndpointSettings, path: &str) -> Result<Self, EndpointError> {
        let client = client(settings.timeout)?;
        Ok(Self { url: settings.url(path)?, client, api_key: settings.api_key.clone() })
    }

    /// Sends a JSON body once and gives the body of the answer, which is at most `limit` bytes long.
    ///
    /// # Errors
    /// Any but [`EndpointError::Settings`].
    pub async fn post(&self, body: &impl Serialize, limit: usize) -> Result<Vec<u8>, EndpointError> {
        let mut parts = self.open(body, limit).await?;
        let mut whole = Vec::new();
        while let Some(part) = parts.next().await? {
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// Sends a JSON body once and gives the body of the answer part by part, as it comes; at most `limit` bytes of it.
    ///
    /// # Errors
    /// Any but [`EndpointError::Settings`].
    pub async fn open(&self, body: &impl Serialize, limit: usize) -> Result<Parts, EndpointError> {
        let request = self.client.post(self.url.clone()).json(body);
        let request = match &self.api_key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        };
        let response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(EndpointError::Unavailable { status: status.as_u16(), retry_after: retry_after(&response) });
        }
        if status != StatusCode::OK {
            return Err(EndpointError::Refused(status.as_u16()));
        }
        Ok(Parts { response, left: limit })
    }
}

/// A service with more than one operation, and credentials that differ from call to call.
#[derive(Debug)]
pub struct Service {
    settings: EndpointSettings,
    client: Client,
}

/// An answer of a [`Service`], whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The wait it asks for.
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

/// Why a [`Service`] gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It was never reached: what was to be sent was not.
    NotSent,
    /// It was reached, or may have been: nobody knows what it did.
    Unknown,
}

impl Service {
    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn new(settings: EndpointSettings) -> Result<Self, EndpointError> {
        settings.url("")?;
        Ok(Self { client: client(settings.timeout)?, settings })
    }

    /// Calls an operation once: posts a JSON body where there is one, and reads at most `limit` bytes of the answer.
    ///
    /// # Errors
    /// Whether anything can have been done.
    pub async fn call(
        &self,
        path: &str,
        credentials: &Secret,
        body: Option<&(impl Serialize + Sync)>,
        limit: usize,
    ) -> Result<Answer, NoAnswer> {
        let url = self.settings.url(path).map_err(|_| NoAnswer::NotSent)?;
        let request = match body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        let response = request.bearer_auth(credentials.reveal()).send().await.map_err(|error| {
            // A body that cannot be built is none that was sent.
            if error.is_connect() || error.is_builder() { NoAnswer::NotSent } else { NoAnswer::Unknown }
        })?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        let (mut parts, mut whole) = (Parts { response, left: limit }, Vec::new());
        while let Some(part) = parts.next().await.map_err(|_| NoAnswer::Unknown)? {
            whole.extend_from_slice(&part);
        }
        Ok(Answer { status, retry_after, body: whole })
    }
}

fn client(timeout: Duration) -> Result<Client, EndpointError> {
    Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|_| EndpointError::Settings("TLS cannot be set up"))
}

/// The body of an answer that is on its way.
#[derive(Debug)]
pub struct Parts {
    response: Response,
    left: usize,
}

impl Parts {
    /// What has come since; `None` at its end.
    ///
    /// # Errors
    /// When it breaks off, takes too long or is too long.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, EndpointError> {
        let Some(part) = self.response.chunk().await.map_err(|error| transport(&error))? else { return Ok(None) };
        self.left = self.left.checked_sub(part.len()).ok_or(EndpointError::Malformed("too long"))?;
        Ok(Some(part.to_vec()))
    }
}

fn transport(error: &reqwest::Error) -> EndpointError {
    if error.is_timeout() { EndpointError::Timeout } else { EndpointError::Unreachable }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
