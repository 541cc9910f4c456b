//! Versions: kept, listed, told apart, put back; autosaves.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::notes::{attempt, draft, refused, run, signed, uuid};
use super::{count, register, upload_text};
use crate::harness::{Client, TestApp};

const VERSIONS: &str = "query($id: ID!, $first: Int, $after: String) {
    documentVersions(documentId: $id, first: $first, after: $after) {
        nodes { id number change restoredFrom kind title text documentDate noteState author { id } createdAt savedAt }
        pageInfo { hasNextPage endCursor } } }";

const DIFF: &str = "query($from: ID!, $to: ID!) { documentVersionDiff(fromVersionId: $from, toVersionId: $to) {
    from { number } to { number } title { change text } text { change text } } }";

const RESTORE: &str = "mutation($input: DocumentVersionRestoreInput!) { documentVersionRestore(input: $input) {
    document { title text kind version noteState } userErrors { code field } } }";

const UPDATE: &str = "mutation($input: DocumentUpdateInput!) { documentUpdate(input: $input) { userErrors { code } } }";

async fn versions(client: &Client, document: &str) -> Vec<Value> {
    let told = client.run(VERSIONS, json!({ "id": document })).await.ok();
    told["documentVersions"]["nodes"].as_array().unwrap().clone()
}

/// Number, change, title and text of each, last first.
async fn told(client: &Client, document: &str) -> Vec<Value> {
    let versions = versions(client, document).await;
    versions.iter().map(|v| json!([v["number"], v["change"], v["title"], v["text"]])).collect()
}

fn restore(version: &Value, expected: i32) -> Value {
    json!({ "input": { "id": version, "expectedVersion": expected } })
}

#[tokio::test]
async fn every_change_of_a_draft_is_a_version_with_author_and_time() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = draft(&author, &[&patient]).await;
    app.advance(TimeDelta::minutes(1));
    run(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 1, "text": "Slept well." })).await;
    let title = json!({ "input": { "id": id, "expectedVersion": 2, "title": "Session 5" } });
    assert_eq!(author.run(UPDATE, title).await.ok()["documentUpdate"]["userErrors"], json!([]));
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 3 })).await;
    let kept = json!([
        [4, "FINALIZED", "Session 5", "Slept well."],
        [3, "EDITED", "Session 5", "Slept well."],
        [2, "EDITED", "Session 4", "Slept well."],
        [1, "CREATED", "Session 4", "Slept better; less worried."],
    ]);
    assert_eq!(json!(told(&author, &id).await), kept);
    let all = versions(&author, &id).await;
    assert_eq!(all[3]["createdAt"], "2026-03-09T14:00:00+00:00");
    assert_eq!(all[2]["createdAt"], "2026-03-09T14:01:00+00:00");
    assert!(all.iter().all(|version| version["author"]["id"] == json!(author.user.unwrap().to_string())));
    let page = author.run(VERSIONS, json!({ "id": id, "first": 3 })).await.ok();
    assert_eq!(page["documentVersions"]["pageInfo"]["hasNextPage"], json!(true));
    let after = page["documentVersions"]["pageInfo"]["endCursor"].clone();
    let rest = author.run(VERSIONS, json!({ "id": id, "after": after })).await.ok();
    assert_eq!(rest["documentVersions"]["nodes"], json!([all[3]]));
    // Signing changes nothing of it.
    run(&author, "noteSign", json!({ "id": id, "expectedVersion": 4 })).await;
    assert_eq!(json!(told(&author, &id).await), kept);
}

#[tokio::test]
async fn others_see_what_was_declared_final_and_nothing_before() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let colleague = app.member(&[Role::Nurse]).await;
    let id = draft(&author, &[&patient]).await;
    assert_eq!(colleague.run(VERSIONS, json!({ "id": id })).await.code(), "NOT_FOUND");
    run(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 1, "text": "Second thoughts." })).await;
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 2 })).await;
    let seen = versions(&colleague, &id).await;
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0]["change"], &seen[0]["text"]), (&json!("FINALIZED"), &json!("Second thoughts.")));
    let all = versions(&author, &id).await;
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(colleague.run(node, json!({ "id": all[0]["id"] })).await.ok()["node"]["id"], all[0]["id"]);
    assert_eq!(colleague.run(node, json!({ "id": all[1]["id"] })).await.ok()["node"], json!(null));
    let pair = json!({ "from": all[2]["id"], "to": all[0]["id"] });
    assert_eq!(colleague.run(DIFF, pair.clone()).await.code(), "NOT_FOUND");
    let stranger = app.member_of(app.other, &[Role::Therapist]).await;
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    for (client, code) in [(&stranger, "NOT_FOUND"), (&officer, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(VERSIONS, json!({ "id": id })).await.code(), code);
        assert_eq!(client.run(DIFF, pair.clone()).await.code(), code);
        assert_eq!(client.run(RESTORE, restore(&all[2]["id"], 3)).await.code(), code);
    }
    assert_eq!(count(&app, "document_versions").await, "3");
}

