//! What is begun and not sent.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{begin, db_state, done, look, refusal, refused, run, send};
use crate::harness::{Client, TestApp};

async fn save(client: &Client, conversation: &Value, thread: &Value, body: &str) -> Value {
    let input = json!({ "conversationId": conversation, "threadRootId": thread, "body": body });
    run(client, "messageDraftSave", "MessageDraftSaveInput", "conversation { id }", input).await
}

async fn drafts(client: &Client, conversation: &Value) -> Value {
    look(client, conversation, "drafts { body threadRoot { id } }").await["drafts"].take()
}

#[tokio::test]
async fn a_draft_is_kept_for_each_place_and_seen_by_its_writer_alone() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let (id, elsewhere) = (begin(&nurse, &[&physician]).await, begin(&nurse, &[&physician]).await);
    let root = send(&nurse, &id, "Root").await["id"].take();
    let there = send(&nurse, &elsewhere, "There").await["id"].take();
    save(&nurse, &id, &Value::Null, "A zorilla").await;
    save(&nurse, &id, &root, "In the thread").await;
    save(&nurse, &id, &Value::Null, "Two zorillas").await;
    let expected = json!([{ "body": "Two zorillas", "threadRoot": null }, { "body": "In the thread", "threadRoot": { "id": root } }]);
    assert_eq!(drafts(&nurse, &id).await, expected);
    assert_eq!((drafts(&physician, &id).await, drafts(&nurse, &elsewhere).await), (json!([]), json!([])));
    assert!(!app.db_dump().contains("zorilla"));

    let before = db_state(&app).await;
    assert_eq!(refusal(&save(&nurse, &id, &Value::Null, " ").await), refused("INVALID", "input.body"));
    assert_eq!(refusal(&save(&nurse, &id, &there, "x").await), refused("MESSAGE_NOT_FOUND", "input.threadRootId"));
    assert_eq!(db_state(&app).await, before);

    let place = json!({ "conversationId": id, "threadRootId": root });
    for _ in 0..2 {
        done(&nurse, "messageDraftDiscard", "MessageDraftDiscardInput", "conversation { id }", place.clone()).await;
    }
    assert_eq!(drafts(&nurse, &id).await, json!([{ "body": "Two zorillas", "threadRoot": null }]));
}
