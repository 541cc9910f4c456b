//! The event stream, as subscribers see it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anamnesis::access::Role;
use anamnesis::events;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::domains::documents::{register, upload_text};
use crate::harness::{Client, Frame, Subscriber, TestApp, engines};

const SSE: &str = "subscription($after: String) { events(after: $after) { cursor kind subject { id } } }";

async fn file(client: &Client, title: &str) -> String {
    upload_text(client, json!({ "kind": "LAB_RESULT", "title": title }), title).await
}

/// Ids of the subjects of so many events, each with its cursor.
async fn subjects(subscriber: &mut Subscriber, many: usize) -> Vec<(String, String)> {
    let mut heard = Vec::new();
    for _ in 0..many {
        let event = subscriber.event().await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        heard.push((text(&event["subject"]["id"]), text(&event["cursor"])));
    }
    heard
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_missed_parts_are_replayed() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let physician = app.member(&[Role::Physician]).await;
    let (mut live, begin) = Subscriber::listening(&physician, json!({})).await;
    let mut made = Vec::new();
    for title in ["one", "two", "three"] {
        made.push(file(&nurse, title).await);
    }
    let first = live.event().await;
    assert_eq!((&first["kind"], &first["subject"]["title"]), (&json!("DOCUMENT_CHANGED"), &json!("one")));
    assert_eq!(first["actor"]["id"], nurse.user.unwrap().encode());
    let rest = subjects(&mut live, 2).await;
    assert_eq!(rest.iter().map(|(id, _)| id).collect::<Vec<_>>(), made[1..].iter().collect::<Vec<_>>());
    // From the beginning, from between, and from the end.
    for (after, missed) in [(begin.as_str(), 3), (first["cursor"].as_str().unwrap(), 2), (rest[1].1.as_str(), 0)] {
        let (mut again, from) = Subscriber::listening(&physician, json!({ "after": after })).await;
        assert_eq!(from, after);
        let replayed: Vec<_> = subjects(&mut again, missed).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(replayed, made[3 - missed..]);
        assert_eq!(again.hear_within(Duration::from_millis(200)).await, None, "something was told twice");
    }
    // What was shown is on record, for each subscriber.
    let reads = format!(
        "SELECT count(*) FROM audit_log WHERE action = 'read' AND user_id = '{}' AND detail -> 'objects' ? 'Document'",
        physician.user.unwrap().uuid()
    );
    assert_eq!(app.db_value(&reads).await, "8");
}

#[tokio::test]
async fn a_batch_is_followed_by_one_subscription() {
    let app = crate::domains::documents::search::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let sent = crate::domains::documents::batch::send(
        &nurse,
        json!({ "kind": "LAB_RESULT" }),
        &[("one.txt", b"First words of one."), ("two.txt", b"Second words of two.")],
    );
    let sent = sent.await.ok()["documentUploadMany"]["batch"].take();
    let (mut live, _) = Subscriber::listening(&nurse, json!({ "of": [sent["id"]] })).await;
    file(&nurse, "of no batch").await;
    app.work().await;
    let expected: BTreeSet<_> =
        sent["files"].as_array().unwrap().iter().map(|file| file["document"]["id"].clone().to_string()).collect();
    let mut ready = BTreeSet::new();
    while ready.len() < 2 {
        let event = live.event().await;
        let id = event["subject"]["id"].to_string();
        assert!(expected.contains(&id), "a document of no batch was told of");
        if event["subject"]["status"] == "READY" {
            ready.insert(id);
        }
    }
    assert_eq!(ready, expected);
}

