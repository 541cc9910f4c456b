//! Edges are loaded in batches: a page costs the same number of statements however many rows it has.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::access::document;
use super::done;
use crate::harness::TestApp;

const NESTED: &str = "query($first: Int!) { patients(first: $first) { nodes {
    id familyName contacts { name } emergencyContacts { name } coverages { payerName } allergies { substance }
    careTeam { kind user { id } } visits(first: 2) { totalCount nodes { visitedAt diagnoses { code description } patient { id } } } } } }";

/// Two letters that tell a hundred people apart, also by sound.
fn letters(index: usize) -> String {
    let consonants = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r"];
    format!("{}a{}o", consonants[index / 10], consonants[index % 10])
}

#[tokio::test]
async fn the_same_edge_asked_twice_with_other_pages_is_answered_for_each() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = super::patient(&nurse).await;
    for day in ["01", "02", "03"] {
        let input = json!({ "patientId": id, "visitedAt": format!("2026-03-{day}T10:00:00+00:00") });
        done(nurse.run(&document("patientVisitRecord"), json!({ "input": input })).await, "patientVisitRecord");
    }
    let query = "query($id: ID!) { patient(id: $id) { one: visits(first: 1) { nodes { visitedAt } }
        two: visits(first: 2) { nodes { visitedAt } pageInfo { hasNextPage } } } }";
    let data = nurse.run(query, json!({ "id": id })).await.ok();
    let at = |day: &str| json!({ "visitedAt": format!("2026-03-{day}T10:00:00+00:00") });
    assert_eq!(data["patient"]["one"]["nodes"], Value::Array(vec![at("03")]));
    assert_eq!(data["patient"]["two"], json!({ "nodes": [at("03"), at("02")], "pageInfo": { "hasNextPage": true } }));
}
