//! The HTTP edge: what is refused before anything is asked of the database, what browsers and proxies are
//! told, and what says whether the server is well.

use anamnesis::access::Role;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Answer, Client, TestApp};

const MODERN: &str = "application/graphql-response+json";

/// Runs an operation that must be refused for its size before any SQL.
async fn refused(app: &TestApp, client: &Client, document: &str, variables: Value) {
    let before = app.app.database.statements();
    let answer = client.run(document, variables).await;
    assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{document}: {:?}", answer.errors);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.data, Value::Null);
    assert_eq!(app.app.database.statements(), before, "{document} reached the database");
}

#[tokio::test]
async fn an_operation_is_as_large_as_allowed_and_no_larger() {
    let app = TestApp::start_with(&[
        ("ANAMNESIS_MAX_DEPTH", "3"),
        ("ANAMNESIS_MAX_COMPLEXITY", "21"),
        ("ANAMNESIS_MAX_ALIASES", "2"),
        ("ANAMNESIS_MAX_LIST", "2"),
    ])
    .await;
    let client = app.member(&[Role::Nurse]).await;

    let deep = client.run("{ patients(first: 1) { nodes { id } } }", json!({})).await;
    assert_eq!(deep.extensions["cost"]["depth"], json!({ "is": 3, "most": 3 }));
    deep.ok();
    refused(&app, &client, "{ patients(first: 1) { nodes { contacts { id } } } }", json!({})).await;

    // One for the field, and two for each of ten rows.
    let complex = client.run("{ patients(first: 10) { nodes { id } } }", json!({})).await;
    assert_eq!(complex.extensions["cost"]["complexity"], json!({ "is": 21, "most": 21 }));
    complex.ok();
    refused(&app, &client, "{ patients(first: 10) { nodes { id } } viewer { __typename } }", json!({})).await;
    refused(&app, &client, "query($n: Int) { patients(first: $n) { nodes { id } } }", json!({ "n": 11 })).await;

    let aliased = client.run("{ a: viewer { __typename } b: viewer { __typename } }", json!({})).await;
    assert_eq!(aliased.extensions["cost"]["aliases"], json!({ "is": 2, "most": 2 }));
    aliased.ok();
    refused(&app, &client, "{ a: viewer { __typename } b: viewer { __typename } c: viewer { __typename } }", json!({}))
        .await;

    let record =
        "mutation($input: PatientVisitRecordInput!) { patientVisitRecord(input: $input) { userErrors { code } } }";
    let visit = |diagnoses: Value| json!({ "input": { "patientId": "pat_AAAAAAAAAAAAAAAAAAAAAA", "visitedAt": "2026-03-01T10:00:00Z", "diagnoses": diagnoses } });
    // As long as allowed it gets as far as the rules: these are no codes.
    let ruled = client.run(record, visit(json!(["A", "B"]))).await.ok();
    assert_ne!(ruled["patientVisitRecord"]["userErrors"], json!([]));
    refused(&app, &client, record, visit(json!(["A", "B", "C"]))).await;
}

