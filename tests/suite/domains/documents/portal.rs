//! What patients, and those who act for them, see in the portal.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::kept_apart::by_sql;
use super::{count, register, upload_text};
use crate::harness::{Client, TestApp};

const LINK: &str = "mutation($input: PatientUserLinkInput!) { patientUserLink(input: $input) {
    patientUser { id relationship revokedAt user { id } patient { id } } userErrors { code field } } }";
const UNLINK: &str = "mutation($input: PatientUserUnlinkInput!) { patientUserUnlink(input: $input) {
    patientUser { id revokedAt revokedBy { id } } userErrors { code field } } }";
const RECORDS: &str = "{ portalRecords { patientId relationship givenName birthDate } }";
const VISITS: &str = "query($id: ID!) { portalVisits(patientId: $id) { nodes { visitedAt reason } } }";
const NOTES: &str =
    "query($id: ID!, $first: Int, $after: String) { portalDocuments(patientId: $id, first: $first, after: $after) {
    nodes { documentId title state text } pageInfo { hasNextPage endCursor } } }";
const AMENDMENTS: &str = "query($id: ID!) { portalAmendments(patientId: $id) { nodes {
    amendmentRequestId documentId request status dueOn extensionReason reason } } }";
const ASK: &str = "mutation($input: PortalAmendmentAskInput!) { portalAmendmentAsk(input: $input) {
    amendment { amendmentRequestId status dueOn } userErrors { code field } } }";
const EXTEND: &str = "mutation($input: AmendmentExtendInput!) { amendmentExtend(input: $input) {
    amendmentRequest { dueOn extensionReason version } userErrors { code field } } }";

async fn link(staff: &Client, patient: &str, user: &Client) -> Value {
    let user = user.user.unwrap().encode();
    let input = json!({ "input": { "patientId": patient, "portalUserId": user, "relationship": "ONESELF" } });
    staff.run(LINK, input).await.ok()["patientUserLink"].take()
}

/// A note of a therapist, as far as a state.
async fn note(author: &Client, state: &str, more: Value) -> String {
    let mut input = json!({ "title": state, "text": format!("It is {state}.") });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let run = async |field: &str, ty: &str, input: Value| {
        let text = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ note {{ id }} userErrors {{ message }} }} }}"
        );
        let made = author.run(&text, json!({ "input": input })).await.ok();
        made[field]["note"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    };
    let id = run("noteCreate", "NoteCreateInput", input).await;
    if state != "DRAFT" {
        run("noteFinalize", "NoteFinalizeInput", json!({ "id": id, "expectedVersion": 1 })).await;
    }
    if state == "SIGNED" {
        run("noteSign", "NoteSignInput", json!({ "id": id, "expectedVersion": 2 })).await;
    }
    id
}

/// Ids of the notes shown of a chart.
async fn notes(client: &Client, patient: &str) -> Vec<Value> {
    let found = client.run(NOTES, json!({ "id": patient })).await.ok();
    found["portalDocuments"]["nodes"].as_array().unwrap().iter().map(|node| node["documentId"].clone()).collect()
}

