//! What staff answers goes out once, in its order, and what becomes of it is told.

use anamnesis::access::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{DELIVERY, Line, ODILE, TOKEN};
use crate::domains::chat::{MESSAGE, db_state, done, id_of, look, refusal, refused, run, said, try_send};
use crate::harness::{Outcome, Subscriber};

#[tokio::test]
async fn an_answer_is_sent_delivered_and_read() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let message = line.answer(&conversation, "Come at ten.").await;
    assert_eq!(line.delivery(&message).await["status"], "QUEUED");
    let (mut listener, _) = Subscriber::listening(&line.nurse, json!({ "of": [conversation] })).await;
    line.app.work().await;
    let sent = json!({ "messaging_product": "whatsapp", "recipient_type": "individual", "to": ODILE, "type": "text",
        "text": { "preview_url": false, "body": "Come at ten." }, "biz_opaque_callback_data": message });
    assert_eq!(line.api.sent(), [sent]);
    assert_eq!(line.api.token(), format!("Bearer {TOKEN}"));
    let event = listener.event().await;
    assert_eq!((&event["kind"], &event["subject"]["id"]), (&json!("MESSAGE_CHANGED"), &message));
    let delivery = line.delivery(&message).await;
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("SENT"), &json!(1)));
    for (status, shown) in [("delivered", "DELIVERED"), ("read", "READ")] {
        line.advance(TimeDelta::minutes(1)).await;
        line.told(&[line.news(1, status)]).await;
        assert_eq!(line.delivery(&message).await["status"], shown);
        assert_eq!(listener.event().await["kind"], "MESSAGE_CHANGED");
    }
    let delivery = line.delivery(&message).await;
    assert!(["sentAt", "deliveredAt", "readAt"].iter().all(|at| !delivery[at].is_null()), "{delivery}");
    assert_eq!((&delivery["failedAt"], &delivery["errorCode"]), (&Value::Null, &Value::Null));
    // The author's own view, and what of it lies about.
    assert_eq!(
        look(&line.physician, &conversation, &format!("lastMessage {{ {DELIVERY} }}")).await["lastMessage"]["delivery"],
        delivery
    );
    let jobs = line.app.db_value("SELECT coalesce(string_agg(payload::text, ' '), '') FROM jobs").await;
    assert!(!jobs.contains("ten") && !jobs.contains(ODILE), "{jobs}");
    assert!(!line.app.db_dump().contains("wamid.sent"), "the provider's id holds a number");
}

#[tokio::test]
async fn news_only_go_forward_and_a_failure_is_final() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let (one, two) = (line.answer(&conversation, "One").await, line.answer(&conversation, "Two").await);
    line.app.work().await;
    line.told(&[line.news(1, "read"), line.news(1, "sent"), line.news(1, "delivered")]).await;
    let mut failed = line.news(1, "failed");
    failed["errors"] = json!([{ "code": 131_026, "title": "Message undeliverable" }]);
    line.told(&[failed]).await;
    let seen = line.delivery(&one).await;
    assert_eq!((&seen["status"], &seen["errorCode"]), (&json!("READ"), &Value::Null));
    assert!(!seen["deliveredAt"].is_null(), "what came late is kept");
    let mut failed = line.news(2, "failed");
    failed["errors"] = json!([{ "code": 131_026, "title": "Message undeliverable" }]);
    line.told(&[failed, line.news(2, "delivered"), line.news(2, "sent"), line.news(9, "read")]).await;
    let seen = line.delivery(&two).await;
    assert_eq!((&seen["status"], &seen["errorCode"]), (&json!("FAILED"), &json!("131026")));
}

#[tokio::test]
async fn messages_to_one_person_go_in_their_order_and_no_other_waits() {
    let mut line = Line::open().await;
    let odile = line.odile_writes("wamid.1", "Hello").await;
    let sam = line.text("wamid.2", "447700900123", "Hello");
    line.hear(&[sam]).await;
    let sam = line.conversation().await;
    let mut odiles = Vec::new();
    for text in ["One", "Two", "Three"] {
        odiles.push(line.answer(&odile, text).await);
    }
    line.answer(&sam, "Elsewhere").await;
    line.api.next(&[Outcome::Refused(429, 130_429)]);
    line.app.work().await;
    assert_eq!(line.api.texts(), ["One", "Elsewhere"]);
    let waits = line.delivery(&odiles[0]).await;
    assert_eq!((&waits["status"], &waits["errorCode"]), (&json!("QUEUED"), &json!("130429")));
    line.advance(TimeDelta::seconds(6)).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), ["One", "Elsewhere", "One", "Two", "Three"]);
    let seen = line.delivery(&odiles[0]).await;
    assert_eq!((&seen["status"], &seen["attempts"], &seen["errorCode"]), (&json!("SENT"), &json!(2), &Value::Null));
}

