//! What people outside write becomes a conversation of those who are to see to it.

use anamnesis::access::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CONTACT, Line, ODILE, instant};
use crate::domains::chat::{done, id_of, look, refusal, refused, register, run, said, try_run};
use crate::harness::Subscriber;

#[tokio::test]
async fn what_somebody_writes_is_an_ordinary_message_to_those_of_the_number() {
    let line = Line::open().await;
    let (mut listener, _) = Subscriber::listening(&line.physician, json!({})).await;
    let conversation = line.odile_writes("wamid.HBgLMTYxNzU1NTAxOTk", "Could I come on Tuesday instead?").await;
    let selection = format!(
        "kind status priority title unreadCount createdBy {{ id }} participants {{ role party user {{ id }} }} {CONTACT}
        messages {{ nodes {{ sequence kind body author {{ id }} contact {{ phone name }} delivery {{ status }} }} }}"
    );
    let seen = look(&line.physician, &conversation, &selection).await;
    assert_eq!((&seen["kind"], &seen["status"]), (&json!("WHATSAPP"), &json!("ACTIVE")));
    assert_eq!((&seen["createdBy"], &seen["unreadCount"]), (&Value::Null, &json!(1)));
    let mut participants = seen["participants"].as_array().unwrap().clone();
    participants.sort_by_key(|one| one["role"].to_string());
    let of = |client, role: &str| json!({ "role": role, "party": "STAFF", "user": { "id": id_of(client) } });
    assert_eq!(participants, [of(&line.physician, "MEMBER"), of(&line.nurse, "OWNER")]);
    let message = json!({ "sequence": 1, "kind": "TEXT", "body": "Could I come on Tuesday instead?", "author": null,
        "contact": { "phone": ODILE, "name": "Odile" }, "delivery": null });
    assert_eq!(seen["messages"]["nodes"], json!([message]));
    assert_eq!(instant(&seen["whatsapp"]["windowClosesAt"]), line.app.now() + TimeDelta::hours(24));
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(listener.event().await["kind"].as_str().unwrap().to_owned());
    }
    heard.sort();
    assert_eq!(heard, ["CONVERSATION_CHANGED", "MESSAGE_SENT", "NOTIFICATION_CREATED"]);

    // The same person goes on in the same conversation; another begins one.
    line.hear(&[line.text("wamid.2", ODILE, "Or Wednesday?"), line.text("wamid.3", "447700900123", "Hello")]).await;
    assert_eq!(look(&line.nurse, &conversation, "messageCount").await["messageCount"], 2);
    let listed = line.nurse.run("{ conversations { totalCount } }", json!({})).await.ok();
    assert_eq!(listed["conversations"]["totalCount"], 2);
    line.app.work().await;
    let found = line.nurse.run("{ messageSearch(query: \"wednesday\") { body } }", json!({})).await.ok();
    assert_eq!(found["messageSearch"][0]["body"], "Or Wednesday?");
    let dump = line.app.db_dump();
    for hidden in [ODILE, "Odile", "Tuesday instead", "HBgLMTYxNzU1NTAxOTk", "447700900123"] {
        assert!(!dump.contains(hidden), "kept in clear: {hidden}");
    }
}

#[tokio::test]
async fn nobody_else_sees_it_whatever_their_role() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let contact = line.contact(&conversation).await["id"].clone();
    let node = "query($id: ID!) { node(id: $id) { id } }";
    let other = line.app.member(Role::ALL).await;
    let input = json!({ "contactId": contact, "patientId": register(&other).await });
    for client in [&line.administrator, &other, &line.app.member_of(line.app.other, Role::ALL).await] {
        assert_eq!(look(client, &conversation, "id").await, Value::Null);
        assert_eq!(client.run(node, json!({ "id": contact })).await.ok()["node"], Value::Null);
    }
    let answer = try_run(&other, "whatsappContactLink", "WhatsappContactLinkInput", "__typename", input.clone()).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    assert_eq!(line.app.anonymous().run(node, json!({ "id": contact })).await.code(), "UNAUTHENTICATED");
    let invited = json!({ "id": conversation, "participantIds": [id_of(&line.app.member(&[Role::Patient]).await)] });
    let invite = ("conversationInvite", "ConversationInviteInput");
    let answer = run(&line.nurse, invite.0, invite.1, "__typename", invited).await;
    assert_eq!(refusal(&answer), refused("MAY_NOT_TAKE_PART", "input.participantIds"));
}

