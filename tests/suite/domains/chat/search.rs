//! Messages are found by their words and by what they mean, by those who take part.

use std::sync::Arc;

use anamnesis::access::Role;
use anamnesis::app::Engines;
use anamnesis::embedding::ModelInfo;
use anamnesis::embedding::http::{HttpProvider, HttpSettings};
use anamnesis::jobs::{Housekeeping, Worker};
use serde_json::{Value, json};

use super::{begin, done, id_of, send};
use crate::domains::documents::models::endpoint;
use crate::domains::documents::search::start;
use crate::harness::{Client, TestApp, engines};

const SEARCH: &str = "query($query: String!, $in: ID) { messageSearch(query: $query, conversationId: $in) { body } }";

async fn found(client: &Client, query: &str, conversation: Value) -> Vec<String> {
    let found = client.run(SEARCH, json!({ "query": query, "in": conversation })).await.ok();
    let found = found["messageSearch"].as_array().unwrap();
    found.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_by_words_and_by_meaning_where_one_takes_part() {
    let app = start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let stranger = app.member(&[Role::Administrator]).await;
    let (id, other) = (begin(&nurse, &[&physician]).await, begin(&nurse, &[]).await);
    let ankle = "She twisted her ankle on the stairs.";
    send(&nurse, &id, ankle).await;
    send(&nurse, &id, "The lunch menu has changed.").await;
    send(&nurse, &other, "Two ankles were splinted today.").await;
    app.work().await;
    assert_eq!(found(&nurse, "ankle", json!(id)).await[0], ankle);
    let both = found(&nurse, "ankles", Value::Null).await;
    assert!(both[..2].contains(&ankle.to_owned()) && both[..2].contains(&"Two ankles were splinted today.".to_owned()));
    // No word in common.
    assert_eq!(found(&physician, "an injury of the foot after a fall", Value::Null).await[0], ankle);
    assert!(!found(&physician, "ankle", Value::Null).await.contains(&"Two ankles were splinted today.".to_owned()));
    assert_eq!(found(&physician, "ankle", json!(other)).await, Vec::<String>::new());
    assert_eq!(found(&stranger, "ankle", Value::Null).await, Vec::<String>::new());
    let out = json!({ "id": id, "userId": id_of(&physician) });
    done(&nurse, "conversationRemoveParticipant", "ConversationRemoveParticipantInput", "__typename", out).await;
    assert_eq!(found(&physician, "ankle", Value::Null).await, Vec::<String>::new());
    assert_eq!(app.anonymous().run(SEARCH, json!({ "query": "ankle" })).await.code(), "UNAUTHENTICATED");
    for wrong in [" ", &"x".repeat(1001)] {
        assert_eq!(nurse.run(SEARCH, json!({ "query": wrong })).await.code(), "BAD_USER_INPUT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_edited_or_deleted_is_found_by_what_it_says_now() {
    let app: TestApp = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    let message = send(&nurse, &id, "The okapi needs oxygen.").await;
    app.work().await;
    assert_eq!(found(&nurse, "okapi", Value::Null).await, ["The okapi needs oxygen."]);
    let input = json!({ "id": message["id"], "expectedVersion": 1, "body": "The zebra needs oxygen." });
    done(&nurse, "messageEdit", "MessageEditInput", "__typename", input).await;
    let rows = "SELECT (SELECT count(*) FROM message_terms) + (SELECT count(*) FROM message_embeddings)";
    assert_eq!(app.db_value(rows).await, "0");
    app.work().await;
    assert_eq!(found(&nurse, "zebra", Value::Null).await, ["The zebra needs oxygen."]);
    // Three lexemes and a vector.
    assert_eq!(app.db_value(rows).await, "4");
    done(&nurse, "messageDelete", "MessageDeleteInput", "__typename", json!({ "id": message["id"] })).await;
    app.work().await;
    assert_eq!(app.db_value(rows).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn sensitive_and_short_messages_have_no_vector() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    send(&nurse, &id, "Thank you").await;
    let sensitive = json!({ "conversationId": id, "body": "She twisted her ankle badly.", "sensitivity": "SENSITIVE" });
    done(&nurse, "messageSend", "MessageSendInput", "__typename", sensitive).await;
    app.work().await;
    assert_eq!(app.db_value("SELECT count(*) FROM message_embeddings").await, "0");
    assert_eq!(found(&nurse, "ankle", Value::Null).await, ["She twisted her ankle badly."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abbreviation_finds_what_it_stands_for_and_the_word_itself_comes_first() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    let (long, short) = ("Hypertension again.", "HTN again.");
    send(&nurse, &id, long).await;
    send(&nurse, &id, short).await;
    app.work().await;
    assert_eq!(found(&nurse, "htn", Value::Null).await, [short, long]);
    assert_eq!(found(&nurse, "hypertension", Value::Null).await, [long, short]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_follow_to_another_model() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    let ankle = "She twisted her ankle on the stairs.";
    send(&nurse, &id, ankle).await;
    app.work().await;
    let settings = HttpSettings::new(endpoint().await, ModelInfo { name: "four".into(), dimensions: 4 });
    let models = engines::models().with_configured(Arc::new(HttpProvider::new(settings).unwrap()));
    let (other, base) = app.another_process(Engines { models, ..engines::of(&app.app.config) }).await;
    let worker = Worker::new(Arc::clone(&other), anamnesis::domains::job_handlers(&other));
    worker.drain().await.unwrap();
    let there = nurse.at(base);
    assert_eq!(found(&there, "insomnia", Value::Null).await, Vec::<String>::new());
    assert_eq!(found(&there, "ankle", Value::Null).await, [ankle]);
    Housekeeping::new(Arc::clone(&other)).turn().await.unwrap();
    worker.drain().await.unwrap();
    assert_eq!(found(&there, "insomnia", Value::Null).await, [ankle]);
    let left = "SELECT string_agg(vector_dims(embedding)::text, ' ') FROM message_embeddings";
    assert_eq!(app.db_value(left).await, "4");
    other.database.close();
}