async fn send_with(line: &Line, conversation: &Value, more: Value) -> Value {
    let mut input = json!({ "conversationId": conversation, "body": "Hello" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run(&line.physician, "messageSend", "MessageSendInput", MESSAGE, input).await
}

#[tokio::test]
async fn what_cannot_go_out_is_refused_and_nothing_is_left_of_it() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let before = db_state(&line.app).await;
    let note = crate::domains::documents::search::write_note(&line.physician, "Slept well.", json!({})).await;
    for (more, expected) in [
        (json!({ "body": "x".repeat(4097) }), refused("INVALID", "input.body")),
        (json!({ "documentIds": [note] }), refused("TEXT_ONLY", "input.documentIds")),
        (json!({ "kind": "DOCUMENT", "documentIds": [note] }), refused("TEXT_ONLY", "input.kind")),
        (json!({ "kind": "QUERY_RESULT" }), refused("TEXT_ONLY", "input.kind")),
        (json!({ "sensitivity": "SENSITIVE" }), refused("TEXT_ONLY", "input.sensitivity")),
    ] {
        assert_eq!(refusal(&send_with(&line, &conversation, more.clone()).await), expected, "{more}");
    }
    assert_eq!(db_state(&line.app).await, before);
    line.advance(TimeDelta::hours(24) - TimeDelta::seconds(1)).await;
    line.answer(&conversation, "Just in time").await;
    line.advance(TimeDelta::seconds(1)).await;
    let before = db_state(&line.app).await;
    assert_eq!(
        refusal(&send_with(&line, &conversation, json!({})).await),
        refused("WINDOW_CLOSED", "input.conversationId")
    );
    assert_eq!(db_state(&line.app).await, before);
    // What waited until it was too late is not sent either.
    line.app.work().await;
    assert!(line.api.sent().is_empty());
    let last = look(&line.nurse, &conversation, &format!("lastMessage {{ {DELIVERY} }}")).await["lastMessage"].take();
    assert_eq!(last["delivery"]["errorCode"], "window_closed");
    line.hear(&[line.text("wamid.2", ODILE, "Still there?")]).await;
    assert_eq!(send_with(&line, &conversation, json!({})).await["userErrors"], json!([]));
}

#[tokio::test]
async fn who_says_stop_hears_nothing_until_they_say_start() {
    let mut line = Line::open_with(json!({ "closedReply": "Closed.", "businessHours": [] })).await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    line.app.work().await;
    assert_eq!(line.api.texts(), ["Closed."]);
    let queued = line.answer(&conversation, "Not sent yet").await;
    line.advance(TimeDelta::hours(13)).await;
    line.hear(&[line.text("wamid.2", ODILE, " Stop. ")]).await;
    assert!(!line.contact(&conversation).await["optedOutAt"].is_null());
    line.app.work().await;
    assert_eq!(line.delivery(&queued).await["errorCode"], "opted_out");
    let sent = try_send(&line.nurse, &conversation, "But").await;
    assert_eq!(refusal(&sent), refused("OPTED_OUT", "input.conversationId"));
    assert_eq!(refusal(&line.retry(&queued).await), refused("OPTED_OUT", "input.messageId"));
    // They may write; nothing answers of itself.
    line.hear(&[line.text("wamid.3", ODILE, "One more thing"), line.text("wamid.4", ODILE, "stop")]).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), ["Closed."]);
    // Written before, come late: it takes nothing back.
    let mut late = line.text("wamid.late", ODILE, "start");
    late["timestamp"] = json!((line.app.now() - TimeDelta::hours(1)).timestamp().to_string());
    line.hear(&[late]).await;
    assert!(!line.contact(&conversation).await["optedOutAt"].is_null());
    line.hear(&[line.text("wamid.5", ODILE, "START")]).await;
    assert_eq!(line.contact(&conversation).await["optedOutAt"], Value::Null);
    assert_eq!(try_send(&line.nurse, &conversation, "Welcome back").await["userErrors"], json!([]));
    let said = said(&line.nurse, &conversation).await;
    let events: Vec<&Value> = said.iter().filter(|one| one.as_str().unwrap().starts_with("CONTACT_")).collect();
    assert_eq!(events, ["CONTACT_OPTED_OUT", "CONTACT_OPTED_IN"]);
}

