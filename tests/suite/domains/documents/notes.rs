//! Notes: drafts, finals, signatures, addenda.

use anamnesis::access::Role;
use anamnesis::ids::{DocumentId, TypedId as _};
use serde_json::{Value, json};

use super::{count, register, restrict, treats};
use crate::harness::{Client, TestApp};

const NOTE: &str = "query($id: ID!) { document(id: $id) { id title text kind noteState status version signedAt sha256
    mimeType signatures { signer { id } signedAt contentSha256 valid } addenda { id title text noteState }
    addendumTo { id } patients { id } } }";

/// Runs one of the note mutations; gives its payload.
pub async fn run(client: &Client, mutation: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {kind}!) {{ {mutation}(input: $input) {{
            note {{ id title text kind noteState version patients {{ id }} }} userErrors {{ code field }} }} }}"
    );
    client.run(&document, json!({ "input": input })).await.ok()[mutation].clone()
}

pub async fn refused(client: &Client, mutation: &str, input: Value) -> String {
    let payload = run(client, mutation, input).await;
    assert_eq!(payload["note"], json!(null), "{payload}");
    payload["userErrors"][0]["code"].as_str().unwrap().to_owned()
}

pub async fn draft(client: &Client, patients: &[&str]) -> String {
    let input = json!({ "title": "Session 4", "text": "Slept better; less worried.", "patientIds": patients });
    run(client, "noteCreate", input).await["note"]["id"].as_str().unwrap().to_owned()
}

pub async fn signed(client: &Client, patients: &[&str]) -> String {
    let id = draft(client, patients).await;
    run(client, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    let payload = run(client, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    assert_eq!(payload["note"]["noteState"], "SIGNED", "{payload}");
    id
}

pub fn uuid(id: &str) -> String {
    DocumentId::decode(id).unwrap().uuid().to_string()
}

async fn read(client: &Client, id: &str) -> Value {
    client.run(NOTE, json!({ "id": id })).await.ok()["document"].clone()
}

#[tokio::test]
async fn a_draft_is_its_authors_alone_until_it_is_final() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let colleague = app.member(&[Role::Physician]).await;
    let id = draft(&author, &[&patient]).await;
    let listed = "query($patient: ID!) { documents { totalCount nodes { id } } patient(id: $patient) { documents { nodes { id } } } }";
    let nothing = json!({ "documents": { "totalCount": 0, "nodes": [] }, "patient": { "documents": { "nodes": [] } } });
    assert_eq!(colleague.run(listed, json!({ "patient": patient })).await.ok(), nothing);
    assert_eq!(read(&colleague, &id).await, json!(null));
    let update = "mutation($input: NoteUpdateInput!) { noteUpdate(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "id": id, "expectedVersion": 1, "text": "x" } });
    assert_eq!(colleague.run(update, input).await.code(), "NOT_FOUND");
    assert_eq!(count(&app, "jobs").await, "0");
    let changed = run(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 1, "text": "Slept well." })).await;
    assert_eq!((&changed["note"]["text"], &changed["note"]["version"]), (&json!("Slept well."), &json!(2)));
    assert_eq!(
        refused(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 1, "text": "x" })).await,
        "STALE_VERSION"
    );
    assert_eq!(refused(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await, "NOT_FINAL");
    assert_eq!(refused(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await, "STALE_VERSION");
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 2 })).await;
    let queued = app.db_query("SELECT kind, deduplication_key FROM jobs").await;
    assert_eq!(queued, [[Some("documents.index_note".to_owned()), Some(uuid(&id))]]);
    let found = read(&colleague, &id).await;
    assert_eq!(
        (&found["text"], &found["noteState"], &found["mimeType"]),
        (&json!("Slept well."), &json!("FINAL"), &json!("text/plain"))
    );
    assert_eq!(found["sha256"], super::sha256(b"Slept well."));
    assert_eq!(
        refused(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 3, "text": "x" })).await,
        "NOT_DRAFT"
    );
    assert_eq!(refused(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 3 })).await, "NOT_DRAFT");
    assert_eq!(refused(&colleague, "noteSign", json!({ "id": id, "expectedVersion": 3 })).await, "NOT_AUTHOR");
    assert_eq!(refused(&colleague, "noteAddendum", json!({ "noteId": id, "text": "x" })).await, "NOT_SIGNED");
    assert_eq!((count(&app, "document_signatures").await, count(&app, "documents").await), ("0".into(), "1".into()));
}