#[tokio::test]
async fn a_call_that_comes_again_or_twice_at_once_is_taken_once() {
    let line = Line::open().await;
    let call = line.webhook.change(&[line.text("wamid.1", ODILE, "Hello"), line.text("wamid.2", ODILE, "Hello?")], &[]);
    let calls = (0..6).map(|_| line.webhook.call(&call));
    assert_eq!(futures::future::join_all(calls).await, [200; 6]);
    assert_eq!(line.webhook.call(&call).await, 200);
    let conversation = line.conversation().await;
    assert_eq!(said(&line.nurse, &conversation).await, ["Hello", "Hello?"]);
    let listed = line.nurse.run("{ conversations { totalCount } }", json!({})).await.ok();
    assert_eq!(listed["conversations"]["totalCount"], 1);
    assert_eq!(line.app.db_value("SELECT count(*) FROM whatsapp_contacts").await, "1");
}

#[tokio::test]
async fn pieces_that_are_not_in_their_form_keep_no_other_from_being_taken() {
    let line = Line::open().await;
    let mut good = line.webhook.change(&[line.text("wamid.1", ODILE, "First")], &[]);
    let messages = good["entry"][0]["changes"][0]["value"]["messages"].as_array_mut().unwrap();
    messages.insert(0, json!({ "type": "text" }));
    messages.insert(0, json!(7));
    messages.push(
        json!({ "id": "wamid.9", "from": "not a number", "timestamp": "1", "type": "text", "text": { "body": "x" } }),
    );
    messages.push(line.text("", ODILE, "No id"));
    messages.push(line.text(&"w".repeat(301), ODILE, "Too long an id"));
    messages.push(line.text("wamid.2", ODILE, "Second"));
    let entries = good["entry"].as_array_mut().unwrap();
    entries.insert(0, json!({ "changes": [{ "value": 3 }, null] }));
    entries.insert(0, json!("nonsense"));
    let mut foreign = line.webhook.change(&[line.text("wamid.3", ODILE, "To another number")], &[]);
    foreign["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = json!("5");
    entries.push(foreign["entry"][0].clone());
    assert_eq!(line.webhook.call(&good).await, 200);
    assert_eq!(said(&line.nurse, &line.conversation().await).await, ["First", "Second"]);
    for empty in [json!({}), json!([]), json!({ "entry": [] }), json!({ "entry": [{ "changes": [] }] })] {
        assert_eq!(line.webhook.call(&empty).await, 200);
    }
}

#[tokio::test]
async fn what_is_old_or_from_the_future_is_answered_and_not_taken() {
    let line = Line::open().await;
    let at = |wamid: &str, by: TimeDelta| {
        let mut message = line.text(wamid, ODILE, wamid);
        message["timestamp"] = json!((line.app.now() + by).timestamp().to_string());
        message
    };
    line.hear(&[
        at("old", TimeDelta::days(-7) - TimeDelta::seconds(1)),
        at("late", TimeDelta::days(-6)),
        at("ahead", TimeDelta::minutes(4)),
        at("future", TimeDelta::minutes(6)),
    ])
    .await;
    assert_eq!(said(&line.nurse, &line.conversation().await).await, ["late", "ahead"]);
}

#[tokio::test]
async fn what_is_no_text_is_told_of_and_not_taken_over() {
    let line = Line::open().await;
    let of = |wamid: &str, kind: &str, more: Value| {
        let mut message =
            json!({ "id": wamid, "from": ODILE, "timestamp": line.app.now().timestamp().to_string(), "type": kind });
        message[kind] = more;
        message
    };
    line.hear(&[
        of("1", "button", json!({ "text": "Yes, please", "payload": "yes" })),
        of("2", "interactive", json!({ "type": "list_reply", "list_reply": { "id": "a", "title": "Tuesday" } })),
        of("3", "reaction", json!({ "message_id": "wamid.1", "emoji": "👍" })),
        of("4", "image", json!({ "id": "media", "mime_type": "image/png", "caption": "My foot" })),
        of("5", "audio", json!({ "id": "media", "voice": true })),
        of("6", "location", json!({ "latitude": 1.0, "longitude": 2.0 })),
        of("7", "hologram", json!({})),
        line.text("8", ODILE, &format!("{}end", "é".repeat(20_000))),
        line.text("9", ODILE, "  "),
    ])
    .await;
    let conversation = line.conversation().await;
    let said = said(&line.nurse, &conversation).await;
    let told = |what: &str| format!("({what} came over WhatsApp. It was not taken over: ask for it in another way.)");
    assert_eq!(said[..2], ["Yes, please", "Tuesday"]);
    assert_eq!(said[2], format!("{}\nMy foot", told("A picture")));
    assert_eq!(said[3..6], [told("A voice message"), told("A location"), told("Something")]);
    let long = said[6].as_str().unwrap();
    assert_eq!(long.chars().count(), 20_000);
    assert!(long.ends_with("é […]"));
    assert_eq!(said[7..], ["(An empty message.)"]);
}

#[tokio::test]
async fn what_was_put_away_goes_on_and_what_is_over_begins_anew() {
    let line = Line::open().await;
    let first = line.odile_writes("wamid.1", "Hello").await;
    let status = |version: i32| json!({ "id": first, "expectedVersion": version });
    done(&line.nurse, "conversationArchive", "ConversationStatusInput", "__typename", status(1)).await;
    line.hear(&[line.text("wamid.2", ODILE, "Me again")]).await;
    assert_eq!(said(&line.nurse, &first).await, ["Hello", "ARCHIVED", "REOPENED", "Me again"]);
    let patient = register(&line.physician).await;
    let contact = line.contact(&first).await["id"].clone();
    let link = json!({ "contactId": contact, "patientId": patient });
    let selection = "contact { patient { id } linkedBy { id } linkedAt }";
    let linked = done(&line.physician, "whatsappContactLink", "WhatsappContactLinkInput", selection, link).await;
    assert_eq!(linked["contact"]["patient"]["id"], patient);
    assert_eq!(linked["contact"]["linkedBy"]["id"], id_of(&line.physician));
    assert_eq!(look(&line.nurse, &first, "patient { id }").await["patient"]["id"], patient);
    done(&line.nurse, "conversationComplete", "ConversationStatusInput", "__typename", status(4)).await;
    let second = line.odile_writes("wamid.3", "And again").await;
    assert_ne!(first, second);
    assert_eq!(said(&line.nurse, &second).await, ["And again"]);
    // Who they are is known from before; what is over stays with whom it was with.
    let seen = look(&line.nurse, &second, &format!("patient {{ id }} {CONTACT}")).await;
    assert_eq!((&seen["patient"]["id"], &seen["whatsapp"]["id"]), (&patient, &contact));
    assert_eq!(line.contact(&first).await["phone"], ODILE);
    let unlink = json!({ "contactId": contact });
    done(&line.nurse, "whatsappContactUnlink", "WhatsappContactUnlinkInput", "__typename", unlink).await;
    assert_eq!(look(&line.nurse, &second, "patient { id }").await["patient"], Value::Null);
    assert_eq!(look(&line.nurse, &first, "patient { id }").await["patient"]["id"], patient);
}

#[tokio::test]
async fn who_may_not_open_the_chart_links_nobody_to_it() {
    let line = Line::open().await;
    let desk = line.app.member(&[Role::FrontDesk]).await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let invited = json!({ "id": conversation, "participantIds": [id_of(&desk)], "role": "OBSERVER" });
    done(&line.nurse, "conversationInvite", "ConversationInviteInput", "__typename", invited).await;
    let contact = line.contact(&conversation).await["id"].clone();
    let (ours, stranger) =
        (register(&line.physician).await, line.app.member_of(line.app.other, &[Role::Physician]).await);
    let link = |patient: Value| json!({ "contactId": contact, "patientId": patient });
    let field = ("whatsappContactLink", "WhatsappContactLinkInput");
    let answer = run(&line.physician, field.0, field.1, "__typename", link(register(&stranger).await)).await;
    assert_eq!(refusal(&answer), refused("PATIENT_NOT_FOUND", "input.patientId"));
    let answer = run(&desk, field.0, field.1, "__typename", link(ours)).await;
    assert_eq!(refusal(&answer), refused("OBSERVER", "input"));
    assert_eq!(line.contact(&conversation).await["patient"], Value::Null);
}

#[tokio::test]
async fn when_all_have_left_whoever_is_named_now_takes_their_place() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    line.app
        .db_execute(
            "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review' \
        WHERE id IN (SELECT member_id FROM member_roles WHERE role IN ('nurse', 'physician'))",
        )
        .await;
    line.hear(&[line.text("wamid.2", ODILE, "Is anybody there?")]).await;
    assert_eq!(said(&line.administrator, &conversation).await.last().unwrap(), "Is anybody there?");
}

#[tokio::test]
async fn a_page_costs_the_same_however_many_wrote_and_were_answered() {
    let line = Line::open().await;
    for number in 0..5 {
        let from = format!("1617555020{number}");
        line.hear(&[line.text(&format!("wamid.{number}"), &from, "Hello")]).await;
        let conversation = line.conversation().await;
        for text in ["One", "Two"] {
            line.answer(&conversation, text).await;
        }
    }
    let page = "query($first: Int!) { conversations(first: $first) { nodes { whatsapp { phone name patient { id } }
        messages(last: 3) { nodes { body contact { phone } delivery { status } } } } } }";
    let cost = async |first: usize| {
        let before = line.app.app.database.statements();
        let seen = line.nurse.run(page, json!({ "first": first })).await.ok();
        assert_eq!(seen["conversations"]["nodes"].as_array().unwrap().len(), first);
        line.app.app.database.statements() - before
    };
    cost(1).await;
    assert_eq!(cost(1).await, cost(5).await);
}
