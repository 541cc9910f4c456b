//! Lists, pages, links, changes and retries.

use anamnesis::access::Role;
use anamnesis::ids::{DocumentId, TypedId as _};
use serde_json::{Value, json};

use super::{DOCUMENT, register, upload_text};
use crate::harness::{Client, TestApp};

const LIST: &str = "query($patient: ID, $kinds: [DocumentKind!], $status: DocumentStatus, $from: NaiveDate,
    $to: NaiveDate, $first: Int, $after: String) {
    documents(patientId: $patient, kinds: $kinds, status: $status, from: $from, to: $to, first: $first, after: $after) {
        totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }";

async fn ids(client: &Client, variables: Value) -> Vec<String> {
    let found = client.run(LIST, variables).await.ok();
    let nodes = found["documents"]["nodes"].as_array().unwrap();
    assert_eq!(found["documents"]["totalCount"], nodes.len());
    nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_narrowed_by_everything_it_says() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let nurse = app.member(&[Role::Nurse]).await;
    let lab = json!({ "kind": "LAB_RESULT", "documentDate": "2026-01-10", "patientIds": [ada] });
    let lab = upload_text(&nurse, lab, "one").await;
    let card = json!({ "kind": "INSURANCE_DOCUMENT", "documentDate": "2026-02-10", "patientIds": [ada, ben] });
    let card = upload_text(&nurse, card, "two").await;
    let plan = upload_text(&nurse, json!({ "kind": "TREATMENT_PLAN", "patientIds": [ben] }), "three").await;
    app.db_execute("UPDATE documents SET status = 'failed', failure_code = 'encrypted' WHERE kind = 'lab_result'")
        .await;
    let all = [&plan, &card, &lab];
    assert_eq!(ids(&nurse, json!({})).await.iter().collect::<Vec<_>>(), all);
    assert_eq!(ids(&nurse, json!({ "patient": ada })).await, [card.clone(), lab.clone()]);
    assert_eq!(ids(&nurse, json!({ "kinds": ["LAB_RESULT", "TREATMENT_PLAN"] })).await, [plan.clone(), lab.clone()]);
    assert_eq!(ids(&nurse, json!({ "status": "FAILED" })).await, [lab.clone()]);
    assert_eq!(ids(&nurse, json!({ "from": "2026-02-10" })).await, [plan.clone(), card.clone()]);
    assert_eq!(ids(&nurse, json!({ "to": "2026-02-10" })).await, [card.clone(), lab.clone()]);
    assert_eq!(
        ids(&nurse, json!({ "patient": ben, "kinds": ["INSURANCE_DOCUMENT"], "to": "2026-02-09" })).await,
        [""; 0]
    );
}

#[tokio::test]
async fn pages_cover_a_list_once() {
    let app = TestApp::start().await;
    let ada = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let mut made = Vec::new();
    for text in ["one", "two", "three", "four", "five"] {
        made.push(upload_text(&nurse, json!({ "kind": "OTHER", "patientIds": [ada] }), text).await);
    }
    made.reverse();
    let nested =
        "query($id: ID!, $first: Int, $after: String) { patient(id: $id) { documents(first: $first, after: $after) {
        nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } } }";
    let (mut listed, mut of_patient) = (Vec::new(), Vec::new());
    let (mut after, mut after_of_patient) = (json!(null), json!(null));
    for page in 0..3 {
        let found = nurse.run(LIST, json!({ "first": 2, "after": after })).await.ok();
        let of = nurse.run(nested, json!({ "id": ada, "first": 2, "after": after_of_patient })).await.ok();
        let connections = [(&found["documents"], &mut listed), (&of["patient"]["documents"], &mut of_patient)];
        for (connection, ids) in connections {
            assert_eq!(connection["pageInfo"]["hasNextPage"], json!(page < 2));
            assert_eq!(connection["pageInfo"]["hasPreviousPage"], json!(page > 0));
            ids.extend(
                connection["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()),
            );
        }
        after = found["documents"]["pageInfo"]["endCursor"].clone();
        after_of_patient = of["patient"]["documents"]["pageInfo"]["endCursor"].clone();
    }
    assert_eq!((&listed, &of_patient), (&made, &made));
    for wrong in [json!({ "first": 0 }), json!({ "first": 101 }), json!({ "after": ada })] {
        assert_eq!(nurse.run(LIST, wrong).await.code(), "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn statements_do_not_grow_with_the_number_of_patients() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let query = "query($first: Int!) { patients(first: $first) { nodes { id documents(first: 3) {
        nodes { id author { id } patients { id } text signatures { id signer { id } } addenda { id } } } } } }";
    let mut counts = Vec::new();
    let mut registered = 0;
    for wanted in [1, 20, 100] {
        while registered < wanted {
            let patient = register(&app, "Ada").await;
            upload_note(&nurse, &patient).await;
            registered += 1;
        }
        nurse.run(query, json!({ "first": wanted })).await.ok();
        let before = app.app.database.statements();
        let found = nurse.run(query, json!({ "first": wanted })).await.ok();
        counts.push(app.app.database.statements() - before);
        assert_eq!(found["patients"]["nodes"].as_array().unwrap().len(), wanted);
        assert_eq!(found["patients"]["nodes"][0]["documents"]["nodes"][0]["text"], "Slept well.");
    }
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[1], counts[2]);
}

/// A note past the API would need its ciphertext made by hand; through it, one statement more a patient.
async fn upload_note(nurse: &Client, patient: &str) {
    let create = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id } } }";
    let input = json!({ "input": { "title": "Night", "text": "Slept well.", "patientIds": [patient] } });
    nurse.run(create, input).await.ok();
}