#[tokio::test]
async fn no_event_crosses_between_facilities() {
    let app = TestApp::start().await;
    let (here, there) = (app.member(&[Role::Nurse]).await, app.member_of(app.other, &[Role::Nurse]).await);
    let (mut listens_here, from_here) = Subscriber::listening(&here, json!({})).await;
    let (mut listens_there, _) = Subscriber::listening(&there, json!({})).await;
    let (mut made_here, mut made_there) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        made_here.push(file(&here, "the same name").await);
        made_there.push(file(&there, "the same name").await);
    }
    let ids = |heard: Vec<(String, String)>| heard.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(subjects(&mut listens_here, 10).await), made_here);
    assert_eq!(ids(subjects(&mut listens_there, 10).await), made_there);
    for subscriber in [&mut listens_here, &mut listens_there] {
        assert_eq!(subscriber.hear_within(Duration::from_millis(200)).await, None);
    }
    // A cursor is of one facility.
    let mut stranger = Subscriber::connect(&there).await;
    stranger.subscribe(SSE, json!({ "after": from_here })).await;
    assert_eq!(stranger.answer().await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    // Naming another facility's document tells nothing either.
    let (mut curious, _) = Subscriber::listening(&there, json!({ "of": [made_here[0]] })).await;
    file(&here, "again").await;
    assert_eq!(curious.hear_within(Duration::from_millis(200)).await, None);
}

#[tokio::test]
async fn who_may_not_see_the_subject_hears_nothing_and_is_not_put_on_record() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let desk = app.member(&[Role::FrontDesk]).await;
    let (mut no_documents, _) = Subscriber::listening(&officer, json!({})).await;
    let (mut no_clinical, _) = Subscriber::listening(&desk, json!({})).await;
    let clinical = file(&nurse, "clinical").await;
    let consent = upload_text(&nurse, json!({ "kind": "CONSENT_FORM", "title": "consent" }), "consent").await;
    assert_eq!(no_clinical.event().await["subject"]["id"], json!(consent));
    assert_ne!(clinical, consent);
    assert_eq!(no_documents.hear_within(Duration::from_millis(300)).await, None);
    assert_eq!(app.db_value("SELECT count(*) FROM audit_log WHERE outcome = 'denied'").await, "0");
}

#[tokio::test]
async fn a_listener_that_is_signed_out_hears_no_more() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let physician = app.member(&[Role::Physician]).await;
    let (mut live, _) = Subscriber::listening(&physician, json!({})).await;
    app.db_execute(&format!(
        "UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'signed_out' WHERE user_id = '{}'",
        physician.user.unwrap().uuid()
    ))
    .await;
    file(&nurse, "after the end").await;
    let last = live.answer().await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert!(!last.to_string().contains("after the end"));
    assert_eq!(live.hear().await, Frame::Message(json!({ "type": "complete", "id": "1" })));
}

#[tokio::test]
async fn nobody_is_let_in_unknown() {
    let app = TestApp::start().await;
    let closed = async |mut subscriber: Subscriber, message: Value| {
        subscriber.say(message).await;
        subscriber.hear().await
    };
    let init = |payload: Value| json!({ "type": "connection_init", "payload": payload });
    let plain = async || Subscriber::open(&app.base, &[]).await;
    assert_eq!(closed(plain().await, init(Value::Null)).await, Frame::Closed(Some(4403)));
    let forged = json!({ "authorization": "Bearer forged" });
    assert_eq!(closed(plain().await, init(forged)).await, Frame::Closed(Some(4403)));
    let early = json!({ "id": "1", "type": "subscribe", "payload": { "query": SSE } });
    assert_eq!(closed(plain().await, early).await, Frame::Closed(Some(4401)));
    assert_eq!(closed(plain().await, json!({ "type": "what" })).await, Frame::Closed(Some(4400)));
    // A cookie comes from any page; it counts for those of our origin.
    let nurse = app.member(&[Role::Nurse]).await;
    let cookie = format!("__Host-anamnesis={}", nurse.token.as_deref().unwrap());
    let own = app.app.config.public_url.clone();
    for (origin, expected) in [
        ("https://evil.example", Frame::Closed(Some(4403))),
        (own.as_str(), Frame::Message(json!({ "type": "connection_ack" }))),
    ] {
        let page = Subscriber::open(&app.base, &[("cookie", &cookie), ("origin", origin)]).await;
        assert_eq!(closed(page, init(Value::Null)).await, expected, "{origin}");
    }
    // And twice is once too often.
    let mut twice = Subscriber::connect(&nurse).await;
    twice.say(init(Value::Null)).await;
    assert_eq!(twice.hear().await, Frame::Closed(Some(4429)));
}