#[tokio::test]
async fn what_went_out_is_not_edited_and_what_was_deleted_before_is_not_sent() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let (one, two) = (line.answer(&conversation, "One").await, line.answer(&conversation, "Two").await);
    let delete = |id: &Value| json!({ "id": id });
    done(&line.physician, "messageDelete", "MessageDeleteInput", "__typename", delete(&one)).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), ["Two"]);
    assert_eq!(line.delivery(&one).await["errorCode"], "deleted");
    let edit = json!({ "id": two, "expectedVersion": 1, "body": "Too" });
    let answer = run(&line.physician, "messageEdit", "MessageEditInput", "__typename", edit).await;
    assert_eq!(refusal(&answer), refused("SENT_OUTSIDE", "input.id"));
    done(&line.physician, "messageDelete", "MessageDeleteInput", "__typename", delete(&two)).await;
    assert_eq!(line.delivery(&two).await["status"], "SENT");
}

#[tokio::test]
async fn only_what_failed_is_sent_again_and_by_who_may_speak() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let message = line.answer(&conversation, "One").await;
    let first =
        look(&line.nurse, &conversation, "messages { nodes { id } }").await["messages"]["nodes"][0]["id"].take();
    assert_eq!(refusal(&line.retry(&first).await), refused("NOT_FAILED", "input.messageId"));
    assert_eq!(refusal(&line.retry(&message).await), refused("NOT_FAILED", "input.messageId"));
    line.api.next(&[Outcome::Refused(400, 131_026)]);
    line.app.work().await;
    let failed = line.delivery(&message).await;
    assert_eq!((&failed["status"], &failed["errorCode"]), (&json!("FAILED"), &json!("131026")));
    let observer = line.app.member(&[Role::Technician]).await;
    let invited = json!({ "id": conversation, "participantIds": [id_of(&observer)], "role": "OBSERVER" });
    done(&line.nurse, "conversationInvite", "ConversationInviteInput", "__typename", invited).await;
    let retry = ("whatsappDeliveryRetry", "WhatsappDeliveryRetryInput");
    let input = json!({ "messageId": message });
    let answer = run(&observer, retry.0, retry.1, "__typename", input.clone()).await;
    assert_eq!(refusal(&answer), refused("OBSERVER", "input"));
    let answer = crate::domains::chat::try_run(&line.administrator, retry.0, retry.1, "__typename", input).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    assert_eq!(line.retry(&message).await["userErrors"], json!([]));
    line.app.work().await;
    assert_eq!(line.delivery(&message).await["status"], "SENT");
    assert_eq!(line.api.texts(), ["One", "One"]);
}

#[tokio::test]
async fn what_is_kept_long_enough_goes_with_all_that_belongs_to_it() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    line.answer(&conversation, "One").await;
    line.app.work().await;
    line.app.db_execute(r#"UPDATE facilities SET settings = settings || '{"conversationRetentionDays": 30}'"#).await;
    let version = look(&line.nurse, &conversation, "version").await["version"].take();
    let over = json!({ "id": conversation, "expectedVersion": version });
    done(&line.nurse, "conversationComplete", "ConversationStatusInput", "__typename", over).await;
    line.advance(TimeDelta::days(31)).await;
    let removed = anamnesis::domains::chat::keeping::sweep(&line.app.system(line.app.facility)).await.unwrap();
    assert_eq!(removed, 1);
    assert_eq!(line.app.db_value("SELECT count(*) FROM whatsapp_deliveries").await, "0");
    assert_eq!(
        line.app.db_value("SELECT count(*) FROM whatsapp_contacts").await,
        "1",
        "that they said stop is not forgotten"
    );
}
