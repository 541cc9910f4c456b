//! Uploading, by both ways.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};

use super::wire::{self, Sending};
use super::{DOCUMENT, UPLOAD, count, noise, register, settled, sha256, stored_files};
use crate::harness::TestApp;

const TEN_MEGABYTES: usize = 10_000_000;
/// The largest upload there can be.
const LIMIT: usize = 52_428_800;

async fn download(app: &TestApp, client: &crate::harness::Client, id: &Value) -> wire::WireAnswer {
    let found = client.run(DOCUMENT, json!({ "id": id })).await.ok();
    wire::get(&app.anonymous(), found["document"]["downloadUrl"].as_str().unwrap()).await
}

#[tokio::test]
async fn ten_megabytes_come_back_by_the_plain_route() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let mut content = b"%PDF-1.7\n".to_vec();
    content.extend(noise(1, TEN_MEGABYTES));
    let metadata = json!({ "kind": "LAB_RESULT", "title": "Blood count", "patientIds": [patient],
        "documentDate": "2026-03-02" });
    let sending = Sending::form(&nurse, "/documents", &[]).await;
    let answer = wire::send_in_pieces(sending, &wire::document_form(&metadata, "blood.pdf", &content), 3).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let made = answer.json();
    assert_eq!(made["sha256"], sha256(&content));
    assert_eq!((&made["status"], &made["mimeType"]), (&json!("UPLOADED"), &json!("application/pdf")));
    let found = nurse.run(DOCUMENT, json!({ "id": made["id"] })).await.ok();
    let document = &found["document"];
    assert_eq!((&document["title"], &document["fileName"]), (&json!("Blood count"), &json!("blood.pdf")));
    assert_eq!(document["sizeBytes"], content.len());
    assert_eq!(document["patients"], json!([{ "id": patient }]));
    let file = download(&app, &nurse, &made["id"]).await;
    assert_eq!((file.status, file.whole), (200, true));
    assert!(file.body == content, "the content came back changed");
    assert_eq!(app.db_value("SELECT kind || ' ' || count(*) FROM jobs GROUP BY kind").await, "documents.extract 1");
}

#[tokio::test]
async fn ten_megabytes_come_back_by_graphql() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let physician = app.member(&[Role::Physician]).await;
    let content = noise(2, TEN_MEGABYTES);
    let input = json!({ "kind": "IMAGING_REPORT", "patientIds": [patient] });
    let body = wire::graphql_form(UPLOAD, &input, "scan é.bin", &content);
    let answer = wire::send_in_pieces(Sending::form(&physician, "/graphql", &[]).await, &body, 5).await;
    let made = &answer.json()["data"]["documentUpload"];
    assert_eq!(made["userErrors"], json!([]), "{}", answer.text());
    let document = &made["document"];
    assert_eq!(document["sha256"], sha256(&content));
    assert_eq!((&document["title"], &document["fileName"]), (&json!("scan é"), &json!("scan é.bin")));
    assert_eq!((&document["documentDate"], &document["version"]), (&json!("2026-03-09"), &json!(1)));
    assert_eq!(document["mimeType"], "application/octet-stream");
    assert_eq!(document["author"]["id"], json!(physician.user.unwrap().to_string()));
    assert!(download(&app, &physician, &document["id"]).await.body == content);
    assert_eq!(*app.app.storage.open_uploads().borrow(), 0);
}

#[tokio::test]
async fn the_largest_file_is_taken_and_one_byte_more_leaves_nothing() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let mut content = vec![b'a'; LIMIT];
    let taken = wire::post_document(&nurse, &json!({ "kind": "OTHER" }), "a.txt", &content).await;
    assert_eq!((taken.status, stored_files(&app).len()), (201, 1), "{}", taken.text());
    content.push(b'a');
    let plain = wire::post_document(&nurse, &json!({ "kind": "OTHER" }), "a.txt", &content).await;
    assert_eq!((plain.status, plain.code().as_str()), (413, "LIMIT_EXCEEDED"));
    let graphql = wire::graphql_upload(&nurse, &json!({ "kind": "OTHER" }), "a.txt", &content).await;
    assert_eq!((graphql.status, graphql.code().as_str()), (413, "LIMIT_EXCEEDED"));
    settled(&app).await;
    assert_eq!((stored_files(&app).len(), count(&app, "documents").await.as_str()), (1, "1"));
}