#[tokio::test]
async fn a_patient_sees_their_own_record_visits_and_notes_and_nothing_else() {
    let app = TestApp::start().await;
    let (ada, eve) = (register(&app, "Ada").await, register(&app, "Eve").await);
    let clerk = app.member(&[Role::FrontDesk]).await;
    let (patient, other) = (app.member(&[Role::Patient]).await, app.member(&[Role::Patient]).await);
    let author = app.member(&[Role::Therapist]).await;
    let record = "mutation($input: PatientVisitRecordInput!) { patientVisitRecord(input: $input) { visit { id } } }";
    for (patient, reason) in [(&ada, "Cough"), (&eve, "Fever")] {
        let input = json!({ "patientId": patient, "visitedAt": "2026-03-01T10:00:00+00:00", "reason": reason });
        author.run(record, json!({ "input": input })).await.ok();
    }
    let signed = note(&author, "SIGNED", json!({ "patientIds": [ada] })).await;
    let done = note(&author, "FINAL", json!({ "patientIds": [ada] })).await;
    note(&author, "DRAFT", json!({ "patientIds": [ada] })).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada], "kind": "PSYCHOTHERAPY_NOTE" })).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada], "labels": ["PART_2"] })).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada, eve] })).await;
    note(&author, "SIGNED", json!({ "patientIds": [eve] })).await;
    upload_text(&author, json!({ "kind": "LAB_RESULT", "patientIds": [ada] }), "Sodium 140").await;

    // Before anyone links them, there is nothing.
    assert_eq!(patient.run(RECORDS, json!({})).await.ok()["portalRecords"], json!([]));
    for query in [VISITS, NOTES, AMENDMENTS] {
        assert_eq!(patient.run(query, json!({ "id": ada })).await.code(), "NOT_FOUND");
    }
    let linked = link(&clerk, &ada, &patient).await;
    assert_eq!(linked["patientUser"]["user"]["id"], json!(patient.user.unwrap().encode()));
    link(&clerk, &eve, &other).await;

    let records = patient.run(RECORDS, json!({})).await.ok()["portalRecords"].take();
    let wanted =
        json!([{ "patientId": ada, "relationship": "ONESELF", "givenName": "Ada", "birthDate": "1984-02-29" }]);
    assert_eq!(records, wanted);
    let visits = patient.run(VISITS, json!({ "id": ada })).await.ok();
    assert_eq!(
        visits["portalVisits"]["nodes"],
        json!([{ "visitedAt": "2026-03-01T10:00:00+00:00", "reason": "Cough" }])
    );
    assert_eq!(notes(&patient, &ada).await, [json!(done), json!(signed)]);
    let page = patient.run(NOTES, json!({ "id": ada, "first": 1 })).await.ok()["portalDocuments"].take();
    assert_eq!((&page["nodes"][0]["text"], &page["pageInfo"]["hasNextPage"]), (&json!("It is FINAL."), &json!(true)));
    let after = json!({ "id": ada, "first": 1, "after": page["pageInfo"]["endCursor"] });
    let page = patient.run(NOTES, after).await.ok()["portalDocuments"].take();
    assert_eq!((&page["nodes"][0]["state"], &page["pageInfo"]["hasNextPage"]), (&json!("SIGNED"), &json!(false)));

    // Another's chart, and every other way to their own.
    for query in [VISITS, NOTES, AMENDMENTS] {
        assert_eq!(patient.run(query, json!({ "id": eve })).await.code(), "NOT_FOUND");
        assert_eq!(app.anonymous().run(query, json!({ "id": ada })).await.code(), "UNAUTHENTICATED");
        assert_eq!(author.run(query, json!({ "id": ada })).await.code(), "FORBIDDEN");
    }
    for query in [
        "query($id: ID!) { patient(id: $id) { id } }",
        "query($id: ID!) { node(id: $id) { id } }",
        "query($id: ID!) { patientUsers(patientId: $id) { id } }",
        "query($id: ID!) { documentSearch(query: \"cough\", filter: { patientId: $id }) { edges { cursor } } }",
        "query($id: ID!) { documents(patientId: $id) { nodes { id } } }",
    ] {
        assert_eq!(patient.run(query, json!({ "id": ada })).await.code(), "FORBIDDEN", "{query}");
    }
    // What was read is on record, with whose it is.
    let read = app
        .db_value(&format!(
            "SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM audit_log, jsonb_object_keys(detail -> 'objects') kind \
             WHERE user_id = '{}' AND action = 'read' AND patient_id IS NOT NULL",
            patient.user.unwrap().uuid()
        ))
        .await;
    assert_eq!(read, "Document Patient PatientVisit");

    // Taken back, it opens nothing any more.
    let input = json!({ "input": { "id": linked["patientUser"]["id"] } });
    let back = clerk.run(UNLINK, input.clone()).await.ok()["patientUserUnlink"].take();
    assert_eq!(back["patientUser"]["revokedBy"]["id"], json!(clerk.user.unwrap().encode()));
    assert_eq!(patient.run(RECORDS, json!({})).await.ok()["portalRecords"], json!([]));
    assert_eq!(patient.run(NOTES, json!({ "id": ada })).await.code(), "NOT_FOUND");
    let twice = clerk.run(UNLINK, input).await.ok()["patientUserUnlink"]["userErrors"].take();
    assert_eq!(twice, json!([{ "code": "ALREADY_ENDED", "field": ["input", "id"] }]));
}

