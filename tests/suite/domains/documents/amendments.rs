//! Requests of patients that a note be corrected.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::notes::{attempt, draft, run, signed};
use super::{count, register, restrict, treats};
use crate::harness::{Client, TestApp};

const FIELDS: &str = "amendmentRequest { id status request dueOn overdue denialGround reason decidedAt version
    document { id } patient { id } addendum { id noteState text } recordedBy { id } decidedBy { id } }
    userErrors { code field }";

const LIST: &str = "query($status: AmendmentStatus, $document: ID, $patient: ID) {
    amendmentRequests(status: $status, documentId: $document, patientId: $patient) { nodes { id status overdue reason } } }";

const WISH: &str = "It was the left foot, not the right.";

fn mutation(name: &str) -> String {
    format!("mutation($input: A{}Input!) {{ {name}(input: $input) {{ {FIELDS} }} }}", &name[1..])
}

async fn act(client: &Client, name: &str, input: Value) -> Value {
    client.run(&mutation(name), json!({ "input": input })).await.ok()[name].clone()
}

async fn list(client: &Client, filter: Value) -> Vec<Value> {
    let told = client.run(LIST, filter).await.ok();
    told["amendmentRequests"]["nodes"].as_array().unwrap().clone()
}

async fn recorded(client: &Client, document: &str, patient: &str) -> Value {
    let made =
        act(client, "amendmentRecord", json!({ "documentId": document, "patientId": patient, "request": WISH })).await;
    assert!(made["amendmentRequest"].is_object(), "{made}");
    made["amendmentRequest"].clone()
}

#[tokio::test]
async fn an_accepted_request_is_an_addendum_to_the_note() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (author, nurse) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Nurse]).await);
    let note = signed(&author, &[&patient]).await;
    let request = recorded(&nurse, &note, &patient).await;
    assert_eq!((&request["status"], &request["request"]), (&json!("PENDING"), &json!(WISH)));
    assert_eq!((&request["dueOn"], &request["overdue"]), (&json!("2026-05-08"), &json!(false)));
    assert_eq!(request["recordedBy"]["id"], json!(nurse.user.unwrap().to_string()));
    let id = request["id"].clone();
    let accept = |version: i32, text: &str| json!({ "id": id, "expectedVersion": version, "text": text });
    assert_eq!(act(&author, "amendmentAccept", accept(9, "x")).await["userErrors"][0]["code"], "STALE_VERSION");
    assert_eq!(act(&author, "amendmentAccept", accept(1, " ")).await["userErrors"][0]["code"], "INVALID");
    assert_eq!(count(&app, "documents").await, "1");
    let done = act(&author, "amendmentAccept", accept(1, "The left foot was meant.")).await;
    let done = &done["amendmentRequest"];
    assert_eq!((&done["status"], &done["decidedAt"]), (&json!("ACCEPTED"), &json!("2026-03-09T14:00:00+00:00")));
    let addendum = done["addendum"]["id"].clone();
    let wanted = json!({ "id": addendum, "noteState": "DRAFT", "text": "The left foot was meant." });
    assert_eq!(done["addendum"], wanted);
    run(&author, "noteFinalize", json!({ "id": addendum, "expectedVersion": 1 })).await;
    run(&author, "noteSign", json!({ "id": addendum, "expectedVersion": 2 })).await;
    let of = "query($id: ID!) { document(id: $id) { addenda { id } signatures { valid } } }";
    let note = nurse.run(of, json!({ "id": note })).await.ok();
    assert_eq!(note["document"], json!({ "addenda": [{ "id": addendum }], "signatures": [{ "valid": true }] }));
    for name in ["amendmentAccept", "amendmentDeny"] {
        let input = json!({ "id": id, "expectedVersion": 2, "text": "x" });
        let denial = json!({ "id": id, "expectedVersion": 2, "ground": "ACCURATE", "reason": "x" });
        let input = if name == "amendmentDeny" { denial } else { input };
        assert_eq!(act(&author, name, input).await["userErrors"][0]["code"], "DECIDED", "{name}");
    }
    let told = "SELECT count(*) FROM audit_log WHERE action LIKE 'documents.amendment.%' AND outcome = 'success' AND patient_id IS NOT NULL \
        AND resource_kind = 'AmendmentRequest' AND action <> 'documents.amendment.read'";
    assert_eq!(app.db_value(told).await, "2");
}

#[tokio::test]
async fn a_denied_request_has_a_ground_and_a_written_reason() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let note = signed(&author, &[&patient]).await;
    let request = recorded(&author, &note, &patient).await;
    let deny =
        |reason: &str| json!({ "id": request["id"], "expectedVersion": 1, "ground": "ACCURATE", "reason": reason });
    let refused = act(&author, "amendmentDeny", deny("")).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", "reason"] }]));
    let done = act(&author, "amendmentDeny", deny("The film shows the right foot.")).await["amendmentRequest"].clone();
    assert_eq!((&done["status"], &done["denialGround"]), (&json!("DENIED"), &json!("ACCURATE")));
    assert_eq!((&done["reason"], &done["addendum"]), (&json!("The film shows the right foot."), &json!(null)));
    assert_eq!(done["decidedBy"]["id"], json!(author.user.unwrap().to_string()));
    // A decision stands, also by SQL.
    for statement in ["UPDATE amendment_requests SET status = 'pending'", "DELETE FROM amendment_requests"] {
        let said = attempt(&app.database.superuser_url, statement).await.unwrap_err();
        assert_eq!(said, "a decision cannot be changed");
    }
}

