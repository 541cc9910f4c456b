//! `/metrics`: what is counted, and that nothing of anybody is in it.

use std::sync::Arc;

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use anamnesis::jobs::Housekeeping;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::TestApp;

/// Numbers of a server, as Prometheus gets them.
pub struct Numbers(String);

impl Numbers {
    /// Asks the address of its own that numbers have.
    pub async fn of(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(anamnesis::http::serve_metrics(Arc::clone(&app.app), listener, stop.clone()));
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.headers()["content-type"], anamnesis::metrics::CONTENT_TYPE);
        let text = answer.text().await.unwrap();
        stop.cancel();
        serving.await.unwrap().unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self(text)
    }

    /// The number of a series; all that are asked for here are whole.
    #[track_caller]
    pub fn get(&self, series: &str) -> u64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let number = line.unwrap_or_else(|| panic!("no {series} in\n{}", self.0));
        number.strip_suffix(".0").unwrap_or(number).parse().unwrap()
    }

    fn has(&self, series: &str) -> bool {
        self.0.lines().any(|line| line.starts_with(series))
    }
}

const REQUEST: &str = "mutation { passwordResetRequest(input: { email: \"zqcanary@test.example\" }) { accepted } }";

#[tokio::test]
async fn requests_and_operations_are_counted_by_what_they_are() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    nurse.run("query ZqcanaryName { patients(first: 1) { nodes { id } } }", json!({})).await.ok();
    nurse.run("{ deadJobs { totalCount } }", json!({})).await;
    nurse.run("{ nothing }", json!({})).await;
    app.anonymous().run(REQUEST, json!({})).await.ok();
    app.anonymous().request(Method::GET, "/zqcanary").send().await.unwrap();
    let numbers = Numbers::of(&app).await;
    assert_eq!(numbers.get(r#"anamnesis_http_requests_total{route="/graphql",status="2xx"}"#), 2);
    assert_eq!(numbers.get(r#"anamnesis_http_requests_total{route="/graphql",status="4xx"}"#), 2);
    assert_eq!(numbers.get(r#"anamnesis_http_requests_total{route="other",status="4xx"}"#), 1);
    let count = |kind: &str, outcome: &str| {
        numbers.get(&format!(r#"anamnesis_graphql_operation_seconds_count{{type="{kind}",outcome="{outcome}"}}"#))
    };
    assert_eq!([count("query", "ok"), count("query", "denied"), count("unknown", "invalid")], [1, 1, 1]);
    assert_eq!(count("mutation", "ok"), 1);
    assert!(!numbers.0.to_ascii_lowercase().contains("zqcanary"), "{}", numbers.0);
}

#[tokio::test]
async fn statements_are_counted_for_the_operation_that_sends_them() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let document = "{ patients(first: 1) { nodes { id } } }";
    // So that nothing is prepared or looked up for the first time.
    nurse.run(document, json!({})).await.ok();
    let series = r#"anamnesis_graphql_operation_statements_sum{type="query"}"#;
    let (sum, before) = (Numbers::of(&app).await.get(series), app.app.database.statements());
    nurse.run(document, json!({})).await.ok();
    let sent = app.app.database.statements() - before;
    assert!(sent > 0);
    assert_eq!(Numbers::of(&app).await.get(series), sum + sent);
}

#[tokio::test]
async fn the_pool_the_queue_and_the_audit_log_are_told() {
    let app = TestApp::start().await;
    app.anonymous().run(REQUEST, json!({})).await.ok();
    app.advance(TimeDelta::seconds(90));
    let waiting = Numbers::of(&app).await;
    assert_eq!(waiting.get("anamnesis_database_up"), 1);
    assert_eq!(waiting.get("anamnesis_database_connections_max"), 4);
    assert_eq!(waiting.get(r#"anamnesis_database_connections{state="in_use"}"#), 0);
    assert_eq!(waiting.get(r#"anamnesis_jobs_waiting{state="queued"}"#), 1);
    assert_eq!(waiting.get("anamnesis_jobs_oldest_due_seconds"), 90);
    assert!(waiting.get("anamnesis_database_pool_wait_seconds_count") > 0);
    assert!(!waiting.has("anamnesis_audit_last_sealing_age_seconds"), "nothing was sealed by this node");

    app.work().await;
    let mut keeping = Housekeeping::new(Arc::clone(&app.app));
    // Transactions of other tests in the cluster may hold sealing back.
    while keeping.turn().await.unwrap().sealed.is_none_or(|heads| heads.is_empty()) {
        app.advance(TimeDelta::seconds(30));
    }
    app.advance(TimeDelta::seconds(7));
    let done = Numbers::of(&app).await;
    assert_eq!(done.get(r#"anamnesis_jobs_waiting{state="queued"}"#), 0);
    assert_eq!(done.get(r#"anamnesis_jobs_total{kind="mail.password_reset",outcome="done"}"#), 1);
    assert_eq!(done.get("anamnesis_audit_last_sealing_age_seconds"), 7);
    assert_eq!(done.get("anamnesis_audit_last_block_age_seconds"), 7);
    let blocks = app.db_value("SELECT count(*) FROM audit_blocks").await;
    assert_eq!(done.get("anamnesis_audit_blocks").to_string(), blocks);
}

#[tokio::test]
async fn documents_are_counted_by_the_status_they_come_to() {
    let app = crate::domains::documents::search::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    crate::domains::documents::upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "A short text.").await;
    app.work().await;
    let numbers = Numbers::of(&app).await;
    for status in ["uploaded", "extracting", "embedding", "ready"] {
        let series = format!(r#"anamnesis_documents_total{{status="{status}"}}"#);
        assert_eq!(numbers.get(&series), 1, "{status}");
    }
    assert!(numbers.has(r#"anamnesis_jobs_total{kind="documents.extract",outcome="done"}"#));
}

#[tokio::test]
async fn who_asks_too_often_is_counted_and_not_named() {
    let app = TestApp::start_with(&[("ANAMNESIS_REQUESTS_PER_MINUTE", "1")]).await;
    let nurse = app.member(&[Role::Nurse]).await;
    for _ in 0..3 {
        nurse.run("{ __typename }", json!({})).await;
    }
    let numbers = Numbers::of(&app).await;
    assert_eq!(numbers.get(r#"anamnesis_rate_limited_total{surface="graphql"}"#), 2);
    for id in [app.facility.uuid(), app.other.uuid(), nurse.user.unwrap().uuid()] {
        assert!(!numbers.0.contains(&id.to_string()), "{}", numbers.0);
    }
}

#[tokio::test]
async fn the_world_reads_no_numbers() {
    let app = TestApp::start().await;
    assert_eq!(app.anonymous().request(Method::GET, "/metrics").send().await.unwrap().status(), 404);
}