#[tokio::test]
async fn a_note_is_written_with_care() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let wrong = [
        json!({ "title": "", "text": "t", "patientIds": [patient] }),
        json!({ "title": "t", "text": " ", "patientIds": [patient] }),
        json!({ "title": "t", "text": "t", "patientIds": [] }),
        json!({ "title": "t", "text": "t", "patientIds": [patient], "documentDate": "2027-01-01" }),
    ];
    for input in wrong {
        assert_eq!(refused(&author, "noteCreate", input).await, "INVALID");
    }
    let unknown = json!({ "title": "t", "text": "t", "patientIds": ["pat_AZzzzzzzcAAAAAAAAAAAAA"] });
    assert_eq!(refused(&author, "noteCreate", unknown).await, "PATIENT_NOT_FOUND");
    assert_eq!(count(&app, "documents").await, "0");
    let input = json!({ "title": "t", "text": "t", "patientIds": [patient], "idempotencyKey": "n" });
    let first = run(&author, "noteCreate", input.clone()).await;
    assert_eq!(run(&author, "noteCreate", input).await, first);
    assert_eq!(first["note"]["kind"], "CLINICAL_NOTE");
    assert_eq!(count(&app, "documents").await, "1");
    let unlink = "mutation($input: DocumentUnlinkPatientInput!) { documentUnlinkPatient(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "id": first["note"]["id"], "expectedVersion": 1, "patientId": patient } });
    assert_eq!(author.run(unlink, input).await.ok()["documentUnlinkPatient"]["userErrors"][0]["code"], "INVALID");
}

#[tokio::test]
async fn a_signature_says_who_when_and_over_what() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&patient]).await;
    let note = read(&author, &id).await;
    assert_eq!((&note["noteState"], &note["signedAt"]), (&json!("SIGNED"), &json!("2026-03-09T14:00:00+00:00")));
    let signature = &note["signatures"][0];
    assert_eq!(signature["signer"]["id"], json!(author.user.unwrap().to_string()));
    assert_eq!((&signature["signedAt"], &signature["valid"]), (&note["signedAt"], &json!(true)));
    assert_eq!(note["signatures"].as_array().unwrap().len(), 1);
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'documents.note.sign' AND outcome = 'success' AND patient_id IS NOT NULL";
    assert_eq!(app.db_value(audited).await, "1");
    // The key that seals may be replaced; what it sealed stays valid, for a colleague too.
    let colleague = app.member(&[Role::Nurse]).await;
    assert_eq!(read(&colleague, &id).await["signatures"][0]["valid"], json!(true));
}

#[tokio::test]
async fn a_signed_note_is_not_changed_through_the_api() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&ada, &ben]).await;
    let before = read(&author, &id).await;
    let of = |extra: Value| {
        let mut input = json!({ "id": id, "expectedVersion": 3 });
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    assert_eq!(refused(&author, "noteUpdate", of(json!({ "text": "x" }))).await, "SIGNED");
    assert_eq!(refused(&author, "noteFinalize", of(json!({}))).await, "SIGNED");
    assert_eq!(refused(&author, "noteSign", of(json!({}))).await, "SIGNED");
    for (mutation, extra) in [
        ("documentUpdate", json!({ "title": "x" })),
        ("documentLinkPatients", json!({ "patientIds": [ben] })),
        ("documentUnlinkPatient", json!({ "patientId": ben })),
    ] {
        let kind = format!("D{}Input", &mutation[1..]);
        let document = format!("mutation($input: {kind}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}");
        let payload = author.run(&document, json!({ "input": of(extra) })).await.ok();
        assert_eq!(payload[mutation]["userErrors"][0]["code"], "SIGNED", "{mutation}");
    }
    assert_eq!(read(&author, &id).await, before);
}

/// What PostgreSQL says to a statement, by this connection.
pub async fn attempt(url: &str, statement: &str) -> Result<(), String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statement).await.map_err(|error| error.as_db_error().unwrap().message().to_owned())
}

