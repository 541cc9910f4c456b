//! The documents of one patient as one archive.

use std::collections::BTreeMap;
use std::io::Read as _;

use anamnesis::access::Role;
use anamnesis::domains::documents::service::sweep_orphans;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::search::{start, write_note};
use super::{register, restrict, sha256, stored_files, treats, upload_text};
use crate::harness::{Client, TestApp};

const START: &str = "mutation($input: RecordExportStartInput!) { recordExportStart(input: $input) { export { id status } userErrors { code field } } }";
const EXPORT: &str =
    "query($id: ID!) { recordExport(id: $id) { status documentCount sizeBytes sha256 downloadUrl patient { id } } }";

async fn ask(client: &Client, patient: &str) -> Value {
    client.run(START, json!({ "input": { "patientId": patient } })).await.ok()["recordExportStart"].take()
}

async fn export(client: &Client, id: &Value) -> Value {
    client.run(EXPORT, json!({ "id": id })).await.ok()["recordExport"].take()
}

pub async fn fetch(client: &Client, url: &Value) -> (u16, Vec<u8>) {
    let answer = client.request(reqwest::Method::GET, url.as_str().unwrap()).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

pub fn unzip(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|at| {
            let mut entry = zip.by_index(at).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

#[tokio::test]
async fn an_archive_holds_files_notes_index_and_checksums() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = register(&app, "Ada").await;
    upload_text(
        &physician,
        json!({ "kind": "LAB_RESULT", "title": "Lithium", "documentDate": "2026-01-05", "patientIds": [patient] }),
        "Level 0.8.",
    )
    .await;
    write_note(&physician, "She slept well.", json!({ "patientIds": [patient] })).await;
    let draft = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id } } }";
    let input = json!({ "title": "Unfinished", "text": "A draft.", "patientIds": [patient] });
    physician.run(draft, json!({ "input": input })).await.ok();
    upload_text(&physician, json!({ "kind": "LAB_RESULT" }), "Of somebody else.").await;
    let asked = ask(&physician, &patient).await;
    assert_eq!((&asked["export"]["status"], &asked["userErrors"]), (&json!("QUEUED"), &json!([])));
    let id = &asked["export"]["id"];
    assert_eq!(export(&physician, id).await["downloadUrl"], Value::Null);
    app.work().await;

    let made = export(&physician, id).await;
    assert_eq!(
        (&made["status"], &made["documentCount"], &made["patient"]["id"]),
        (&json!("READY"), &json!(2), &json!(patient))
    );
    let (status, archive) = fetch(&physician, &made["downloadUrl"]).await;
    assert_eq!(
        (status, json!(sha256(&archive)), json!(archive.len())),
        (200, made["sha256"].clone(), made["sizeBytes"].clone())
    );
    let entries = unzip(&archive);
    let names: Vec<_> = entries.keys().map(String::as_str).collect();
    assert_eq!(names, ["checksums.sha256", "documents/0001.txt", "documents/0002.txt", "index.json", "index.txt"]);
    assert_eq!(entries["documents/0001.txt"], b"Level 0.8.");
    assert!(String::from_utf8_lossy(&entries["documents/0002.txt"]).ends_with("She slept well.\n"));
    for line in String::from_utf8_lossy(&entries["checksums.sha256"]).lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, sha256(&entries[name]), "{name}");
    }
    let index: Value = serde_json::from_slice(&entries["index.json"]).unwrap();
    assert_eq!((&index["patient"]["name"], &index["leftOut"]), (&json!("Ada Documented"), &json!(1)));
    assert_eq!(index["documents"][0]["title"], "Lithium");
    assert!(
        String::from_utf8_lossy(&entries["index.txt"]).contains("documents/0001.txt  2026-01-05  lab result  Lithium")
    );

    // Encrypted where it lies, and on record as fetched.
    for file in stored_files(&app) {
        let stored = std::fs::read(file).unwrap();
        assert!(!stored.starts_with(b"PK") && !stored.windows(10).any(|window| window == b"Level 0.8."));
    }
    let fetched = "SELECT count(*) FROM audit_log WHERE action = 'documents.export' AND patient_id IS NOT NULL AND detail @> '{\"fetched\": true}'";
    assert_eq!(app.db_value(fetched).await, "1");
}

