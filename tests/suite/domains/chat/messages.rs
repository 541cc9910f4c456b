//! Messages are sent, numbered, answered and paged through.

use anamnesis::access::Role;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{MESSAGE, begin, db_state, done, id_of, look, refusal, refused, run, said, send, try_send};
use crate::harness::{Client, TestApp};

async fn answer(client: &Client, conversation: &Value, parent: &Value, body: &str) -> Value {
    let input = json!({ "conversationId": conversation, "body": body, "parentId": parent });
    run(client, "messageSend", "MessageSendInput", MESSAGE, input).await
}

#[tokio::test]
async fn a_message_is_sent_once_and_encrypted() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let input = json!({ "conversationId": id, "body": " A quagga\nslept. ", "sensitivity": "SENSITIVE", "idempotencyKey": "k" });
    let sent = done(&nurse, "messageSend", "MessageSendInput", MESSAGE, input.clone()).await["message"].take();
    let expected = json!({ "id": sent["id"], "sequence": 1, "kind": "TEXT", "body": " A quagga\nslept. ", "systemEvent": null,
        "sensitivity": "SENSITIVE", "version": 1, "author": { "id": id_of(&nurse) }, "parent": null, "threadRoot": null,
        "conversation": { "id": id }, "editedAt": null, "deletedAt": null });
    assert_eq!(sent, expected);
    let again = done(&nurse, "messageSend", "MessageSendInput", MESSAGE, input).await;
    assert_eq!(again["message"], sent);
    let last = look(&physician, &id, "messageCount lastMessage { id body } messages { totalCount nodes { id } }").await;
    assert_eq!(
        last,
        json!({ "messageCount": 1, "lastMessage": { "id": sent["id"], "body": " A quagga\nslept. " },
            "messages": { "totalCount": 1, "nodes": [{ "id": sent["id"] }] } })
    );
    let dump = app.db_dump();
    assert!(!dump.contains("quagga") && !dump.contains(&id_of(&nurse)));
}

