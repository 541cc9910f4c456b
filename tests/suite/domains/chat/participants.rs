//! People come and go.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{begin, db_state, done, id_of, look, refusal, refused, run, said, send};
use crate::harness::{Client, TestApp};

async fn invite(client: &Client, id: &Value, who: &[&Client], role: &str) -> Value {
    let who: Vec<String> = who.iter().map(|one| id_of(one)).collect();
    let input = json!({ "id": id, "participantIds": who, "role": role });
    run(client, "conversationInvite", "ConversationInviteInput", "conversation { id }", input).await
}

async fn leave(client: &Client, id: &Value) -> Value {
    run(client, "conversationLeave", "ConversationLeaveInput", "leftId", json!({ "id": id })).await
}

async fn remove(client: &Client, id: &Value, who: &Client) -> Value {
    let input = json!({ "id": id, "userId": id_of(who) });
    run(client, "conversationRemoveParticipant", "ConversationRemoveParticipantInput", "conversation { id }", input)
        .await
}

async fn set_role(client: &Client, id: &Value, who: &Client, role: &str) -> Value {
    let input = json!({ "id": id, "userId": id_of(who), "role": role });
    run(client, "conversationSetRole", "ConversationSetRoleInput", "conversation { id }", input).await
}

/// Who takes part with which role, in the order they joined.
async fn seats(client: &Client, id: &Value) -> Vec<(String, String)> {
    let seen = look(client, id, "participants { role user { id } }").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let seats = seen["participants"].as_array().unwrap();
    seats.iter().map(|seat| (text(&seat["user"]["id"]), text(&seat["role"]))).collect()
}

#[tokio::test]
async fn who_is_invited_sees_what_was_said_and_who_leaves_sees_nothing_until_they_are_back() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[]).await;
    send(&nurse, &id, "Before").await;
    app.advance(chrono::TimeDelta::minutes(1));
    assert_eq!(invite(&nurse, &id, &[&physician], "MEMBER").await["userErrors"], json!([]));
    assert_eq!(said(&physician, &id).await, ["Before", "PARTICIPANT_JOINED"]);
    assert_eq!(look(&physician, &id, "unreadCount").await["unreadCount"], 0);
    assert_eq!(seats(&nurse, &id).await, [(id_of(&nurse), "OWNER".into()), (id_of(&physician), "MEMBER".into())]);

    assert_eq!(leave(&physician, &id).await, json!({ "leftId": id, "userErrors": [] }));
    send(&nurse, &id, "Between").await;
    assert_eq!(look(&physician, &id, "id").await, Value::Null);
    assert_eq!(seats(&nurse, &id).await, [(id_of(&nurse), "OWNER".into())]);
    app.advance(chrono::TimeDelta::minutes(1));
    assert_eq!(invite(&nurse, &id, &[&physician], "OBSERVER").await["userErrors"], json!([]));
    let all = ["Before", "PARTICIPANT_JOINED", "PARTICIPANT_LEFT", "Between", "PARTICIPANT_JOINED"];
    assert_eq!(said(&physician, &id).await, all);
    assert_eq!(look(&physician, &id, "unreadCount").await["unreadCount"], 0);
    assert_eq!(seats(&nurse, &id).await, [(id_of(&nurse), "OWNER".into()), (id_of(&physician), "OBSERVER".into())]);
}

#[tokio::test]
async fn who_may_not_come_is_refused() {
    let app = TestApp::start().await;
    let (nurse, member, observer) =
        (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await, app.member(&[Role::Nurse]).await);
    let (person, another) = (app.member(&[Role::Patient]).await, app.member(&[Role::Patient]).await);
    let stranger = app.member_of(app.other, &[Role::Nurse]).await;
    let newcomer = app.member(&[Role::Nurse]).await;
    let input = json!({ "kind": "SECURE_MAIL", "title": "Re", "participantIds": [id_of(&member), id_of(&person)] });
    let id = super::create(&nurse, input).await["conversation"]["id"].take();
    invite(&nurse, &id, &[&observer], "OBSERVER").await;
    let before = db_state(&app).await;
    let field = "input.participantIds";
    assert_eq!(refusal(&invite(&nurse, &id, &[&stranger], "MEMBER").await), refused("NOT_MEMBER", field));
    assert_eq!(refusal(&invite(&nurse, &id, &[&another], "MEMBER").await), refused("MAY_NOT_TAKE_PART", field));
    assert_eq!(refusal(&invite(&nurse, &id, &[&newcomer, &member], "MEMBER").await), refused("ALREADY_THERE", field));
    assert_eq!(refusal(&invite(&nurse, &id, &[], "MEMBER").await), refused("INVALID", field));
    assert_eq!(refusal(&invite(&observer, &id, &[&newcomer], "MEMBER").await), refused("OBSERVER", "input"));
    assert_eq!(refusal(&invite(&member, &id, &[&newcomer], "OWNER").await), refused("NOT_OWNER", "input"));
    let by_patient = json!({ "id": id, "participantIds": [id_of(&newcomer)] });
    let answer =
        super::try_run(&person, "conversationInvite", "ConversationInviteInput", "__typename", by_patient).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    assert_eq!(db_state(&app).await, before);
    // Somebody whose membership has ended is no member.
    let suspend = format!(
        "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review' WHERE user_id = '{}'",
        anamnesis::ids::TypedId::uuid(newcomer.user.unwrap())
    );
    app.db_execute(&suspend).await;
    assert_eq!(refusal(&invite(&nurse, &id, &[&newcomer], "MEMBER").await), refused("NOT_MEMBER", field));
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn owners_take_others_out_and_say_what_they_may_do() {
    let app = TestApp::start().await;
    let (nurse, physician, third) =
        (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await, app.member(&[Role::Nurse]).await);
    let outsider = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[&physician, &third]).await;
    let before = db_state(&app).await;
    assert_eq!(refusal(&remove(&physician, &id, &third).await), refused("NOT_OWNER", "input"));
    assert_eq!(refusal(&set_role(&physician, &id, &third, "OBSERVER").await), refused("NOT_OWNER", "input"));
    assert_eq!(refusal(&remove(&nurse, &id, &outsider).await), refused("NOT_THERE", "input.userId"));
    assert_eq!(refusal(&remove(&nurse, &id, &nurse).await), refused("INVALID", "input.userId"));
    assert_eq!(refusal(&set_role(&nurse, &id, &outsider, "MEMBER").await), refused("NOT_THERE", "input.userId"));
    assert_eq!(refusal(&set_role(&nurse, &id, &nurse, "MEMBER").await), refused("LAST_OWNER", "input.role"));
    assert_eq!(db_state(&app).await, before);
    assert_eq!(remove(&nurse, &id, &third).await["userErrors"], json!([]));
    assert_eq!(look(&third, &id, "id").await, Value::Null);
    assert_eq!(said(&nurse, &id).await, ["PARTICIPANT_REMOVED"]);
    assert_eq!(set_role(&nurse, &id, &physician, "OWNER").await["userErrors"], json!([]));
    assert_eq!(set_role(&nurse, &id, &nurse, "MEMBER").await["userErrors"], json!([]));
    assert_eq!(refusal(&remove(&nurse, &id, &physician).await), refused("NOT_OWNER", "input"));
}

