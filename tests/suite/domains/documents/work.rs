//! Folders of work, assignment, review, retention, legal holds.

use anamnesis::access::Role;
use anamnesis::domains::documents::service::sweep_orphans;
use anamnesis::ids::{DocumentId, TypedId as _};
use serde_json::{Value, json};

use super::{register, upload_text};
use crate::harness::{Client, TestApp};

const WORK: &str = "query($id: ID!) { document(id: $id) { version work { version reviewState retentionClass onHold assignee { id } reviewedBy { id } } } }";
const COUNTS: &str = "{ documentInboxCounts { unassigned needsReview failed quarantined mine } }";

async fn work(client: &Client, id: &str) -> Value {
    client.run(WORK, json!({ "id": id })).await.ok()["document"]["work"].take()
}

async fn counts(client: &Client) -> Value {
    client.run(COUNTS, Value::Null).await.ok()["documentInboxCounts"].take()
}

async fn folder(client: &Client, folder: &str) -> Vec<String> {
    let query = "query($folder: DocumentInboxFolder!) { documentInbox(folder: $folder) { totalCount nodes { id } } }";
    let found = client.run(query, json!({ "folder": folder })).await.ok()["documentInbox"].take();
    let ids: Vec<_> =
        found["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found["totalCount"], ids.len());
    ids
}

async fn assign(client: &Client, input: Value) -> Value {
    let mutation = "mutation($input: DocumentAssignInput!) { documentAssign(input: $input) { document { id } userErrors { code field } } }";
    client.run(mutation, json!({ "input": input })).await.ok()["documentAssign"].take()
}

async fn review(client: &Client, id: &str, version: i32) -> Value {
    let mutation = "mutation($input: DocumentReviewInput!) { documentReview(input: $input) { document { id } userErrors { code field } } }";
    client.run(mutation, json!({ "input": { "id": id, "expectedVersion": version } })).await.ok()["documentReview"]
        .take()
}

async fn hold(client: &Client, what: &str, id: &str, reason: &str) -> crate::harness::Answer {
    let mutation = format!(
        "mutation($input: DocumentHoldInput!) {{ {what}(input: $input) {{ holds {{ reason releaseReason placedBy {{ id }} }} userErrors {{ code field }} }} }}"
    );
    client.run(&mutation, json!({ "input": { "documentId": id, "reason": reason } })).await
}

#[tokio::test]
async fn an_upload_waits_in_the_folders_it_belongs_to_until_it_is_reviewed() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let patient = register(&app, "Ada").await;
    let loose = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "Loose.").await;
    let linked = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [patient] }), "Linked.").await;
    assert_eq!(folder(&nurse, "UNASSIGNED").await, [loose.clone()]);
    assert_eq!(folder(&nurse, "NEEDS_REVIEW").await, [linked.clone(), loose.clone()]);
    assert_eq!(
        counts(&nurse).await,
        json!({ "unassigned": 1, "needsReview": 2, "failed": 0, "quarantined": 0, "mine": 0 })
    );
    let waiting = work(&nurse, &linked).await;
    assert_eq!(
        (&waiting["reviewState"], &waiting["retentionClass"], &waiting["version"]),
        (&json!("NEEDED"), &json!("CLINICAL"), &json!(1))
    );
    assert_eq!(review(&nurse, &linked, 1).await["userErrors"], json!([]));
    assert_eq!(folder(&nurse, "NEEDS_REVIEW").await, [loose]);
    assert_eq!(work(&nurse, &linked).await["reviewedBy"]["id"], nurse.user.unwrap().encode());
    // A second time there is nothing to review; a version read before is stale.
    assert_eq!(review(&nurse, &linked, 2).await["userErrors"][0]["code"], "NOT_WAITING");
    assert_eq!(
        app.db_value("SELECT count(*) FROM audit_log WHERE action = 'documents.review' AND outcome = 'success'").await,
        "1"
    );
}

#[tokio::test]
async fn work_is_given_to_somebody_and_taken_back() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let stranger = app.member_of(app.other, &[Role::Physician]).await.user.unwrap().encode();
    let id = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "Result.").await;
    let to = physician.user.unwrap().encode();
    let refused = assign(&nurse, json!({ "id": id, "expectedVersion": 1, "assigneeId": stranger })).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "NOT_MEMBER", "field": ["input", "assigneeId"] }]));
    let stale = assign(&nurse, json!({ "id": id, "expectedVersion": 7, "assigneeId": to })).await;
    assert_eq!(stale["userErrors"][0]["code"], "STALE_VERSION");
    assert_eq!(work(&nurse, &id).await["assignee"], Value::Null);
    assert_eq!(
        assign(&nurse, json!({ "id": id, "expectedVersion": 1, "assigneeId": to })).await["userErrors"],
        json!([])
    );
    assert_eq!(folder(&physician, "MINE").await, [id.clone()]);
    assert_eq!(folder(&nurse, "MINE").await, Vec::<String>::new());
    assert_eq!(assign(&nurse, json!({ "id": id, "expectedVersion": 2 })).await["userErrors"], json!([]));
    assert_eq!(folder(&physician, "MINE").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_inbox_shows_what_its_reader_may_know_of() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let lab = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "Clinical.").await;
    let card = upload_text(&nurse, json!({ "kind": "INSURANCE_DOCUMENT" }), "Card.").await;
    assert_eq!(folder(&clerk, "NEEDS_REVIEW").await, [card.clone()]);
    assert_eq!(counts(&clerk).await["needsReview"], 1);
    assert_eq!(work(&clerk, &card).await["retentionClass"], "ADMINISTRATIVE");
    // Not even that there is one.
    let answer = clerk
        .run(
            "mutation($input: DocumentReviewInput!) { documentReview(input: $input) { document { id } } }",
            json!({ "input": { "id": lab, "expectedVersion": 1 } }),
        )
        .await;
    assert_eq!(answer.code(), "NOT_FOUND");
    let stranger = app.member_of(app.other, &[Role::Nurse]).await;
    assert_eq!(counts(&stranger).await["needsReview"], 0);
    assert_eq!(app.anonymous().run(COUNTS, Value::Null).await.code(), "UNAUTHENTICATED");
    let patient = app.member(&[Role::Patient]).await;
    assert_eq!(patient.run(COUNTS, Value::Null).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn a_retention_class_is_set_and_says_no_more() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "Result.").await;
    let set = "mutation($input: DocumentRetentionSetInput!) { documentRetentionSet(input: $input) { document { work { retentionClass version } } userErrors { code } } }";
    let input =
        |version: i32| json!({ "input": { "id": id, "expectedVersion": version, "retentionClass": "PERMANENT" } });
    let done = nurse.run(set, input(1)).await.ok();
    assert_eq!(
        done["documentRetentionSet"]["document"]["work"],
        json!({ "retentionClass": "PERMANENT", "version": 2 })
    );
    assert_eq!(nurse.run(set, input(1)).await.ok()["documentRetentionSet"]["userErrors"][0]["code"], "STALE_VERSION");
}

