//! Co-signatures of supervised authors.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};

use super::notes::{attempt, draft, refused, run, uuid};
use super::{count, register};
use crate::harness::{Client, TestApp};

const WAITING: &str = "{ notesAwaitingCosignature { nodes { id noteState } } }";

const NOTE: &str = "query($id: ID!) { document(id: $id) { noteState signedAt version text
    signatures { signer { id } valid } } }";

async fn manage(client: &Client, mutation: &str, input: Value) -> Value {
    let kind = format!("S{}Input", &mutation[1..]);
    let document = format!(
        "mutation($input: {kind}!) {{ {mutation}(input: $input) {{
            supervision {{ id version endedAt supervisee {{ id }} supervisor {{ id }} }} userErrors {{ code field }} }} }}"
    );
    client.run(&document, json!({ "input": input })).await.ok()[mutation].clone()
}

fn id_of(client: &Client) -> String {
    client.user.unwrap().to_string()
}

async fn supervise(app: &TestApp, supervisee: &Client, supervisor: &Client) -> (Client, Value) {
    let administrator = app.member(&[Role::Administrator]).await;
    let input = json!({ "superviseeId": id_of(supervisee), "supervisorId": id_of(supervisor) });
    let made = manage(&administrator, "supervisionStart", input).await;
    assert!(made["supervision"].is_object(), "{made}");
    (administrator, made["supervision"].clone())
}

/// A final note of the author's.
async fn finalized(author: &Client, patient: &str) -> String {
    let id = draft(author, &[patient]).await;
    run(author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    id
}

async fn read(client: &Client, id: &str) -> Value {
    client.run(NOTE, json!({ "id": id })).await.ok()["document"].clone()
}

async fn waiting(client: &Client) -> Vec<Value> {
    let told = client.run(WAITING, json!({})).await.ok();
    told["notesAwaitingCosignature"]["nodes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_supervised_authors_note_is_signed_when_both_have_signed() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (author, supervisor) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Physician]).await);
    let colleague = app.member(&[Role::Physician]).await;
    supervise(&app, &author, &supervisor).await;
    let id = finalized(&author, &patient).await;
    assert_eq!(waiting(&supervisor).await, Vec::<Value>::new());
    assert_eq!(refused(&supervisor, "noteCosign", json!({ "id": id, "expectedVersion": 2 })).await, "NOT_AWAITING");
    let half = run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    assert_eq!(half["note"]["noteState"], "AWAITING_COSIGNATURE");
    let note = read(&colleague, &id).await;
    let by = |client: &Client| json!({ "signer": { "id": id_of(client) }, "valid": true });
    assert_eq!((&note["signedAt"], &note["signatures"]), (&json!(null), &json!([by(&author)])));
    assert_eq!(waiting(&supervisor).await, [json!({ "id": id, "noteState": "AWAITING_COSIGNATURE" })]);
    assert_eq!(waiting(&colleague).await, Vec::<Value>::new());
    // Nobody changes it meanwhile, and nobody else completes it.
    for mutation in ["noteSign", "noteFinalize"] {
        let input = json!({ "id": id, "expectedVersion": 3 });
        assert_eq!(refused(&author, mutation, input).await, "AWAITING_COSIGNATURE", "{mutation}");
    }
    let change = json!({ "id": id, "expectedVersion": 3, "text": "x" });
    assert_eq!(refused(&author, "noteUpdate", change).await, "AWAITING_COSIGNATURE");
    assert_eq!(refused(&supervisor, "noteAddendum", json!({ "noteId": id, "text": "x" })).await, "NOT_SIGNED");
    assert_eq!(refused(&colleague, "noteCosign", json!({ "id": id, "expectedVersion": 3 })).await, "NOT_SUPERVISOR");
    assert_eq!(refused(&author, "noteCosign", json!({ "id": id, "expectedVersion": 3 })).await, "NOT_SUPERVISOR");
    assert_eq!(refused(&supervisor, "noteCosign", json!({ "id": id, "expectedVersion": 2 })).await, "STALE_VERSION");
    assert_eq!(count(&app, "document_signatures").await, "1");
    let whole = run(&supervisor, "noteCosign", json!({ "id": id, "expectedVersion": 3 })).await;
    assert_eq!(whole["note"]["noteState"], "SIGNED");
    let note = read(&colleague, &id).await;
    assert_eq!(note["signatures"], json!([by(&author), by(&supervisor)]));
    assert_eq!(note["signedAt"], "2026-03-09T14:00:00+00:00");
    assert_eq!(waiting(&supervisor).await, Vec::<Value>::new());
    assert_eq!(refused(&supervisor, "noteCosign", json!({ "id": id, "expectedVersion": 4 })).await, "SIGNED");
    // The supervisor's own notes need nobody.
    let own = finalized(&supervisor, &patient).await;
    let signed = run(&supervisor, "noteSign", json!({ "id": own, "expectedVersion": 2 })).await;
    assert_eq!(signed["note"]["noteState"], "SIGNED");
}

#[tokio::test]
async fn what_waits_is_signed_by_a_successor_or_by_its_author_again() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (author, first) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Physician]).await);
    let second = app.member(&[Role::Physician]).await;
    let (administrator, supervision) = supervise(&app, &author, &first).await;
    let (one, two) = (finalized(&author, &patient).await, finalized(&author, &patient).await);
    for id in [&one, &two] {
        run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    }
    let end = json!({ "id": supervision["id"], "expectedVersion": 1 });
    let ended = manage(&administrator, "supervisionEnd", end.clone()).await;
    assert_eq!(ended["supervision"]["endedAt"], "2026-03-09T14:00:00+00:00");
    assert_eq!(manage(&administrator, "supervisionEnd", end).await["userErrors"][0]["code"], "ENDED");
    assert_eq!(refused(&first, "noteCosign", json!({ "id": one, "expectedVersion": 3 })).await, "NOT_SUPERVISOR");
    let input = json!({ "superviseeId": id_of(&author), "supervisorId": id_of(&second) });
    let next = manage(&administrator, "supervisionStart", input).await;
    assert_eq!(waiting(&second).await.len(), 2);
    let done = run(&second, "noteCosign", json!({ "id": one, "expectedVersion": 3 })).await;
    assert_eq!(done["note"]["noteState"], "SIGNED");
    let end = json!({ "id": next["supervision"]["id"], "expectedVersion": 1 });
    manage(&administrator, "supervisionEnd", end).await;
    let done = run(&author, "noteSign", json!({ "id": two, "expectedVersion": 3 })).await;
    assert_eq!(done["note"]["noteState"], "SIGNED");
    let all = "query { supervisions(includeEnded: true) { nodes { supervisor { id } } } }";
    let found = author.run(all, json!({})).await.ok();
    let wanted = json!([{ "supervisor": { "id": id_of(&second) } }, { "supervisor": { "id": id_of(&first) } }]);
    assert_eq!(found["supervisions"]["nodes"], wanted);
    let lasting = "query { supervisions { nodes { id } } }";
    assert_eq!(author.run(lasting, json!({})).await.ok()["supervisions"]["nodes"], json!([]));
}

