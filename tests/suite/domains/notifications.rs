//! What users are told of.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::documents::{register, upload_text};
use crate::harness::{Client, Frame, Subscriber, TestApp};

const LIST: &str = "query($unread: Boolean) { notificationUnreadCount notifications(unreadOnly: $unread) { nodes {
    id kind times readAt subject { id ... on Document { title } } } } }";
const MARK: &str = "mutation($input: NotificationMarkReadInput!) { notificationMarkRead(input: $input) {
    marked userErrors { code field } } }";
const PREFER: &str =
    "mutation($input: NotificationPreferencesUpdateInput!) { notificationPreferencesUpdate(input: $input) {
    preferences { mail digestHour quietFrom quietUntil version } userErrors { code field } } }";

/// Gives a document to somebody to look at.
async fn assign(by: &Client, document: &str, to: &Client) {
    let version =
        by.run("query($id: ID!) { document(id: $id) { work { version } } }", json!({ "id": document })).await.ok();
    let input = json!({ "id": document, "expectedVersion": version["document"]["work"]["version"], "assigneeId": to.user.unwrap().encode() });
    let mutation =
        "mutation($input: DocumentAssignInput!) { documentAssign(input: $input) { userErrors { code message } } }";
    let done = by.run(mutation, json!({ "input": input })).await.ok();
    assert_eq!(done["documentAssign"]["userErrors"], json!([]));
}

async fn a_document(app: &TestApp, by: &Client) -> String {
    let patient = register(app, "Zqcanaria").await;
    let metadata = json!({ "kind": "LAB_RESULT", "title": "Zqcanary title", "patientIds": [patient] });
    upload_text(by, metadata, "Zqcanary words").await
}

async fn listed(client: &Client, unread: bool) -> (i64, Vec<Value>) {
    let mut found = client.run(LIST, json!({ "unread": unread })).await.ok();
    let nodes = found["notifications"]["nodes"].take();
    (found["notificationUnreadCount"].as_i64().unwrap(), serde_json::from_value(nodes).unwrap())
}

/// The mails that were sent, as text.
fn mails(app: &TestApp) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(app.mail.path().join("mail")) else { return Vec::new() };
    folder.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

#[tokio::test]
async fn somebody_is_told_at_once_and_once_while_it_is_unread() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let document = a_document(&app, &nurse).await;
    let of_kind = json!({ "kinds": ["NOTIFICATION_CREATED"] });
    let (mut told, _) = Subscriber::listening(&physician, of_kind.clone()).await;
    let (mut other, _) = Subscriber::listening(&nurse, of_kind).await;
    assign(&nurse, &document, &physician).await;
    let event = told.event().await;
    assert_eq!(event["subject"]["__typename"], "Notification");
    let (count, nodes) = listed(&physician, true).await;
    assert_eq!((count, nodes.len()), (1, 1));
    assert_eq!((&nodes[0]["kind"], &nodes[0]["times"]), (&json!("DOCUMENT_ASSIGNED"), &json!(1)));
    assert_eq!((&nodes[0]["id"], &nodes[0]["subject"]["id"]), (&event["subject"]["id"], &json!(document)));
    // The same again counts up.
    assign(&nurse, &document, &physician).await;
    told.event().await;
    let (count, nodes) = listed(&physician, true).await;
    assert_eq!((count, &nodes[0]["times"]), (1, &json!(2)));
    // Nobody else hears of it or finds it.
    assert_eq!(other.hear_within(std::time::Duration::from_millis(200)).await, None::<Frame>);
    assert_eq!(listed(&nurse, false).await, (0, vec![]));
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(nurse.run(node, json!({ "id": nodes[0]["id"] })).await.ok()["node"], Value::Null);
    // Read, it is new the next time.
    let marked = physician.run(MARK, json!({ "input": { "notificationIds": [nodes[0]["id"]] } })).await.ok();
    assert_eq!(marked["notificationMarkRead"]["marked"], 1);
    assert_eq!(listed(&physician, true).await, (0, vec![]));
    assign(&nurse, &document, &physician).await;
    let (count, nodes) = listed(&physician, false).await;
    assert_eq!((count, nodes.len(), &nodes[0]["times"]), (1, 2, &json!(1)));
    // All, when none are named; another's not.
    assert_eq!(nurse.run(MARK, json!({ "input": {} })).await.ok()["notificationMarkRead"]["marked"], 0);
    assert_eq!(physician.run(MARK, json!({ "input": {} })).await.ok()["notificationMarkRead"]["marked"], 1);
}

