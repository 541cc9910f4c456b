//! Searches that are kept.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::search::{start, write_note};
use crate::harness::{Client, TestApp};

const FIELDS: &str = "id name query mode version filter { patientId kinds from authors languages documentId }";

async fn save(client: &Client, input: Value) -> Value {
    let save = format!(
        "mutation($input: DocumentSearchSaveInput!) {{ documentSearchSave(input: $input) {{ savedSearch {{ {FIELDS} }} \
         userErrors {{ code field }} }} }}"
    );
    client.run(&save, json!({ "input": input })).await.ok()["documentSearchSave"].take()
}

async fn list(client: &Client) -> Vec<Value> {
    let list = format!("{{ documentSavedSearches {{ {FIELDS} }} }}");
    client.run(&list, json!({})).await.ok()["documentSavedSearches"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_search_is_kept_listed_run_changed_and_forgotten() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let ankle = write_note(&physician, "She twisted her ankle on the stairs.", json!({})).await;
    write_note(&physician, "The ankle is healed.", json!({ "kind": "TREATMENT_PLAN" })).await;
    app.work().await;

    let filter = json!({ "kinds": ["CLINICAL_NOTE"], "from": "2026-01-01" });
    let input =
        json!({ "name": " Ankles ", "query": "ankle", "mode": "LEXICAL", "filter": filter, "idempotencyKey": "k" });
    let saved = save(&physician, input.clone()).await["savedSearch"].take();
    assert_eq!((&saved["name"], &saved["mode"], &saved["version"]), (&json!("Ankles"), &json!("LEXICAL"), &json!(1)));
    assert_eq!(saved["filter"]["kinds"], json!(["CLINICAL_NOTE"]));
    // A retry gives the same one.
    assert_eq!(save(&physician, input).await["savedSearch"]["id"], saved["id"]);
    assert_eq!(list(&physician).await, [saved.clone()]);

    let run = "query($id: ID!) { node(id: $id) { ... on DocumentSavedSearch { name results(first: 5) {
        edges { node { document { id } } } } } } }";
    let results = physician.run(run, json!({ "id": saved["id"] })).await.ok();
    let edges = results["node"]["results"]["edges"].as_array().unwrap().clone();
    assert_eq!(edges.iter().map(|edge| &edge["node"]["document"]["id"]).collect::<Vec<_>>(), [&json!(ankle)]);

    let replace = "mutation($input: DocumentSavedSearchReplaceInput!) { documentSavedSearchReplace(input: $input) {
        savedSearch { name query mode version filter { kinds } } userErrors { code field } } }";
    let input = |version: i32| json!({ "input": { "id": saved["id"], "expectedVersion": version, "name": "Stairs", "query": "stairs" } });
    let changed = physician.run(replace, input(1)).await.ok()["documentSavedSearchReplace"]["savedSearch"].take();
    assert_eq!(
        changed,
        json!({ "name": "Stairs", "query": "stairs", "mode": "HYBRID", "version": 2, "filter": { "kinds": [] } })
    );
    let stale = physician.run(replace, input(1)).await.ok()["documentSavedSearchReplace"]["userErrors"].take();
    assert_eq!(stale, json!([{ "code": "STALE_VERSION", "field": ["input", "expectedVersion"] }]));

    let forget = "mutation($input: DocumentSavedSearchForgetInput!) { documentSavedSearchForget(input: $input) { forgottenId } }";
    let input = json!({ "input": { "id": saved["id"] } });
    let forgotten = physician.run(forget, input.clone()).await.ok();
    assert_eq!(forgotten["documentSavedSearchForget"]["forgottenId"], saved["id"]);
    assert_eq!(list(&physician).await, Vec::<Value>::new());
    assert_eq!(physician.run(forget, input).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_a_hundred_are_enough() {
    let app = TestApp::start().await;
    let physician = app.member(&[Role::Physician]).await;
    for (input, field) in [
        (json!({ "name": " ", "query": "ankle" }), "name"),
        (json!({ "name": "x".repeat(101), "query": "ankle" }), "name"),
        (json!({ "name": "Ankles", "query": " " }), "query"),
        (json!({ "name": "Ankles", "query": "x".repeat(1001) }), "query"),
    ] {
        let refused = save(&physician, input).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", field] }]));
    }
    assert_eq!(list(&physician).await, Vec::<Value>::new());
    for number in 0..100 {
        let kept = save(&physician, json!({ "name": format!("{number}"), "query": "ankle" })).await;
        assert_eq!(kept["userErrors"], json!([]));
    }
    let refused = save(&physician, json!({ "name": "101", "query": "ankle" })).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "TOO_MANY", "field": ["input"] }]));
    assert_eq!(list(&physician).await.len(), 100);
}

#[tokio::test]
async fn a_saved_search_is_its_owners_alone_and_encrypted() {
    let app = TestApp::start().await;
    let physician = app.member(&[Role::Physician]).await;
    let saved = save(&physician, json!({ "name": "Zebrafish", "query": "quagga anxiety" })).await["savedSearch"].take();
    let dump = app.db_dump();
    assert!(!dump.contains("Zebrafish") && !dump.contains("quagga"));

    let forget = "mutation($input: DocumentSavedSearchForgetInput!) { documentSavedSearchForget(input: $input) { forgottenId } }";
    let node = "query($id: ID!) { node(id: $id) { id } }";
    let id = json!({ "id": saved["id"] });
    for stranger in [
        app.member(&[Role::Physician]).await,
        app.member(&[Role::Administrator]).await,
        app.member_of(app.other, &[Role::Physician]).await,
    ] {
        assert_eq!(list(&stranger).await, Vec::<Value>::new());
        assert_eq!(stranger.run(node, id.clone()).await.ok()["node"], Value::Null);
        assert_eq!(stranger.run(forget, json!({ "input": id })).await.code(), "NOT_FOUND");
    }
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    assert_eq!(officer.run("{ documentSavedSearches { id } }", json!({})).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run("{ documentSavedSearches { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(list(&physician).await, [saved]);
}
