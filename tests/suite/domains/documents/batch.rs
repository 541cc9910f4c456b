//! Files sent together.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{count, settled, stored_files};
use crate::harness::{Answer, Client, TestApp};

const MANY: &str = "mutation($input: DocumentUploadManyInput!) { documentUploadMany(input: $input) {
    batch { id files { fileName refusal document { id status } } } userErrors { code field } } }";
const BATCH: &str =
    "query($id: ID!) { documentUploadBatch(id: $id) { files { fileName refusal document { status } } } }";

/// Sends files under one mutation.
pub async fn send(client: &Client, mut input: Value, files: &[(&str, &[u8])]) -> Answer {
    const BOUNDARY: &str = "between-the-files-of-a-batch";
    input["files"] = json!(vec![Value::Null; files.len()]);
    let operations = json!({ "query": MANY, "variables": { "input": input } }).to_string();
    let map: serde_json::Map<String, Value> =
        (0..files.len()).map(|at| (at.to_string(), json!([format!("variables.input.files.{at}")]))).collect();
    let mut body = Vec::new();
    let mut part = |name: &str, file: Option<&str>, content: &[u8]| {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    part("operations", None, operations.as_bytes());
    part("map", None, Value::Object(map).to_string().as_bytes());
    for (at, (name, content)) in files.iter().enumerate() {
        part(&at.to_string(), Some(name), content);
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let request = client.request(reqwest::Method::POST, "/graphql");
    let request = request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    Answer::read(request.body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn each_file_has_its_own_result_and_the_batch_can_be_asked_for() {
    let app = super::search::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let files: [(&str, &[u8]); 3] =
        [("one.txt", b"First words."), ("empty.txt", b""), ("folder/two.txt", b"Second words.")];
    let sent = send(&nurse, json!({ "kind": "LAB_RESULT" }), &files).await.ok()["documentUploadMany"].take();
    assert_eq!(sent["userErrors"], json!([]));
    let results: Vec<_> = sent["batch"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["fileName"].as_str().unwrap(), file["refusal"].clone(), file["document"]["status"].clone()))
        .collect();
    assert_eq!(
        results,
        [
            ("one.txt", Value::Null, json!("UPLOADED")),
            ("empty.txt", json!("EMPTY_FILE"), Value::Null),
            ("two.txt", Value::Null, json!("UPLOADED"))
        ]
    );
    app.work().await;
    let asked = nurse.run(BATCH, json!({ "id": sent["batch"]["id"] })).await.ok();
    assert_eq!(asked["documentUploadBatch"]["files"][2]["document"]["status"], "READY");
    settled(&app).await;
    assert_eq!(stored_files(&app).len(), 2);
    // Whoever did not send it knows nothing of it.
    let colleague = app.member(&[Role::Nurse]).await;
    assert_eq!(
        colleague.run(BATCH, json!({ "id": sent["batch"]["id"] })).await.ok()["documentUploadBatch"],
        Value::Null
    );
}

#[tokio::test]
async fn sent_again_under_the_same_key_nothing_is_kept_twice() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let files: [(&str, &[u8]); 2] = [("one.txt", b"First."), ("two.txt", b"Second.")];
    let input = json!({ "kind": "LAB_RESULT", "idempotencyKey": "scan-room-7" });
    let first = send(&nurse, input.clone(), &files).await.ok();
    let second = send(&nurse, input, &files).await.ok();
    assert_eq!(first["documentUploadMany"]["batch"]["id"], second["documentUploadMany"]["batch"]["id"]);
    settled(&app).await;
    assert_eq!((count(&app, "documents").await, stored_files(&app).len()), ("2".to_owned(), 2));
}

#[tokio::test]
async fn a_batch_that_cannot_be_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let files: [(&str, &[u8]); 1] = [("one.txt", b"First.")];
    let future = send(&nurse, json!({ "kind": "LAB_RESULT", "documentDate": "2199-01-01" }), &files).await.ok();
    assert_eq!(
        future["documentUploadMany"]["userErrors"],
        json!([{ "code": "INVALID", "field": ["input", "documentDate"] }])
    );
    let nothing = send(&nurse, json!({ "kind": "LAB_RESULT" }), &[]).await.ok();
    assert_eq!(nothing["documentUploadMany"]["userErrors"][0]["field"], json!(["input", "files"]));
    assert_eq!(send(&clerk, json!({ "kind": "LAB_RESULT" }), &files).await.code(), "FORBIDDEN");
    assert_eq!(send(&app.anonymous(), json!({ "kind": "LAB_RESULT" }), &files).await.code(), "UNAUTHENTICATED");
    let patient = app.member(&[Role::Patient]).await;
    assert_eq!(send(&patient, json!({ "kind": "OTHER" }), &files).await.code(), "FORBIDDEN");
    settled(&app).await;
    assert_eq!(
        (count(&app, "documents").await, count(&app, "upload_batches").await, stored_files(&app).len()),
        ("0".to_owned(), "0".to_owned(), 0)
    );
}

#[tokio::test]
async fn a_batch_about_a_patient_of_another_facility_keeps_nothing() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let theirs = app.member_of(app.other, &[Role::Nurse]).await;
    let patient = super::register(&app, "Ada").await;
    let files: [(&str, &[u8]); 1] = [("one.txt", b"First.")];
    let sent = send(&theirs, json!({ "kind": "LAB_RESULT", "patientIds": [patient] }), &files).await.ok();
    let refused = json!([{ "code": "PATIENT_NOT_FOUND", "field": ["input", "patientIds"] }]);
    assert_eq!(sent["documentUploadMany"]["userErrors"], refused);
    assert_eq!(count(&app, "upload_batches").await, "0");
    let ours = send(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [patient] }), &files).await.ok();
    assert_eq!(ours["documentUploadMany"]["batch"]["files"][0]["refusal"], Value::Null);
    assert_eq!(count(&app, "documents").await, "1");
}
