//! Documents, through the API.

mod access;
mod amendments;
mod ask;
pub mod batch;
mod bundle;
mod cells;
mod cosign;
mod download;
pub mod export;
mod intake;
mod interrupted;
mod kept_apart;
mod lists;
pub mod models;
mod notes;
mod portal;
mod print;
mod processing;
mod proposals;
mod rerank;
mod saved_searches;
pub mod search;
mod search_plan;
mod search_set;
mod search_words;
mod templates;
mod upload;
mod versions;
mod viruses;
mod visits;
pub mod wire;
mod work;

use anamnesis::access::Role;
use anamnesis::ids::{PatientId, TypedId as _};
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

pub const UPLOAD: &str = "mutation($input: DocumentUploadInput!) { documentUpload(input: $input) {
    document { id kind title fileName mimeType sizeBytes sha256 status version documentDate author { id } patients { id } }
    userErrors { code field } } }";

pub const DOCUMENT: &str = "query($id: ID!) { document(id: $id) { id kind title fileName mimeType sizeBytes sha256
    status version downloadUrl patients { id } } }";

/// Registers a patient; gives the id.
pub async fn register(app: &TestApp, given_name: &str) -> String {
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input = json!({ "input": { "givenName": given_name, "familyName": "Documented", "birthDate": "1984-02-29",
        "gender": "FEMALE", "acceptDuplicates": true } });
    let register = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let data = clerk.run(register, input).await.ok();
    data["patientRegister"]["patient"]["id"].as_str().unwrap().to_owned()
}

/// Uploads a small text by the plain route; gives the id.
pub async fn upload_text(client: &Client, metadata: Value, text: &str) -> String {
    let answer = wire::post_document(client, &metadata, "note.txt", text.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Restricts the facility's therapists to their own patients.
pub async fn restrict(app: &TestApp) {
    let settings = r#"{"restrictTherapistsToOwnPatients": true}"#;
    app.db_execute(&format!("UPDATE facilities SET settings = '{settings}' WHERE id = '{}'", app.facility.uuid()))
        .await;
}

/// Opens a chart to a user.
pub async fn treats(app: &TestApp, client: &Client, patient: &str) {
    app.db_execute(&format!(
        "INSERT INTO care_relationships (facility_id, id, patient_id, user_id, kind, started_at, created_at, updated_at) \
         VALUES ('{}', gen_random_uuid(), '{}', '{}', 'therapist', '{now}', '{now}', '{now}')",
        app.facility.uuid(),
        PatientId::decode(patient).unwrap().uuid(),
        client.user.unwrap().uuid(),
        now = app.now().to_rfc3339(),
    ))
    .await;
}

/// How many rows a table has, whoever's.
pub async fn count(app: &TestApp, table: &str) -> String {
    app.db_value(&format!("SELECT count(*) FROM {table}")).await
}

/// Every file in the store, finished or not.
pub fn stored_files(app: &TestApp) -> Vec<std::path::PathBuf> {
    fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(app.storage.path(), &mut found);
    found
}

/// Waits until no upload is under way and what was cut off is removed.
pub async fn settled(app: &TestApp) {
    app.app.storage.open_uploads().wait_for(|open| *open == 0).await.unwrap();
}

/// Bytes without a pattern, the same for the same seed.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..bytes).map(step).collect()
}

pub fn sha256(content: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
