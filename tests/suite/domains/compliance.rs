//! The audit log, through the API.

use anamnesis::access::Role;
use anamnesis::audit;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

const LOG: &str = "query($filter: AuditLogFilter, $first: Int, $after: String) {
    auditLog(filter: $filter, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
        nodes { id recordedAt action outcome purpose actorKind userId patientId resourceKind resourceId requestId
            detail ipAddress } } }";

const VERIFY: &str = "{ auditVerify { blocks rows fault } }";

async fn register(client: &Client) -> Value {
    let document = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let input = json!({ "givenName": "Nora", "familyName": "Quill", "birthDate": "1984-02-29", "gender": "FEMALE" });
    client.run(document, json!({ "input": input })).await.ok()["patientRegister"]["patient"]["id"].clone()
}

async fn log(client: &Client, filter: Value) -> Value {
    client.run(LOG, json!({ "filter": filter, "first": 50 })).await.ok()["auditLog"].clone()
}

#[tokio::test]
async fn a_privacy_officer_sees_who_registered_whom() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let patient = register(&clerk).await;
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let found = log(&officer, json!({ "patientId": patient, "action": "patients.register" })).await;
    assert_eq!(found["totalCount"], 1);
    let entry = &found["nodes"][0];
    assert_eq!(entry["outcome"], "SUCCESS");
    assert_eq!(entry["actorKind"], "USER");
    assert_eq!(entry["userId"], clerk.user.unwrap().to_string());
    assert_eq!(entry["patientId"], patient);
    assert_eq!(entry["resourceKind"], "Patient");
    assert_eq!(entry["resourceId"], patient);
    assert!(!entry["detail"].to_string().contains("Quill"));
}

#[tokio::test]
async fn reading_the_log_is_in_the_log() {
    let app = TestApp::start().await;
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    assert_eq!(log(&officer, json!({ "action": "compliance.audit.read" })).await["totalCount"], 0);
    let found = log(&officer, json!({ "action": "compliance.audit.read" })).await;
    assert_eq!(found["totalCount"], 1);
    assert_eq!(found["nodes"][0]["userId"], officer.user.unwrap().to_string());
}

#[tokio::test]
async fn what_was_shown_is_named_by_opaque_ids() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let patient = register(&nurse).await;
    let read = nurse.run("query($id: ID!) { patient(id: $id) { givenName } }", json!({ "id": patient })).await;
    read.ok();
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let found = log(&officer, json!({ "patientId": patient, "action": "read" })).await;
    assert!(found["totalCount"].as_i64().unwrap() >= 1);
    assert_eq!(found["nodes"][0]["detail"]["objects"]["Patient"], json!([patient]));
}

#[tokio::test]
async fn pages_hold_every_row_once_also_of_one_instant() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    // The clock stands still: all rows have the same instant.
    for _ in 0..5 {
        register(&clerk).await;
    }
    let officer = app.member(&[Role::Administrator]).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut after = Value::Null;
    let mut pages = 0;
    loop {
        let filter = json!({ "action": "patients.register" });
        let page = officer.run(LOG, json!({ "filter": filter, "first": 2, "after": after })).await.ok();
        let page = &page["auditLog"];
        for node in page["nodes"].as_array().unwrap() {
            assert!(seen.insert(node["id"].as_str().unwrap().to_owned()), "a row came twice");
        }
        pages += 1;
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!((seen.len(), pages), (5, 3));
}

#[tokio::test]
async fn bounds_in_time_hold() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    register(&clerk).await;
    let between = app.now() + chrono::TimeDelta::seconds(30);
    app.advance(chrono::TimeDelta::minutes(1));
    register(&clerk).await;
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let count = async |filter: Value| log(&officer, filter).await["totalCount"].as_i64().unwrap();
    let action = "patients.register";
    assert_eq!(count(json!({ "action": action })).await, 2);
    assert_eq!(count(json!({ "action": action, "from": between })).await, 1);
    assert_eq!(count(json!({ "action": action, "to": between })).await, 1);
    assert_eq!(count(json!({ "action": action, "outcome": "DENIED" })).await, 0);
    let wrong = officer.run(LOG, json!({ "filter": { "from": between, "to": between } })).await;
    assert_eq!(wrong.code(), "BAD_USER_INPUT");
    assert_eq!(officer.run(LOG, json!({ "after": "AAAA" })).await.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn the_log_is_for_those_who_answer_for_it() {
    let app = TestApp::start().await;
    for document in [LOG, VERIFY] {
        for role in [Role::Physician, Role::Nurse, Role::SystemAdmin, Role::FrontDesk] {
            let client = app.member(&[role]).await;
            assert_eq!(client.run(document, json!({})).await.code(), "FORBIDDEN", "{role:?}");
        }
        assert_eq!(app.anonymous().run(document, json!({})).await.code(), "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn another_facilitys_log_is_not_seen() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let patient = register(&clerk).await;
    let stranger = app.member_of(app.other, &[Role::PrivacyOfficer]).await;
    assert_eq!(log(&stranger, json!({ "patientId": patient })).await["totalCount"], 0);
    assert_eq!(log(&stranger, json!({ "action": "patients.register" })).await["totalCount"], 0);
}

#[tokio::test]
async fn verification_says_what_is_wrong() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    register(&clerk).await;
    while audit::checkpoint(&app.app, app.facility).await.unwrap().is_none() {
        audit::seal(&app.app, app.facility).await.unwrap();
    }
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let whole = officer.run(VERIFY, json!({})).await.ok()["auditVerify"].clone();
    assert_eq!(whole["fault"], Value::Null);
    assert_eq!(whole["blocks"], 1);
    app.db_execute(
        "ALTER TABLE audit_log DISABLE TRIGGER ALL; UPDATE audit_log SET outcome = 'denied' \
         WHERE action = 'patients.register'; ALTER TABLE audit_log ENABLE TRIGGER ALL",
    )
    .await;
    let broken = officer.run(VERIFY, json!({})).await.ok()["auditVerify"].clone();
    assert!(broken["fault"].as_str().unwrap().ends_with("of block 1 was changed"), "{broken}");
}