#[tokio::test]
async fn whoever_does_it_is_not_told_of_it() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let document = a_document(&app, &nurse).await;
    assign(&nurse, &document, &nurse).await;
    assert_eq!(listed(&nurse, false).await, (0, vec![]));
}

#[tokio::test]
async fn a_mail_says_that_there_is_something_and_never_what() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let document = a_document(&app, &nurse).await;
    assign(&nurse, &document, &physician).await;
    assign(&nurse, &document, &physician).await;
    app.work().await;
    assert_eq!(mails(&app), Vec::<String>::new(), "mail waits to be overtaken");
    app.advance(TimeDelta::minutes(3));
    app.work().await;
    let sent = mails(&app);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("2 new things for you at Lakeside Clinic"), "{}", sent[0]);
    let lower = sent[0].to_lowercase();
    for secret in ["zqcanar", "document", "lab", &document.to_lowercase(), "patient"] {
        assert!(!lower.contains(secret), "{secret} is in {}", sent[0]);
    }
    // Told once.
    app.advance(TimeDelta::minutes(30));
    app.work().await;
    assert_eq!(mails(&app).len(), 1);
}

#[tokio::test]
async fn what_was_read_in_time_or_is_not_wanted_is_not_mailed() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let document = a_document(&app, &nurse).await;
    let (reads, never, gone) = (
        app.member(&[Role::Physician]).await,
        app.member(&[Role::Physician]).await,
        app.member(&[Role::Physician]).await,
    );
    let input = json!({ "mail": "NEVER", "digestHour": 8, "expectedVersion": 0 });
    never.run(PREFER, json!({ "input": input })).await.ok();
    for somebody in [&reads, &never, &gone] {
        assign(&nurse, &document, somebody).await;
    }
    reads.run(MARK, json!({ "input": {} })).await.ok();
    app.db_execute(&format!(
        "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review' \
         WHERE user_id = '{}'",
        gone.user.unwrap().uuid()
    ))
    .await;
    app.advance(TimeDelta::minutes(3));
    app.work().await;
    assert_eq!(mails(&app), Vec::<String>::new());
}

#[tokio::test]
async fn quiet_hours_and_the_daily_mail_are_kept() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let document = a_document(&app, &nurse).await;
    // It is 14:00; accounts are in UTC.
    let (quiet, daily) = (app.member(&[Role::Physician]).await, app.member(&[Role::Physician]).await);
    for (client, input) in [
        (&quiet, json!({ "mail": "SOON", "digestHour": 8, "quietFrom": 13, "quietUntil": 15, "expectedVersion": 0 })),
        (&daily, json!({ "mail": "DAILY", "digestHour": 18, "expectedVersion": 0 })),
    ] {
        let done = client.run(PREFER, json!({ "input": input })).await.ok();
        assert_eq!(done["notificationPreferencesUpdate"]["userErrors"], json!([]));
        assign(&nurse, &document, client).await;
    }
    for (minutes, expected) in [(3, 0), (56, 0), (2, 1), (60, 1), (118, 1), (3, 2), (24 * 60, 2)] {
        app.advance(TimeDelta::minutes(minutes));
        app.work().await;
        assert_eq!(mails(&app).len(), expected, "at {}", app.now());
    }
}

