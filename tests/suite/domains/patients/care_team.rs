//! Who treats whom.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::access::document;
use super::{again, done, patient, refused_once, told};
use crate::harness::{Client, TestApp};

const FIELDS: &str = "id user { id } kind startedAt endedAt version patient { familyName }";

async fn run(client: &Client, field: &str, input: Value) -> Value {
    let document = document(field).replace("{ userErrors", &format!("{{ careRelationship {{ {FIELDS} }} userErrors"));
    done(client.run(&document, json!({ "input": input })).await, field)["careRelationship"].take()
}

#[tokio::test]
async fn a_relationship_is_begun_listed_and_ended() {
    let app = TestApp::start().await;
    let manager = app.member(&[Role::CaseManager]).await;
    let id = patient(&manager).await;
    let other = patient(&manager).await;
    let therapist = app.member(&[Role::Therapist]).await.user.unwrap().to_string();
    let start = |patient: &str, kind: &str| json!({ "patientId": patient, "userId": therapist, "kind": kind });
    let begun = run(&manager, "careRelationshipStart", start(&id, "PRIMARY_THERAPIST")).await;
    let expected = json!({ "id": begun["id"], "user": { "id": therapist }, "kind": "PRIMARY_THERAPIST",
        "startedAt": "2026-03-09T14:00:00+00:00", "endedAt": null, "version": 1, "patient": { "familyName": "O’Brien" } });
    assert_eq!(begun, expected);
    let second = run(&manager, "careRelationshipStart", start(&other, "SUPERVISOR")).await;
    app.advance(chrono::TimeDelta::days(1));
    let manager = again(&app, &manager).await;
    let ended = run(&manager, "careRelationshipEnd", json!({ "id": begun["id"], "expectedVersion": 1 })).await;
    assert_eq!(ended, super::with(expected, json!({ "endedAt": "2026-03-10T14:00:00+00:00", "version": 2 })));
    // Ended, it may begin anew.
    let third = run(&manager, "careRelationshipStart", start(&id, "THERAPIST")).await;
    let list = async |variables: Value| {
        let query = "query($patientId: ID, $userId: ID, $ended: Boolean! = false) {
            careRelationships(patientId: $patientId, userId: $userId, ended: $ended) { totalCount nodes { id } } }";
        let data = manager.run(query, variables).await.ok();
        let list = &data["careRelationships"];
        let ids: Vec<Value> = list["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
        assert_eq!(list["totalCount"], json!(ids.len()));
        ids
    };
    let (begun, second, third) = (begun["id"].clone(), second["id"].clone(), third["id"].clone());
    assert_eq!(list(json!({})).await, [third.clone(), second.clone()]);
    assert_eq!(list(json!({ "ended": true })).await, [third.clone(), second.clone(), begun.clone()]);
    assert_eq!(list(json!({ "patientId": id })).await, [third.clone()]);
    assert_eq!(list(json!({ "userId": therapist, "ended": true, "patientId": other })).await, [second]);
    assert!(list(json!({ "userId": manager.user.unwrap().to_string() })).await.is_empty());
    let team = "query($id: ID!) { patient(id: $id) { careTeam { id kind } } }";
    let data = manager.run(team, json!({ "id": id })).await.ok();
    assert_eq!(data["patient"]["careTeam"], json!([{ "id": third, "kind": "THERAPIST" }]));
}

#[tokio::test]
async fn refused_relationships_change_nothing() {
    let app = TestApp::start().await;
    let manager = app.member(&[Role::CaseManager]).await;
    let id = patient(&manager).await;
    let therapist = app.member(&[Role::Therapist]).await.user.unwrap();
    let elsewhere = app.member_of(app.other, &[Role::Therapist]).await.user.unwrap();
    let start =
        |user: anamnesis::ids::UserId| json!({ "patientId": id, "userId": user.to_string(), "kind": "THERAPIST" });
    let starting = document("careRelationshipStart");
    let refusal = refused_once(&app, &manager, &starting, start(elsewhere), "careRelationshipStart").await;
    assert_eq!(refusal, told("UNKNOWN_MEMBER", "input.userId"));
    let begun = run(&manager, "careRelationshipStart", start(therapist)).await;
    let refusal = refused_once(&app, &manager, &starting, start(therapist), "careRelationshipStart").await;
    assert_eq!(refusal, told("ALREADY_RECORDED", "input.userId"));
    // Someone who has left is not given charts.
    let gone = app.member(&[Role::Therapist]).await.user.unwrap();
    use anamnesis::ids::TypedId as _;
    app.db_execute(&format!(
        "UPDATE facility_members SET status = 'removed', status_reason = 'left' WHERE user_id = '{}'",
        gone.uuid()
    ))
    .await;
    let refusal = refused_once(&app, &manager, &starting, start(gone), "careRelationshipStart").await;
    assert_eq!(refusal, told("UNKNOWN_MEMBER", "input.userId"));
    let ending = document("careRelationshipEnd");
    let end = |version: i32| json!({ "id": begun["id"], "expectedVersion": version });
    let refusal = refused_once(&app, &manager, &ending, end(2), "careRelationshipEnd").await;
    assert_eq!(refusal, told("STALE_VERSION", "input.expectedVersion"));
    run(&manager, "careRelationshipEnd", end(1)).await;
    let refusal = refused_once(&app, &manager, &ending, end(2), "careRelationshipEnd").await;
    assert_eq!(refusal, told("ALREADY_ENDED", "input.id"));
}

#[tokio::test]
async fn access_is_taken_away_from_an_archived_record_too() {
    let app = TestApp::start().await;
    let manager = app.member(&[Role::CaseManager]).await;
    let id = patient(&manager).await;
    let therapist = app.member(&[Role::Therapist]).await.user.unwrap().to_string();
    let start = json!({ "patientId": id, "userId": therapist, "kind": "THERAPIST" });
    let begun = run(&manager, "careRelationshipStart", start).await;
    let archive = json!({ "input": { "id": id, "expectedVersion": 1 } });
    done(manager.run(&document("patientArchive"), archive).await, "patientArchive");
    let ended = run(&manager, "careRelationshipEnd", json!({ "id": begun["id"], "expectedVersion": 1 })).await;
    assert_eq!(ended["endedAt"], "2026-03-09T14:00:00+00:00");
}
