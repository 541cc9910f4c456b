//! Therapists whom the facility restricts to their own patients.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::access::document;
use super::{db_restrict_therapists, db_state, done, patient, person, register};
use crate::harness::{Client, TestApp};

/// Ids of the patients someone lists.
async fn listed(client: &Client) -> Vec<String> {
    let data = client.run("{ patients { totalCount nodes { id } } }", json!({})).await.ok();
    let ids: Vec<String> = data["patients"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(data["patients"]["totalCount"], json!(ids.len()));
    ids
}

async fn treat(app: &TestApp, patient: &str, client: &Client) -> Value {
    let manager = app.member(&[Role::CaseManager]).await;
    let input = json!({ "patientId": patient, "userId": client.user.unwrap().to_string(), "kind": "THERAPIST" });
    let start = document("careRelationshipStart").replace("{ userErrors", "{ careRelationship { id } userErrors");
    done(manager.run(&start, json!({ "input": input })).await, "careRelationshipStart")["careRelationship"]["id"].take()
}

#[tokio::test]
async fn a_restricted_therapist_sees_only_their_own() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let (own, other) = (patient(&nurse).await, patient(&nurse).await);
    let therapist = app.member(&[Role::Therapist]).await;
    assert_eq!(listed(&therapist).await.len(), 2, "without the setting all are open");
    db_restrict_therapists(&app).await;
    assert!(listed(&therapist).await.is_empty());
    let relationship = treat(&app, &own, &therapist).await;
    assert_eq!(listed(&therapist).await, [own.clone()]);
    let one = "query($id: ID!) { patient(id: $id) { id } node(id: $id) { id } }";
    let read = therapist.run(one, json!({ "id": other })).await.ok();
    assert_eq!(read, json!({ "patient": null, "node": null }));
    let found = "{ patientSearch(input: { name: \"obrien\" }) { nodes { patient { id } } } }";
    let data = therapist.run(found, json!({})).await.ok();
    assert_eq!(data["patientSearch"]["nodes"], json!([{ "patient": { "id": own } }]));
    // A nurse, and a therapist who is a nurse too, see all.
    assert_eq!(listed(&nurse).await.len(), 2);
    assert_eq!(listed(&app.member(&[Role::Therapist, Role::Nurse]).await).await.len(), 2);
    // The end of the relationship closes the chart at the next request.
    let manager = app.member(&[Role::CaseManager]).await;
    let end = json!({ "input": { "id": relationship, "expectedVersion": 1 } });
    done(manager.run(&document("careRelationshipEnd"), end).await, "careRelationshipEnd");
    assert!(listed(&therapist).await.is_empty());
}

