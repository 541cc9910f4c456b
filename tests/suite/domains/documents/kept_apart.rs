//! What is kept apart: psychotherapy notes, and documents labelled 42 CFR Part 2.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};

use super::notes::{attempt, refused, run, uuid};
use super::search::{SEARCH, find, someone, start, write_note};
use super::{DOCUMENT, count, register, upload_text, wire};
use crate::harness::{Client, TestApp, query_text};

const ATTEMPT: &str = "He has said for the first time that the accident was no accident.";
const CLINIC: &str = "Buprenorphine 8 mg at the clinic for opioid use disorder, urine screen clean since January.";

/// Everything that could show a document: by id, as a node, in lists, of its patient, by its text.
const EVERYWHERE: &str = "query($id: ID!, $patient: ID!) {
    document(id: $id) { id title text downloadUrl }
    node(id: $id) { id }
    documents(first: 100) { totalCount nodes { id } }
    ofKind: documents(kinds: [PSYCHOTHERAPY_NOTE]) { totalCount nodes { id } }
    patient(id: $patient) { documents(first: 100) { nodes { id } } } }";

fn label(document: &str, version: i32, labels: &Value) -> Value {
    json!({ "input": { "id": document, "expectedVersion": version, "labels": labels } })
}

const LABEL: &str = "mutation($input: DocumentLabelInput!) { documentLabel(input: $input) {
    document { labels redisclosureNotice version } userErrors { code field } } }";

/// What a client sees of a document anywhere.
async fn sees(client: &Client, document: &str, patient: &str) -> bool {
    let told = client.run(EVERYWHERE, json!({ "id": document, "patient": patient })).await.ok();
    let by_id = told["document"].is_object();
    assert_eq!(told["node"].is_object(), by_id, "{told}");
    for list in [&told["documents"]["nodes"], &told["patient"]["documents"]["nodes"]] {
        let listed = list.as_array().unwrap().iter().any(|node| node["id"] == *document);
        assert_eq!(listed, by_id, "{told}");
    }
    by_id
}

async fn psychotherapy_note(author: &Client, patient: &str) -> String {
    let input = json!({ "kind": "PSYCHOTHERAPY_NOTE", "title": "Apart", "text": ATTEMPT, "patientIds": [patient] });
    let made = run(author, "noteCreate", input).await;
    made["note"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[tokio::test]
async fn a_psychotherapy_note_is_its_authors_alone_in_every_state() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = psychotherapy_note(&author, &patient).await;
    let mut others = Vec::new();
    for role in [Role::Therapist, Role::Physician, Role::SocialWorker, Role::Nurse, Role::CaseManager] {
        others.push(app.member(&[role]).await);
    }
    for state in ["DRAFT", "FINAL", "SIGNED"] {
        assert!(sees(&author, &id, &patient).await, "{state}");
        for other in &others {
            assert!(!sees(other, &id, &patient).await, "{state}");
        }
        let done = match state {
            "DRAFT" => run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await,
            "FINAL" => run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await,
            _ => continue,
        };
        assert!(done["note"].is_object(), "{done}");
    }
    // Nobody adds to it, or does anything else to it, but the author; that it is there is not told.
    let addendum = "mutation($input: NoteAddendumInput!) { noteAddendum(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "noteId": id, "text": "more" } });
    let everyone = app.member(Role::ALL).await;
    assert_eq!(everyone.run(addendum, input.clone()).await.code(), "NOT_FOUND");
    assert_eq!(everyone.run(LABEL, label(&id, 3, &json!(["PART_2"]))).await.code(), "NOT_FOUND");
    let stranger = app.member_of(app.other, Role::ALL).await;
    assert_eq!(stranger.run(DOCUMENT, json!({ "id": id })).await.ok()["document"], json!(null));
    assert_eq!(app.anonymous().run(DOCUMENT, json!({ "id": id })).await.code(), "UNAUTHENTICATED");
    assert_eq!(author.run(addendum, input).await.ok()["noteAddendum"]["userErrors"], json!([]));
    // An author who lost the permission reads it no more.
    app.db_execute(&format!(
        "UPDATE member_roles SET role = 'nurse' WHERE member_id IN (SELECT id FROM facility_members WHERE user_id = '{}')",
        author.user.unwrap().uuid()
    ))
    .await;
    assert!(!sees(&author, &id, &patient).await);
}

#[tokio::test]
async fn who_writes_psychotherapy_notes_needs_the_permission() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let input =
        json!({ "input": { "kind": "PSYCHOTHERAPY_NOTE", "title": "t", "text": "t", "patientIds": [patient] } });
    let create = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id } userErrors { code } } }";
    for role in [Role::Nurse, Role::Pharmacist, Role::Technician, Role::CaseManager] {
        let client = app.member(&[role]).await;
        let answer = client.run(create, input.clone()).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{role:?}");
        let message = answer.errors[0]["message"].as_str().unwrap();
        assert!(message.contains("documents.psychotherapy"), "{message}");
    }
    assert_eq!(count(&app, "documents").await, "0");
    let therapist = app.member(&[Role::Therapist]).await;
    let upload = json!({ "kind": "PSYCHOTHERAPY_NOTE", "patientIds": [patient] });
    let sent = wire::post_document(&therapist, &upload, "a.txt", b"text").await;
    assert_eq!(sent.json()["userErrors"][0]["code"], "KEPT_APART", "{}", sent.text());
    assert_eq!(count(&app, "documents").await, "0");
}

