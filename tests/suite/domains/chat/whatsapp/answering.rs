//! What the server does of itself: a word that nobody is there, an alarm at words of danger.

use anamnesis::access::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CONTACT, DELIVERY, Line, ODILE};
use crate::domains::chat::{done, id_of, look, refusal, refused, run, said};

const CLOSED: &str = "We answer on weekdays.";

fn weekdays() -> Value {
    let day = |day: &str| json!({ "weekday": day, "opens": "09:00", "closes": "17:00" });
    json!([day("MONDAY"), day("TUESDAY"), day("WEDNESDAY"), day("THURSDAY"), day("FRIDAY")])
}

#[tokio::test]
async fn outside_the_hours_somebody_is_told_so_at_most_every_twelve_hours() {
    let mut line = Line::open_with(json!({ "businessHours": weekdays(), "closedReply": CLOSED })).await;
    // Ten in the morning in New York, on the day after clocks went forward.
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    line.app.work().await;
    assert!(line.api.sent().is_empty());
    // 20:59 UTC is 16:59 there since yesterday; 21:00 is closing time.
    line.advance(TimeDelta::minutes(7 * 60 - 1)).await;
    line.hear(&[line.text("wamid.2", ODILE, "Still there?")]).await;
    line.app.work().await;
    assert!(line.api.sent().is_empty());
    line.advance(TimeDelta::minutes(1)).await;
    line.hear(&[line.text("wamid.3", ODILE, "And now?"), line.text("wamid.4", ODILE, "Now?")]).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), [CLOSED]);
    let selection = format!("messages {{ nodes {{ body author {{ id }} contact {{ id }} {DELIVERY} }} }}");
    let seen = look(&line.nurse, &conversation, &selection).await;
    let reply = seen["messages"]["nodes"].as_array().unwrap().iter().find(|one| one["body"] == CLOSED).unwrap();
    assert_eq!((&reply["author"], &reply["contact"]), (&Value::Null, &Value::Null));
    assert_eq!((&reply["delivery"]["automatic"], &reply["delivery"]["status"]), (&json!("CLOSED"), &json!("SENT")));
    line.advance(TimeDelta::hours(12) - TimeDelta::seconds(1)).await;
    line.hear(&[line.text("wamid.5", ODILE, "Hello")]).await;
    line.advance(TimeDelta::seconds(1)).await;
    line.hear(&[line.text("wamid.6", ODILE, "Hello"), line.text("wamid.7", "447700900123", "Hello")]).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), [CLOSED, CLOSED, CLOSED]);
    assert_eq!(line.api.sent()[2]["to"], "447700900123");
}

#[tokio::test]
async fn words_of_danger_are_answered_and_handed_to_a_person_whatever_the_hour() {
    let mut line = Line::open_with(json!({ "businessHours": [], "closedReply": CLOSED })).await;
    let conversation = line.odile_writes("wamid.1", "I can’t do this. I want to DIE").await;
    let selection = format!("status priority statusChangedBy {{ id }} assignedTo {{ id }} {CONTACT}");
    let seen = look(&line.physician, &conversation, &selection).await;
    assert_eq!((&seen["status"], &seen["priority"]), (&json!("ESCALATED"), &json!("URGENT")));
    assert_eq!((&seen["assignedTo"]["id"], &seen["statusChangedBy"]), (&json!(id_of(&line.nurse)), &Value::Null));
    let told = line.nurse.run("{ notifications { nodes { kind subject { id } } } }", json!({})).await.ok();
    let wanted = json!({ "kind": "CONVERSATION_ESCALATED", "subject": { "id": conversation } });
    assert!(told["notifications"]["nodes"].as_array().unwrap().contains(&wanted), "{told}");
    line.app.work().await;
    let texts = line.api.texts();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("988") && texts[0].contains("911"), "{texts:?}");
    // Once an hour, and no other answer comes in between.
    line.advance(TimeDelta::minutes(59)).await;
    line.hear(&[line.text("wamid.2", ODILE, "i want to die")]).await;
    line.app.work().await;
    assert_eq!(line.api.sent().len(), 1);
    line.advance(TimeDelta::minutes(1)).await;
    line.hear(&[line.text("wamid.3", ODILE, "STOP"), line.text("wamid.4", ODILE, "I will kill myself")]).await;
    line.app.work().await;
    assert_eq!(line.api.sent().len(), 2, "danger is answered also where nothing else is");
    let said = said(&line.nurse, &conversation).await;
    assert_eq!(said.iter().filter(|one| **one == json!("ESCALATED")).count(), 2);
}

#[tokio::test]
async fn whoever_is_to_be_handed_it_is_brought_back_and_somebody_else_is_named_where_they_are_gone() {
    let mut line = Line::open_with(json!({ "crisisReply": "Call us: 555-0100." })).await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    done(&line.nurse, "conversationLeave", "ConversationLeaveInput", "__typename", json!({ "id": conversation })).await;
    line.hear(&[line.text("wamid.2", ODILE, "quiero morir")]).await;
    let seen = look(&line.nurse, &conversation, "assignedTo { id } unreadCount").await;
    assert_eq!(seen["assignedTo"]["id"], id_of(&line.nurse));
    assert_eq!(seen["unreadCount"], 3, "said, escalated, answered");
    line.app.work().await;
    assert_eq!(line.api.texts(), ["Call us: 555-0100."]);
    line.app
        .db_execute(
            "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review' \
        WHERE id IN (SELECT member_id FROM member_roles WHERE role = 'nurse')",
        )
        .await;
    line.advance(TimeDelta::hours(2)).await;
    line.hear(&[line.text("wamid.3", "447700900123", "I want to die")]).await;
    let listed =
        line.physician.run("{ conversations(first: 1) { nodes { assignedTo { id } status } } }", json!({})).await;
    let seen = listed.ok()["conversations"]["nodes"][0].take();
    assert_eq!((&seen["assignedTo"]["id"], &seen["status"]), (&json!(id_of(&line.physician)), &json!("ESCALATED")));
}

#[tokio::test]
async fn no_assistant_answers_somebody_outside() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let agent = crate::domains::chat::set_up(&line.administrator, json!({})).await;
    let answer = crate::domains::chat::invite_agent(&line.nurse, &conversation, &agent).await;
    assert_eq!(refusal(&answer), refused("MAY_NOT_TAKE_PART", "input.id"));
    let operator = line.app.member(&[Role::SystemAdmin]).await;
    let invited = json!({ "id": conversation, "participantIds": [id_of(&operator)] });
    let answer = run(&line.nurse, "conversationInvite", "ConversationInviteInput", "__typename", invited).await;
    assert_eq!(refusal(&answer), refused("MAY_NOT_TAKE_PART", "input.participantIds"));
}
