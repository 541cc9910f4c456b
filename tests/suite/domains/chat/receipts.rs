//! How far each has read.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{begin, done, id_of, look, send};
use crate::harness::{Client, TestApp};

async fn mark(client: &Client, how: &str, message: &Value) -> Value {
    let input = json!({ "id": message["id"] });
    let field = format!("messageMark{how}");
    done(client, &field, "MessageReceiptInput", "conversation { unreadCount }", input).await["conversation"]["unreadCount"].take()
}

async fn unread(client: &Client) -> (Value, Value) {
    let total = client.run("{ conversationsUnread { messages conversations } }", json!({})).await.ok();
    (total["conversationsUnread"]["messages"].clone(), total["conversationsUnread"]["conversations"].clone())
}

/// Who has read a message and whom it has reached, as its author sees it.
async fn receipts(client: &Client, message: &Value) -> (Value, Value) {
    let look =
        "query($id: ID!) { node(id: $id) { ... on Message { readBy { user { id } } deliveredTo { user { id } } } } }";
    let mut seen = client.run(look, json!({ "id": message["id"] })).await.ok()["node"].take();
    let ids = |list: Value| match list {
        Value::Array(seats) => seats.iter().map(|seat| seat["user"]["id"].clone()).collect(),
        other => other,
    };
    (ids(seen["readBy"].take()), ids(seen["deliveredTo"].take()))
}

#[tokio::test]
async fn the_author_learns_whom_a_message_reached_and_who_read_it() {
    let app = TestApp::start().await;
    let (nurse, physician, third) =
        (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await, app.member(&[Role::Nurse]).await);
    let id = begin(&nurse, &[&physician, &third]).await;
    let first = send(&nurse, &id, "One").await;
    let second = send(&nurse, &id, "Two").await;
    assert_eq!(receipts(&nurse, &first).await, (json!([]), json!([])));
    mark(&physician, "Delivered", &second).await;
    let reached = json!([id_of(&physician)]);
    assert_eq!(receipts(&nurse, &second).await, (json!([]), reached.clone()));
    assert_eq!(mark(&physician, "Read", &first).await, 1);
    assert_eq!(receipts(&nurse, &first).await, (reached.clone(), reached.clone()));
    assert_eq!(receipts(&nurse, &second).await, (json!([]), reached.clone()));
    // What was read was read.
    assert_eq!(mark(&physician, "Unread", &first).await, 2);
    assert_eq!(receipts(&nurse, &first).await, (reached.clone(), reached));
    // It is for the author alone.
    assert_eq!(receipts(&third, &first).await, (Value::Null, Value::Null));
    assert_eq!(receipts(&physician, &first).await, (Value::Null, Value::Null));
}

#[tokio::test]
async fn unread_are_those_of_others_after_the_last_one_read() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let (id, other) = (begin(&nurse, &[&physician]).await, begin(&nurse, &[&physician]).await);
    let count = async |client: &Client| look(client, &id, "unreadCount").await["unreadCount"].clone();
    let first = send(&nurse, &id, "One").await;
    send(&physician, &id, "Two").await;
    let third = send(&nurse, &id, "Three").await;
    send(&nurse, &other, "Elsewhere").await;
    assert_eq!((count(&nurse).await, count(&physician).await), (json!(1), json!(2)));
    assert_eq!(unread(&physician).await, (json!(3), json!(2)));
    assert_eq!(mark(&physician, "Read", &third).await, 0);
    // Reading an earlier one takes nothing back.
    assert_eq!(mark(&physician, "Read", &first).await, 0);
    assert_eq!(unread(&physician).await, (json!(1), json!(1)));
    assert_eq!(mark(&physician, "Unread", &third).await, 1);
    assert_eq!(mark(&physician, "Unread", &first).await, 2);
    // What happened counts as well.
    done(
        &nurse,
        "conversationEscalate",
        "ConversationEscalateInput",
        "__typename",
        json!({ "id": id, "expectedVersion": 1 }),
    )
    .await;
    assert_eq!((count(&nurse).await, count(&physician).await), (json!(2), json!(3)));
    // One that is left counts no more.
    done(&physician, "conversationLeave", "ConversationLeaveInput", "leftId", json!({ "id": id })).await;
    assert_eq!(unread(&physician).await, (json!(1), json!(1)));
}