#[tokio::test]
async fn an_announced_length_that_cannot_fit_is_refused_unread() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let media = format!("multipart/form-data; boundary={}", wire::BOUNDARY);
    let headers = [("Content-Type", media.as_str()), ("Content-Length", "60000000")];
    // Not one byte of the body is sent.
    let answer = Sending::begin(&nurse, "POST", "/documents", &headers).await.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn who_disconnects_on_the_way_leaves_no_object_and_no_row() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let content = noise(3, 3_000_000);
    let forms = [
        ("/documents", wire::document_form(&json!({ "kind": "OTHER" }), "a.bin", &content)),
        ("/graphql", wire::graphql_form(UPLOAD, &json!({ "kind": "OTHER" }), "a.bin", &content)),
    ];
    for (path, body) in forms {
        let mut open = app.app.storage.open_uploads();
        let mut sending = Sending::form(&nurse, path, &[]).await;
        assert!(sending.piece(&body[..2_000_000]).await);
        open.wait_for(|open| *open == 1).await.unwrap();
        drop(sending);
        settled(&app).await;
        assert_eq!(stored_files(&app).len(), 0, "{path}");
    }
    assert_eq!((count(&app, "documents").await, count(&app, "jobs").await), ("0".into(), "0".into()));
}

#[tokio::test]
async fn nothing_of_a_document_is_stored_in_clear() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let canary = "quetzalcoatlus";
    let metadata = json!({ "kind": "MEDICAL_RECORD", "title": format!("{canary} title") });
    let content = format!("{canary} text ").repeat(10_000);
    let made = wire::post_document(&nurse, &metadata, &format!("{canary}.txt"), content.as_bytes()).await;
    assert_eq!(made.status, 201);
    let files = stored_files(&app);
    assert_eq!(files.len(), 1);
    assert!(!files[0].display().to_string().contains(canary));
    let stored = std::fs::read(&files[0]).unwrap();
    assert!(stored.len() > content.len() && !stored.windows(canary.len()).any(|window| window == canary.as_bytes()));
    for table in ["documents", "jobs", "audit_log", "idempotency_keys"] {
        let rows = app.db_query(&format!("SELECT row_to_json(t)::text FROM {table} t")).await;
        // bytea is printed in hexadecimal.
        let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
        let text: String = rows.into_iter().flatten().flatten().collect();
        assert!(!text.contains(canary) && !text.contains(&hex), "{table}");
    }
}

#[tokio::test]
async fn the_same_key_gives_the_same_document_once() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let metadata = json!({ "kind": "OTHER" });
    let key = [("Idempotency-Key", "upload-1")];
    let first = wire::post_document_with(&nurse, &metadata, "a.txt", b"content", &key).await;
    let again = wire::post_document_with(&nurse, &metadata, "a.txt", b"content", &key).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.text());
    assert_eq!(first.json(), again.json());
    let other = wire::post_document_with(&nurse, &metadata, "a.txt", b"Content", &key).await;
    assert_eq!((other.status, other.code().as_str()), (400, "BAD_USER_INPUT"));
    let input = json!({ "kind": "OTHER", "idempotencyKey": "upload-2" });
    let first = wire::graphql_upload(&nurse, &input, "b.txt", b"content").await.json();
    let again = wire::graphql_upload(&nurse, &input, "b.txt", b"content").await.json();
    let id = |answer: &Value| answer["data"]["documentUpload"]["document"]["id"].clone();
    assert!(id(&first).is_string());
    assert_eq!(id(&first), id(&again));
    let other = wire::graphql_upload(&nurse, &input, "b.txt", b"Content").await;
    assert_eq!(other.code(), "BAD_USER_INPUT");
    settled(&app).await;
    assert_eq!((stored_files(&app).len(), count(&app, "documents").await.as_str()), (2, "2"));
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let patient = register(&app, "Ada").await;
    let elsewhere = app.member_of(app.other, &[Role::Nurse]).await;
    let unknown = "pat_AZzzzzzzcAAAAAAAAAAAAA";
    let cases = [
        (json!({ "kind": "OTHER" }), &b""[..], "EMPTY_FILE"),
        (json!({ "kind": "OTHER", "documentDate": "2026-03-11" }), &b"x"[..], "INVALID"),
        (json!({ "kind": "OTHER", "title": "x".repeat(201) }), &b"x"[..], "INVALID"),
        (json!({ "kind": "OTHER", "patientIds": [patient, unknown] }), &b"x"[..], "PATIENT_NOT_FOUND"),
    ];
    for (metadata, content, code) in cases {
        let plain = wire::post_document(&nurse, &metadata, "a.txt", content).await;
        assert_eq!((plain.status, &plain.json()["userErrors"][0]["code"]), (422, &json!(code)), "{}", plain.text());
        let graphql = wire::graphql_upload(&nurse, &metadata, "a.txt", content).await.json();
        assert_eq!(graphql["data"]["documentUpload"]["userErrors"][0]["code"], code, "{graphql}");
    }
    let foreign =
        wire::post_document(&elsewhere, &json!({ "kind": "OTHER", "patientIds": [patient] }), "a", b"x").await;
    assert_eq!(foreign.json()["userErrors"][0]["code"], "PATIENT_NOT_FOUND");
    settled(&app).await;
    assert_eq!((stored_files(&app).len(), count(&app, "documents").await.as_str()), (0, "0"));
    assert_eq!((count(&app, "document_patients").await, count(&app, "jobs").await), ("0".into(), "0".into()));
}