#[tokio::test]
async fn preferences_are_checked_and_have_a_version() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let set = async |input: Value| {
        nurse.run(PREFER, json!({ "input": input })).await.ok()["notificationPreferencesUpdate"].take()
    };
    for (input, field) in [
        (json!({ "mail": "DAILY", "digestHour": 24, "expectedVersion": 0 }), "digestHour"),
        (json!({ "mail": "SOON", "digestHour": 8, "quietFrom": 22, "expectedVersion": 0 }), "quietUntil"),
        (
            json!({ "mail": "SOON", "digestHour": 8, "quietFrom": 7, "quietUntil": 7, "expectedVersion": 0 }),
            "quietUntil",
        ),
        (
            json!({ "mail": "SOON", "digestHour": 8, "quietFrom": -1, "quietUntil": 7, "expectedVersion": 0 }),
            "quietFrom",
        ),
    ] {
        let refused = set(input).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", field] }]));
    }
    let wanted = json!({ "mail": "DAILY", "digestHour": 7, "quietFrom": 22, "quietUntil": 6, "expectedVersion": 0 });
    assert_eq!(set(wanted.clone()).await["preferences"]["version"], 1);
    assert_eq!(set(wanted).await["userErrors"][0]["code"], "STALE");
    let again = set(json!({ "mail": "SOON", "digestHour": 7, "expectedVersion": 1 })).await;
    assert_eq!(
        again["preferences"],
        json!({ "mail": "SOON", "digestHour": 7, "quietFrom": null, "quietUntil": null, "version": 2 })
    );
    let anonymous = app.anonymous().run("{ notificationUnreadCount }", json!({})).await;
    assert_eq!(anonymous.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn those_who_take_part_are_told_of_messages_until_they_have_read_them() {
    let app = TestApp::start().await;
    let (nurse, physician, muted) =
        (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await, app.member(&[Role::Physician]).await);
    let run = async |client: &Client, field: &str, ty: &str, selection: &str, input: Value| {
        let document = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
        );
        let mut answer = client.run(&document, json!({ "input": input })).await.ok();
        assert_eq!(answer[field]["userErrors"], json!([]), "{field}");
        answer[field].take()
    };
    let ids = [&physician, &muted].map(|client| client.user.unwrap().encode());
    let input = json!({ "kind": "GENERAL", "title": "Beds", "participantIds": ids });
    let begun = run(&nurse, "conversationCreate", "ConversationCreateInput", "conversation { id }", input).await;
    let conversation = begun["conversation"]["id"].clone();
    let until = json!({ "id": conversation, "until": "2026-03-10T00:00:00Z" });
    run(&muted, "conversationMute", "ConversationMuteInput", "conversation { id }", until).await;
    for body in ["one", "two"] {
        let input = json!({ "conversationId": conversation, "body": body });
        run(&nurse, "messageSend", "MessageSendInput", "message { id }", input).await;
    }
    let input = json!({ "conversationId": conversation, "body": "three", "mentionIds": [ids[1]] });
    let last = run(&nurse, "messageSend", "MessageSendInput", "message { id }", input).await;
    let kinds = async |client: &Client| {
        let (_, nodes) = listed(client, true).await;
        let mut kinds: Vec<_> = nodes
            .iter()
            .map(|node| (node["kind"].as_str().unwrap().to_owned(), node["times"].as_i64().unwrap()))
            .collect();
        kinds.sort();
        kinds
    };
    let told = |kind: &str, times: i64| (kind.to_owned(), times);
    assert_eq!(kinds(&physician).await, [told("MESSAGE", 3), told("PARTICIPATION", 1)]);
    assert_eq!(kinds(&muted).await, [told("MENTION", 1), told("PARTICIPATION", 1)]);
    assert_eq!(kinds(&nurse).await, []);
    // What was read is not told of any more.
    run(
        &physician,
        "messageMarkRead",
        "MessageReceiptInput",
        "conversation { id }",
        json!({ "id": last["message"]["id"] }),
    )
    .await;
    assert_eq!(kinds(&physician).await, []);
}
