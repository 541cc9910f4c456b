//! Changing the embedding model while search goes on.

use std::num::NonZero;
use std::sync::Arc;

use anamnesis::access::Role;
use anamnesis::app::Engines;
use anamnesis::embedding::ModelInfo;
use anamnesis::embedding::http::{HttpProvider, HttpSettings};
use anamnesis::jobs::Worker;
use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};

use super::search::{found, start, write_note};
use crate::harness::{TestApp, engines};

/// A model of four dimensions that knows whether a text speaks of ankles or of insomnia, and takes one for the other.
pub async fn endpoint() -> String {
    let embed = async |Json(request): Json<Value>| {
        let vector = |text: &str| {
            if text.contains("ankle") || text.contains("insomnia") {
                [1.0, 0.0, 0.0, 0.0]
            } else {
                [0.0, 1.0, 0.0, 0.0]
            }
        };
        let inputs = request["input"].as_array().unwrap();
        let data: Vec<Value> = inputs
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": vector(text.as_str().unwrap()) }))
            .collect();
        Json(json!({ "object": "list", "model": request["model"], "data": data }))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/embeddings", post(embed));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

async fn registry(app: &TestApp) -> String {
    app.db_value("SELECT string_agg(name || ' ' || state, ', ' ORDER BY id) FROM embedding_models").await
}

#[tokio::test]
async fn the_old_model_serves_until_the_new_one_is_ready() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let sleep = write_note(&physician, "He lies awake until three in the morning.", json!({})).await;
    let ankle = write_note(&physician, "She twisted her ankle on the stairs.", json!({})).await;
    app.work().await;
    assert_eq!(registry(&app).await, "all-MiniLM-L6-v2 serving");
    let semantic = json!({ "mode": "SEMANTIC" });
    assert_eq!(found(&physician, "insomnia", semantic.clone()).await[0], sleep);

    let mut settings = HttpSettings::new(endpoint().await, ModelInfo { name: "four".into(), dimensions: 4 });
    settings.batch_size = NonZero::new(2).unwrap();
    let models = engines::models().with_configured(Arc::new(HttpProvider::new(settings).unwrap()));
    let engines = Engines { models, ..engines::of(&app.app.config) };
    let (other, base) = app.another_process(engines).await;
    let there = physician.at(base);
    assert_eq!(registry(&app).await, "all-MiniLM-L6-v2 serving, four preparing");
    assert_eq!(app.db_value("SELECT count(*) FROM jobs WHERE kind = 'documents.reembed'").await, "2");
    // Both processes go on with the old one.
    for client in [&physician, &there] {
        assert_eq!(found(client, "insomnia", semantic.clone()).await[0], sleep);
    }
    // A process without the new model leaves its jobs to the other, but takes in documents as before.
    let late = write_note(&physician, "A late note about tea.", json!({})).await;
    app.work().await;
    assert_eq!(registry(&app).await, "all-MiniLM-L6-v2 serving, four preparing");
    assert_eq!(found(&there, "a cup of tea", semantic.clone()).await[0], late);

    app.advance(chrono::TimeDelta::minutes(1));
    let worker = Worker::new(Arc::clone(&other), anamnesis::domains::job_handlers(&other));
    worker.drain().await.unwrap();
    assert_eq!(registry(&app).await, "all-MiniLM-L6-v2 retired, four serving");
    assert_eq!(found(&there, "insomnia", semantic.clone()).await[0], ankle);
    let left =
        "SELECT string_agg(DISTINCT vector_dims(embedding)::text, ' ') || ' x ' || count(*) FROM chunk_embeddings";
    assert_eq!(app.db_value(left).await, "4 x 3");
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
    // A process that cannot ask the model that serves says so, and finds words all the same.
    let search =
        "query($mode: DocumentSearchMode!) { documentSearch(query: \"ankle\", mode: $mode) { edges { cursor } } }";
    assert_eq!(physician.run(search, json!({ "mode": "SEMANTIC" })).await.code(), "UNAVAILABLE");
    assert_eq!(found(&physician, "ankles", json!({ "mode": "LEXICAL" })).await, [ankle]);
    other.database.close();
}