#[tokio::test]
async fn the_class_of_a_note_does_not_change() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let apart = psychotherapy_note(&author, &patient).await;
    let plain = super::notes::draft(&author, &[&patient]).await;
    let update =
        "mutation($input: DocumentUpdateInput!) { documentUpdate(input: $input) { userErrors { code field } } }";
    for (id, kind) in [(&apart, "CLINICAL_NOTE"), (&plain, "PSYCHOTHERAPY_NOTE")] {
        let input = json!({ "id": id, "expectedVersion": 1, "kind": kind });
        assert_eq!(refused(&author, "noteUpdate", input.clone()).await, "KEPT_APART");
        let told = author.run(update, json!({ "input": input })).await.ok();
        let wanted = json!([{ "code": "KEPT_APART", "field": ["input", "kind"] }]);
        assert_eq!(told["documentUpdate"]["userErrors"], wanted);
        let statement = format!("UPDATE documents SET kind = '{}' WHERE id = '{}'", kind.to_lowercase(), uuid(id));
        for url in [&app.database.superuser_url, &app.database.owner_url] {
            let bound = format!(
                "SELECT set_config('app.scope', 'system', false), set_config('app.patient_scope', 'all', false), \
                 set_config('app.part2', 'on', false), set_config('app.facility_id', '{}', false); {statement}",
                app.facility.uuid()
            );
            let said = attempt(url, &bound).await.unwrap_err();
            assert_eq!(said, "a psychotherapy note is kept apart from the record");
        }
    }
}

/// What the server's own role reads of the documents when it is bound to a user, past every line of Rust.
pub async fn by_sql(app: &TestApp, client: &Client, query: &str) -> String {
    let (user, facility) = (client.user.unwrap().uuid(), app.facility.uuid());
    let session =
        app.db_value(&format!("SELECT id FROM user_sessions WHERE user_id = '{user}' ORDER BY id LIMIT 1")).await;
    let bound = format!(
        "BEGIN; SELECT 'bound' FROM bind_user('{facility}', '{user}', '{session}', '{}'); {query}",
        app.now().to_rfc3339()
    );
    query_text(&app.database.server_url, &bound).await.pop().unwrap()[0].clone().unwrap()
}

#[tokio::test]
async fn the_database_keeps_them_apart_by_itself() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let apart = psychotherapy_note(&author, &patient).await;
    run(&author, "noteFinalize", json!({ "id": apart, "expectedVersion": 1 })).await;
    let metadata = json!({ "kind": "LAB_RESULT", "labels": ["PART_2"], "patientIds": [patient] });
    let labelled = upload_text(&author, metadata, "text").await;
    super::notes::draft(&author, &[&patient]).await;
    let (physician, technician) = (app.member(&[Role::Physician]).await, app.member(&[Role::Technician]).await);
    let all = "SELECT count(*) FROM documents";
    assert_eq!(by_sql(&app, &author, all).await, "3");
    assert_eq!(by_sql(&app, &physician, all).await, "1");
    assert_eq!(by_sql(&app, &technician, all).await, "0");
    let touch = format!(
        "WITH touched AS (UPDATE documents SET version = version WHERE id IN ('{}', '{}') RETURNING id) SELECT count(*) FROM touched",
        uuid(&apart),
        uuid(&labelled)
    );
    assert_eq!(by_sql(&app, &technician, &touch).await, "0");
    // Nothing of it reaches what search reads, whoever tries.
    for change in ["status = 'ready'", "chunk_count = 1", "origin = 'upload'"] {
        let statement = format!("UPDATE documents SET {change} WHERE id = '{}'", uuid(&apart));
        let said = attempt(&app.database.superuser_url, &statement).await.unwrap_err();
        assert!(said.contains("documents_psychotherapy_check") || said.contains("documents_content_check"), "{said}");
    }
}