#[tokio::test]
async fn malformed_forms_are_told_apart_from_faults() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let file = || wire::part("file", Some("a"), b"x");
    let metadata = |text: &str| wire::part("metadata", None, text.as_bytes());
    let operations = |text: &str| wire::part("operations", None, text.as_bytes());
    let map = |text: &str| wire::part("map", None, text.as_bytes());
    let fine = r#"{"query":"mutation($f: DocumentUploadInput!) { documentUpload(input: $f) { document { id } } }","variables":{"f":{"file":null,"kind":"OTHER"}}}"#;
    let forms: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("/documents", vec![]),
        ("/documents", vec![file(), metadata("{}")]),
        ("/documents", vec![metadata("{}"), file()]),
        ("/documents", vec![metadata(r#"{"kind":"OTHER","mrn":"1"}"#), file()]),
        ("/documents", vec![metadata(r#"{"kind":"SONG"}"#), file()]),
        ("/documents", vec![metadata(r#"{"kind":"OTHER","patientIds":["doc_x"]}"#), file()]),
        ("/documents", vec![metadata(r#"{"kind":"OTHER"}"#)]),
        ("/graphql", vec![map("{}"), operations(fine)]),
        ("/graphql", vec![operations("["), map("{}")]),
        ("/graphql", vec![operations(fine), map(r#"{"0":["variables.f.kind"]}"#), wire::part("0", None, b"x")]),
        ("/graphql", vec![operations(fine), map(r#"{"0":["query"]}"#), wire::part("0", None, b"x")]),
        ("/graphql", vec![operations(fine), map(r#"{"0":["variables.f.file"]}"#)]),
        ("/graphql", vec![operations(fine), map(r#"{"0":["variables.f.file"]}"#), wire::part("1", None, b"x")]),
    ];
    for (index, (path, parts)) in forms.into_iter().enumerate() {
        let sending = Sending::form(&nurse, path, &[]).await;
        let answer = wire::send_in_pieces(sending, &wire::form(&parts), 13).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_USER_INPUT"), "{index}: {}", answer.text());
    }
    // A form that ends in the middle, and a file where none was sent.
    let mut cut = wire::document_form(&json!({ "kind": "OTHER" }), "a", b"content");
    cut.truncate(cut.len() - 20);
    let answer = wire::send_in_pieces(Sending::form(&nurse, "/documents", &[]).await, &cut, 13).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_USER_INPUT"));
    let forged = json!({ "input": { "kind": "OTHER", "file": "staged:0:00" } });
    assert_eq!(nurse.run(UPLOAD, forged).await.code(), "BAD_USER_INPUT");
    settled(&app).await;
    assert_eq!((stored_files(&app).len(), count(&app, "documents").await.as_str()), (0, "0"));
}

#[tokio::test]
async fn an_operation_stays_small_though_files_are_large() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let padded = format!("query {{ __typename }} # {}", "x".repeat(1_048_576));
    let plain = nurse.run(&padded, json!({})).await;
    assert_eq!((plain.status, plain.code()), (413, "LIMIT_EXCEEDED"));
    let operations = wire::part("operations", None, json!({ "query": padded }).to_string().as_bytes());
    let sending = Sending::form(&nurse, "/graphql", &[]).await;
    let answer = wire::send_in_pieces(sending, &wire::form(&[operations]), 17).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn files_that_no_mutation_takes_are_removed() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let parts = [
        wire::part("operations", None, br#"{"query":"query($f: Int) { __typename }","variables":{"f":null}}"#),
        wire::part("map", None, br#"{"0":["variables.f"]}"#),
        wire::part("0", Some("a"), b"content"),
    ];
    let sending = Sending::form(&nurse, "/graphql", &[]).await;
    wire::send_in_pieces(sending, &wire::form(&parts), 19).await;
    settled(&app).await;
    assert_eq!(stored_files(&app).len(), 0);
}

#[tokio::test]
async fn orphans_are_swept_after_a_day_and_documents_are_not() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    super::upload_text(&nurse, json!({ "kind": "OTHER" }), "kept").await;
    let folder = app.storage.path().join(app.facility.uuid().to_string()).join("2026");
    for name in ["0199a2b0-0000-7000-8000-000000000000", "0199a2b0-0000-7000-8000-000000000001#1"] {
        std::fs::write(folder.join(name), b"left behind").unwrap();
    }
    let sweep =
        async || anamnesis::domains::documents::service::sweep_orphans(&app.system(app.facility)).await.unwrap();
    let written = std::fs::metadata(folder.join("0199a2b0-0000-7000-8000-000000000000")).unwrap().modified().unwrap();
    let written = chrono::DateTime::<chrono::Utc>::from(written);
    app.advance(written - app.now() + chrono::TimeDelta::hours(23));
    assert_eq!((sweep().await, stored_files(&app).len()), (0, 3));
    app.advance(chrono::TimeDelta::hours(2));
    assert_eq!((sweep().await, stored_files(&app).len()), (2, 1));
    assert_eq!(sweep().await, 0);
}