#[tokio::test]
async fn a_request_waits_until_it_is_overdue_and_is_listed() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Therapist]).await;
    let (one, two) = (signed(&author, &[&ada]).await, signed(&author, &[&ada, &ben]).await);
    let first = recorded(&author, &one, &ada).await;
    let second = recorded(&author, &two, &ben).await;
    let deny = json!({ "id": first["id"], "expectedVersion": 1, "ground": "NOT_OURS", "reason": "Ask the clinic." });
    act(&author, "amendmentDeny", deny).await;
    let ids = |nodes: Vec<Value>| nodes.into_iter().map(|node| node["id"].clone()).collect::<Vec<_>>();
    let (first, second) = (first["id"].clone(), second["id"].clone());
    assert_eq!(ids(list(&author, json!({})).await), [second.clone(), first.clone()]);
    assert_eq!(ids(list(&author, json!({ "status": "PENDING" })).await), [second.clone()]);
    assert_eq!(ids(list(&author, json!({ "document": one })).await), [first.clone()]);
    assert_eq!(ids(list(&author, json!({ "patient": ben })).await), [second.clone()]);
    app.advance(TimeDelta::days(60));
    let author = app.signed_in(author.user.unwrap(), app.facility).await;
    assert_eq!(list(&author, json!({ "status": "PENDING" })).await[0]["overdue"], json!(false));
    app.advance(TimeDelta::days(1));
    let author = app.signed_in(author.user.unwrap(), app.facility).await;
    assert_eq!(list(&author, json!({ "status": "PENDING" })).await[0]["overdue"], json!(true));
    assert_eq!(list(&author, json!({ "status": "DENIED" })).await[0]["overdue"], json!(false));
}

#[tokio::test]
async fn only_signed_notes_of_the_record_are_amended_and_for_their_patients() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Therapist]).await;
    let unsigned = draft(&author, &[&ada]).await;
    let note = signed(&author, &[&ada]).await;
    let input = json!({ "kind": "PSYCHOTHERAPY_NOTE", "title": "t", "text": "t", "patientIds": [ada] });
    let apart = run(&author, "noteCreate", input).await["note"]["id"].as_str().unwrap().to_owned();
    let ask = |document: &str, patient: &str, request: &str| json!({ "documentId": document, "patientId": patient, "request": request });
    for (input, code, field) in [
        (ask(&unsigned, &ada, WISH), "NOT_SIGNED", "documentId"),
        (ask(&apart, &ada, WISH), "KEPT_APART", "documentId"),
        (ask(&note, &ben, WISH), "PATIENT_NOT_FOUND", "patientId"),
        (ask(&note, &ada, "\n"), "INVALID", "request"),
    ] {
        let told = act(&author, "amendmentRecord", input).await;
        assert_eq!(told["userErrors"], json!([{ "code": code, "field": ["input", field] }]));
    }
    assert_eq!(count(&app, "amendment_requests").await, "0");
}

#[tokio::test]
async fn a_request_is_seen_where_its_note_is() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Physician]).await;
    let note = signed(&author, &[&ada, &ben]).await;
    let of_ada = recorded(&author, &note, &ada).await;
    let of_ben = recorded(&author, &note, &ben).await;
    let (clerk, officer) = (app.member(&[Role::FrontDesk]).await, app.member(&[Role::PrivacyOfficer]).await);
    let stranger = app.member_of(app.other, Role::ALL).await;
    assert_eq!(list(&clerk, json!({})).await, Vec::<Value>::new());
    assert_eq!(list(&stranger, json!({})).await, Vec::<Value>::new());
    let deny = json!({ "input": { "id": of_ada["id"], "expectedVersion": 1, "ground": "ACCURATE", "reason": "x" } });
    let ask = json!({ "input": { "documentId": note, "patientId": ada, "request": WISH } });
    for (client, deciding, asking) in [
        (&clerk, "FORBIDDEN", "NOT_FOUND"),
        (&stranger, "NOT_FOUND", "NOT_FOUND"),
        (&officer, "FORBIDDEN", "FORBIDDEN"),
        (&app.anonymous(), "UNAUTHENTICATED", "UNAUTHENTICATED"),
    ] {
        assert_eq!(client.run(&mutation("amendmentDeny"), deny.clone()).await.code(), deciding);
        assert_eq!(client.run(&mutation("amendmentRecord"), ask.clone()).await.code(), asking);
    }
    assert_eq!(app.anonymous().run(LIST, json!({})).await.code(), "UNAUTHENTICATED");
    // Who may open one of the two charts sees that one's request.
    restrict(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    treats(&app, &therapist, &ada).await;
    let seen = list(&therapist, json!({})).await;
    assert_eq!(seen.iter().map(|node| node["id"].clone()).collect::<Vec<_>>(), [of_ada["id"].clone()]);
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(therapist.run(node, json!({ "id": of_ben["id"] })).await.ok()["node"], json!(null));
    assert_eq!(count(&app, "amendment_requests").await, "2");
    assert!(anamnesis::ids::AmendmentId::decode(of_ada["id"].as_str().unwrap()).is_ok());
}