#[tokio::test]
async fn a_labelled_document_is_read_by_its_author_and_with_the_permission() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::CaseManager]).await;
    let metadata = json!({ "kind": "REFERRAL", "patientIds": [patient], "labels": ["PART_2"] });
    let id = upload_text(&author, metadata, "To the methadone clinic.").await;
    assert!(sees(&author, &id, &patient).await);
    for (role, reads) in [
        (Role::Administrator, true),
        (Role::Nurse, true),
        (Role::Pharmacist, true),
        (Role::Physician, true),
        (Role::SocialWorker, true),
        (Role::Therapist, true),
        (Role::BillingSpecialist, false),
        (Role::CaseManager, false),
        (Role::FrontDesk, false),
        (Role::Technician, false),
    ] {
        let client = app.member(&[role]).await;
        assert_eq!(sees(&client, &id, &patient).await, reads, "{role:?}");
        // What cannot be read cannot be changed, not even by taking the label off.
        let answer = client.run(LABEL, label(&id, 9, &json!([]))).await;
        match (reads, role) {
            (false, _) => assert_eq!(answer.code(), "NOT_FOUND", "{role:?}"),
            (true, Role::Administrator | Role::Physician) => {
                assert_eq!(answer.ok()["documentLabel"]["userErrors"][0]["code"], "STALE_VERSION", "{role:?}");
            }
            (true, _) => assert_eq!(answer.ok()["documentLabel"]["userErrors"][0]["code"], "NOT_AUTHOR", "{role:?}"),
        }
    }
    // A link made while it was open opens nothing afterwards.
    let clerk = app.member(&[Role::FrontDesk]).await;
    let open = upload_text(&author, json!({ "kind": "REFERRAL", "patientIds": [patient] }), "open").await;
    let link = clerk.run(DOCUMENT, json!({ "id": open })).await.ok()["document"]["downloadUrl"].clone();
    let link = link.as_str().unwrap();
    assert_eq!(wire::get(&app.anonymous(), link).await.status, 200);
    let labelled = author.run(LABEL, label(&open, 1, &json!(["PART_2"]))).await.ok();
    let notice = "42 CFR part 2 prohibits unauthorized use or disclosure of these records.";
    let wanted = json!({ "labels": ["PART_2"], "redisclosureNotice": notice, "version": 2 });
    assert_eq!(labelled["documentLabel"], json!({ "document": wanted, "userErrors": [] }));
    assert_eq!(wire::get(&app.anonymous(), link).await.status, 404);
    let off = app.member(&[Role::Administrator]).await.run(LABEL, label(&open, 2, &json!([]))).await.ok();
    assert_eq!(off["documentLabel"]["document"]["labels"], json!([]));
    assert_eq!(wire::get(&app.anonymous(), link).await.status, 200);
    let told = app
        .db_query("SELECT detail::text FROM audit_log WHERE action = 'documents.part2.label' AND outcome = 'success' ORDER BY id")
        .await;
    let wanted = [r#"{"part2": true, "before": false}"#, r#"{"part2": false, "before": true}"#];
    assert_eq!(told, wanted.map(|detail| vec![Some(detail.to_owned())]));
}