#[tokio::test]
async fn a_socket_runs_queries_and_mutations_too_and_the_plain_route_no_subscriptions() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let mut socket = Subscriber::connect(&nurse).await;
    let id = nurse.user.unwrap().encode();
    socket.subscribe("query($id: ID!) { user(id: $id) { id } }", json!({ "id": id })).await;
    assert_eq!(socket.answer().await["data"]["user"]["id"], id);
    assert_eq!(socket.hear().await, Frame::Message(json!({ "type": "complete", "id": "1" })));
    // An id is free again when its operation has ended, and not before.
    socket.subscribe(SSE, json!({})).await;
    assert_eq!(socket.event().await["kind"], "LISTENING");
    socket.subscribe(SSE, json!({})).await;
    assert_eq!(socket.hear().await, Frame::Closed(Some(4409)));
    let refused = nurse.run(SSE, json!({})).await;
    assert_eq!(refused.errors.len(), 1);
    assert!(refused.data.is_null());
}

#[tokio::test]
async fn events_come_as_server_sent_events_where_they_are_asked_for() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let open = async |variables: Value| {
        let request = nurse.request(reqwest::Method::POST, "/graphql").header("accept", "text/event-stream");
        let response = request.json(&json!({ "query": SSE, "variables": variables })).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        response
    };
    let mut live = open(json!({})).await;
    let mut text = String::new();
    let mut until = async |response: &mut reqwest::Response, what: &str| {
        while !text.contains(what) {
            let chunk = tokio::time::timeout(Duration::from_mins(1), response.chunk()).await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(&chunk.expect("the answer ended")).unwrap());
        }
        std::mem::take(&mut text)
    };
    let first = until(&mut live, "LISTENING").await;
    assert!(first.starts_with("event: next\ndata: {"), "{first}");
    let made = file(&nurse, "one").await;
    assert!(until(&mut live, &made).await.contains("DOCUMENT_CHANGED"));
    // What goes wrong is told, and then it is over.
    let mut bad = open(json!({ "after": "nothing" })).await;
    let told = until(&mut bad, "event: complete").await;
    assert!(told.contains("BAD_USER_INPUT"), "{told}");
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said_to_be_gone() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let (mut live, begin) = Subscriber::listening(&nurse, json!({})).await;
    file(&nurse, "old").await;
    let old = live.event().await["cursor"].clone();
    app.advance(TimeDelta::hours(i64::from(app.app.config.event_hours) + 1));
    let ctx = app.system(app.facility);
    assert_eq!(events::sweep(&ctx).await.unwrap(), 1);
    ctx.finish().await.unwrap();
    let nurse = app.signed_in(nurse.user.unwrap(), app.facility).await;
    let mut late = Subscriber::connect(&nurse).await;
    late.subscribe(SSE, json!({ "after": begin })).await;
    let answer = late.answer().await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "CURSOR_EXPIRED");
    // Who had the last of what was swept has missed nothing.
    let (mut there, _) = Subscriber::listening(&nurse, json!({ "after": old })).await;
    let made = file(&nurse, "new").await;
    assert_eq!(there.event().await["subject"]["id"], json!(made));
}

