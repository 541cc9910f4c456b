//! Messages are edited, deleted and reacted to; they name people and share documents.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{MESSAGE, begin, db_state, done, id_of, look, refusal, refused, register, run, send};
use crate::harness::{Client, Subscriber, TestApp};

async fn edit(client: &Client, message: &Value, version: i32, body: &str) -> Value {
    let input = json!({ "id": message["id"], "expectedVersion": version, "body": body });
    run(client, "messageEdit", "MessageEditInput", MESSAGE, input).await
}

async fn delete(client: &Client, message: &Value) -> Value {
    run(client, "messageDelete", "MessageDeleteInput", MESSAGE, json!({ "id": message["id"] })).await
}

async fn react(client: &Client, how: &str, message: &Value, emoji: &str) -> Value {
    let selection = "message { reactions { emoji count viewerReacted users { id } } }";
    let input = json!({ "id": message["id"], "emoji": emoji });
    run(client, how, "MessageReactionInput", selection, input).await
}

async fn observer(app: &TestApp, owner: &Client, conversation: &Value) -> Client {
    let observer = app.member(&[Role::Physician]).await;
    let seat = json!({ "id": conversation, "participantIds": [id_of(&observer)], "role": "OBSERVER" });
    done(owner, "conversationInvite", "ConversationInviteInput", "__typename", seat).await;
    observer
}

async fn archive(client: &Client, conversation: &Value) {
    let input = json!({ "id": conversation, "expectedVersion": 1 });
    done(client, "conversationArchive", "ConversationStatusInput", "__typename", input).await;
}

#[tokio::test]
async fn what_a_message_said_before_it_was_edited_is_kept() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let message = send(&nurse, &id, "The left okapi").await;
    let (mut listener, _) = Subscriber::listening(&physician, json!({ "of": [id] })).await;
    app.advance(chrono::TimeDelta::minutes(1));
    let edited = edit(&nurse, &message, 1, "The right okapi").await["message"].take();
    assert_eq!(
        (&edited["body"], &edited["version"], &edited["sequence"]),
        (&json!("The right okapi"), &json!(2), &json!(1))
    );
    assert_eq!(edited["editedAt"], "2026-03-09T14:01:00+00:00");
    let event = listener.event().await;
    assert_eq!((&event["kind"], &event["subject"]["id"]), (&json!("MESSAGE_CHANGED"), &message["id"]));
    edit(&nurse, &message, 2, "Both okapis").await;
    let seen = look(&physician, &id, "messages { nodes { body history { body writtenAt } } }").await;
    let history = json!([
        { "body": "The left okapi", "writtenAt": "2026-03-09T14:00:00+00:00" },
        { "body": "The right okapi", "writtenAt": "2026-03-09T14:01:00+00:00" },
    ]);
    assert_eq!(seen["messages"]["nodes"], json!([{ "body": "Both okapis", "history": history }]));
    assert!(!app.db_dump().contains("okapi"));

    let watcher = observer(&app, &nurse, &id).await;
    let before = db_state(&app).await;
    assert_eq!(refusal(&edit(&nurse, &message, 2, "x").await), refused("STALE_VERSION", "input.expectedVersion"));
    assert_eq!(refusal(&edit(&nurse, &message, 3, " ").await), refused("INVALID", "input.body"));
    assert_eq!(refusal(&edit(&physician, &message, 3, "x").await), refused("NOT_AUTHOR", "input.id"));
    assert_eq!(refusal(&edit(&watcher, &message, 3, "x").await), refused("OBSERVER", "input"));
    assert_eq!(db_state(&app).await, before);
    archive(&nurse, &id).await;
    let before = db_state(&app).await;
    assert_eq!(refusal(&edit(&nurse, &message, 3, "x").await), refused("CLOSED", "input.id"));
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn a_deleted_message_leaves_its_number_and_nothing_else() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let message = send(&physician, &id, "Wrong patient").await;
    let other = send(&nurse, &id, "Beside").await;
    edit(&physician, &message, 1, "Wrong patient, sorry").await;
    react(&nurse, "messageReact", &message, "👍").await;
    let before = db_state(&app).await;
    assert_eq!(refusal(&delete(&physician, &other).await), refused("NOT_AUTHOR", "input.id"));
    assert_eq!(db_state(&app).await, before);
    let deleted = delete(&physician, &message).await["message"].take();
    assert_eq!((&deleted["body"], &deleted["sequence"]), (&Value::Null, &json!(1)));
    assert_eq!(deleted["deletedAt"], "2026-03-09T14:00:00+00:00");
    let left = "SELECT (SELECT count(*) FROM message_versions) + (SELECT count(*) FROM message_reactions) \
                + (SELECT count(*) FROM messages WHERE body_ciphertext IS NULL) * 10";
    assert_eq!(app.db_value(left).await, "10");
    let seen = look(&nurse, &id, "messages { nodes { sequence body history { body } reactions { emoji } } }").await;
    assert_eq!(seen["messages"]["nodes"][0], json!({ "sequence": 1, "body": null, "history": [], "reactions": [] }));
    for again in [
        delete(&physician, &message).await,
        edit(&physician, &message, 3, "x").await,
        react(&nurse, "messageReact", &message, "👍").await,
    ] {
        assert_eq!(refusal(&again), refused("DELETED", "input.id"));
    }
    // Whoever owns the conversation may delete what others wrote, but not what happened.
    let another = send(&physician, &id, "x").await;
    assert_eq!(delete(&nurse, &another).await["userErrors"], json!([]));
    archive(&nurse, &id).await;
    let event = look(&nurse, &id, "lastMessage { id }").await["lastMessage"].take();
    assert_eq!(refusal(&delete(&nurse, &event).await), refused("NOT_AUTHOR", "input.id"));
    // Also what is in a closed conversation.
    assert_eq!(delete(&nurse, &other).await["userErrors"], json!([]));
}