#[tokio::test]
async fn an_addendum_carries_the_label_of_its_note() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let input = json!({ "title": "t", "text": "t", "patientIds": [patient], "labels": ["PART_2"] });
    let id = run(&author, "noteCreate", input).await["note"]["id"].as_str().unwrap().to_owned();
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let added = run(&nurse, "noteAddendum", json!({ "noteId": id, "text": "more" })).await;
    let labels = "query($id: ID!) { document(id: $id) { labels } }";
    let found = nurse.run(labels, json!({ "id": added["note"]["id"] })).await.ok();
    assert_eq!(found["document"]["labels"], json!(["PART_2"]));
    let versions = "query($id: ID!) { documentVersions(documentId: $id) { nodes { redisclosureNotice } } }";
    let found = author.run(versions, json!({ "id": id })).await.ok();
    let notice = "42 CFR part 2 prohibits unauthorized use or disclosure of these records.";
    assert_eq!(found["documentVersions"]["nodes"][0]["redisclosureNotice"], json!(notice));
    // A label is no part of what was signed.
    let signed = author.run(LABEL, label(&id, 3, &json!([]))).await.ok();
    assert_eq!(signed["documentLabel"]["userErrors"], json!([]));
    let valid = "query($id: ID!) { document(id: $id) { signatures { valid } } }";
    assert_eq!(author.run(valid, json!({ "id": id })).await.ok()["document"]["signatures"], json!([{ "valid": true }]));
}

#[tokio::test]
async fn what_search_counts_is_what_may_be_seen() {
    let app = start().await;
    let author = app.member(&[Role::CaseManager]).await;
    let patient = someone(&author).await;
    let labelled = write_note(&author, CLINIC, json!({ "patientIds": [patient], "labels": ["PART_2"] })).await;
    let again = write_note(&author, "Buprenorphine is not known here.", json!({ "patientIds": [patient] })).await;
    let open = write_note(&author, "Opioid use is denied.", json!({ "patientIds": [patient] })).await;
    app.work().await;
    // A note taken back is nobody else's any more.
    assert!(run(&author, "noteReopen", json!({ "id": again, "expectedVersion": 2 })).await["note"].is_object());
    let (nurse, technician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Technician]).await);
    for table in ["chunk_embeddings", "chunk_terms"] {
        let query = format!("SELECT coalesce(string_agg(DISTINCT document_id::text, ' '), '') FROM {table}");
        let seen = async |client: &Client| by_sql(&app, client, &query).await;
        let sorted = |ids: &[&String]| {
            let mut ids: Vec<String> = ids.iter().map(|id| uuid(id)).collect();
            ids.sort();
            ids.join(" ")
        };
        assert_eq!(seen(&author).await, sorted(&[&labelled, &again, &open]), "{table}");
        assert_eq!(seen(&nurse).await, sorted(&[&labelled, &open]), "{table}");
        assert_eq!(seen(&technician).await, sorted(&[&open]), "{table}");
    }
    let hidden =
        "SELECT cardinality(app_hidden_documents()) || current_setting('app.scope') || current_setting('app.part2')";
    assert_eq!(by_sql(&app, &technician, hidden).await, "2facility");
    assert_eq!(by_sql(&app, &nurse, hidden).await, "1facilityon");
}

/// Ids of the passages of a document, whoever may see them.
async fn passages_of(app: &TestApp, document: &str) -> Vec<String> {
    let rows = app.db_query(&format!("SELECT id FROM document_chunks WHERE document_id = '{}'", uuid(document))).await;
    let opaque = |row: Vec<Option<String>>| {
        anamnesis::ids::ChunkId::from_uuid(row[0].as_ref().unwrap().parse().unwrap()).encode()
    };
    rows.into_iter().map(opaque).collect()
}

