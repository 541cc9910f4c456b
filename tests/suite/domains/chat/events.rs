//! Who takes part hears of what happens, as it happens.

use std::time::Duration;

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{begin, done, id_of, send};
use crate::harness::{Frame, Subscriber, TestApp};
use crate::metrics::Numbers;

/// Kinds and subjects of the next events.
async fn heard(subscriber: &mut Subscriber, many: usize) -> Vec<(Value, Value)> {
    let mut heard = Vec::new();
    while heard.len() < many {
        let mut event = subscriber.event().await;
        // What one is told of besides has tests of its own.
        if event["kind"] != "NOTIFICATION_CREATED" {
            heard.push((event["kind"].take(), event["subject"]["id"].take()));
        }
    }
    heard
}

#[tokio::test]
async fn those_who_take_part_hear_of_everything_once_and_others_of_nothing() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let stranger = app.member(&[Role::Administrator]).await;
    let (mut inside, _) = Subscriber::listening(&physician, json!({})).await;
    let (mut outside, _) = Subscriber::listening(&stranger, json!({})).await;
    let id = begin(&nurse, &[&physician]).await;
    let first = send(&nurse, &id, "One").await;
    let second = send(&physician, &id, "Two").await;
    done(&nurse, "messageMarkRead", "MessageReceiptInput", "__typename", json!({ "id": second["id"] })).await;
    done(&nurse, "messageMarkUnread", "MessageReceiptInput", "__typename", json!({ "id": second["id"] })).await;
    done(
        &nurse,
        "conversationEscalate",
        "ConversationEscalateInput",
        "__typename",
        json!({ "id": id, "expectedVersion": 1 }),
    )
    .await;
    let expected = [
        (json!("CONVERSATION_CHANGED"), id.clone()),
        (json!("MESSAGE_SENT"), first["id"].clone()),
        (json!("MESSAGE_SENT"), second["id"].clone()),
        // That the nurse wants to read it again is the nurse's own business.
        (json!("RECEIPTS_CHANGED"), id.clone()),
        (json!("CONVERSATION_CHANGED"), id.clone()),
    ];
    assert_eq!(heard(&mut inside, 5).await, expected);
    assert_eq!(heard(&mut inside, 1).await[0].0, "MESSAGE_SENT");
    // Taken out, one hears nothing more: what happens elsewhere comes next.
    let out = json!({ "id": id, "userId": id_of(&physician) });
    done(&nurse, "conversationRemoveParticipant", "ConversationRemoveParticipantInput", "__typename", out).await;
    send(&nurse, &id, "Alone").await;
    let elsewhere = begin(&nurse, &[&physician]).await;
    assert_eq!(heard(&mut inside, 1).await, [(json!("CONVERSATION_CHANGED"), elsewhere)]);
    assert_eq!(outside.hear_within(Duration::from_millis(200)).await, None);
}

#[tokio::test]
async fn who_joins_hears_of_it_and_of_what_follows() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[]).await;
    send(&nurse, &id, "Before").await;
    let (mut listener, _) = Subscriber::listening(&physician, json!({ "of": [id] })).await;
    let seat = json!({ "id": id, "participantIds": [id_of(&physician)] });
    done(&nurse, "conversationInvite", "ConversationInviteInput", "__typename", seat).await;
    let after = send(&nurse, &id, "After").await;
    let kinds = heard(&mut listener, 3).await;
    assert_eq!(kinds[0], (json!("PARTICIPANTS_CHANGED"), id));
    assert_eq!(kinds[1].0, "MESSAGE_SENT");
    assert_eq!(kinds[2], (json!("MESSAGE_SENT"), after["id"].clone()));
}

#[tokio::test]
async fn typing_is_told_to_the_others_and_written_nowhere() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let stranger = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[&physician]).await;
    let (mut listener, _) = Subscriber::listening(&physician, json!({ "of": [id] })).await;
    let input = json!({ "conversationId": id });
    // A signal is for those who listen, and the server that listens may still be about to.
    let told = async {
        loop {
            done(&nurse, "conversationTyping", "ConversationTypingInput", "conversationId", input.clone()).await;
            if let Some(crate::harness::Frame::Message(message)) =
                listener.hear_within(Duration::from_millis(300)).await
            {
                return message["payload"]["data"]["events"].clone();
            }
        }
    };
    let event = tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
    assert_eq!((&event["kind"], &event["actor"]["id"]), (&json!("TYPING"), &json!(id_of(&nurse))));
    // What the listener was shown is on record; that somebody typed is not.
    let typed = "SELECT count(*) FROM audit_log WHERE action = 'chat.typing'";
    assert_eq!(app.db_value("SELECT count(*) FROM events WHERE kind = 'typing'").await, "0");
    assert_eq!(app.db_value(typed).await, "0");
    let answer =
        super::try_run(&stranger, "conversationTyping", "ConversationTypingInput", "conversationId", input).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    assert_eq!(app.db_value(typed).await, "1");
}

/// Operations of the slow connection: each has every message, so that what it does not read is more than networks hold.
const OPERATIONS: usize = 40;
const LONG: usize = 20_000;
const MESSAGES: usize = 24;

const BODIES: &str =
    "subscription($of: [ID!], $after: String) { events(of: $of, kinds: [MESSAGE_SENT], after: $after) {
    cursor kind subject { ... on Message { sequence body } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_let_go_and_holds_up_nobody_and_misses_nothing() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let (mut quick, begun) = Subscriber::listening(&nurse, json!({ "of": [id], "kinds": ["MESSAGE_SENT"] })).await;
    let mut slow = Subscriber::narrow(&physician).await;
    for number in 0..OPERATIONS {
        let payload = json!({ "query": BODIES, "variables": { "of": [id] } });
        slow.say(json!({ "id": number.to_string(), "type": "subscribe", "payload": payload })).await;
    }
    for _ in 0..OPERATIONS {
        assert_eq!(slow.answer().await["data"]["events"]["kind"], "LISTENING");
    }
    let mut sent = Vec::new();
    for number in 0..MESSAGES {
        sent.push(send(&nurse, &id, &format!("{number} {}", "x".repeat(LONG - 10))).await["sequence"].clone());
        assert!(quick.event().await["subject"]["id"].is_string());
    }
    // It reads nothing until it was let go; what had been sent before that is all there is to read then.
    let connections = r#"anamnesis_subscribers{transport="websocket"}"#;
    while Numbers::of(&app).await.get(connections) > 1 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (mut cursor, mut heard) = (begun, Vec::new());
    while let Frame::Message(message) = slow.hear().await {
        // One of its operations is enough to go on from.
        if message["id"] == "0" {
            let event = &message["payload"]["data"]["events"];
            event["cursor"].as_str().unwrap().clone_into(&mut cursor);
            heard.push(event["subject"]["sequence"].clone());
        }
    }
    assert!(heard.len() < sent.len(), "everything fitted into the network");
    let mut again = Subscriber::connect(&physician).await;
    again.subscribe(BODIES, json!({ "of": [id], "after": cursor })).await;
    assert_eq!(again.event().await["kind"], "LISTENING");
    while heard.len() < sent.len() {
        heard.push(again.event().await["subject"]["sequence"].clone());
    }
    assert_eq!(heard, sent);
}