#[tokio::test]
async fn what_makes_no_sense_is_not_sent_and_takes_no_number() {
    let app = TestApp::start().await;
    let (nurse, observer) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let (id, elsewhere) = (begin(&nurse, &[]).await, begin(&nurse, &[]).await);
    let there = send(&nurse, &elsewhere, "There").await;
    let seat = json!({ "id": id, "participantIds": [id_of(&observer)], "role": "OBSERVER" });
    done(&nurse, "conversationInvite", "ConversationInviteInput", "__typename", seat).await;
    let before = db_state(&app).await;
    for body in ["", " \n", &"x".repeat(20_001)] {
        assert_eq!(refusal(&try_send(&nurse, &id, body).await), refused("INVALID", "input.body"));
    }
    for kind in ["SYSTEM", "ASSISTANT"] {
        let input = json!({ "conversationId": id, "body": "x", "kind": kind });
        let sent = run(&nurse, "messageSend", "MessageSendInput", "message { id }", input).await;
        assert_eq!(refusal(&sent), refused("INVALID", "input.kind"));
    }
    assert_eq!(refusal(&answer(&nurse, &id, &there["id"], "x").await), refused("MESSAGE_NOT_FOUND", "input.parentId"));
    assert_eq!(refusal(&try_send(&observer, &id, "x").await), refused("OBSERVER", "input"));
    assert_eq!(db_state(&app).await, before);
    assert_eq!(send(&nurse, &id, "x".repeat(20_000).as_str()).await["sequence"], 2);
    assert_eq!(said(&observer, &id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_numbered_without_gaps_however_many_write_at_once() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let sent = join_all((0..60).map(|number| {
        let client = if number % 2 == 0 { &nurse } else { &physician };
        // Every third is refused, and leaves no gap.
        let body = if number % 3 == 0 { String::new() } else { format!("Number {number}") };
        let id = &id;
        async move { try_send(client, id, &body).await["message"]["sequence"].as_i64() }
    }))
    .await;
    let mut numbers: Vec<i64> = sent.into_iter().flatten().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_thread_hangs_on_its_first_message() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    let first = send(&nurse, &id, "First").await;
    let second = answer(&nurse, &id, &first["id"], "Second").await["message"].take();
    let third = answer(&nurse, &id, &second["id"], "Third").await["message"].take();
    send(&nurse, &id, "Beside").await;
    assert_eq!(
        (&second["parent"], &second["threadRoot"]),
        (&json!({ "id": first["id"] }), &json!({ "id": first["id"] }))
    );
    assert_eq!(
        (&third["parent"], &third["threadRoot"]),
        (&json!({ "id": second["id"] }), &json!({ "id": first["id"] }))
    );
    let seen = look(
        &nurse,
        &id,
        "messages(first: 10) { nodes { body replyCount replies(last: 1) { nodes { body } pageInfo { hasPreviousPage hasNextPage } } } }",
    )
    .await;
    let thread = |body: &str, count: i32, replies: Value, more: bool| {
        json!({ "body": body, "replyCount": count, "replies": { "nodes": replies,
            "pageInfo": { "hasPreviousPage": more, "hasNextPage": false } } })
    };
    let expected = json!([
        thread("First", 2, json!([{ "body": "Third" }]), true),
        thread("Second", 0, json!([]), false),
        thread("Third", 0, json!([]), false),
        thread("Beside", 0, json!([]), false),
    ]);
    assert_eq!(seen["messages"]["nodes"], expected);
}

const PAGE: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { conversation(id: $id) {
    messages(first: $first, after: $after, last: $last, before: $before) { edges { cursor node { sequence } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

/// Numbers of a page, whether there are some before and after it, and its outermost cursors.
async fn page(client: &Client, id: &Value, mut which: Value) -> (Vec<i64>, bool, bool, Value, Value) {
    which["id"] = id.clone();
    let found = client.run(PAGE, which).await.ok()["conversation"]["messages"].take();
    let numbers = found["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["sequence"].as_i64().unwrap());
    let info = &found["pageInfo"];
    (
        numbers.collect(),
        info["hasPreviousPage"].as_bool().unwrap(),
        info["hasNextPage"].as_bool().unwrap(),
        info["startCursor"].clone(),
        info["endCursor"].clone(),
    )
}

#[tokio::test]
async fn messages_are_paged_both_ways() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    for number in 1..=25 {
        send(&nurse, &id, &format!("{number}")).await;
    }
    let all: Vec<i64> = (1..=25).collect();
    let (numbers, before, after, start, end) = page(&nurse, &id, json!({})).await;
    assert_eq!((numbers, before, after), (all[5..].to_vec(), true, false));
    let (numbers, before, after, ..) = page(&nurse, &id, json!({ "last": 20, "before": start })).await;
    assert_eq!((numbers, before, after), (all[..5].to_vec(), false, true));
    let (numbers, before, after, ..) = page(&nurse, &id, json!({ "first": 3, "after": end })).await;
    assert_eq!((numbers, before, after), (vec![], true, false));
    let (numbers, before, after, start, end) = page(&nurse, &id, json!({ "first": 10 })).await;
    assert_eq!((numbers, before, after), (all[..10].to_vec(), false, true));
    let (numbers, before, after, _, later) = page(&nurse, &id, json!({ "first": 10, "after": end })).await;
    assert_eq!((numbers, before, after), (all[10..20].to_vec(), true, true));
    // Between two cursors.
    let (numbers, ..) = page(&nurse, &id, json!({ "last": 2, "after": start, "before": later })).await;
    assert_eq!(numbers, [18, 19]);
    for wrong in [
        json!({ "first": 0 }),
        json!({ "last": 101 }),
        json!({ "first": 1, "last": 1 }),
        json!({ "first": 1, "after": "nonsense" }),
        json!({ "last": 1, "before": "" }),
    ] {
        let mut variables = wrong.clone();
        variables["id"] = id.clone();
        assert_eq!(nurse.run(PAGE, variables).await.code(), "BAD_USER_INPUT", "{wrong}");
    }
}
