//! The second stage, over an endpoint of the form that rerankers share.

use anamnesis::access::Role;
use axum::Json;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::search::{SEARCH, find, found, start, write_note};
use crate::harness::{TestApp, engines};

const TEXTS: [&str; 3] = [
    "He lies awake until three in the morning and watches the ceiling.",
    "She twisted her ankle on the stairs; swelling is down.",
    "Sleep is better since the ankle healed.",
];

/// A cross-encoder that likes passages the better, the longer they are; broken when asked about `broken`.
async fn endpoint() -> String {
    let rerank = async |Json(request): Json<Value>| {
        if request["query"].as_str().unwrap().contains("broken") {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        assert_eq!(request["model"], "long");
        let texts = request["documents"].as_array().unwrap();
        let scored = texts.iter().enumerate().rev();
        let scored =
            scored.map(|(index, text)| json!({ "index": index, "relevance_score": text.as_str().unwrap().len() }));
        Ok(Json(json!({ "results": scored.collect::<Vec<_>>() })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/v1/rerank", post(rerank));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn a_cross_encoder_puts_the_first_in_order_and_its_failure_leaves_them() {
    engines::provide_model().await;
    let url = endpoint().await;
    let app = TestApp::start_with(&[("ANAMNESIS_RERANK_URL", url.as_str()), ("ANAMNESIS_RERANK_MODEL", "long")]).await;
    let physician = app.member(&[Role::Physician]).await;
    for text in TEXTS {
        write_note(&physician, text, json!({})).await;
    }
    app.work().await;
    let texts = |hits: Vec<Value>| -> Vec<String> {
        hits.iter().map(|hit| hit["passage"]["text"].as_str().unwrap().to_owned()).collect()
    };
    let reranked = find(&physician, "ankle", json!({ "mode": "RERANKED" })).await;
    let scores: Vec<f64> = reranked.iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    let mut by_length = TEXTS.to_vec();
    by_length.sort_by_key(|text| std::cmp::Reverse(text.len()));
    assert_eq!(texts(reranked), by_length);

    let asked = |query: &str, mode: &str| json!({ "query": query, "mode": mode });
    let flagged = SEARCH.replace("pageInfo", "reranked pageInfo");
    for (query, mode, expected) in
        [("ankle", "RERANKED", true), ("ankle", "HYBRID", false), ("broken ankle", "RERANKED", false)]
    {
        let data = physician.run(&flagged, asked(query, mode)).await.ok();
        assert_eq!(data["documentSearch"]["reranked"], expected, "{query} {mode}");
    }
    let hybrid = found(&physician, "broken ankle", json!({ "mode": "HYBRID" })).await;
    assert_eq!(found(&physician, "broken ankle", json!({ "mode": "RERANKED" })).await, hybrid);
}

#[tokio::test]
async fn without_a_cross_encoder_the_mode_is_bad_input() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let answer = physician.run(SEARCH, json!({ "query": "ankle", "mode": "RERANKED" })).await;
    assert_eq!(answer.code(), "BAD_USER_INPUT");
}