#[tokio::test]
async fn the_database_holds_a_patient_to_their_own_chart() {
    let app = TestApp::start().await;
    let (ada, eve) = (register(&app, "Ada").await, register(&app, "Eve").await);
    let clerk = app.member(&[Role::FrontDesk]).await;
    let patient = app.member(&[Role::Patient]).await;
    let author = app.member(&[Role::Therapist]).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada] })).await;
    note(&author, "FINAL", json!({ "patientIds": [ada] })).await;
    note(&author, "DRAFT", json!({ "patientIds": [ada] })).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada], "kind": "PSYCHOTHERAPY_NOTE" })).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada], "labels": ["PART_2"] })).await;
    note(&author, "SIGNED", json!({ "patientIds": [ada, eve] })).await;
    upload_text(&author, json!({ "kind": "LAB_RESULT", "patientIds": [ada] }), "Sodium 140").await;
    let add = "mutation($input: PatientContactAddInput!) { patientContactAdd(input: $input) { userErrors { code } } }";
    clerk.run(add, json!({ "input": { "patientId": ada, "name": "Sam", "relationship": "FRIEND" } })).await.ok();
    let seen = async || {
        let mut seen = Vec::new();
        for table in [
            "patients",
            "documents",
            "patient_users",
            "patient_contacts",
            "patient_terms",
            "document_versions",
            "document_signatures",
            "care_relationships",
        ] {
            seen.push(by_sql(&app, &patient, &format!("SELECT count(*) FROM {table}")).await);
        }
        seen
    };
    assert_eq!(seen().await, ["0"; 8]);
    let linked = link(&clerk, &ada, &patient).await;
    assert_eq!(seen().await, ["1", "2", "1", "0", "0", "0", "0", "0"]);
    // Nothing is changed with it, not even the link.
    for table in ["patients", "documents", "patient_users"] {
        let column = if table == "patient_users" { "granted_at" } else { "version" };
        let touch = format!(
            "WITH touched AS (UPDATE {table} SET {column} = {column} RETURNING 1) SELECT count(*) FROM touched"
        );
        assert_eq!(by_sql(&app, &patient, &touch).await, "0", "{table}");
    }
    clerk.run(UNLINK, json!({ "input": { "id": linked["patientUser"]["id"] } })).await.ok();
    // That there was a link is on record, and opens nothing.
    assert_eq!(seen().await, ["0", "0", "1", "0", "0", "0", "0", "0"]);
}

#[tokio::test]
async fn staff_link_members_who_use_the_portal_once() {
    let app = TestApp::start().await;
    let ada = register(&app, "Ada").await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let (patient, nurse) = (app.member(&[Role::Patient]).await, app.member(&[Role::Nurse]).await);
    let elsewhere = app.member_of(app.other, &[Role::Patient]).await;
    let field = json!(["input", "portalUserId"]);
    for stranger in [&nurse, &elsewhere] {
        let refused = link(&clerk, &ada, stranger).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "UNKNOWN_MEMBER", "field": field }]));
    }
    assert_eq!(count(&app, "patient_users").await, "0");
    assert_eq!(link(&clerk, &ada, &patient).await["userErrors"], json!([]));
    let twice = link(&clerk, &ada, &patient).await;
    assert_eq!(twice["userErrors"], json!([{ "code": "ALREADY_RECORDED", "field": field }]));
    let input = json!({ "input": { "patientId": ada, "portalUserId": patient.user.unwrap().encode(), "relationship": "PROXY" } });
    for (client, code) in [(&nurse, "FORBIDDEN"), (&patient, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(LINK, input.clone()).await.code(), code);
    }
    let stranger = app.member_of(app.other, &[Role::FrontDesk]).await;
    assert_eq!(stranger.run(LINK, input).await.code(), "NOT_FOUND");
    let users = "query($id: ID!) { patientUsers(patientId: $id) { id } }";
    assert_eq!(stranger.run(users, json!({ "id": ada })).await.ok()["patientUsers"], json!([]));
    let links = clerk.run(users, json!({ "id": ada })).await.ok()["patientUsers"].take();
    assert_eq!(links.as_array().unwrap().len(), 1);
    assert_eq!(stranger.run(UNLINK, json!({ "input": { "id": links[0]["id"] } })).await.code(), "NOT_FOUND");
    assert_eq!(count(&app, "patient_users").await, "1");
    // Made once, it is only taken back.
    let said =
        super::notes::attempt(&app.database.superuser_url, "UPDATE patient_users SET relationship = 'proxy'").await;
    assert_eq!(said.unwrap_err(), "a link of a patient and a user is only taken back");
}