#[tokio::test]
async fn search_shows_others_nothing_of_either() {
    let app = start().await;
    let author = app.member(&[Role::Physician]).await;
    let patient = someone(&author).await;
    let apart = psychotherapy_note(&author, &patient).await;
    run(&author, "noteFinalize", json!({ "id": apart, "expectedVersion": 1 })).await;
    let labelled = write_note(&author, CLINIC, json!({ "patientIds": [patient], "labels": ["PART_2"] })).await;
    let open = write_note(&author, "Opioid use is denied.", json!({ "patientIds": [patient] })).await;
    app.work().await;
    assert_eq!(passages_of(&app, &apart).await, Vec::<String>::new());
    let passages = [passages_of(&app, &labelled).await, passages_of(&app, &open).await].concat();
    assert_eq!(passages.len(), 2);
    let nobody = app.member(&[Role::Technician]).await;
    let like = "query($id: ID!) { documentPassagesLike(passageId: $id) { hits { document { id } } } }";
    for (client, wanted) in [(&author, vec![&labelled, &open]), (&nobody, vec![&open])] {
        for query in ["opioid use disorder", "the accident was no accident", "buprenorphine urine screen"] {
            for mode in ["HYBRID", "SEMANTIC", "LEXICAL"] {
                for more in [json!({ "mode": mode }), json!({ "mode": mode, "patient": patient })] {
                    let hits = find(client, query, more.clone()).await;
                    let shown = |hit: &Value| wanted.iter().any(|id| hit["document"]["id"] == **id);
                    assert!(hits.iter().all(shown), "{query} {more}: {hits:?}");
                }
                let alone = json!({ "mode": mode, "document": apart });
                assert_eq!(find(client, query, alone).await, Vec::<Value>::new());
            }
        }
        let searched = client.run(SEARCH, json!({ "query": "opioid use disorder" })).await.ok();
        let kinds = json!([{ "kind": "CLINICAL_NOTE", "count": wanted.len() }]);
        assert_eq!(searched["documentSearch"]["facets"]["kinds"], kinds);
        let seen = client.run(like, json!({ "id": passages[1] })).await.ok();
        assert_eq!(seen["documentPassagesLike"]["hits"].as_array().unwrap().len(), wanted.len() - 1, "{seen}");
    }
    let chunks = "SELECT count(*) FROM document_chunks";
    assert_eq!(by_sql(&app, &author, chunks).await, "2");
    assert_eq!(by_sql(&app, &nobody, chunks).await, "1");
    // Nor by the passage itself.
    let like = nobody.run(like, json!({ "id": passages[0] })).await.ok();
    assert_eq!(like["documentPassagesLike"], json!(null));
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(nobody.run(node, json!({ "id": passages[0] })).await.ok()["node"], json!(null));
    assert_eq!(author.run(node, json!({ "id": passages[0] })).await.ok()["node"]["id"], json!(passages[0]));
}

#[tokio::test]
async fn a_final_note_taken_back_is_its_authors_alone_again_also_in_search() {
    let app = start().await;
    let author = app.member(&[Role::Therapist]).await;
    let colleague = app.member(&[Role::Physician]).await;
    let patient = someone(&author).await;
    let id = write_note(&author, CLINIC, json!({ "patientIds": [patient] })).await;
    app.work().await;
    let query = "buprenorphine urine screen";
    assert_eq!(find(&colleague, query, json!({})).await.len(), 1);
    let reopen = "mutation($input: NoteReopenInput!) { noteReopen(input: $input) { userErrors { code } } }";
    let input = |version: i32| json!({ "id": id, "expectedVersion": version });
    let (clerk, stranger) = (app.member(&[Role::FrontDesk]).await, app.member_of(app.other, &[Role::Therapist]).await);
    for (client, code) in [(&clerk, "FORBIDDEN"), (&stranger, "NOT_FOUND"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(reopen, json!({ "input": input(2) })).await.code(), code);
    }
    assert_eq!(refused(&colleague, "noteReopen", input(2)).await, "NOT_AUTHOR");
    assert_eq!(refused(&author, "noteReopen", input(1)).await, "STALE_VERSION");
    assert!(sees(&colleague, &id, &patient).await);
    let open = run(&author, "noteReopen", input(2)).await;
    assert_eq!(open["note"]["noteState"], "DRAFT");
    assert!(!sees(&colleague, &id, &patient).await);
    for mode in ["HYBRID", "SEMANTIC", "LEXICAL"] {
        assert_eq!(find(&colleague, query, json!({ "mode": mode })).await, Vec::<Value>::new(), "{mode}");
    }
    assert_eq!(refused(&author, "noteReopen", input(3)).await, "NOT_FINAL");
    run(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 3, "text": "Naltrexone instead." })).await;
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 4 })).await;
    app.work().await;
    let found = find(&colleague, "naltrexone", json!({ "mode": "LEXICAL" })).await;
    assert_eq!(found[0]["passage"]["text"], "Naltrexone instead.");
    run(&author, "noteSign", json!({ "id": id, "expectedVersion": 5 })).await;
    assert_eq!(refused(&author, "noteReopen", input(6)).await, "SIGNED");
}
