//! Who takes part sees, and nobody else.

use anamnesis::access::Role;
use anamnesis::ids::{ConversationId, TypedId};
use serde_json::{Value, json};

use super::{begin, db_state, done, id_of, send, try_run};
use crate::harness::{Client, TestApp, query_text};

/// Every mutation about a conversation or a message of it: field, input type, input.
fn mutations(conversation: &Value, message: &Value, user: &str) -> Vec<(&'static str, &'static str, Value)> {
    let version = json!({ "id": conversation, "expectedVersion": 1 });
    let of_message = json!({ "id": message });
    vec![
        ("conversationUpdate", "ConversationUpdateInput", version.clone()),
        ("conversationArchive", "ConversationStatusInput", version.clone()),
        ("conversationEscalate", "ConversationEscalateInput", version.clone()),
        ("conversationComplete", "ConversationStatusInput", version.clone()),
        ("conversationReopen", "ConversationStatusInput", version),
        ("conversationInvite", "ConversationInviteInput", json!({ "id": conversation, "participantIds": [user] })),
        (
            "conversationRemoveParticipant",
            "ConversationRemoveParticipantInput",
            json!({ "id": conversation, "userId": user }),
        ),
        (
            "conversationSetRole",
            "ConversationSetRoleInput",
            json!({ "id": conversation, "userId": user, "role": "OWNER" }),
        ),
        ("conversationMute", "ConversationMuteInput", json!({ "id": conversation, "until": "2099-01-01T00:00:00Z" })),
        ("conversationLeave", "ConversationLeaveInput", json!({ "id": conversation })),
        ("conversationTyping", "ConversationTypingInput", json!({ "conversationId": conversation })),
        ("messageSend", "MessageSendInput", json!({ "conversationId": conversation, "body": "x" })),
        ("messageEdit", "MessageEditInput", json!({ "id": message, "expectedVersion": 1, "body": "x" })),
        ("messageDelete", "MessageDeleteInput", of_message.clone()),
        ("messageReact", "MessageReactionInput", json!({ "id": message, "emoji": "👍" })),
        ("messageUnreact", "MessageReactionInput", json!({ "id": message, "emoji": "👍" })),
        ("messageDraftSave", "MessageDraftSaveInput", json!({ "conversationId": conversation, "body": "x" })),
        ("messageDraftDiscard", "MessageDraftDiscardInput", json!({ "conversationId": conversation })),
        ("messageMarkRead", "MessageReceiptInput", of_message.clone()),
        ("messageMarkUnread", "MessageReceiptInput", of_message.clone()),
        ("messageMarkDelivered", "MessageReceiptInput", of_message),
    ]
}

async fn sees_nothing(client: &Client, conversation: &Value, message: &Value) {
    let look = "query($c: ID!, $m: ID!) { conversation(id: $c) { id } c: node(id: $c) { id } m: node(id: $m) { id }
        conversations { totalCount nodes { id } } conversationsUnread { messages conversations } }";
    let seen = client.run(look, json!({ "c": conversation, "m": message })).await.ok();
    let nothing = json!({ "conversation": null, "c": null, "m": null, "conversations": { "totalCount": 0, "nodes": [] },
        "conversationsUnread": { "messages": 0, "conversations": 0 } });
    assert_eq!(seen, nothing);
}

