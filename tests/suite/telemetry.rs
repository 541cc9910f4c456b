//! What is told of a running server: log lines and traces, and what of it never is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex};

use anamnesis::access::Role;
use anamnesis::config::Config;
use anamnesis::telemetry::{self, SPANS, TRACE, TRACEABLE};
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::TestApp;

const CANARY: &str = "Zqcanary";

/// What was written, line by line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn config(settings: &[(&str, &str)]) -> Config {
    let values: BTreeMap<String, String> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_values(&values).unwrap()
}

/// Runs something while its log is written down.
fn logged(settings: &[(&str, &str)], work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let (subscriber, _) = telemetry::subscriber(&config(settings), move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, work);
    lines.text()
}

fn speak() {
    let span = tracing::info_span!(target: TRACE, "request", request_id = "r1", patient_name = "ZqcanarySpan");
    span.in_scope(|| {
        span.record("patient_name", "ZqcanaryRecord");
        tracing::warn!(target: "anamnesis::test", code = "TIMEOUT", patient_name = "ZqcanaryField", attempt = 2, "a job failed");
        tracing::warn!(target: "some_library", code = "X", "refused ZqcanaryMessage");
    });
}

#[test]
fn a_field_that_is_not_on_the_list_is_not_written() {
    let text = logged(&[], speak);
    assert!(!text.contains(CANARY), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    let mut ours = lines[0].clone();
    assert!(ours["timestamp"].take().is_string());
    assert_eq!(
        ours,
        json!({ "timestamp": null, "level": "WARN", "target": "anamnesis::test", "message": "a job failed",
            "code": "TIMEOUT", "attempt": 2, "spans": [{ "span": "request", "request_id": "r1" }] })
    );
    assert_eq!(lines[1]["message"], "(a library's message is left out)");
}

#[test]
fn people_read_the_same_and_a_developer_what_libraries_say() {
    let text = logged(&[("ANAMNESIS_LOG_FORMAT", "text"), ("ANAMNESIS_ENVIRONMENT", "development")], speak);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].ends_with(r#" WARN anamnesis::test: a job failed attempt=2 code="TIMEOUT" request{request_id="r1"}"#),
        "{text}"
    );
    assert!(lines[1].contains("refused ZqcanaryMessage"), "{text}");
    assert!(!lines[0].contains(CANARY));
}

#[test]
fn the_filter_is_obeyed() {
    assert_eq!(logged(&[("ANAMNESIS_LOG_FILTER", "error")], speak), "");
    let refused = telemetry::subscriber(&config(&[("ANAMNESIS_LOG_FILTER", "a=b=c")]), std::io::sink);
    assert!(refused.is_err());
}

/// A collector of one test: its address, and what it was sent.
async fn collector() -> (String, Arc<Mutex<Vec<Bytes>>>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&received);
    let take = async move |body: Bytes| keep.lock().unwrap().push(body);
    let router = axum::Router::new().route("/v1/traces", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received)
}

fn spans(received: &[Bytes]) -> Vec<Span> {
    let requests = received.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn a_collector_is_sent_spans_with_what_is_on_the_list() {
    let (url, received) = collector().await;
    let settings = config(&[("ANAMNESIS_OTLP_ENDPOINT", &url)]);
    let (subscriber, started) = telemetry::subscriber(&settings, std::io::sink).unwrap();
    let listening = tracing::subscriber::set_default(subscriber);
    let app = TestApp::start().await;
    let clerk = app.member(Role::ALL).await;
    let register = "mutation ZqcanaryOperation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let input = json!({ "givenName": "ZqcanaryGiven", "familyName": "ZqcanaryFamily", "birthDate": "1961-07-23", "gender": "FEMALE" });
    clerk.run(register, json!({ "input": input })).await.ok();
    app.anonymous().request(reqwest::Method::GET, "/ZqcanaryPath?name=ZqcanaryQuery").send().await.unwrap();
    app.db_execute("UPDATE facilities SET settings = settings").await;
    clerk
        .run("mutation { passwordResetRequest(input: { email: \"zqcanary@test.example\" }) { accepted } }", json!({}))
        .await
        .ok();
    app.work().await;
    tracing::info_span!(target: TRACE, "ZqcanaryName", patient_name = "ZqcanaryAttribute", otel.name = "ZqcanaryRenamed").in_scope(|| {
        tracing::error!(error = "ZqcanaryEvent", "a span's event");
    });
    tracing::info_span!(target: "another", "ZqcanaryOther").in_scope(|| {});
    drop(listening);
    started.stop().await;

    let received = received.lock().unwrap().clone();
    for body in &received {
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        assert!(!text.contains("zqcanary"), "a canary left the process: {text}");
    }
    let spans = spans(&received);
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, SPANS.iter().copied().chain(["other"]).collect());
    for span in &spans {
        let strange: Vec<_> = span.attributes.iter().filter(|one| !TRACEABLE.contains(&one.key.as_str())).collect();
        assert!(strange.is_empty(), "{strange:?}");
        assert!(span.events.is_empty() && span.links.is_empty());
    }
    let operation = spans.iter().find(|span| attribute(span, "graphql.operation.type").as_deref() == Some("mutation"));
    let operation = operation.unwrap();
    assert_eq!(attribute(operation, "outcome").as_deref(), Some("ok"));
    assert_eq!(attribute(operation, "document_hash").map(|hash| hash.len()), Some(64));
    let request = spans.iter().find(|span| span.span_id == operation.parent_span_id).unwrap();
    assert_eq!((request.name.as_str(), attribute(request, "http.route").as_deref()), ("request", Some("/graphql")));
    assert_eq!(attribute(request, "request_id").map(|id| id.len()), Some(36));
    let inside = |span: &&Span| span.name == "transaction" && span.parent_span_id == operation.span_id;
    let modes: BTreeSet<_> = spans.iter().filter(inside).filter_map(|span| attribute(span, "mode")).collect();
    assert_eq!(modes, BTreeSet::from(["read".to_owned(), "write".to_owned()]));
    let job = spans.iter().find(|span| span.name == "job").unwrap();
    assert_eq!(attribute(job, "kind").as_deref(), Some("mail.password_reset"));
    assert_eq!(attribute(job, "outcome").as_deref(), Some("done"));
}

#[tokio::test]
async fn a_collector_that_is_away_keeps_nobody_waiting() {
    let settings = config(&[("ANAMNESIS_OTLP_ENDPOINT", "http://127.0.0.1:1/v1/traces")]);
    let (subscriber, started) = telemetry::subscriber(&settings, std::io::sink).unwrap();
    tracing::subscriber::with_default(subscriber, || tracing::info_span!(target: TRACE, "request").in_scope(|| {}));
    tokio::time::timeout(std::time::Duration::from_secs(20), started.stop()).await.unwrap();
}