#[tokio::test]
async fn a_document_is_changed_by_its_version() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER", "title": "First" }), "text").await;
    let update = "mutation($input: DocumentUpdateInput!) { documentUpdate(input: $input) {
        document { title kind documentDate version } userErrors { code field } } }";
    let run = async |input: Value| nurse.run(update, json!({ "input": input })).await;
    let changed = run(json!({ "id": id, "expectedVersion": 1, "title": " Second ", "kind": "REFERRAL" })).await.ok();
    let wanted = json!({ "title": "Second", "kind": "REFERRAL", "documentDate": "2026-03-09", "version": 2 });
    assert_eq!(changed["documentUpdate"], json!({ "document": wanted, "userErrors": [] }));
    let stale = run(json!({ "id": id, "expectedVersion": 1, "title": "Third" })).await.ok();
    assert_eq!(
        stale["documentUpdate"]["userErrors"],
        json!([{ "code": "STALE_VERSION", "field": ["input", "expectedVersion"] }])
    );
    let invalid = run(json!({ "id": id, "expectedVersion": 2, "title": "", "documentDate": "1850-01-01" })).await.ok();
    assert_eq!(invalid["documentUpdate"]["userErrors"].as_array().unwrap().len(), 2);
    assert_eq!(run(json!({ "id": id, "expectedVersion": 2, "title": null })).await.code(), "BAD_USER_INPUT");
    let unknown = DocumentId::from_uuid(uuid::Uuid::now_v7()).encode();
    assert_eq!(run(json!({ "id": unknown, "expectedVersion": 1, "title": "x" })).await.code(), "NOT_FOUND");
    let found = nurse.run(DOCUMENT, json!({ "id": id })).await.ok();
    assert_eq!((&found["document"]["title"], &found["document"]["version"]), (&json!("Second"), &json!(2)));
}

#[tokio::test]
async fn patients_are_linked_and_taken_off() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER", "patientIds": [ada] }), "text").await;
    let link = "mutation($input: DocumentLinkPatientsInput!) { documentLinkPatients(input: $input) {
        document { version patients { id } } userErrors { code } } }";
    let input = json!({ "input": { "id": id, "expectedVersion": 1, "patientIds": [ben, ada], "idempotencyKey": "l" } });
    for _ in 0..2 {
        let linked = nurse.run(link, input.clone()).await.ok();
        let document = json!({ "version": 2, "patients": [{ "id": ada }, { "id": ben }] });
        assert_eq!(linked["documentLinkPatients"], json!({ "document": document, "userErrors": [] }));
    }
    let unlink = "mutation($input: DocumentUnlinkPatientInput!) { documentUnlinkPatient(input: $input) {
        document { version patients { id } } userErrors { code } } }";
    let run = async |version: i32, patient: &str| {
        let input = json!({ "input": { "id": id, "expectedVersion": version, "patientId": patient } });
        nurse.run(unlink, input).await.ok()["documentUnlinkPatient"].clone()
    };
    assert_eq!(run(1, &ada).await["userErrors"][0]["code"], "STALE_VERSION");
    assert_eq!(run(2, &ada).await["document"], json!({ "version": 3, "patients": [{ "id": ben }] }));
    assert_eq!(run(3, &ada).await["userErrors"][0]["code"], "PATIENT_NOT_FOUND");
    assert_eq!(run(3, &ben).await["document"], json!({ "version": 4, "patients": [] }));
    let none = json!({ "input": { "id": id, "expectedVersion": 4, "patientIds": [] } });
    assert_eq!(nurse.run(link, none).await.ok()["documentLinkPatients"]["userErrors"][0]["code"], "INVALID");
}

#[tokio::test]
async fn only_a_failed_document_is_tried_again() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER" }), "text").await;
    let retry = "mutation($input: DocumentRetryInput!) { documentRetry(input: $input) {
        document { status failure { code message retryable } } userErrors { code } } }";
    let run = async || nurse.run(retry, json!({ "input": { "id": id } })).await.ok()["documentRetry"].clone();
    assert_eq!(run().await["userErrors"][0]["code"], "NOT_FAILED");
    app.db_execute("DELETE FROM jobs").await;
    app.db_execute("UPDATE documents SET status = 'failed', failure_code = 'encrypted'").await;
    let failure = "query($id: ID!) { document(id: $id) { status failure { code message retryable } } }";
    let failed = nurse.run(failure, json!({ "id": id })).await.ok();
    let failure = &failed["document"]["failure"];
    assert_eq!((&failure["code"], &failure["retryable"]), (&json!("encrypted"), &json!(false)));
    assert!(failure["message"].as_str().unwrap().contains("password"));
    let again = run().await;
    assert_eq!(again, json!({ "document": { "status": "UPLOADED", "failure": null }, "userErrors": [] }));
    assert_eq!(run().await["userErrors"][0]["code"], "NOT_FAILED");
    let queued = app.db_query("SELECT kind, deduplication_key FROM jobs").await;
    let key = DocumentId::decode(&id).unwrap().uuid().to_string();
    assert_eq!(queued, [[Some("documents.extract".to_owned()), Some(key)]]);
}

#[tokio::test]
async fn any_object_is_found_by_its_id() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER" }), "text").await;
    let node = "query($id: ID!) { node(id: $id) { __typename id ... on Document { title } } }";
    let found = nurse.run(node, json!({ "id": id })).await.ok();
    assert_eq!(found["node"], json!({ "__typename": "Document", "id": id, "title": "note" }));
}