#[tokio::test]
async fn parts_of_closed_charts_are_closed_and_cannot_be_changed() {
    let app = TestApp::start().await;
    let everyone = app.member(super::all_roles()).await;
    let other = patient(&app.member(&[Role::Nurse]).await).await;
    let make = async |field: &str, object: &str, input: Value| {
        let document = document(field).replace("{ userErrors", &format!("{{ {object} {{ id }} userErrors"));
        done(everyone.run(&document, json!({ "input": input })).await, field)[object]["id"].take()
    };
    let contact = json!({ "patientId": other, "name": "Sam", "relationship": "FRIEND" });
    let contact = make("patientContactAdd", "contact", contact).await;
    let visit =
        make("patientVisitRecord", "visit", json!({ "patientId": other, "visitedAt": "2026-03-01T10:00:00+00:00" }))
            .await;
    let allergy = json!({ "patientId": other, "substance": "Latex", "category": "OTHER", "severity": "MILD" });
    let allergy = make("patientAllergyRecord", "allergy", allergy).await;
    let user = app.member(&[Role::Therapist]).await.user.unwrap().to_string();
    let relationship = json!({ "patientId": other, "userId": user, "kind": "THERAPIST" });
    let relationship = make("careRelationshipStart", "careRelationship", relationship).await;
    db_restrict_therapists(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    for id in [&contact, &visit, &allergy, &relationship] {
        let data = therapist.run("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await.ok();
        assert_eq!(data["node"], Value::Null, "{id}");
    }
    let before = db_state(&app).await;
    for (field, input) in [
        ("patientUpdate", json!({ "id": other, "expectedVersion": 1, "givenName": "Norah" })),
        ("patientContactAdd", json!({ "patientId": other, "name": "Ann", "relationship": "FRIEND" })),
        ("patientContactUpdate", json!({ "id": contact, "expectedVersion": 1, "name": "Ann" })),
        ("patientContactRemove", json!({ "id": contact, "expectedVersion": 1 })),
        ("patientVisitRecord", json!({ "patientId": other, "visitedAt": "2026-03-02T10:00:00+00:00" })),
        ("patientVisitUpdate", json!({ "id": visit, "expectedVersion": 1, "department": "Ward 2" })),
        (
            "patientAllergyRecord",
            json!({ "patientId": other, "substance": "Nuts", "category": "FOOD", "severity": "MILD" }),
        ),
        ("patientAllergyUpdate", json!({ "id": allergy, "expectedVersion": 1, "severity": "SEVERE" })),
    ] {
        assert_eq!(therapist.run(&document(field), json!({ "input": input })).await.code(), "NOT_FOUND", "{field}");
    }
    assert_eq!(db_state(&app).await, before);
    let all = "{ careRelationships { totalCount nodes { id } } }";
    assert_eq!(therapist.run(all, json!({})).await.ok()["careRelationships"], json!({ "totalCount": 0, "nodes": [] }));
}

#[tokio::test]
async fn a_restricted_therapist_sees_the_whole_team_of_their_own_patient() {
    let app = TestApp::start().await;
    let own = patient(&app.member(&[Role::Nurse]).await).await;
    db_restrict_therapists(&app).await;
    let (therapist, colleague) = (app.member(&[Role::Therapist]).await, app.member(&[Role::Therapist]).await);
    let first = treat(&app, &own, &therapist).await;
    let second = treat(&app, &own, &colleague).await;
    let team = "query($id: ID!) { patient(id: $id) { careTeam { id } } careRelationships { totalCount } }";
    let data = therapist.run(team, json!({ "id": own })).await.ok();
    assert_eq!(data["patient"]["careTeam"], json!([{ "id": first }, { "id": second }]));
    assert_eq!(data["careRelationships"]["totalCount"], 2);
}

#[tokio::test]
async fn a_restricted_therapist_registers_reads_back_and_works_on_their_patient() {
    let app = TestApp::start().await;
    db_restrict_therapists(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    let registered = register(&therapist, person("Samuel", "Okafor", "1991-07-30")).await;
    assert_eq!(registered["givenName"], "Samuel");
    let contact = json!({ "patientId": registered["id"], "name": "Ann", "relationship": "PARENT" });
    done(therapist.run(&document("patientContactAdd"), json!({ "input": contact })).await, "patientContactAdd");
    let update = json!({ "id": registered["id"], "expectedVersion": 1, "familyName": "Okafor-Bell" });
    done(therapist.run(&document("patientUpdate"), json!({ "input": update })).await, "patientUpdate");
    let data = therapist
        .run("{ patientSearch(input: { name: \"bell\" }) { nodes { patient { id } } } }", json!({}))
        .await
        .ok();
    assert_eq!(data["patientSearch"]["nodes"], json!([{ "patient": { "id": registered["id"] } }]));
    // The colleague who did not register them sees nobody.
    assert!(listed(&app.member(&[Role::Therapist]).await).await.is_empty());
}

#[tokio::test]
async fn a_closed_chart_is_no_duplicate_for_a_restricted_therapist() {
    let app = TestApp::start().await;
    register(&app.member(&[Role::Nurse]).await, person("Samuel", "Okafor", "1991-07-30")).await;
    db_restrict_therapists(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    register(&therapist, person("Samuel", "Okafor", "1991-07-30")).await;
    assert_eq!(listed(&therapist).await.len(), 1);
}