#[tokio::test]
async fn a_hold_keeps_the_document_through_the_api_and_through_sql() {
    let app = TestApp::start().await;
    let (nurse, officer) = (app.member(&[Role::Nurse]).await, app.member(&[Role::PrivacyOfficer]).await);
    let patient = register(&app, "Ada").await;
    let id = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [patient] }), "Evidence.").await;
    let raw = DocumentId::decode(&id).unwrap().uuid();
    assert_eq!(hold(&nurse, "documentHoldPlace", &id, "Subpoena").await.code(), "FORBIDDEN");
    assert_eq!(
        hold(&officer, "documentHoldPlace", &id, "  ").await.ok()["documentHoldPlace"]["userErrors"][0]["code"],
        "INVALID"
    );
    let other = app.member_of(app.other, &[Role::PrivacyOfficer]).await;
    assert_eq!(hold(&other, "documentHoldPlace", &id, "Subpoena").await.code(), "NOT_FOUND");
    assert_eq!(app.db_value("SELECT count(*) FROM document_holds").await, "0");
    let placed = hold(&officer, "documentHoldPlace", &id, "Subpoena 12").await.ok();
    assert_eq!(placed["documentHoldPlace"]["holds"][0]["reason"], "Subpoena 12");
    assert_eq!(
        hold(&officer, "documentHoldPlace", &id, "Again").await.ok()["documentHoldPlace"]["userErrors"][0]["code"],
        "ON_HOLD"
    );
    assert_eq!(work(&nurse, &id).await["onHold"], true);

    let unlink = "mutation($input: DocumentUnlinkPatientInput!) { documentUnlinkPatient(input: $input) { userErrors { code } } }";
    let input = |version: i32| json!({ "input": { "id": id, "expectedVersion": version, "patientId": patient } });
    assert_eq!(nurse.run(unlink, input(1)).await.ok()["documentUnlinkPatient"]["userErrors"][0]["code"], "ON_HOLD");
    for statement in [
        format!("DELETE FROM documents WHERE id = '{raw}'"),
        format!("UPDATE documents SET object_key = 'x' WHERE id = '{raw}'"),
        format!("UPDATE documents SET sha256 = '\\x00' WHERE id = '{raw}'"),
        format!("DELETE FROM document_patients WHERE document_id = '{raw}'"),
        "DELETE FROM document_holds".to_owned(),
        "UPDATE document_holds SET placed_at = now()".to_owned(),
    ] {
        // As the superuser, whom no policy holds.
        let refused = super::work::refused_by_trigger(&app, &statement).await;
        assert!(refused.contains("_kept") || refused.contains("_final"), "{statement}: {refused}");
    }
    app.advance(chrono::TimeDelta::days(400));
    assert_eq!(sweep_orphans(&app.system(app.facility)).await.unwrap(), 0);
    assert_eq!(super::stored_files(&app).len(), 1);

    let officer = app.signed_in(officer.user.unwrap(), app.facility).await;
    let nurse = app.signed_in(nurse.user.unwrap(), app.facility).await;
    let released = hold(&officer, "documentHoldRelease", &id, "Case closed").await.ok();
    assert_eq!(released["documentHoldRelease"]["holds"][0]["releaseReason"], "Case closed");
    assert_eq!(
        hold(&officer, "documentHoldRelease", &id, "Twice").await.ok()["documentHoldRelease"]["userErrors"][0]["code"],
        "NOT_ON_HOLD"
    );
    assert_eq!(nurse.run(unlink, input(1)).await.ok()["documentUnlinkPatient"]["userErrors"], json!([]));
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'documents.hold' AND outcome = 'success'";
    assert_eq!(app.db_value(audited).await, "2");
    assert_eq!(
        app.db_value("SELECT count(*) FROM document_holds h WHERE h::text ~* 'subpoena|case closed'").await,
        "0"
    );
}

/// What the database says to a statement of the superuser.
pub async fn refused_by_trigger(app: &TestApp, statement: &str) -> String {
    let (client, connection) =
        tokio_postgres::connect(&app.database.superuser_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let error = client.simple_query(statement).await.unwrap_err();
    error.as_db_error().and_then(|error| error.constraint()).unwrap_or_default().to_owned()
}
