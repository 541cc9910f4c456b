//! A signed note as a file, verified by the command without a server.

use std::path::Path;
use std::process::{Command, Output};

use anamnesis::access::Role;
use anamnesis::domains::documents::bundle;
use serde_json::json;

use super::notes::{draft, run, signed};
use super::register;
use crate::harness::{Client, TestApp};

const BUNDLE: &str = "query($id: ID!) { document(id: $id) { signedBundle } }";

async fn fetch(client: &Client, id: &str) -> Option<String> {
    let told = client.run(BUNDLE, json!({ "id": id })).await.ok();
    told["document"]["signedBundle"].as_str().map(ToOwned::to_owned)
}

/// The command, with nothing in its environment: no database, no key ring.
fn verify(file: &Path, keys: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anamnesis"));
    command.env_clear().args(["documents", "verify"]).arg(file);
    if let Some(keys) = keys {
        command.arg("--keys").arg(keys);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn a_signed_note_is_verified_without_a_server_and_one_flipped_byte_is_caught() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&patient]).await;
    let file = fetch(&app.member(&[Role::Nurse]).await, &id).await.unwrap();
    assert!(file.contains("Slept better; less worried."));
    let folder = tempfile::tempdir().unwrap();
    let (path, keys) = (folder.path().join("note.json"), folder.path().join("keys.json"));
    std::fs::write(&path, &file).unwrap();
    let ours = bundle::public_keys(&app.app.keyring.audit_public_keys());
    std::fs::write(&keys, serde_json::to_string(&ours).unwrap()).unwrap();
    let told = verify(&path, Some(&keys));
    let said = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{said}");
    assert!(said.starts_with(&format!("OK    {id} of {}", app.facility)), "{said}");
    assert!(said.contains(&format!("signed by {} at 2026-03-09T14:00:00", author.user.unwrap())), "{said}");
    assert!(!said.contains("by the keys in the file itself"));
    let alone = verify(&path, None);
    assert!(alone.status.success());
    assert!(String::from_utf8(alone.stdout).unwrap().contains("by the keys in the file itself"));
    std::fs::write(&path, file.replacen("Slept better", "Slept bester", 1)).unwrap();
    for keys in [None, Some(keys.as_path())] {
        let told = verify(&path, keys);
        assert!(!told.status.success());
        let said = String::from_utf8(told.stderr).unwrap();
        assert_eq!(said, "error: signature 1 does not fit the note\n");
    }
    let recorded = "SELECT count(*) FROM audit_log WHERE action = 'documents.note.export' AND outcome = 'success' AND patient_id IS NOT NULL";
    assert_eq!(app.db_value(recorded).await, "1");
}

#[tokio::test]
async fn only_signed_notes_are_given_out_and_psychotherapy_notes_never() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let unsigned = draft(&author, &[&patient]).await;
    assert_eq!(fetch(&author, &unsigned).await, None);
    let input = json!({ "kind": "PSYCHOTHERAPY_NOTE", "title": "t", "text": "t", "patientIds": [patient] });
    let apart = run(&author, "noteCreate", input).await["note"]["id"].as_str().unwrap().to_owned();
    run(&author, "noteFinalize", json!({ "id": apart, "expectedVersion": 1 })).await;
    run(&author, "noteSign", json!({ "id": apart, "expectedVersion": 2 })).await;
    assert_eq!(fetch(&author, &apart).await, None);
    let input = json!({ "kind": "REFERRAL", "title": "t", "text": "t", "patientIds": [patient] });
    let open = run(&author, "noteCreate", input).await["note"]["id"].as_str().unwrap().to_owned();
    run(&author, "noteFinalize", json!({ "id": open, "expectedVersion": 1 })).await;
    run(&author, "noteSign", json!({ "id": open, "expectedVersion": 2 })).await;
    assert!(fetch(&author, &open).await.is_some());
    // A clerk sees it, and is not given it out.
    let clerk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(clerk.run(BUNDLE, json!({ "id": open })).await.code(), "FORBIDDEN");
    let stranger = app.member_of(app.other, &[Role::Therapist]).await;
    assert_eq!(stranger.run(BUNDLE, json!({ "id": open })).await.ok()["document"], json!(null));
    assert_eq!(app.anonymous().run(BUNDLE, json!({ "id": open })).await.code(), "UNAUTHENTICATED");
}