/// A fragment cannot hide what it spreads, nor spread itself.
#[tokio::test]
async fn fragments_are_measured_where_they_are_spread() {
    let app = TestApp::start_with(&[("ANAMNESIS_MAX_DEPTH", "5")]).await;
    let client = app.member(&[Role::Nurse]).await;
    let deep = "{ patients { ...A } } fragment A on PatientConnection { nodes { ...B } } fragment B on Patient { contacts { id } }";
    refused(&app, &client, deep, json!({})).await;
    let endless = "{ patients { nodes { ...A } } } fragment A on Patient { visits { nodes { patient { ...A } } } }";
    let before = app.app.database.statements();
    // The parser's own limit of nesting ends it first.
    assert_eq!(client.run(endless, json!({})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(app.app.database.statements(), before);
}

#[tokio::test]
async fn a_body_is_as_long_as_allowed_and_no_longer() {
    let app = TestApp::start_with(&[("ANAMNESIS_MAX_BODY_BYTES", "2000")]).await;
    let body = |bytes: usize| {
        let bare = json!({ "query": "{ __typename }" }).to_string();
        format!("{bare}{}", " ".repeat(bytes - bare.len()))
    };
    for (bytes, status) in [(2000, 200), (2001, 413)] {
        let before = app.app.database.statements();
        let response = app
            .anonymous()
            .request(Method::POST, "/graphql")
            .header("content-type", "application/json")
            .body(body(bytes))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{bytes} bytes");
        assert_eq!(app.app.database.statements(), before);
    }
}

#[tokio::test]
async fn introspection_and_the_playground_are_open_in_development_only() {
    let introspection = "{ __schema { queryType { name } } }";
    let development = TestApp::start().await;
    assert_eq!(
        development.anonymous().run(introspection, json!({})).await.ok()["__schema"]["queryType"]["name"],
        "Query"
    );
    let production = TestApp::start_with(&[("ANAMNESIS_ENVIRONMENT", "production")]).await;
    let answer = production.anonymous().run(introspection, json!({})).await;
    assert!(answer.data["__schema"].is_null(), "{answer:?}");
    let page = production.anonymous().request(Method::GET, "/").send().await.unwrap();
    assert_eq!(page.status(), 404);
}

fn hash(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn persisted(client: &Client, document: Option<&str>, hash: &str) -> Answer {
    let mut body = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
    if let Some(document) = document {
        body["query"] = document.into();
    }
    let request = client.request(Method::POST, "/graphql").header("accept", MODERN).json(&body);
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_document_is_learned_by_its_hash() {
    let app = TestApp::start().await;
    let client = app.anonymous();
    let document = "{ __typename }";
    assert_eq!(persisted(&client, None, &hash(document)).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(persisted(&client, Some(document), &hash("{ other }")).await.code(), "BAD_USER_INPUT");
    assert_eq!(persisted(&client, None, &hash("{ other }")).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(persisted(&client, Some(document), &hash(document)).await.ok()["__typename"], "Query");
    assert_eq!(persisted(&client, None, &hash(document)).await.ok()["__typename"], "Query");
}

#[tokio::test]
async fn with_a_list_only_what_is_on_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.json");
    let listed = "{ listed: __typename }";
    std::fs::write(&file, json!({ hash(listed): listed }).to_string()).unwrap();
    let app = TestApp::start_with(&[("ANAMNESIS_ALLOWED_OPERATIONS", file.to_str().unwrap())]).await;
    let client = app.anonymous();
    assert_eq!(persisted(&client, None, &hash(listed)).await.ok()["listed"], "Query");
    assert_eq!(client.run(listed, json!({})).await.ok()["listed"], "Query");
    let other = "{ other: __typename }";
    assert_eq!(client.run(other, json!({})).await.code(), "OPERATION_NOT_ALLOWED");
    assert_eq!(persisted(&client, Some(other), &hash(other)).await.code(), "OPERATION_NOT_ALLOWED");
    // A listed hash does not carry another document in.
    assert_eq!(persisted(&client, Some(other), &hash(listed)).await.code(), "OPERATION_NOT_ALLOWED");
}

#[tokio::test]
async fn get_is_for_queries() {
    let app = TestApp::start().await;
    let ask = async |query: &str| {
        let path = format!("/graphql?query={query}");
        Answer::read(app.anonymous().request(Method::GET, &path).header("accept", MODERN).send().await.unwrap()).await
    };
    assert_eq!(ask("%7B__typename%7D").await.ok()["__typename"], "Query");
    let before = app.app.database.statements();
    let mutation = "mutation%7BpasswordResetRequest(input%3A%7Bemail%3A%22a%40test.example%22%7D)%7Baccepted%7D%7D";
    let refused = ask(mutation).await;
    assert_eq!((refused.status, refused.code()), (405, "BAD_USER_INPUT"));
    // A query beside it does not open the door.
    let both = "query%20A%7B__typename%7D".to_owned()
        + "%20mutation%20B%7BpasswordResetRequest(input%3A%7Bemail%3A%22a%40test.example%22%7D)%7Baccepted%7D%7D&operationName=B";
    assert_eq!(ask(&both).await.status, 405);
    assert_eq!(app.app.database.statements(), before);
}

#[tokio::test]
async fn status_codes_and_media_types_follow_what_the_client_accepts() {
    let app = TestApp::start().await;
    let cases = [("{ __typename }", 200), ("{ viewer { __typename } }", 401), ("{ nothing }", 400), ("{", 400)];
    for (document, status) in cases {
        for (accept, expected, media) in [(MODERN, status, MODERN), ("application/json", 200, "application/json")] {
            let request = app.anonymous().request(Method::POST, "/graphql").header("accept", accept);
            let response = request.json(&json!({ "query": document })).send().await.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{document} for {accept}");
            assert_eq!(response.headers()["content-type"], media);
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert!(response.headers().contains_key("x-request-id"));
        }
    }
    let nurse = app.member(&[Role::Nurse]).await;
    let denied = nurse.run("{ breakGlassAccesses { totalCount } }", json!({})).await;
    assert_eq!((denied.status, denied.code()), (403, "FORBIDDEN"));
    let forged = app.anonymous().with_token("forged".into()).run("{ __typename }", json!({})).await;
    assert_eq!((forged.status, forged.code()), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let app = TestApp::start().await;
    for path in ["/", "/health/live", "/health/ready", "/graphql?query=%7B__typename%7D", "/nowhere"] {
        let response = app.anonymous().request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(headers["strict-transport-security"].to_str().unwrap().starts_with("max-age="), "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn only_configured_origins_may_call_from_a_browser() {
    let app = TestApp::start_with(&[("ANAMNESIS_CORS_ORIGINS", "https://portal.example")]).await;
    for (origin, allowed) in [("https://portal.example", true), ("https://portal.example.evil", false), ("null", false)]
    {
        for method in [Method::OPTIONS, Method::POST] {
            let response = app
                .anonymous()
                .request(method, "/graphql")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .json(&json!({ "query": "{ __typename }" }))
                .send()
                .await
                .unwrap();
            let header = response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(header, allowed.then_some(origin), "{origin}");
        }
    }
    let closed = TestApp::start().await;
    let request = closed.anonymous().request(Method::POST, "/graphql").header("origin", "https://portal.example");
    let response = request.json(&json!({ "query": "{ __typename }" })).send().await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn too_many_requests_of_one_caller_wait_and_others_do_not() {
    let app = TestApp::start_with(&[("ANAMNESIS_REQUESTS_PER_MINUTE", "3")]).await;
    let hasty = app.member(&[Role::Nurse]).await;
    let calm = app.member(&[Role::Nurse]).await;
    for _ in 0..3 {
        hasty.run("{ __typename }", json!({})).await.ok();
    }
    let before = app.app.database.statements();
    let answer = hasty.run("{ viewer { __typename } }", json!({})).await;
    assert_eq!((answer.status, answer.code()), (429, "RATE_LIMITED"));
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(app.app.database.statements(), before);
    calm.run("{ __typename }", json!({})).await.ok();
    app.anonymous().run("{ __typename }", json!({})).await.ok();
}

/// A table that someone holds: the request ends by the clock, not by the lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_stopped() {
    let app = TestApp::start_with(&[("ANAMNESIS_REQUEST_SECONDS", "1")]).await;
    let nurse = app.member(&[Role::Nurse]).await;
    nurse.run("{ patients { totalCount } }", json!({})).await.ok();
    let (holder, connection) =
        tokio_postgres::connect(&app.database.superuser_url, tokio_postgres::NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    holder.batch_execute("BEGIN; LOCK TABLE patients IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let begun = std::time::Instant::now();
    let call = nurse.run("{ patients { totalCount } }", json!({}));
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), call).await.expect("the request never ended");
    assert_eq!((answer.status, answer.code()), (504, "TIMEOUT"));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    drop(holder);
    driving.await.unwrap().unwrap();
    nurse.run("{ patients { totalCount } }", json!({})).await.ok();
}

#[tokio::test]
async fn health_tells_living_from_ready() {
    let app = TestApp::start().await;
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(app.anonymous().request(Method::GET, path).send().await.unwrap().status(), 200, "{path}");
    }
    let lost = TestApp::without_database().await;
    assert_eq!(reqwest::get(format!("{lost}/health/live")).await.unwrap().status(), 200);
    let ready = reqwest::get(format!("{lost}/health/ready")).await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.text().await.unwrap(), "the database does not answer");
}

#[tokio::test]
async fn the_playground_is_one_page_with_a_nonce_and_nothing_from_outside() {
    let app = TestApp::start().await;
    let get = async || {
        let response = app.anonymous().request(Method::GET, "/").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        (policy, nonce, response.text().await.unwrap())
    };
    let (policy, nonce, page) = get().await;
    assert!(!policy.contains("unsafe"), "{policy}");
    for tag in ["<script", "<style"] {
        let tags = page.match_indices(tag).count();
        assert!(tags > 0);
        assert_eq!(page.matches(&format!("{tag} nonce=\"{nonce}\"")).count(), tags, "{tag} without the nonce");
    }
    for outside in
        ["src=\"http", "href=\"http", "src='http", "href='http", "src=\"//", "href=\"//", "@import", "url(http"]
    {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_ne!(get().await.1, nonce, "a nonce is good once");
}
