//! The provider against a server on this machine that answers from a script.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Mutex;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;

const SECRET_TEXT: &str = "Jane Roe hears voices";

/// The next answer of the server.
enum Reply {
    Json(Value),
    Text(&'static str),
    Status(u16),
    /// A status with a `Retry-After` header.
    Later(u16, &'static str),
    /// A status with a body that quotes the request.
    Echo(u16),
    Redirect(&'static str),
    Never,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<(HeaderMap, Value)>>,
}

async fn answer(State(script): State<Arc<Script>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    script.requests.lock().unwrap().push((headers, request));
    let reply = script.replies.lock().unwrap().pop_front().unwrap();
    let status = |status| StatusCode::from_u16(status).unwrap();
    match reply {
        Reply::Json(body) => Json(body).into_response(),
        Reply::Text(text) => text.into_response(),
        Reply::Status(code) => status(code).into_response(),
        Reply::Later(code, seconds) => (status(code), [(header::RETRY_AFTER, seconds)]).into_response(),
        Reply::Echo(code) => (status(code), body).into_response(),
        Reply::Redirect(target) => (status(307), [(header::LOCATION, target)]).into_response(),
        Reply::Never => pending().await,
    }
}

/// A server that gives `replies` in turn, and settings for it: two dimensions, two texts to a request, next to no
/// wait before a retry.
async fn server(replies: impl Into<VecDeque<Reply>>) -> (Arc<Script>, HttpSettings) {
    let script = Arc::new(Script { replies: Mutex::new(replies.into()), ..Script::default() });
    let router = Router::new().route("/v1/embeddings", post(answer)).with_state(Arc::clone(&script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let model = ModelInfo { name: "test-model".into(), dimensions: 2 };
    let settings = HttpSettings {
        batch_size: NonZero::new(2).unwrap(),
        backoff: Duration::from_micros(1),
        ..HttpSettings::new(format!("http://{address}/v1/"), model)
    };
    (script, settings)
}

/// Embeds `texts` as documents over `replies`. Gives the outcome and the number of requests made.
async fn embedded(
    replies: impl Into<VecDeque<Reply>>,
    texts: &[&str],
) -> (Result<Vec<Vec<f32>>, EmbeddingError>, usize) {
    let (script, settings) = server(replies).await;
    let outcome = HttpProvider::new(settings).unwrap().embed(owned(texts), Priority::Document).await;
    let requests = script.requests.lock().unwrap().len();
    (outcome, requests)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn vectors(entries: &[(usize, &[f32])]) -> Reply {
    let data: Vec<Value> = entries
        .iter()
        .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}))
        .collect();
    Reply::Json(json!({"object": "list", "data": data, "model": "test-model", "usage": {"total_tokens": 3}}))
}

#[tokio::test]
async fn a_request_is_what_the_endpoint_expects_and_a_vector_has_length_one() {
    let (script, settings) = server([vectors(&[(0, &[3.0, 4.0])])]).await;
    let provider = HttpProvider::new(HttpSettings { api_key: Some(Secret::new("k-123")), ..settings }).unwrap();
    assert_eq!(provider.embed(owned(&["pain"]), Priority::Query).await, Ok(vec![vec![0.6, 0.8]]));
    let requests = script.requests.lock().unwrap();
    let [(headers, body)] = &requests[..] else { unreachable!("one request") };
    assert_eq!(body, &json!({"model": "test-model", "input": ["pain"], "encoding_format": "float"}));
    assert_eq!(headers["authorization"], "Bearer k-123");
    assert_eq!(headers["content-type"], "application/json");
}

#[tokio::test]
async fn order_is_restored_by_index_within_and_across_requests() {
    let replies = [vectors(&[(1, &[0.0, 1.0]), (0, &[1.0, 0.0])]), vectors(&[(0, &[-1.0, 0.0])])];
    let (outcome, requests) = embedded(replies, &["a", "b", "c"]).await;
    assert_eq!(outcome, Ok(vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![-1.0, 0.0]]));
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn no_text_makes_no_request() {
    assert_eq!(embedded([], &[]).await, (Ok(vec![]), 0));
}

#[tokio::test]
async fn an_overloaded_or_broken_server_is_asked_again() {
    for first in [Reply::Status(500), Reply::Status(429), Reply::Later(503, "0"), Reply::Later(503, "Wed, 21 Oct")] {
        let (outcome, requests) = embedded([first, vectors(&[(0, &[1.0, 0.0])])], &["a"]).await;
        assert_eq!((outcome, requests), (Ok(vec![vec![1.0, 0.0]]), 2));
    }
}

#[tokio::test]
async fn patience_ends_sooner_for_a_query() {
    for (priority, attempts) in [(Priority::Query, 2), (Priority::Document, 5)] {
        let replies: VecDeque<Reply> = (0..attempts).map(|_| Reply::Status(502)).collect();
        let (script, settings) = server(replies).await;
        let outcome = HttpProvider::new(settings).unwrap().embed(owned(&["a"]), priority).await;
        assert_eq!(outcome, Err(EmbeddingError::Unavailable(502)));
        assert_eq!(script.requests.lock().unwrap().len(), attempts);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_long_a_wait_is_not_waited_for() {
    let (outcome, requests) = embedded([Reply::Later(429, "31")], &["a"]).await;
    assert_eq!((outcome, requests), (Err(EmbeddingError::Unavailable(429)), 1));
}

#[tokio::test]
async fn a_refusal_is_final_and_a_redirect_is_not_followed() {
    for (reply, status) in
        [(Reply::Status(401), 401), (Reply::Echo(400), 400), (Reply::Redirect("/v1/embeddings"), 307)]
    {
        let (outcome, requests) = embedded([reply], &[SECRET_TEXT]).await;
        assert_eq!((outcome, requests), (Err(EmbeddingError::Refused(status)), 1));
    }
}

#[tokio::test]
async fn wrong_dimensions_are_refused() {
    let (outcome, requests) = embedded([vectors(&[(0, &[1.0, 0.0, 0.0])])], &["a"]).await;
    assert_eq!((outcome, requests), (Err(EmbeddingError::Dimensions { expected: 2, found: 3 }), 1));
}

#[tokio::test]
async fn a_malformed_answer_is_refused() {
    let not_json = "not the expected JSON";
    for (reply, fault) in [
        (Reply::Text(r#"{"data": [{"index": 0, "embedding": [1.0, 0."#), not_json),
        (Reply::Text(r#"{"data": [{"index": 0, "embedding": "AACAPwAAAAA="}]}"#), not_json),
        (Reply::Text(""), not_json),
        (vectors(&[(0, &[1.0, 0.0])]), "a text without a vector"),
        (vectors(&[(0, &[1.0, 0.0]), (0, &[1.0, 0.0])]), "an index given twice"),
        (vectors(&[(0, &[1.0, 0.0]), (2, &[1.0, 0.0])]), "an index beyond the texts"),
        (vectors(&[(0, &[1.0, 0.0]), (1, &[0.0, 0.0])]), "a vector without direction"),
        (
            Reply::Text(r#"{"data": [{"index": 0, "embedding": [1e39, 0]}, {"index": 1, "embedding": [1, 0]}]}"#),
            "a vector without direction",
        ),
    ] {
        let (outcome, requests) = embedded([reply], &["a", "b"]).await;
        assert_eq!((outcome, requests), (Err(EmbeddingError::Malformed(fault)), 1));
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let padded = format!("{}{{", " ".repeat(ANSWER_BYTES_EXTRA + 2 * ANSWER_BYTES_PER_VALUE));
    let (outcome, _) = embedded([Reply::Text(padded.leak())], &["a"]).await;
    assert_eq!(outcome, Err(EmbeddingError::Malformed("too long")));
}

#[tokio::test]
async fn a_silent_server_times_out_and_is_asked_again() {
    let (script, settings) = server([Reply::Never, Reply::Never]).await;
    let settings = HttpSettings { timeout: Duration::from_millis(50), ..settings };
    let outcome = HttpProvider::new(settings).unwrap().embed(owned(&["a"]), Priority::Query).await;
    assert_eq!(outcome, Err(EmbeddingError::Timeout));
    assert_eq!(script.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    // Bound and dropped: nobody listens on this port now.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (_, settings) = server([]).await;
    let settings = HttpSettings { base_url: format!("http://{address}/v1"), ..settings };
    let outcome = HttpProvider::new(settings).unwrap().warm().await;
    assert_eq!(outcome, Err(EmbeddingError::Unreachable));
}

#[tokio::test]
async fn a_query_is_asked_for_once_and_a_document_every_time() {
    let (script, settings) = server((0..3).map(|_| vectors(&[(0, &[1.0, 0.0])])).collect::<VecDeque<_>>()).await;
    let provider = HttpProvider::new(settings).unwrap();
    for priority in [Priority::Query, Priority::Query, Priority::Document, Priority::Document] {
        assert_eq!(provider.embed(owned(&["a"]), priority).await, Ok(vec![vec![1.0, 0.0]]));
    }
    assert_eq!(script.requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn neither_text_nor_key_shows_in_errors_or_debug_output() {
    for reply in [
        Reply::Echo(400),
        Reply::Echo(500),
        Reply::Json(json!({"data": SECRET_TEXT})),
        Reply::Json(json!({"data": [{"index": 0, "embedding": [SECRET_TEXT]}]})),
    ] {
        let (_, settings) = server([reply, Reply::Echo(400)]).await;
        let provider = HttpProvider::new(HttpSettings { api_key: Some(Secret::new("k-123")), ..settings }).unwrap();
        let error = provider.embed(owned(&[SECRET_TEXT]), Priority::Query).await.unwrap_err();
        let shown = format!("{error} {error:?} {provider:?}");
        assert!(!shown.contains("Jane") && !shown.contains("voices") && !shown.contains("k-123"), "{shown}");
    }
}

#[tokio::test]
async fn warming_asks_for_one_vector() {
    let (script, settings) = server([vectors(&[(0, &[1.0, 0.0])])]).await;
    assert_eq!(HttpProvider::new(settings).unwrap().warm().await, Ok(()));
    assert_eq!(script.requests.lock().unwrap()[0].1["input"], json!(["ready"]));
}

#[tokio::test]
async fn chunks_are_those_of_the_approximation() {
    let (_, settings) = server([]).await;
    let text: Arc<str> = "She sleeps well. ".repeat(200).into();
    let chunks = HttpProvider::new(settings).unwrap().chunk(Arc::clone(&text)).await.unwrap();
    assert_eq!(chunks, chunk_approximately(&text));
    assert!(chunks.len() > 1);
}

#[test]
fn settings_that_would_leak_are_refused() {
    let model = ModelInfo { name: "m".into(), dimensions: 2 };
    let fault = |base_url: &str, allow_plaintext| {
        let settings = HttpSettings { allow_plaintext, ..HttpSettings::new(base_url, model.clone()) };
        HttpProvider::new(settings).err()
    };
    for accepted in
        ["https://api.example.org/v1", "http://localhost:8080/v1", "http://127.0.0.1/v1", "http://[::1]:80/v1"]
    {
        assert_eq!(fault(accepted, false), None, "{accepted}");
    }
    let plain = EmbeddingError::Settings("clinical text needs https, except on this machine");
    for refused in ["http://10.0.0.7/v1", "http://localhost.example.org/v1", "ftp://api.example.org/v1"] {
        assert_eq!(fault(refused, false), Some(plain.clone()), "{refused}");
    }
    assert_eq!(fault("http://10.0.0.7/v1", true), None);
    assert_eq!(fault("ftp://api.example.org/v1", true), Some(plain));
    let password = EmbeddingError::Settings("the base URL holds a password; use the API key");
    assert_eq!(fault("https://me:pw@api.example.org/v1", false), Some(password));
    let query = EmbeddingError::Settings("the base URL holds a query or fragment");
    assert_eq!(fault("https://api.example.org/v1?key=1", false), Some(query));
    assert_eq!(fault("api.example.org", false), Some(EmbeddingError::Settings("the base URL is not a URL")));
}