#[tokio::test]
async fn a_difference_is_told_word_by_word() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = draft(&author, &[&patient]).await;
    let change = json!({ "id": id, "expectedVersion": 1, "text": "Slept worse; less worried.", "title": "Session 5" });
    run(&author, "noteUpdate", change).await;
    let all = versions(&author, &id).await;
    let found = author.run(DIFF, json!({ "from": all[1]["id"], "to": all[0]["id"] })).await.ok();
    let piece = |change: &str, text: &str| json!({ "change": change, "text": text });
    let wanted = json!({
        "from": { "number": 1 }, "to": { "number": 2 },
        "title": [piece("EQUAL", "Session "), piece("REMOVED", "4"), piece("ADDED", "5")],
        "text": [piece("EQUAL", "Slept "), piece("REMOVED", "better;"), piece("ADDED", "worse;"), piece("EQUAL", " less worried.")],
    });
    assert_eq!(found["documentVersionDiff"], wanted);
    let other = draft(&author, &[&patient]).await;
    let foreign = versions(&author, &other).await;
    let mixed = json!({ "from": all[0]["id"], "to": foreign[0]["id"] });
    assert_eq!(author.run(DIFF, mixed).await.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn an_earlier_version_is_put_back_as_a_new_one() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = draft(&author, &[&patient]).await;
    let change = json!({ "id": id, "expectedVersion": 1, "text": "Gone.", "title": "Gone", "kind": "TREATMENT_PLAN" });
    run(&author, "noteUpdate", change).await;
    let first = versions(&author, &id).await[1]["id"].clone();
    let stale = author.run(RESTORE, restore(&first, 1)).await.ok();
    assert_eq!(stale["documentVersionRestore"]["userErrors"][0]["code"], "STALE_VERSION");
    let done = author.run(RESTORE, restore(&first, 2)).await.ok();
    let wanted = json!({ "title": "Session 4", "text": "Slept better; less worried.", "kind": "CLINICAL_NOTE",
        "version": 3, "noteState": "DRAFT" });
    assert_eq!(done["documentVersionRestore"], json!({ "document": wanted, "userErrors": [] }));
    let last = versions(&author, &id).await[0].clone();
    assert_eq!((&last["change"], &last["restoredFrom"], &last["number"]), (&json!("RESTORED"), &json!(1), &json!(3)));
    // The checksum is that of what was put back.
    let sha256 = app.db_value("SELECT encode(sha256, 'hex') FROM documents").await;
    assert_eq!(sha256, super::sha256(b"Slept better; less worried."));
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 3 })).await;
    let late = author.run(RESTORE, restore(&first, 4)).await.ok();
    assert_eq!(late["documentVersionRestore"]["userErrors"][0]["code"], "NOT_DRAFT");
    run(&author, "noteSign", json!({ "id": id, "expectedVersion": 4 })).await;
    let late = author.run(RESTORE, restore(&first, 5)).await.ok();
    assert_eq!(late["documentVersionRestore"]["userErrors"][0]["code"], "SIGNED");
    assert_eq!(count(&app, "document_versions").await, "4");
}

#[tokio::test]
async fn what_is_said_of_a_file_has_versions_too() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "title": "Blood count" }), "text").await;
    let change = json!({ "input": { "id": id, "expectedVersion": 1, "kind": "OTHER", "title": "Parking" } });
    assert_eq!(nurse.run(UPDATE, change).await.ok()["documentUpdate"]["userErrors"], json!([]));
    let wanted = json!([[2, "EDITED", "Parking", null], [1, "CREATED", "Blood count", null]]);
    assert_eq!(json!(told(&nurse, &id).await), wanted);
    // What it was while it was clinical is not for a clerk, who sees it now.
    let clerk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(json!(told(&clerk, &id).await), json!([[2, "EDITED", "Parking", null]]));
    let first = versions(&nurse, &id).await[1]["id"].clone();
    assert_eq!(clerk.run(RESTORE, restore(&first, 2)).await.code(), "NOT_FOUND");
    let done = nurse.run(RESTORE, restore(&first, 2)).await.ok();
    assert_eq!(done["documentVersionRestore"]["document"]["title"], "Blood count");
    assert_eq!(done["documentVersionRestore"]["document"]["kind"], "LAB_RESULT");
}