#[tokio::test]
async fn only_who_may_asks_and_only_who_asked_fetches() {
    let app = TestApp::start().await;
    let (physician, colleague) = (app.member(&[Role::Physician]).await, app.member(&[Role::Physician]).await);
    let patient = register(&app, "Ada").await;
    for (client, code) in [
        (app.member(&[Role::Nurse]).await, "FORBIDDEN"),
        (app.member(&[Role::FrontDesk]).await, "FORBIDDEN"),
        (app.member(&[Role::Patient]).await, "FORBIDDEN"),
        (app.anonymous(), "UNAUTHENTICATED"),
    ] {
        assert_eq!(client.run(START, json!({ "input": { "patientId": patient } })).await.code(), code);
    }
    let theirs = app.member_of(app.other, &[Role::Physician]).await;
    let refused = json!([{ "code": "PATIENT_NOT_FOUND", "field": ["input", "patientId"] }]);
    assert_eq!(ask(&theirs, &patient).await["userErrors"], refused);
    restrict(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    assert_eq!(ask(&therapist, &patient).await["userErrors"], refused);
    assert_eq!(super::count(&app, "record_exports").await, "0");
    treats(&app, &therapist, &patient).await;
    assert_eq!(ask(&therapist, &patient).await["userErrors"], json!([]));

    let asked = ask(&physician, &patient).await;
    let id = &asked["export"]["id"];
    app.work().await;
    assert_eq!(export(&colleague, id).await, Value::Null);
    let url = export(&physician, id).await["downloadUrl"].clone();
    assert_eq!(fetch(&colleague, &url).await.0, 404);
    assert_eq!(fetch(&physician, &url).await.0, 200);
}

#[tokio::test]
async fn an_archive_goes_away_after_its_time() {
    let app = TestApp::start().await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = register(&app, "Ada").await;
    let id = ask(&physician, &patient).await["export"]["id"].clone();
    app.work().await;
    // The store goes by the age of its files, which is told by the machine's clock and not by ours.
    for file in stored_files(&app) {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(app.now().into()).unwrap();
    }
    app.advance(TimeDelta::days(3));
    assert_eq!(sweep_orphans(&app.system(app.facility)).await.unwrap(), 0);
    app.advance(TimeDelta::days(5));
    let physician = app.signed_in(physician.user.unwrap(), app.facility).await;
    let gone = export(&physician, &id).await;
    assert_eq!((&gone["status"], &gone["downloadUrl"]), (&json!("EXPIRED"), &Value::Null));
    assert_eq!(sweep_orphans(&app.system(app.facility)).await.unwrap(), 1);
    assert_eq!(stored_files(&app).len(), 0);
}

#[tokio::test]
async fn what_is_kept_apart_leaves_in_no_archive_and_is_not_counted() {
    let app = start().await;
    let (physician, manager) = (app.member(&[Role::Physician]).await, app.member(&[Role::CaseManager]).await);
    let patient = register(&app, "Ada").await;
    write_note(&physician, "She slept well.", json!({ "patientIds": [patient] })).await;
    let apart = json!({ "kind": "PSYCHOTHERAPY_NOTE", "patientIds": [patient] });
    write_note(&physician, "What was said.", apart).await;
    let labelled = json!({ "kind": "LAB_RESULT", "title": "Screen", "labels": ["PART_2"], "patientIds": [patient] });
    upload_text(&physician, labelled, "Buprenorphine.").await;
    let mut asked = Vec::new();
    for client in [&physician, &manager] {
        asked.push(ask(client, &patient).await["export"]["id"].clone());
    }
    app.work().await;
    let notice = "42 CFR part 2 prohibits unauthorized use or disclosure of these records.";
    for (client, id, wanted) in [(&physician, &asked[0], 2), (&manager, &asked[1], 1)] {
        let made = export(client, id).await;
        assert_eq!((&made["status"], &made["documentCount"]), (&json!("READY"), &json!(wanted)));
        let entries = unzip(&fetch(client, &made["downloadUrl"]).await.1);
        let everything: String =
            entries.values().map(|content| String::from_utf8_lossy(content).into_owned()).collect();
        assert!(everything.contains("She slept well.") && !everything.contains("What was said."));
        assert_eq!(everything.contains("Buprenorphine."), wanted == 2);
        assert_eq!(everything.matches(notice).count(), if wanted == 2 { 2 } else { 0 });
        let index: Value = serde_json::from_slice(&entries["index.json"]).unwrap();
        assert_eq!((&index["leftOut"], index["documents"].as_array().unwrap().len()), (&json!(0), wanted));
    }
    // Who may not read such any more does not fetch them either.
    let link = export(&physician, &asked[0]).await["downloadUrl"].clone();
    app.db_execute(&format!(
        "UPDATE member_roles SET role = 'case_manager' WHERE member_id IN (SELECT id FROM facility_members WHERE user_id = '{}')",
        anamnesis::ids::TypedId::uuid(physician.user.unwrap())
    ))
    .await;
    assert_eq!(fetch(&physician, &link).await.0, 404);
}