#[tokio::test]
async fn only_administrators_say_who_supervises_and_of_members_alone() {
    let app = TestApp::start().await;
    let (author, supervisor) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Physician]).await);
    let (administrator, supervision) = supervise(&app, &author, &supervisor).await;
    let stranger = app.member_of(app.other, &[Role::Physician]).await;
    let pair = |one: &Client, other: &Client| json!({ "superviseeId": id_of(one), "supervisorId": id_of(other) });
    for (input, code, field) in [
        (pair(&author, &administrator), "ALREADY_SUPERVISED", "superviseeId"),
        (pair(&supervisor, &supervisor), "INVALID", "supervisorId"),
        (pair(&supervisor, &stranger), "NOT_MEMBER", "supervisorId"),
        (pair(&stranger, &supervisor), "NOT_MEMBER", "superviseeId"),
    ] {
        let told = manage(&administrator, "supervisionStart", input).await;
        assert_eq!(told["userErrors"], json!([{ "code": code, "field": ["input", field] }]));
    }
    let stale = json!({ "id": supervision["id"], "expectedVersion": 9 });
    assert_eq!(manage(&administrator, "supervisionEnd", stale).await["userErrors"][0]["code"], "STALE_VERSION");
    let start = "mutation($input: SupervisionStartInput!) { supervisionStart(input: $input) { userErrors { code } } }";
    let end = "mutation($input: SupervisionEndInput!) { supervisionEnd(input: $input) { userErrors { code } } }";
    let cosign = "mutation($input: NoteCosignInput!) { noteCosign(input: $input) { userErrors { code } } }";
    let input = json!({ "input": pair(&supervisor, &author) });
    let ending = json!({ "input": { "id": supervision["id"], "expectedVersion": 1 } });
    let their_administrator = app.member_of(app.other, &[Role::Administrator]).await;
    assert_eq!(their_administrator.run(end, ending.clone()).await.code(), "NOT_FOUND");
    for (client, code) in [(&supervisor, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(start, input.clone()).await.code(), code);
        assert_eq!(client.run(end, ending.clone()).await.code(), code);
    }
    let patient = register(&app, "Ada").await;
    let note = finalized(&author, &patient).await;
    run(&author, "noteSign", json!({ "id": note, "expectedVersion": 2 })).await;
    let input = json!({ "input": { "id": note, "expectedVersion": 3 } });
    let clerk = app.member(&[Role::FrontDesk]).await;
    for (client, code) in [(&stranger, "NOT_FOUND"), (&clerk, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(cosign, input.clone()).await.code(), code);
    }
    for (client, code) in [(&clerk, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(WAITING, json!({})).await.code(), code);
    }
    assert_eq!(waiting(&stranger).await, Vec::<Value>::new());
    assert_eq!(count(&app, "note_supervisions").await, "1");
    assert_eq!(count(&app, "document_signatures").await, "1");
}