#[tokio::test]
async fn two_nodes_tell_the_same_in_the_order_of_commits() {
    const WRITERS: usize = 6;
    const EACH: usize = 20;
    let app = TestApp::start_with(&[("ANAMNESIS_DATABASE_POOL", "8")]).await;
    let (_, second) = app.another_process(engines::of(&app.app.config)).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let (mut one, begin) = Subscriber::listening(&nurse, json!({})).await;
    let (mut two, _) = Subscriber::listening(&nurse.at(second.clone()), json!({})).await;
    let bases = [app.base.clone(), second];
    let writers = (0..WRITERS).map(|writer| {
        let client = nurse.at(bases[writer % 2].clone());
        tokio::spawn(async move {
            for turn in 0..EACH {
                file(&client, &format!("{writer}.{turn}")).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let (heard_one, heard_two) = futures::join!(subjects(&mut one, WRITERS * EACH), subjects(&mut two, WRITERS * EACH));
    futures::future::try_join_all(writers).await.unwrap();
    assert_eq!(heard_one, heard_two);
    let committed: Vec<_> = app
        .db_query("SELECT subject_id::text, position::text FROM events AS e ORDER BY e.position")
        .await
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
        .collect();
    let positions: Vec<_> = committed.iter().map(|(_, position)| position.parse::<usize>().unwrap()).collect();
    assert_eq!(positions, (1..=WRITERS * EACH).collect::<Vec<_>>(), "positions have gaps");
    let ids: Vec<_> =
        committed.iter().map(|(id, _)| anamnesis::ids::DocumentId::from_uuid(id.parse().unwrap()).encode()).collect();
    assert_eq!(heard_one.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ids);
    let (mut again, _) = Subscriber::listening(&nurse, json!({ "after": begin })).await;
    let replayed: Vec<_> = subjects(&mut again, WRITERS * EACH).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(replayed, ids);
}

#[tokio::test]
async fn a_write_that_is_refused_tells_nothing() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let made = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [patient] }), "words").await;
    let (mut live, _) = Subscriber::listening(&nurse, json!({})).await;
    let rename = "mutation($id: ID!, $version: Int!) { documentUpdate(input: { id: $id, expectedVersion: $version, title: \"new\" }) { userErrors { code } } }";
    let refused = nurse.run(rename, json!({ "id": made, "version": 99 })).await.ok();
    assert_eq!(refused["documentUpdate"]["userErrors"].as_array().unwrap().len(), 1);
    assert_eq!(live.hear_within(Duration::from_millis(200)).await, None);
    nurse.run(rename, json!({ "id": made, "version": 1 })).await.ok();
    assert_eq!(live.event().await["subject"]["title"], "new");
}

#[tokio::test]
async fn a_server_that_stops_sends_its_subscribers_away() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let (mut live, begin) = Subscriber::listening(&nurse, json!({})).await;
    let (_, second) = app.another_process(engines::of(&app.app.config)).await;
    file(&nurse, "before").await;
    live.event().await;
    app.stop();
    assert_eq!(live.hear().await, Frame::Closed(Some(1001)));
    let _ = (begin, second);
}

#[tokio::test]
async fn signals_reach_other_nodes_and_are_not_written_down() {
    use anamnesis::events::{EventKind, NewEvent};
    let app = TestApp::start().await;
    let (other, second) = app.another_process(engines::of(&app.app.config)).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let document = file(&nurse, "watched").await;
    let (mut named, _) = Subscriber::listening(&nurse.at(second.clone()), json!({ "of": [document] })).await;
    let (mut unnamed, _) = Subscriber::listening(&nurse.at(second), json!({})).await;
    let id = anamnesis::ids::DocumentId::decode(&document).unwrap();
    // The node that listens may still be about to: a signal is for those who listen.
    let signal = NewEvent::new(EventKind::Typing, id);
    let heard = async {
        loop {
            app.app.events.signal(&app.system(app.facility), signal.clone()).await.unwrap();
            if let Some(Frame::Message(message)) = named.hear_within(Duration::from_millis(300)).await {
                return message;
            }
        }
    };
    let message = tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap();
    assert_eq!(message["payload"]["data"]["events"]["kind"], "TYPING");
    assert_eq!(unnamed.hear_within(Duration::from_millis(200)).await, None);
    assert_eq!(app.db_value("SELECT count(*) FROM events WHERE kind = 'typing'").await, "0");
    drop(Arc::clone(&other));
}