#[tokio::test]
async fn an_emoji_is_given_once_by_each_and_taken_back() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let message = send(&nurse, &id, "Done").await;
    react(&physician, "messageReact", &message, "👍").await;
    react(&physician, "messageReact", &message, "👍").await;
    app.advance(chrono::TimeDelta::minutes(1));
    react(&nurse, "messageReact", &message, "🎉").await;
    let seen = react(&nurse, "messageReact", &message, "👍").await;
    let expected = json!([
        { "emoji": "👍", "count": 2, "viewerReacted": true, "users": [{ "id": id_of(&physician) }, { "id": id_of(&nurse) }] },
        { "emoji": "🎉", "count": 1, "viewerReacted": true, "users": [{ "id": id_of(&nurse) }] },
    ]);
    assert_eq!(seen["message"]["reactions"], expected);
    let seen = react(&nurse, "messageUnreact", &message, "👍").await;
    assert_eq!(seen["message"]["reactions"][0]["count"], 1);
    react(&nurse, "messageUnreact", &message, "👍").await;
    let watcher = observer(&app, &nurse, &id).await;
    let before = db_state(&app).await;
    for emoji in ["", "ok", "👍👍", "a👍"] {
        assert_eq!(refusal(&react(&nurse, "messageReact", &message, emoji).await), refused("INVALID", "input.emoji"));
    }
    assert_eq!(refusal(&react(&watcher, "messageReact", &message, "👍").await), refused("OBSERVER", "input"));
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn a_message_names_those_who_take_part() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let outsider = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[&physician]).await;
    let selection = "message { id mentions { id } }";
    let name = |who: Vec<String>| json!({ "conversationId": id, "body": "Look", "mentionIds": who });
    let before = db_state(&app).await;
    let sent =
        run(&nurse, "messageSend", "MessageSendInput", selection, name(vec![id_of(&physician), id_of(&outsider)]))
            .await;
    assert_eq!(refusal(&sent), refused("NOT_THERE", "input.mentionIds"));
    assert_eq!(db_state(&app).await, before);
    let sent =
        done(&nurse, "messageSend", "MessageSendInput", selection, name(vec![id_of(&physician), id_of(&physician)]))
            .await;
    assert_eq!(sent["message"]["mentions"], json!([{ "id": id_of(&physician) }]));
    let input = json!({ "id": sent["message"]["id"], "expectedVersion": 1, "body": "Never mind", "mentionIds": [] });
    let edited = done(&nurse, "messageEdit", "MessageEditInput", selection, input).await;
    assert_eq!(edited["message"]["mentions"], json!([]));
}

#[tokio::test]
async fn a_message_shares_documents_that_its_sender_may_read() {
    let app = TestApp::start().await;
    let (nurse, clerk) = (app.member(&[Role::Nurse]).await, app.member(&[Role::FrontDesk]).await);
    let patient = register(&nurse).await;
    let note = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id } } }";
    let input = json!({ "title": "Draft", "text": "Slept well.", "patientIds": [patient] });
    let draft = nurse.run(note, json!({ "input": input })).await.ok()["noteCreate"]["note"]["id"].take();
    let id = begin(&nurse, &[&clerk]).await;
    let selection = "message { id kind attachments { document { id } } }";
    let share = |documents: Value| json!({ "conversationId": id, "body": "Look", "kind": "DOCUMENT", "documentIds": documents });
    let before = db_state(&app).await;
    let by_clerk = run(&clerk, "messageSend", "MessageSendInput", selection, share(json!([draft]))).await;
    assert_eq!(refusal(&by_clerk), refused("DOCUMENT_NOT_FOUND", "input.documentIds"));
    let none = run(&nurse, "messageSend", "MessageSendInput", selection, share(json!([]))).await;
    assert_eq!(refusal(&none), refused("INVALID", "input.documentIds"));
    assert_eq!(db_state(&app).await, before);
    let sent = done(&nurse, "messageSend", "MessageSendInput", selection, share(json!([draft, draft]))).await;
    assert_eq!(sent["message"]["kind"], "DOCUMENT");
    assert_eq!(sent["message"]["attachments"], json!([{ "document": { "id": draft } }]));
    // Being shared opens nothing to anybody.
    let seen = look(&clerk, &id, "messages { nodes { attachments { document { id } } } }").await;
    assert_eq!(seen["messages"]["nodes"], json!([{ "attachments": [{ "document": null }] }]));
}