#[tokio::test]
async fn a_patient_asks_for_a_correction_and_the_day_is_put_off_once() {
    let app = TestApp::start().await;
    let (ada, eve) = (register(&app, "Ada").await, register(&app, "Eve").await);
    let clerk = app.member(&[Role::FrontDesk]).await;
    let (patient, author) = (app.member(&[Role::Patient]).await, app.member(&[Role::Therapist]).await);
    link(&clerk, &ada, &patient).await;
    let signed = note(&author, "SIGNED", json!({ "patientIds": [ada] })).await;
    let done = note(&author, "FINAL", json!({ "patientIds": [ada] })).await;
    let others = note(&author, "SIGNED", json!({ "patientIds": [eve] })).await;
    let input = |document: &str, patient: &str, request: &str| json!({ "input": { "documentId": document, "patientId": patient, "request": request } });
    let refused = patient.run(ASK, input(&done, &ada, "left")).await.ok()["portalAmendmentAsk"]["userErrors"].take();
    assert_eq!(refused, json!([{ "code": "NOT_SIGNED", "field": ["input", "documentId"] }]));
    let refused = patient.run(ASK, input(&signed, &ada, " ")).await.ok()["portalAmendmentAsk"]["userErrors"].take();
    assert_eq!(refused, json!([{ "code": "INVALID", "field": ["input", "request"] }]));
    for (document, of) in [(&others, &eve), (&others, &ada), (&signed, &eve)] {
        assert_eq!(patient.run(ASK, input(document, of, "left")).await.code(), "NOT_FOUND");
    }
    assert_eq!(author.run(ASK, input(&signed, &ada, "left")).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run(ASK, input(&signed, &ada, "left")).await.code(), "UNAUTHENTICATED");
    assert_eq!(count(&app, "amendment_requests").await, "0");

    let asked = patient.run(ASK, input(&signed, &ada, "It was the left foot.")).await.ok();
    let asked = asked["portalAmendmentAsk"]["amendment"].clone();
    assert_eq!((&asked["status"], &asked["dueOn"]), (&json!("PENDING"), &json!("2026-05-08")));
    let id = asked["amendmentRequestId"].clone();
    let extend =
        |version: i32, reason: &str| json!({ "input": { "id": id, "expectedVersion": version, "reason": reason } });
    let errors = async |version: i32, reason: &str| {
        author.run(EXTEND, extend(version, reason)).await.ok()["amendmentExtend"]["userErrors"][0]["code"].clone()
    };
    assert_eq!(errors(1, " ").await, json!("INVALID"));
    assert_eq!(errors(9, "busy").await, json!("STALE_VERSION"));
    assert_eq!(patient.run(EXTEND, extend(1, "busy")).await.code(), "FORBIDDEN");
    let stranger = app.member_of(app.other, &[Role::Therapist]).await;
    assert_eq!(stranger.run(EXTEND, extend(1, "busy")).await.code(), "NOT_FOUND");
    let extended = author.run(EXTEND, extend(1, "The physician is away.")).await.ok()["amendmentExtend"].take();
    let wanted = json!({ "dueOn": "2026-06-07", "extensionReason": "The physician is away.", "version": 2 });
    assert_eq!(extended["amendmentRequest"], wanted);
    assert_eq!(errors(2, "again").await, json!("EXTENDED"));

    let found = patient.run(AMENDMENTS, json!({ "id": ada })).await.ok()["portalAmendments"]["nodes"].take();
    let wanted = json!([{ "amendmentRequestId": id, "documentId": signed, "request": "It was the left foot.",
        "status": "PENDING", "dueOn": "2026-06-07", "extensionReason": "The physician is away.", "reason": null }]);
    assert_eq!(found, wanted);
    // Not after the day is over.
    let second = patient.run(ASK, input(&signed, &ada, "And the date.")).await.ok();
    let second = second["portalAmendmentAsk"]["amendment"]["amendmentRequestId"].clone();
    app.advance(TimeDelta::days(61));
    let author = app.signed_in(author.user.unwrap(), app.facility).await;
    let late = json!({ "input": { "id": second, "expectedVersion": 1, "reason": "late" } });
    assert_eq!(author.run(EXTEND, late).await.ok()["amendmentExtend"]["userErrors"][0]["code"], json!("OVERDUE"));
}
