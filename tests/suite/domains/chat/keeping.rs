//! How long conversations are kept, and what a legal hold keeps.

use anamnesis::access::Role;
use anamnesis::domains::chat::keeping;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{create, db_state, done, id_of, invite_agent, refusal, refused, register, run, send, set_up, try_run};
use crate::harness::{Client, TestApp};

async fn place(client: &Client, conversation: &Value, reason: &str) -> Value {
    let input = json!({ "conversationId": conversation, "reason": reason });
    run(client, "conversationHoldPlace", "ConversationHoldPlaceInput", "conversationId", input).await
}

async fn release(client: &Client, conversation: &Value) -> Value {
    let input = json!({ "conversationId": conversation });
    run(client, "conversationHoldRelease", "ConversationHoldReleaseInput", "conversationId", input).await
}

/// A completed conversation about a patient, with a message in it that has everything a message may have.
async fn completed(app: &TestApp, nurse: &Client, physician: &Client, patient: &Value) -> (Value, Value) {
    let input = json!({ "kind": "PATIENT", "patientId": patient, "participantIds": [id_of(physician)] });
    let id = create(nurse, input).await["conversation"]["id"].take();
    let message = send(nurse, &id, "The okapi slept well.").await;
    let named =
        json!({ "conversationId": id, "body": "Look", "mentionIds": [id_of(physician)], "parentId": message["id"] });
    done(nurse, "messageSend", "MessageSendInput", "__typename", named).await;
    let edit = json!({ "id": message["id"], "expectedVersion": 1, "body": "The okapi slept." });
    done(nurse, "messageEdit", "MessageEditInput", "__typename", edit).await;
    let emoji = json!({ "id": message["id"], "emoji": "👍" });
    done(physician, "messageReact", "MessageReactionInput", "__typename", emoji).await;
    let draft = json!({ "conversationId": id, "body": "And" });
    done(physician, "messageDraftSave", "MessageDraftSaveInput", "__typename", draft).await;
    let agent = set_up(&app.member(&[Role::Administrator]).await, json!({})).await;
    assert_eq!(invite_agent(nurse, &id, &agent).await["userErrors"], json!([]));
    let question = json!({ "conversationId": id, "agentId": agent, "body": "Did the okapi sleep?" });
    done(physician, "messageAsk", "MessageAskInput", "__typename", question).await;
    let version = json!({ "id": id, "expectedVersion": 1 });
    done(nurse, "conversationComplete", "ConversationStatusInput", "__typename", version).await;
    (id, message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_conversation_goes_when_its_time_is_over_and_no_hold_lasts() {
    let app = crate::domains::documents::search::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let patient = register(&nurse).await;
    let (id, _) = completed(&app, &nurse, &physician, &patient).await;
    app.work().await;
    let sweep = async || keeping::sweep(&app.system(app.facility)).await.unwrap();
    app.advance(TimeDelta::days(400));
    // Without a rule all are kept.
    assert_eq!(sweep().await, 0);
    let rule = r#"UPDATE facilities SET settings = settings || '{"conversationRetentionDays": 401}'"#;
    app.db_execute(rule).await;
    assert_eq!(sweep().await, 0);
    app.advance(TimeDelta::days(2));
    // Signed in now: a token does not last that long.
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    assert_eq!(place(&officer, &id, "Litigation").await["userErrors"], json!([]));
    let before = db_state(&app).await;
    assert_eq!(sweep().await, 0);
    assert_eq!(db_state(&app).await, before);
    assert_eq!(release(&officer, &id).await["userErrors"], json!([]));
    assert_eq!(sweep().await, 1);
    // The assistant itself stays.
    assert_eq!(db_state(&app).await.matches("empty").count(), 18);
    let rows = "SELECT count(*) FROM audit_log WHERE action = 'chat.retain' AND patient_id IS NOT NULL";
    assert_eq!(app.db_value(rows).await, "1");
    assert_eq!(sweep().await, 0);
}

#[tokio::test]
async fn a_hold_is_placed_by_who_may_without_seeing_what_is_said() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let stranger = app.member_of(app.other, &[Role::PrivacyOfficer]).await;
    let patient = register(&nurse).await;
    let (id, message) = completed(&app, &nurse, &physician, &patient).await;
    let about = "query($id: ID!) { conversationsAbout(patientId: $id) { conversationId kind status messageCount heldAt holdReason } }";
    let known = |held: Value, reason: Value| json!([{ "conversationId": id, "kind": "PATIENT", "status": "COMPLETED", "messageCount": 5, "heldAt": held, "holdReason": reason }]);
    let seen = officer.run(about, json!({ "id": patient })).await.ok();
    assert_eq!(seen["conversationsAbout"], known(Value::Null, Value::Null));
    assert_eq!(stranger.run(about, json!({ "id": patient })).await.ok()["conversationsAbout"], json!([]));
    assert_eq!(nurse.run(about, json!({ "id": patient })).await.code(), "FORBIDDEN");

    let before = db_state(&app).await;
    assert_eq!(refusal(&place(&officer, &id, " ").await), refused("INVALID", "input.reason"));
    assert_eq!(refusal(&release(&officer, &id).await), refused("NOT_ON_HOLD", "input.conversationId"));
    for (client, code) in [(&stranger, "NOT_FOUND"), (&nurse, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        for (field, ty, input) in [
            ("conversationHoldPlace", "ConversationHoldPlaceInput", json!({ "conversationId": id, "reason": "x" })),
            ("conversationHoldRelease", "ConversationHoldReleaseInput", json!({ "conversationId": id })),
        ] {
            assert_eq!(try_run(client, field, ty, "conversationId", input).await.code(), code, "{field}");
        }
    }
    assert_eq!(db_state(&app).await, before);

    place(&officer, &id, "A quagga of a case").await;
    assert_eq!(refusal(&place(&officer, &id, "Again").await), refused("ON_HOLD", "input.conversationId"));
    let seen = officer.run(about, json!({ "id": patient })).await.ok();
    assert_eq!(seen["conversationsAbout"], known(json!("2026-03-09T14:00:00+00:00"), json!("A quagga of a case")));
    assert!(!app.db_dump().contains("quagga"));
    // The officer placed it and sees nothing of what is said; those who take part delete nothing.
    assert_eq!(super::look(&officer, &id, "id").await, Value::Null);
    assert_eq!(super::look(&nurse, &id, "onHold").await["onHold"], true);
    let delete =
        run(&nurse, "messageDelete", "MessageDeleteInput", "message { id }", json!({ "id": message["id"] })).await;
    assert_eq!(refusal(&delete), refused("ON_HOLD", "input.id"));
    release(&officer, &id).await;
    let delete =
        run(&nurse, "messageDelete", "MessageDeleteInput", "message { id }", json!({ "id": message["id"] })).await;
    assert_eq!(delete["userErrors"], json!([]));
}
