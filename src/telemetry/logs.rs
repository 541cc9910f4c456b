//! Log lines: what is on the list, for people or for machines.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::LOGGABLE;
use crate::config::LogFormat;

/// What stands for the words of a library.
const UNSAID: &str = "(a library's message is left out)";

/// Writes a line for each event.
pub(super) struct Logs<W> {
    writer: W,
    format: LogFormat,
    /// Whether libraries are quoted.
    in_words: bool,
}

impl<W> Logs<W> {
    pub(super) const fn new(writer: W, format: LogFormat, in_words: bool) -> Self {
        Self { writer, format, in_words }
    }

    fn message(&self, metadata: &Metadata<'_>, said: Option<String>) -> String {
        if is_ours(metadata.target()) || self.in_words { said.unwrap_or_default() } else { UNSAID.to_owned() }
    }
}

/// Our own messages are fixed texts, which a test holds.
fn is_ours(target: &str) -> bool {
    target.split("::").next().is_some_and(|root| root == "anamnesis" || root == "anamnesis_encoder")
}

/// The fields that are on the list, and the message.
#[derive(Default)]
struct Allowed {
    fields: Map<String, Value>,
    message: Option<String>,
}

impl Allowed {
    fn keep(&mut self, field: &Field, value: impl Into<Value>) {
        if LOGGABLE.contains(&field.name()) {
            self.fields.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Allowed {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = Some(format!("{value:?}"));
        } else if LOGGABLE.contains(&field.name()) {
            self.keep(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.keep(field, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, value);
    }
}

impl<S, W> Layer<S> for Logs<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut allowed = Allowed::default();
        attributes.record(&mut allowed);
        span.extensions_mut().insert(allowed);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(allowed) = span.extensions_mut().get_mut::<Allowed>() {
            values.record(allowed);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut allowed = Allowed::default();
        event.record(&mut allowed);
        let mut spans = Vec::new();
        for span in ctx.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            let fields = span.extensions().get::<Allowed>().map(|allowed| allowed.fields.clone()).unwrap_or_default();
            spans.push((span.name(), fields));
        }
        let message = self.message(event.metadata(), allowed.message.take());
        let mut line = match self.format {
            LogFormat::Json => json_line(event.metadata(), message, allowed.fields, spans),
            LogFormat::Text => text_line(event.metadata(), &message, &allowed.fields, &spans),
        };
        line.push('\n');
        // There is nowhere to say that a log cannot be written.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}

fn timestamp() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

fn json_line(
    metadata: &Metadata<'_>,
    message: String,
    fields: Map<String, Value>,
    spans: Vec<(&'static str, Map<String, Value>)>,
) -> String {
    let spans: Vec<Value> = spans
        .into_iter()
        .map(|(name, mut fields)| {
            fields.insert("span".to_owned(), name.into());
            Value::Object(fields)
        })
        .collect();
    let mut line = fields;
    line.insert("timestamp".to_owned(), timestamp().into());
    line.insert("level".to_owned(), metadata.level().as_str().into());
    line.insert("target".to_owned(), metadata.target().into());
    line.insert("message".to_owned(), message.into());
    if !spans.is_empty() {
        line.insert("spans".to_owned(), json!(spans));
    }
    Value::Object(line).to_string()
}

fn text_line(
    metadata: &Metadata<'_>,
    message: &str,
    fields: &Map<String, Value>,
    spans: &[(&'static str, Map<String, Value>)],
) -> String {
    let mut line = format!("{} {:>5} {}: {message}", timestamp(), metadata.level(), metadata.target());
    let pairs = |fields: &Map<String, Value>| {
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    if !fields.is_empty() {
        let _ = write!(line, " {}", pairs(fields));
    }
    for (name, fields) in spans {
        let _ = write!(line, " {name}{{{}}}", pairs(fields));
    }
    line
}