#[tokio::test]
async fn whoever_takes_no_part_sees_nothing_and_changes_nothing() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let message = send(&nurse, &id, "Between us").await["id"].take();
    let gone = app.member(&[Role::Physician]).await;
    let seat = json!({ "id": id, "participantIds": [id_of(&gone)] });
    done(&nurse, "conversationInvite", "ConversationInviteInput", "__typename", seat).await;
    done(&gone, "conversationLeave", "ConversationLeaveInput", "leftId", json!({ "id": id })).await;
    let before = db_state(&app).await;
    for client in [
        gone,
        app.member(&[Role::Administrator]).await,
        app.member(&[Role::PrivacyOfficer]).await,
        app.member_of(app.other, &[Role::Nurse]).await,
    ] {
        sees_nothing(&client, &id, &message).await;
        for (field, ty, input) in mutations(&id, &message, &id_of(&physician)) {
            let answer = try_run(&client, field, ty, "__typename", input).await;
            assert_eq!(answer.code(), "NOT_FOUND", "{field}");
        }
    }
    for (field, ty, input) in mutations(&id, &message, &id_of(&physician)) {
        let answer = try_run(&app.anonymous(), field, ty, "__typename", input).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED", "{field}");
    }
    for document in ["{ conversations { nodes { id } } }", "{ conversationsUnread { messages } }"] {
        assert_eq!(app.anonymous().run(document, json!({})).await.code(), "UNAUTHENTICATED");
    }
    assert_eq!(db_state(&app).await, before);
}

/// The database by itself, whatever the code in front of it asks.
#[tokio::test]
async fn the_database_shows_conversations_to_those_in_them_and_to_the_server() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let stranger = app.member(&[Role::Administrator]).await;
    let id = begin(&nurse, &[&physician]).await;
    send(&nurse, &id, "Between us").await;
    begin(&physician, &[]).await;
    let count = async |bind: String, table: &str| {
        let query = format!("BEGIN; {bind}; SELECT count(*) FROM {table}; ROLLBACK");
        query_text(&app.database.server_url, &query).await.last().unwrap()[0].clone().unwrap()
    };
    let facility = app.facility.uuid();
    let as_user = |client: &Client| {
        format!("SELECT bind('facility', '{facility}', '{}', 'all', now())", client.user.unwrap().uuid())
    };
    let system = format!("SELECT bind('system', '{facility}', NULL, 'all', now())");
    for (table, of_nurse, of_physician, of_server) in
        [("conversations", "1", "2", "2"), ("conversation_participants", "2", "3", "3"), ("messages", "1", "1", "1")]
    {
        assert_eq!(count(as_user(&nurse), table).await, of_nurse, "{table}");
        assert_eq!(count(as_user(&physician), table).await, of_physician, "{table}");
        assert_eq!(count(as_user(&stranger), table).await, "0", "{table}");
        assert_eq!(count(system.clone(), table).await, of_server, "{table}");
    }
    // Nor does a user remove anything of it.
    let id: ConversationId = TypedId::decode(id.as_str().unwrap()).unwrap();
    for table in ["messages", "conversation_participants"] {
        let delete = format!("{}; DELETE FROM {table} WHERE conversation_id = '{}'", as_user(&nurse), id.uuid());
        assert_eq!(count(delete, table).await, count(as_user(&nurse), table).await);
    }
}

#[tokio::test]
async fn what_is_read_is_on_record_with_the_patient() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let patient = super::register(&nurse).await;
    let input = json!({ "kind": "PATIENT", "patientId": patient, "participantIds": [] });
    let id = super::create(&nurse, input).await["conversation"]["id"].take();
    let message = send(&nurse, &id, "Slept well.").await["id"].take();
    let answer =
        nurse.run("query($id: ID!) { node(id: $id) { ... on Message { body } } }", json!({ "id": message })).await;
    let request = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    let rows = app
        .db_query(&format!("SELECT action, outcome, patient_id, detail FROM audit_log WHERE request_id = '{request}'"))
        .await;
    let of: anamnesis::ids::PatientId = TypedId::decode(patient.as_str().unwrap()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0][0].as_deref(), rows[0][1].as_deref()), (Some("read"), Some("success")));
    assert_eq!(rows[0][2].as_deref(), Some(of.uuid().to_string().as_str()));
    let message: anamnesis::ids::MessageId = TypedId::decode(message.as_str().unwrap()).unwrap();
    assert!(rows[0][3].as_ref().unwrap().contains(&message.uuid().to_string()));
}