#[tokio::test]
async fn a_conversation_is_never_without_an_owner_nor_without_staff() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let person = app.member(&[Role::Patient]).await;
    let mail = json!({ "kind": "SECURE_MAIL", "title": "Re", "participantIds": [id_of(&nurse)] });
    let id = super::create(&person, mail).await["conversation"]["id"].take();
    let before = db_state(&app).await;
    assert_eq!(refusal(&leave(&nurse, &id).await), refused("LAST_PARTICIPANT", "input"));
    assert_eq!(db_state(&app).await, before);
    app.advance(chrono::TimeDelta::minutes(1));
    invite(&nurse, &id, &[&physician], "MEMBER").await;
    // The patient began it; when they go, whoever of the staff is there longest owns it.
    assert_eq!(leave(&person, &id).await["userErrors"], json!([]));
    assert_eq!(seats(&nurse, &id).await, [(id_of(&nurse), "OWNER".into()), (id_of(&physician), "MEMBER".into())]);
    assert_eq!(leave(&nurse, &id).await["userErrors"], json!([]));
    assert_eq!(seats(&physician, &id).await, [(id_of(&physician), "OWNER".into())]);
    assert_eq!(refusal(&leave(&physician, &id).await), refused("LAST_PARTICIPANT", "input"));
}

#[tokio::test]
async fn a_conversation_is_muted_for_oneself_alone() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[&physician]).await;
    let mute = async |until: Value| {
        let input = json!({ "id": id, "until": until });
        run(
            &nurse,
            "conversationMute",
            "ConversationMuteInput",
            "conversation { viewerParticipant { mutedUntil } }",
            input,
        )
        .await
    };
    let until = "2026-03-09T14:04:00+00:00";
    assert_eq!(mute(json!(until)).await["conversation"]["viewerParticipant"]["mutedUntil"], until);
    assert_eq!(
        look(&physician, &id, "viewerParticipant { mutedUntil }").await["viewerParticipant"]["mutedUntil"],
        Value::Null
    );
    let seen = look(&physician, &id, "participants { mutedUntil }").await;
    assert_eq!(seen["participants"], json!([{ "mutedUntil": null }, { "mutedUntil": null }]));
    assert_eq!(refusal(&mute(json!("2026-03-09T13:00:00Z")).await), refused("INVALID", "input.until"));
    app.advance(chrono::TimeDelta::minutes(4));
    assert_eq!(
        look(&nurse, &id, "viewerParticipant { mutedUntil }").await["viewerParticipant"]["mutedUntil"],
        Value::Null
    );
    assert_eq!(mute(Value::Null).await["conversation"]["viewerParticipant"]["mutedUntil"], Value::Null);
}

/// Whoever was taken out while their message waited for the conversation's row is not heard any more.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_a_removal_has_committed() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    for _ in 0..10 {
        let id = begin(&nurse, &[&physician]).await;
        let sends = futures::future::join_all((0..3).map(|_| {
            let input = json!({ "conversationId": id, "body": "x" });
            super::try_run(&physician, "messageSend", "MessageSendInput", "message { sequence }", input)
        }));
        let (sent, removed) = futures::join!(sends, remove(&nurse, &id, &physician));
        assert_eq!(removed["userErrors"], json!([]));
        let all = said(&nurse, &id).await;
        let heard = sent.iter().filter(|answer| answer.errors.is_empty()).count();
        assert!(sent.iter().all(|answer| answer.errors.is_empty() || answer.code() == "NOT_FOUND"));
        assert_eq!(all.len(), heard + 1);
        assert_eq!(all.last().unwrap(), "PARTICIPANT_REMOVED");
    }
}

#[tokio::test]
async fn a_seat_is_taken_once_by_a_retry() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[]).await;
    let input = json!({ "id": id, "participantIds": [id_of(&physician)], "idempotencyKey": "k" });
    for _ in 0..2 {
        done(&nurse, "conversationInvite", "ConversationInviteInput", "__typename", input.clone()).await;
    }
    assert_eq!(said(&nurse, &id).await, ["PARTICIPANT_JOINED"]);
}