#[tokio::test]
async fn a_signed_note_is_not_changed_by_sql_either() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&ada]).await;
    let other = anamnesis::ids::PatientId::decode(&ben).unwrap().uuid();
    let table = |table: &str| format!("SELECT row_to_json(t)::text FROM {table} t ORDER BY 1");
    let mut before = Vec::new();
    for name in ["documents", "document_patients", "document_signatures"] {
        before.push(app.db_query(&table(name)).await);
    }
    let columns = [
        "title_ciphertext = 'x'",
        "body_ciphertext = 'x'",
        "sha256 = 'x'",
        "kind = 'other'",
        "note_state = 'draft', signed_at = NULL",
        "signed_at = now()",
        "author_id = NULL",
        "document_date = '2020-01-01'",
        "size_bytes = 0",
        "mime_type = 'text/html'",
        "created_at = now()",
        "addendum_to = id",
        "id = gen_random_uuid()",
    ];
    let mut statements: Vec<String> = columns.iter().map(|set| format!("UPDATE documents SET {set}")).collect();
    statements.push("DELETE FROM documents".to_owned());
    statements.push(format!(
        "INSERT INTO document_patients (facility_id, document_id, patient_id, linked_at) VALUES ('{}', '{}', '{other}', now())",
        app.facility.uuid(),
        uuid(&id),
    ));
    statements.push(format!("UPDATE document_patients SET patient_id = '{other}'"));
    statements.push("DELETE FROM document_patients".to_owned());
    statements.push("UPDATE document_signatures SET signed_at = now()".to_owned());
    statements.push("DELETE FROM document_signatures".to_owned());
    for statement in &statements {
        let refused = attempt(&app.database.superuser_url, statement).await.unwrap_err();
        let sentence = ["a signed document cannot be changed", "a signature cannot be changed"];
        assert!(sentence.contains(&refused.as_str()), "{statement}: {refused}");
    }
    for (name, before) in ["documents", "document_patients", "document_signatures"].iter().zip(before) {
        assert_eq!(app.db_query(&table(name)).await, before);
    }
    // What search derives may change, and a draft may: the trigger is not simply in the way.
    attempt(&app.database.superuser_url, "UPDATE documents SET status = 'ready', chunk_count = 3").await.unwrap();
    draft(&author, &[&ada]).await;
    let of_drafts = "UPDATE documents SET kind = 'other' WHERE note_state = 'draft'";
    attempt(&app.database.superuser_url, of_drafts).await.unwrap();
}

#[tokio::test]
async fn a_change_past_the_trigger_shows_as_a_signature_that_is_not_valid() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&ada]).await;
    let valid = async || read(&author, &id).await["signatures"][0]["valid"].clone();
    let past = async |change: &str| {
        let url = &app.database.superuser_url;
        attempt(url, &format!("SET session_replication_role = replica; {change}")).await.unwrap();
    };
    assert_eq!(valid().await, json!(true));
    past("UPDATE documents SET document_date = '2026-03-01'").await;
    assert_eq!(valid().await, json!(false));
    past("UPDATE documents SET document_date = '2026-03-09'").await;
    assert_eq!(valid().await, json!(true));
    let other = anamnesis::ids::PatientId::decode(&ben).unwrap().uuid();
    past(&format!("UPDATE document_patients SET patient_id = '{other}'")).await;
    assert_eq!(valid().await, json!(false));
}

#[tokio::test]
async fn a_signature_is_checked_alike_by_who_sees_fewer_patients() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let physician = app.member(&[Role::Physician]).await;
    let id = signed(&physician, &[&ada, &ben]).await;
    restrict(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    treats(&app, &therapist, &ada).await;
    let note = read(&therapist, &id).await;
    assert_eq!(note["patients"], json!([{ "id": ada }]));
    assert_eq!(note["signatures"][0]["valid"], json!(true));
}

#[tokio::test]
async fn an_addendum_is_a_note_of_its_own() {
    let app = TestApp::start().await;
    let (ada, ben) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let author = app.member(&[Role::Therapist]).await;
    let colleague = app.member(&[Role::Nurse]).await;
    let id = signed(&author, &[&ada, &ben]).await;
    let made = run(&colleague, "noteAddendum", json!({ "noteId": id, "text": "Medication was changed." })).await;
    let addendum = made["note"]["id"].as_str().unwrap();
    assert_eq!((&made["note"]["title"], &made["note"]["noteState"]), (&json!("Session 4"), &json!("DRAFT")));
    assert_eq!(made["note"]["patients"], json!([{ "id": ada }, { "id": ben }]));
    assert_eq!(read(&author, &id).await["addenda"], json!([]));
    run(&colleague, "noteFinalize", json!({ "id": addendum, "expectedVersion": 1 })).await;
    run(&colleague, "noteSign", json!({ "id": addendum, "expectedVersion": 2 })).await;
    let note = read(&author, &id).await;
    let wanted =
        json!([{ "id": addendum, "title": "Session 4", "text": "Medication was changed.", "noteState": "SIGNED" }]);
    assert_eq!(note["addenda"], wanted);
    assert_eq!(note["signatures"][0]["valid"], json!(true));
    assert_eq!(read(&author, addendum).await["addendumTo"], json!({ "id": id }));
    assert_eq!(refused(&colleague, "noteAddendum", json!({ "noteId": id, "text": "" })).await, "INVALID");
}

#[tokio::test]
async fn of_two_signatures_at_once_one_is_made() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = draft(&author, &[&patient]).await;
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    let input = || json!({ "id": id, "expectedVersion": 2 });
    let (one, two) = tokio::join!(run(&author, "noteSign", input()), run(&author, "noteSign", input()));
    let done = [&one, &two].iter().filter(|payload| payload["note"].is_object()).count();
    assert_eq!((done, count(&app, "document_signatures").await.as_str()), (1, "1"), "{one} {two}");
}
