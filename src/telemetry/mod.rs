//! Logs and traces, and the allow-lists of what may stand in them.
//!
//! Invariants: a log line carries the message of its place in the code and the fields of [`LOGGABLE`]; a span that
//! leaves the process has one of the names of [`SPANS`] and attributes of [`TRACEABLE`]. Anything else is dropped
//! where it would be written, whatever code or library puts it there. Operation documents, variables and responses
//! are never logged; what a library says in words is not repeated in production. Traces are off unless a collector
//! is named.

mod logs;
mod traces;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

use crate::config::{Config, Environment};
use crate::error::{Error, Result};

/// Fields of log lines and of the spans around them.
pub const LOGGABLE: &[&str] = &[
    "attempt",
    "cause",
    "code",
    "dead",
    "document_hash",
    "end",
    "error",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "kind",
    "graphql.operation.type",
    "line",
    "log.target",
    "mode",
    "model",
    "outcome",
    "place",
    "removed",
    "request_id",
    "scope",
    "statements",
];

/// Attributes of spans that leave the process.
pub const TRACEABLE: &[&str] = &[
    "attempt",
    "document_hash",
    "end",
    "graphql.operation.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "kind",
    "mode",
    "outcome",
    "request_id",
    "scope",
    "statements",
];

/// Names of spans that leave the process.
pub const SPANS: &[&str] = &["request", "operation", "transaction", "job"];

/// Target of the spans that traces are made of.
pub const TRACE: &str = "anamnesis::trace";

/// What must be stopped in the end, so that no trace is lost.
#[derive(Debug, Default)]
#[must_use = "the last spans are lost unless it is stopped"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sends what is left.
    pub async fn stop(self) {
        let Some(traces) = self.traces else { return };
        // Blocks until the collector has answered.
        let stopped = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

/// Listens to everything and writes log lines to `writer`; spans go to the collector that is configured.
///
/// # Errors
/// When a setting is malformed.
pub fn subscriber<W>(config: &Config, writer: W) -> Result<(impl Subscriber + Send + Sync + use<W>, Telemetry)>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.log_filter).map_err(Error::internal)?;
    let in_words = config.environment == Environment::Development;
    let logs = logs::Logs::new(writer, config.log_format, in_words).with_filter(filter);
    let provider = config.otlp_endpoint.as_deref().map(traces::provider).transpose()?;
    let traces = provider.as_ref().map(traces::layer);
    Ok((Registry::default().with(logs).with(traces), Telemetry { traces: provider }))
}

/// Starts telemetry of this process; a second call in one process has no effect. To be called in the runtime.
///
/// # Errors
/// When a setting is malformed.
pub fn start(config: &Config) -> Result<Telemetry> {
    let (subscriber, telemetry) = subscriber(config, std::io::stderr)?;
    if subscriber.try_init().is_err() {
        // Only one that is there already can refuse.
        return Ok(Telemetry::default());
    }
    if config.environment == Environment::Production {
        // The words of a panic may quote anything.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location();
            let (place, line) = place.map_or(("?", 0), |place| (place.file(), place.line()));
            tracing::error!(place, line, "a panic");
        }));
    }
    Ok(telemetry)
}
