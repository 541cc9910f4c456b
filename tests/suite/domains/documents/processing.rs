//! From a stored document into search, over the real model and the real extraction child.

use anamnesis::access::Role;
use anamnesis::domains::documents::processing::PROCESSING_FAILED;
use anamnesis::ids::{DocumentId, TypedId as _};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::search::{find, found, start, write_note};
use super::{upload_text, wire};
use crate::harness::{Client, TestApp};

const STATE: &str =
    "query($id: ID!) { document(id: $id) { status pageCount passageCount readyAt failure { code message } } }";

/// All that search reads, but for ids and ciphertext, which are new each time.
const DERIVED: &str = "SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
    SELECT c.document_id || ' ' || position || ' ' || coalesce(page, 0) || ' ' || start_char || ' ' || end_char || ' '
        || c.term_count || ' ' || embedding::text || ' ' || (SELECT string_agg(t.term || 'x' || t.frequency, ' ' ORDER BY t.term)
            FROM chunk_terms t WHERE t.chunk_id = c.id) || ' ' || s.documents || ' ' || s.chunks || ' ' || s.terms AS line
    FROM document_chunks c JOIN chunk_embeddings e ON e.chunk_id = c.id JOIN search_statistics s ON s.facility_id = c.facility_id) l";

async fn state(client: &Client, id: &str) -> Value {
    client.run(STATE, json!({ "id": id })).await.ok()["document"].take()
}

async fn upload(client: &Client, name: &str, content: &[u8]) -> String {
    let answer = wire::post_document(client, &json!({ "kind": "MEDICAL_RECORD" }), name, content).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn demo(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/demo/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Queues the job of a document once more.
async fn queue_again(app: &TestApp, kind: &str, id: &str) {
    let statement = format!(
        "INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, max_attempts, created_at, updated_at) \
         VALUES ('{}', gen_random_uuid(), '{kind}', '{{\"documentId\": \"{}\"}}', 'queued', '{now}', 1, '{now}', '{now}')",
        app.facility.uuid(),
        DocumentId::decode(id).unwrap().uuid(),
        now = app.now().to_rfc3339(),
    );
    app.db_execute(&statement).await;
}

#[tokio::test]
async fn pages_of_a_pdf_are_found_on_their_page() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload(&nurse, "evaluation.pdf", &demo("documents/neuropsychological-evaluation.pdf")).await;
    assert_eq!(state(&nurse, &id).await["status"], "UPLOADED");
    app.work().await;
    let ready = state(&nurse, &id).await;
    assert_eq!((&ready["status"], &ready["failure"]), (&json!("READY"), &Value::Null));
    assert_eq!(ready["readyAt"], "2026-03-09T14:00:00+00:00");
    assert_eq!(app.db_value("SELECT count(*) FROM document_chunks").await, ready["passageCount"].to_string());
    assert_eq!(app.db_value("SELECT max(page) FROM document_chunks").await, ready["pageCount"].to_string());
    let hits = find(&nurse, "disoriented motorist in an automobile", json!({ "mode": "SEMANTIC" })).await;
    assert_eq!(hits[0]["passage"]["page"], 3);
    let text = hits[0]["passage"]["text"].as_str().unwrap().replace('\n', " ");
    assert!(text.contains("he took the wrong exit twice"), "{text}");
}

#[tokio::test]
async fn nothing_of_the_text_is_stored_in_clear() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "The quetzalcoatlus was quetzalling.").await;
    app.work().await;
    assert_eq!(app.db_value("SELECT count(*) FROM document_chunks").await, "1");
    let clear = app
        .db_value("SELECT (SELECT count(*) FROM document_chunks c WHERE c::text ~* 'quetzal' OR position('quetzal'::bytea IN text_ciphertext) > 0) \
             + (SELECT count(*) FROM chunk_terms t WHERE t::text ~* 'quetzal') + (SELECT count(*) FROM audit_log a WHERE a::text ~* 'quetzal')")
        .await;
    assert_eq!(clear, "0");
}

#[tokio::test]
async fn doing_a_job_again_leaves_the_same() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let note = write_note(&physician, "Lithium level 0.8, no tremor.", json!({})).await;
    let file = upload(&physician, "plan.docx", &demo("documents/treatment-plan.docx")).await;
    app.work().await;
    assert_eq!(state(&physician, &note).await["status"], "READY");
    assert_eq!(state(&physician, &file).await["status"], "READY");
    assert_eq!(app.db_value("SELECT documents FROM search_statistics").await, "2");
    let before = app.db_value(DERIVED).await;
    queue_again(&app, "documents.index_note", &note).await;
    queue_again(&app, "documents.extract", &file).await;
    assert_eq!(app.work().await, 2);
    assert_eq!(app.db_value(DERIVED).await, before);
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
}

#[tokio::test]
async fn a_damaged_file_fails_with_a_reason() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let mut content = demo("documents/neuropsychological-evaluation.pdf");
    content.truncate(1500);
    let id = upload(&nurse, "cut.pdf", &content).await;
    app.work().await;
    let failed = state(&nurse, &id).await;
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(failed["failure"]["code"], "damaged");
    assert_eq!(
        failed["failure"]["message"],
        "The file is damaged or incomplete and could not be read. Try exporting it again."
    );
    // It is the file's fault: the job is done.
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
    assert_eq!(app.db_value("SELECT count(*) FROM document_chunks").await, "0");
}

#[tokio::test]
async fn a_file_that_is_not_what_it_is_called_fails_with_a_reason() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload(&nurse, "report.docx", &demo("documents/polysomnography-report.pdf")).await;
    app.work().await;
    let failed = state(&nurse, &id).await;
    assert_eq!((&failed["status"], &failed["failure"]["code"]), (&json!("FAILED"), &json!("content_mismatch")));
}

#[tokio::test]
async fn what_we_fail_on_is_tried_again_and_fails_when_the_job_dies() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "The file that went missing.").await;
    for file in super::stored_files(&app) {
        std::fs::remove_file(file).unwrap();
    }
    app.work().await;
    assert_eq!(state(&nurse, &id).await["status"], "EXTRACTING");
    for _ in 0..7 {
        app.advance(TimeDelta::hours(1));
        app.work().await;
    }
    assert_eq!(app.db_value("SELECT state || ' ' || last_error FROM jobs").await, "dead FILE_UNAVAILABLE");
    assert_eq!(
        app.db_value("SELECT status || ' ' || failure_code FROM documents").await,
        format!("failed {PROCESSING_FAILED}")
    );
    // The token ran out over the hours.
    let nurse = app.signed_in(nurse.user.unwrap(), app.facility).await;
    assert_eq!(state(&nurse, &id).await["failure"]["code"], PROCESSING_FAILED);
}

#[tokio::test]
async fn a_draft_is_not_in_search() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let create = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id } } }";
    let input = json!({ "kind": "CLINICAL_NOTE", "title": "Draft", "text": "An unfinished thought.", "patientIds": [super::search::someone(&physician).await] });
    let made = physician.run(create, json!({ "input": input })).await.ok();
    let id = made["noteCreate"]["note"]["id"].as_str().unwrap().to_owned();
    queue_again(&app, "documents.index_note", &id).await;
    app.work().await;
    assert_eq!(found(&physician, "unfinished thought", json!({})).await, Vec::<String>::new());
    assert_eq!(state(&physician, &id).await["status"], "UPLOADED");
}
