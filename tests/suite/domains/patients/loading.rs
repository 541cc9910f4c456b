//! Edges are loaded in batches: a page costs the same number of statements however many rows it has.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::access::document;
use super::icd10::db_load_codes;
use super::{done, person, register};
use crate::harness::TestApp;

const NESTED: &str = "query($first: Int!) { patients(first: $first) { nodes {
    id familyName contacts { name } emergencyContacts { name } coverages { payerName } allergies { substance }
    careTeam { kind user { id } } visits(first: 2) { totalCount nodes { visitedAt diagnoses { code description } patient { id } } } } } }";

#[tokio::test]
async fn a_page_of_one_twenty_and_a_hundred_patients_costs_the_same() {
    let app = TestApp::start_with(&[("ANAMNESIS_MAX_COMPLEXITY", "1000000")]).await;
    db_load_codes(&app).await;
    let everyone = app.member(super::all_roles()).await;
    for index in 0..100 {
        let birth = format!("19{index:02}-01-15");
        let id = register(
            &everyone,
            person(&format!("Given{}", letters(index)), &format!("Family{}", letters(index)), &birth),
        )
        .await["id"]
            .clone();
        for (field, input) in [
            (
                "patientContactAdd",
                json!({ "patientId": id, "name": "Sam", "relationship": "FRIEND", "phone": "2125550100", "emergency": true }),
            ),
            (
                "patientCoverageAdd",
                json!({ "patientId": id, "payerName": "Harbor", "memberNumber": "1",
                "subscriberRelationship": "SELF", "effectiveOn": "2026-01-01" }),
            ),
            (
                "patientVisitRecord",
                json!({ "patientId": id, "visitedAt": "2026-03-01T10:00:00+00:00", "diagnoses": ["F41.1"] }),
            ),
            (
                "patientAllergyRecord",
                json!({ "patientId": id, "substance": "Latex", "category": "OTHER", "severity": "MILD" }),
            ),
        ] {
            done(everyone.run(&document(field), json!({ "input": input })).await, field);
        }
    }
    let user = everyone.user.unwrap().to_string();
    let cost = async |first: i32| {
        let before = app.app.database.statements();
        let data = everyone.run(NESTED, json!({ "first": first })).await.ok();
        let nodes = data["patients"]["nodes"].as_array().unwrap().clone();
        assert_eq!(nodes.len(), usize::try_from(first).unwrap());
        for node in nodes {
            let visit = json!({ "visitedAt": "2026-03-01T10:00:00+00:00", "patient": { "id": node["id"] },
                "diagnoses": [{ "code": "F41.1", "description": "Generalized anxiety disorder" }] });
            let expected = json!({ "id": node["id"], "familyName": node["familyName"], "contacts": [{ "name": "Sam" }],
                "emergencyContacts": [{ "name": "Sam" }], "coverages": [{ "payerName": "Harbor" }],
                "allergies": [{ "substance": "Latex" }],
                "careTeam": [{ "kind": "THERAPIST", "user": { "id": user } }],
                "visits": { "totalCount": 1, "nodes": [visit] } });
            assert_eq!(node, expected);
        }
        app.app.database.statements() - before
    };
    // Once, so that the keys of the facility are at hand.
    cost(1).await;
    let costs = [cost(1).await, cost(20).await, cost(100).await];
    // BEGIN and the binding; patients; contacts, coverages, allergies, care teams, visits and their count;
    // diagnoses, the patients of visits, the users of care teams; ROLLBACK and the audit rows.
    assert_eq!(costs, [14, 14, 14]);
}

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
