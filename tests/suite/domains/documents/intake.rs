//! What becomes of files of each format, of scans, and of files that are broken.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::search::{found, start};
use super::wire;
use crate::extraction::{samples, samples_formats};
use crate::harness::{Client, TestApp, engines};
use crate::scans;

const STATE: &str =
    "query($id: ID!) { document(id: $id) { status mimeType pageCount failure { code message retryable } } }";

async fn upload(client: &Client, name: &str, content: &[u8]) -> String {
    let answer = wire::post_document(client, &json!({ "kind": "MEDICAL_RECORD" }), name, content).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn state(client: &Client, id: &str) -> Value {
    client.run(STATE, json!({ "id": id })).await.ok()["document"].take()
}

/// A server that reads pictures with the program given.
async fn start_with_tesseract(tesseract: &std::path::Path) -> TestApp {
    engines::provide_model().await;
    let tesseract = tesseract.display().to_string();
    TestApp::start_with(&[("ANAMNESIS_TESSERACT", &tesseract), ("ANAMNESIS_PDFTOPPM", "/nonexistent")]).await
}

#[tokio::test]
async fn each_format_is_found_by_its_words() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let files: [(&str, Vec<u8>, &str, &str); 5] = [
        (
            "a.odt",
            samples_formats::odt("<text:p>The wallaby note</text:p>"),
            "wallaby",
            "application/vnd.oasis.opendocument.text",
        ),
        (
            "b.xlsx",
            samples_formats::xlsx("<row><c t=\"inlineStr\"><is><t>A pangolin sheet</t></is></c></row>"),
            "pangolin",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        ("c.eml", samples_formats::mail(), "Nahrung", "message/rfc822"),
        ("d.xml", samples_formats::ccda(), "Lovelace", "application/xml"),
        ("e.json", samples_formats::fhir(), "Uneventful", "application/fhir+json"),
    ];
    for (name, content, word, mime_type) in files {
        let id = upload(&nurse, name, &content).await;
        app.work().await;
        let ready = state(&nurse, &id).await;
        assert_eq!((&ready["status"], &ready["mimeType"]), (&json!("READY"), &json!(mime_type)), "{name}");
        assert_eq!(found(&nurse, word, json!({ "mode": "LEXICAL" })).await.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_picture_without_a_reader_is_ready_without_text_and_can_be_tried_again() {
    let app = start_with_tesseract("/nonexistent/tesseract".as_ref()).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let picture = upload(&nurse, "scan.png", &scans::png(&["LITHIUM LEVEL"])).await;
    let pdf = upload(&nurse, "scan.pdf", &scans::pdf(&[&["LITHIUM LEVEL"]])).await;
    let blank = upload(&nurse, "blank.txt", b" \r\n\t ").await;
    app.work().await;
    for (id, code) in [(&picture, "no_ocr"), (&pdf, "no_ocr"), (&blank, "no_text")] {
        let ready = state(&nurse, id).await;
        assert_eq!((&ready["status"], &ready["failure"]["code"]), (&json!("READY_WITHOUT_TEXT"), &json!(code)));
        assert!(ready["failure"]["message"].as_str().unwrap().ends_with('.'));
    }
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
    let retry = "mutation($input: DocumentRetryInput!) { documentRetry(input: $input) { document { status } userErrors { code } } }";
    let again = nurse.run(retry, json!({ "input": { "id": picture } })).await.ok();
    assert_eq!(again["documentRetry"]["document"]["status"], "UPLOADED");
}

#[tokio::test]
async fn a_scan_is_found_by_its_words_with_the_place_of_each_passage() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_with_tesseract(&scans::stand_in(folder.path())).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload(&nurse, "scan.pdf", &scans::pdf(&[&["LITHIUM LEVEL"], &["THE HILL"]])).await;
    app.work().await;
    let ready = state(&nurse, &id).await;
    assert_eq!((&ready["status"], &ready["pageCount"], &ready["failure"]), (&json!("READY"), &json!(2), &Value::Null));
    // The stand-in reads the same on both pages.
    assert_eq!(found(&nurse, "lithium", json!({ "mode": "LEXICAL" })).await.len(), 2);
    let places =
        app.db_query("SELECT page, box_left, box_top, box_right, box_bottom FROM document_chunks ORDER BY page").await;
    let place = |page: &str| [page, "1000", "1000", "5000", "5000"].map(|edge| Some(edge.to_owned())).to_vec();
    assert_eq!(places, [place("1"), place("2")]);
}

#[tokio::test]
async fn typed_text_has_no_place_on_a_page() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    upload(&nurse, "typed.pdf", &samples::pdf_of_pages(&["Typed words on a page."])).await;
    app.work().await;
    assert_eq!(app.db_value("SELECT count(*) || ' ' || count(box_left) FROM document_chunks").await, "1 0");
}

#[tokio::test]
async fn broken_files_end_with_a_reason_and_the_worker_goes_on() {
    let app = start_with_tesseract("/nonexistent/tesseract".as_ref()).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let sound = samples::pdf_of_pages(&["Sound words."]);
    let files: [(&str, Vec<u8>, &str); 9] = [
        ("cut.pdf", sound[..sound.len() / 2].to_vec(), "FAILED"),
        ("locked.pdf", samples::pdf_encrypted(), "FAILED"),
        ("bomb.docx", samples::docx_bomb(1024 * 1024 * 1024), "FAILED"),
        ("many.pdf", samples::pdf_many_pages(10_000), "FAILED"),
        ("deep.xml", format!("<?xml version=\"1.0\"?>{}", "<a>".repeat(5000)).into_bytes(), "FAILED"),
        ("zeros.bin", vec![0; 5000], "FAILED"),
        ("wrong.docx", sound.clone(), "FAILED"),
        ("both.pdf", [sound.as_slice(), &samples::docx("<w:p/>")].concat(), "READY"),
        ("sound.pdf", sound, "READY"),
    ];
    let mut ids = Vec::new();
    for (name, content, _) in &files {
        ids.push(upload(&nurse, name, content).await);
    }
    app.work().await;
    for ((name, _, status), id) in files.iter().zip(&ids) {
        let ended = state(&nurse, id).await;
        assert_eq!(ended["status"], *status, "{name}: {ended}");
        assert_eq!(ended["failure"].is_null(), *status == "READY", "{name}: {ended}");
    }
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
}
