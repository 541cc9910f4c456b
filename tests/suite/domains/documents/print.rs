//! Notes as PDF.

use anamnesis::access::Role;
use anamnesis::extraction::{Extractor, FileKind};
use serde_json::json;

use super::notes::{draft, run, signed};
use super::{DOCUMENT, register, wire};
use crate::harness::{Client, TestApp};

async fn fetch(app: &TestApp, client: &Client, id: &str) -> wire::WireAnswer {
    let found = client.run(DOCUMENT, json!({ "id": id })).await.ok();
    wire::get(&app.anonymous(), found["document"]["downloadUrl"].as_str().unwrap()).await
}

/// The text of each page, read back by the product's own extraction.
async fn pages(app: &TestApp, pdf: &[u8]) -> Vec<String> {
    let extractor: &Extractor = &app.app.extractor;
    let extracted = extractor.extract(FileKind::Pdf, pdf).await.unwrap();
    extracted.pages.into_iter().map(|page| page.text).collect()
}

#[tokio::test]
async fn a_signed_note_is_printed_with_who_signed_and_page_numbers() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&patient]).await;
    let file = fetch(&app, &app.member(&[Role::Nurse]).await, &id).await;
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/pdf")));
    assert_eq!(
        file.header("content-disposition"),
        Some("attachment; filename=\"document\"; filename*=UTF-8''Session%204.pdf")
    );
    assert!(file.whole);
    let pages = pages(&app, &file.body).await;
    assert_eq!(pages.len(), 1);
    for part in ["Session 4", "Ada Documented", "born 1984-02-29", "Slept better; less worried.", "page 1 of 1", &id] {
        assert!(pages[0].contains(part), "{part}: {}", pages[0]);
    }
    let words: String = pages[0].split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("at 2026-03-09 14:00:00 UTC; signature valid; content SHA-256"), "{words}");
    let recorded = "SELECT count(*) FROM audit_log WHERE action = 'documents.download' AND outcome = 'success' AND patient_id IS NOT NULL";
    assert_eq!(app.db_value(recorded).await, "1");
}

#[tokio::test]
async fn what_cannot_be_drawn_is_said_and_what_is_not_signed_too() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let text = format!("你好\n{}", "A line of the note.\n".repeat(100));
    let input = json!({ "title": "Größe", "text": text, "patientIds": [patient], "labels": ["PART_2"] });
    let id = run(&author, "noteCreate", input).await["note"]["id"].as_str().unwrap().to_owned();
    let file = fetch(&app, &author, &id).await;
    let pages = pages(&app, &file.body).await;
    assert_eq!(pages.len(), 3);
    assert!(pages[0].contains("[U+4F60 U+597D]") && pages[0].contains("2 characters of this note"), "{}", pages[0]);
    assert!(pages[0].contains("Größe"), "{}", pages[0]);
    assert!(pages[2].contains("DRAFT: not finished and not signed"), "{}", pages[2]);
    assert!(pages.iter().all(|page| page.contains("42 CFR part 2 prohibits unauthorized use or disclosure")));
    assert_eq!(pages.concat().matches("A line of the note.").count(), 100);
}

#[tokio::test]
async fn a_note_is_printed_for_whoever_may_read_it_alone() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = draft(&author, &[&patient]).await;
    let colleague = app.member(&[Role::Physician]).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let stranger = app.member_of(app.other, &[Role::Therapist]).await;
    for client in [&colleague, &clerk, &stranger] {
        assert_eq!(client.run(DOCUMENT, json!({ "id": id })).await.ok()["document"], json!(null));
    }
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    assert_eq!(fetch(&app, &colleague, &id).await.status, 200);
    for client in [&clerk, &stranger] {
        assert_eq!(client.run(DOCUMENT, json!({ "id": id })).await.ok()["document"], json!(null));
    }
    assert_eq!(app.anonymous().run(DOCUMENT, json!({ "id": id })).await.code(), "UNAUTHENTICATED");
    // A link opens nothing for who lost the role it was made with.
    let found = colleague.run(DOCUMENT, json!({ "id": id })).await.ok();
    let link = found["document"]["downloadUrl"].as_str().unwrap();
    app.db_execute("UPDATE member_roles SET role = 'privacy_officer' WHERE role = 'physician'").await;
    assert_eq!(wire::get(&app.anonymous(), link).await.status, 403);
}
