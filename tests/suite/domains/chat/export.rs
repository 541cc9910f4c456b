//! A conversation as one archive.

use std::collections::BTreeMap;

use anamnesis::access::Role;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::whatsapp::Line;
use super::{begin, done, id_of, look, send};
use crate::domains::documents::export::{fetch, unzip};
use crate::domains::documents::{register, sha256, upload_text};
use crate::harness::{Client, TestApp};

async fn link(client: &Client, conversation: &Value) -> Value {
    look(client, conversation, "exportUrl").await["exportUrl"].take()
}

async fn archive(client: &Client, conversation: &Value) -> BTreeMap<String, Vec<u8>> {
    let (status, archive) = fetch(client, &link(client, conversation).await).await;
    assert_eq!(status, 200);
    unzip(&archive)
}

fn lines(archive: &BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let text = std::str::from_utf8(&archive["messages.jsonl"]).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_archive_holds_what_was_said_and_became_of_it() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let patient = register(&app, "Ada").await;
    let input =
        json!({ "kind": "PATIENT", "title": "A quagga", "patientId": patient, "participantIds": [id_of(&physician)] });
    let begun = done(&nurse, "conversationCreate", "ConversationCreateInput", "conversation { id }", input).await;
    let id = begun["conversation"]["id"].clone();
    let first = send(&nurse, &id, "Slept two hours").await;
    let edit = json!({ "id": first["id"], "body": "Slept three hours", "expectedVersion": 1 });
    done(&nurse, "messageEdit", "MessageEditInput", "message { id }", edit).await;
    let emoji = json!({ "id": first["id"], "emoji": "👍" });
    done(&physician, "messageReact", "MessageReactionInput", "message { id }", emoji).await;
    let second = send(&physician, &id, "Never mind").await;
    done(&physician, "messageDelete", "MessageDeleteInput", "message { id }", json!({ "id": second["id"] })).await;
    let document = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "Lithium 0.8").await;
    let shared = json!({ "conversationId": id, "body": "The level", "kind": "DOCUMENT", "documentIds": [document] });
    done(&nurse, "messageSend", "MessageSendInput", "message { id }", shared).await;

    let archive = archive(&physician, &id).await;
    let names: Vec<_> = archive.keys().map(String::as_str).collect();
    assert_eq!(names, ["checksums.sha256", "conversation.txt", "index.json", "messages.jsonl"]);
    for line in std::str::from_utf8(&archive["checksums.sha256"]).unwrap().lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, sha256(&archive[name]), "{name}");
    }
    let index: Value = serde_json::from_slice(&archive["index.json"]).unwrap();
    assert_eq!((&index["title"], &index["messages"], &index["id"]), (&json!("A quagga"), &json!(3), &id));
    assert_eq!(index["patient"]["id"], patient);
    let people: Vec<_> = index["participants"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(people, [json!(id_of(&nurse)), json!(id_of(&physician))]);

    let said = lines(&archive);
    assert_eq!(said.len(), 3);
    assert_eq!((&said[0]["body"], &said[0]["author"]["id"]), (&json!("Slept three hours"), &json!(id_of(&nurse))));
    assert_eq!(said[0]["earlier"][0]["body"], "Slept two hours");
    assert_eq!(
        (&said[0]["reactions"][0]["emoji"], &said[0]["reactions"][0]["by"]["id"]),
        (&json!("👍"), &json!(id_of(&physician)))
    );
    assert_eq!((&said[1]["body"], said[1]["deletedAt"].is_string()), (&Value::Null, true));
    assert_eq!(said[2]["documentIds"], json!([document]));
    let text = std::str::from_utf8(&archive["conversation.txt"]).unwrap();
    assert!(
        text.starts_with("A quagga\nAbout Ada ") && text.contains("Slept three hours") && !text.contains("Never mind")
    );
    assert!(!text.contains("two hours"), "what was said before stands for programs alone");

    let recorded = "SELECT count(*) FROM audit_log WHERE action = 'chat.export' AND detail = '{\"messages\": 3}'";
    assert_eq!(app.db_value(recorded).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_conversations_come_whole() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    let numbers = futures::stream::iter(0..450);
    numbers.for_each_concurrent(8, async |number| drop(send(&nurse, &id, &format!("Number {number}")).await)).await;
    let said = lines(&archive(&nurse, &id).await);
    let sequences: Vec<_> = said.iter().map(|line| line["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, (1..=450).collect::<Vec<_>>());
    let bodies: std::collections::BTreeSet<_> = said.iter().map(|line| line["body"].as_str().unwrap()).collect();
    assert_eq!(bodies.len(), 450);
}

#[tokio::test]
async fn none_but_who_takes_part_fetches_it_and_only_as_long() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    send(&nurse, &id, "Beds").await;
    let mine = link(&physician, &id).await;
    // Of another user: not found, not forbidden.
    assert_eq!(fetch(&nurse, &mine).await.0, 404);
    // For another conversation.
    let other = begin(&physician, &[]).await;
    let forged = mine.as_str().unwrap().replace(id.as_str().unwrap(), other.as_str().unwrap());
    assert_eq!(fetch(&physician, &json!(forged)).await.0, 401);
    let out = json!({ "id": id, "userId": id_of(&physician) });
    done(&nurse, "conversationRemoveParticipant", "ConversationRemoveParticipantInput", "__typename", out).await;
    assert_eq!(fetch(&physician, &mine).await.0, 404);
    assert_eq!(
        app.db_value("SELECT count(*) FROM audit_log WHERE action = 'chat.export' AND outcome = 'success'").await,
        "0"
    );
}

#[tokio::test]
async fn whoever_is_outside_is_named() {
    let line = Line::open().await;
    let id = line.odile_writes("wamid.HBgLMTYxNzU1NTAxOTk", "Could I come on Tuesday instead?").await;
    line.answer(&id, "Yes, at nine.").await;
    let archive = archive(&line.nurse, &id).await;
    let index: Value = serde_json::from_slice(&archive["index.json"]).unwrap();
    assert_eq!(index["outside"], "Odile");
    let said = lines(&archive);
    assert_eq!((&said[0]["outside"], &said[0]["author"]), (&json!("Odile"), &Value::Null));
    assert_eq!((&said[1]["outside"], &said[1]["author"]["id"]), (&Value::Null, &json!(id_of(&line.physician))));
}