#[tokio::test]
async fn saves_while_writing_are_one_version_until_the_window_ends() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = draft(&author, &[&patient]).await;
    let save = async |client: &Client, version: i32, text: &str| {
        let input = json!({ "id": id, "expectedVersion": version, "text": text });
        run(client, "noteAutosave", input).await["note"].clone()
    };
    for (version, text) in [(1, "He"), (2, "He came"), (3, "He came late.")] {
        let saved = save(&author, version, text).await;
        assert_eq!((&saved["version"], &saved["noteState"]), (&json!(version + 1), &json!("DRAFT")));
        app.advance(TimeDelta::minutes(4));
    }
    // Tokens do not last that long.
    let author = app.signed_in(author.user.unwrap(), app.facility).await;
    let first = json!([1, "CREATED", "Session 4", "Slept better; less worried."]);
    let wanted = json!([[4, "AUTOSAVED", "Session 4", "He came late."], first]);
    assert_eq!(json!(told(&author, &id).await), wanted);
    let version = versions(&author, &id).await[0].clone();
    assert_eq!(version["createdAt"], "2026-03-09T14:00:00+00:00");
    assert_eq!(version["savedAt"], "2026-03-09T14:08:00+00:00");
    // Twelve minutes after the first, another version begins; what is as it was is none.
    assert_eq!(save(&author, 4, "He came late.").await["version"], json!(4));
    assert_eq!(save(&author, 4, "He came late again.").await["version"], json!(5));
    assert_eq!(told(&author, &id).await.len(), 3);
    // A change by hand in between is not written over.
    run(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 5, "text": "By hand." })).await;
    save(&author, 6, "By hand, saved.").await;
    let kept: Vec<Value> = versions(&author, &id).await.iter().map(|version| version["change"].clone()).collect();
    assert_eq!(kept, ["AUTOSAVED", "EDITED", "AUTOSAVED", "AUTOSAVED", "CREATED"]);
}

#[tokio::test]
async fn a_save_while_writing_is_refused_like_any_change() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let colleague = app.member(&[Role::Physician]).await;
    let id = draft(&author, &[&patient]).await;
    let input = |version: i32| json!({ "id": id, "expectedVersion": version, "text": "x" });
    assert_eq!(refused(&author, "noteAutosave", input(9)).await, "STALE_VERSION");
    let as_it_was = json!({ "id": id, "expectedVersion": 9, "text": "Slept better; less worried." });
    assert_eq!(refused(&author, "noteAutosave", as_it_was).await, "STALE_VERSION");
    assert_eq!(
        refused(&author, "noteAutosave", json!({ "id": id, "expectedVersion": 1, "title": "" })).await,
        "INVALID"
    );
    let save = "mutation($input: NoteAutosaveInput!) { noteAutosave(input: $input) { userErrors { code } } }";
    let stranger = app.member_of(app.other, &[Role::Therapist]).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    for (client, code) in [
        (&colleague, "NOT_FOUND"),
        (&stranger, "NOT_FOUND"),
        (&clerk, "FORBIDDEN"),
        (&app.anonymous(), "UNAUTHENTICATED"),
    ] {
        assert_eq!(client.run(save, json!({ "input": input(1) })).await.code(), code);
    }
    run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    assert_eq!(refused(&author, "noteAutosave", input(2)).await, "NOT_DRAFT");
    run(&author, "noteSign", json!({ "id": id, "expectedVersion": 2 })).await;
    assert_eq!(refused(&author, "noteAutosave", input(3)).await, "SIGNED");
    let of_another = draft(&author, &[&patient]).await;
    run(&author, "noteFinalize", json!({ "id": of_another, "expectedVersion": 1 })).await;
    let theirs = json!({ "id": of_another, "expectedVersion": 2, "text": "x" });
    assert_eq!(refused(&colleague, "noteAutosave", theirs).await, "NOT_AUTHOR");
    assert_eq!(count(&app, "document_versions").await, "4");
}

#[tokio::test]
async fn history_is_not_changed_by_sql() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let author = app.member(&[Role::Therapist]).await;
    let id = signed(&author, &[&patient]).await;
    let everything = "SELECT row_to_json(t)::text FROM document_versions t ORDER BY 1";
    let before = app.db_query(everything).await;
    let bound = format!(
        "SELECT set_config('app.scope', 'facility', false), set_config('app.patient_scope', 'all', false), \
         set_config('app.facility_id', '{}', false), set_config('app.user_id', '{}', false);",
        app.facility.uuid(),
        author.user.unwrap().uuid()
    );
    let copy = format!(
        "INSERT INTO document_versions SELECT facility_id, gen_random_uuid(), document_id, 99, 'edited', NULL, author_id, kind, \
         document_date, note_state, title_ciphertext, body_ciphertext, fields_ciphertext, created_at, saved_at FROM document_versions \
         WHERE document_id = '{}' LIMIT 1",
        uuid(&id)
    );
    for statement in [
        "UPDATE document_versions SET saved_at = now()",
        "UPDATE document_versions SET body_ciphertext = 'x'",
        "UPDATE document_versions SET number = number + 10",
        "DELETE FROM document_versions",
        &copy,
    ] {
        for url in [&app.database.server_url, &app.database.owner_url, &app.database.superuser_url] {
            let said = attempt(url, &format!("{bound} {statement}")).await.unwrap_err();
            let denied = "permission denied for table document_versions";
            assert!(said == "a version cannot be changed" || said == denied, "{statement}: {said}");
        }
    }
    assert_eq!(app.db_query(everything).await, before);
}