#[tokio::test]
async fn a_psychotherapy_note_of_a_supervised_author_waits_for_nobody() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (author, supervisor) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Physician]).await);
    supervise(&app, &author, &supervisor).await;
    let input = json!({ "kind": "PSYCHOTHERAPY_NOTE", "title": "t", "text": "t", "patientIds": [patient] });
    let id = run(&author, "noteCreate", input).await["note"]["id"].clone();
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    let signed = run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    assert_eq!(signed["note"]["noteState"], "SIGNED");
    assert_eq!(waiting(&supervisor).await, Vec::<Value>::new());
}

/// Whatever a connection may do: the server's own, bound to the author; the owner's; the superuser's.
#[tokio::test]
async fn what_waits_is_not_changed_by_sql_nor_is_what_is_signed() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (author, supervisor) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Physician]).await);
    supervise(&app, &author, &supervisor).await;
    let id = finalized(&author, &patient).await;
    run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    let bound = format!(
        "SELECT set_config('app.scope', 'facility', false), set_config('app.patient_scope', 'all', false), \
         set_config('app.part2', 'on', false), set_config('app.facility_id', '{}', false), \
         set_config('app.user_id', '{}', false);",
        app.facility.uuid(),
        author.user.unwrap().uuid()
    );
    let document = uuid(&id);
    let statements = [
        format!("UPDATE documents SET body_ciphertext = 'x' WHERE id = '{document}'"),
        format!("UPDATE documents SET title_ciphertext = 'x' WHERE id = '{document}'"),
        format!("UPDATE documents SET document_date = '2020-01-01' WHERE id = '{document}'"),
        format!("UPDATE documents SET kind = 'other' WHERE id = '{document}'"),
        format!("UPDATE documents SET author_id = NULL WHERE id = '{document}'"),
        format!("UPDATE documents SET note_state = 'draft', signed_at = NULL WHERE id = '{document}'"),
        format!("UPDATE documents SET note_state = 'final', signed_at = NULL WHERE id = '{document}'"),
        format!("UPDATE documents SET sha256 = 'x' WHERE id = '{document}'"),
        format!("DELETE FROM documents WHERE id = '{document}'"),
        format!("DELETE FROM document_patients WHERE document_id = '{document}'"),
        format!("UPDATE document_signatures SET signed_at = now() WHERE document_id = '{document}'"),
        format!("DELETE FROM document_signatures WHERE document_id = '{document}'"),
        format!("DELETE FROM document_versions WHERE document_id = '{document}'"),
    ];
    let everything = async || {
        let mut rows = Vec::new();
        for table in ["documents", "document_patients", "document_signatures", "document_versions"] {
            rows.extend(app.db_query(&format!("SELECT row_to_json(t)::text FROM {table} t ORDER BY 1")).await);
        }
        rows
    };
    for state in ["AWAITING_COSIGNATURE", "SIGNED"] {
        assert_eq!(read(&author, &id).await["noteState"], state);
        let before = everything().await;
        for statement in &statements {
            for url in [&app.database.server_url, &app.database.owner_url, &app.database.superuser_url] {
                let said = attempt(url, &format!("{bound} {statement}")).await.unwrap_err();
                let ours = [
                    "a signed document cannot be changed",
                    "a signature cannot be changed",
                    "a version cannot be changed",
                ];
                assert!(
                    ours.contains(&said.as_str()) || said.starts_with("permission denied for table"),
                    "{statement}: {said}"
                );
            }
        }
        assert_eq!(everything().await, before, "{state}");
        run(&supervisor, "noteCosign", json!({ "id": id, "expectedVersion": 3 })).await;
    }
}
