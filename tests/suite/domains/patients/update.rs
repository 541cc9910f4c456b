//! Changing what identifies a patient.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{again, done, person, refused, refused_once, register, told, uuid, with};
use crate::harness::{Client, TestApp};

pub const UPDATE: &str = "mutation($input: PatientUpdateInput!) { patientUpdate(input: $input) {
    patient { id mrn givenName middleName familyName preferredName birthDate ssnLastFour phone email gender version
        updatedAt preferredLanguage address { line1 } }
    userErrors { code field } } }";

async fn update(client: &Client, input: Value) -> Value {
    done(client.run(UPDATE, json!({ "input": input })).await, "patientUpdate")["patient"].take()
}

/// How many patients a search finds.
async fn found(client: &Client, input: Value) -> usize {
    let query = "query($input: PatientSearchInput!) { patientSearch(input: $input) { nodes { patient { id } } } }";
    client.run(query, json!({ "input": input })).await.ok()["patientSearch"]["nodes"].as_array().unwrap().len()
}

fn nora() -> Value {
    with(
        person("Nora", "O’Brien", "1984-02-11"),
        json!({ "mrn": "LC-1", "middleName": "Kay", "phone": "617 555 0142", "email": "nora@example.org", "ssn": "999123456",
            "address": { "line1": "1 Elm Street", "city": "Boston", "state": "MA", "zipCode": "02134" } }),
    )
}

#[tokio::test]
async fn what_is_given_changes_what_is_null_clears_and_the_rest_stays() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let id = register(&clerk, nora()).await["id"].clone();
    app.advance(chrono::TimeDelta::hours(1));
    let clerk = again(&app, &clerk).await;
    let changed = update(
        &clerk,
        json!({ "id": id, "expectedVersion": 1, "familyName": "Müller", "middleName": null, "address": null, "gender": "FEMALE" }),
    )
    .await;
    assert_eq!(
        changed,
        json!({ "id": id, "mrn": "LC-1", "givenName": "Nora", "middleName": null, "familyName": "Müller",
            "preferredName": null, "birthDate": "1984-02-11", "ssnLastFour": "3456", "phone": "+16175550142",
            "email": "nora@example.org", "gender": "FEMALE", "version": 2, "updatedAt": "2026-03-09T15:00:00+00:00",
            "preferredLanguage": null, "address": null })
    );
    let changed = format!(
        "SELECT detail ->> 'changed' FROM audit_log WHERE action = 'patients.update' AND resource_id = '{}'",
        uuid(&id)
    );
    let names: Value = serde_json::from_str(&app.db_value(&changed).await).unwrap();
    assert_eq!(names, json!(["middleName", "familyName", "address", "gender"]));
}

#[tokio::test]
async fn searches_find_the_new_values_and_not_the_old() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let id = register(&clerk, nora()).await["id"].clone();
    let by = |field: &str, value: &str| json!({ field: value });
    update(
        &clerk,
        json!({ "id": id, "expectedVersion": 1, "familyName": "Müller", "phone": "212 555 0100", "email": null,
            "birthDate": "1985-01-01", "ssn": "111223333", "mrn": "LC-2" }),
    )
    .await;
    for old in [
        by("name", "obrien"),
        by("phone", "6175550142"),
        by("email", "nora@example.org"),
        by("birthDate", "1984-02-11"),
        by("ssnLastFour", "3456"),
        by("mrn", "LC-1"),
    ] {
        assert_eq!(found(&clerk, old.clone()).await, 0, "{old}");
    }
    for new in [
        by("name", "muller"),
        by("phone", "2125550100"),
        by("birthDate", "1985-01-01"),
        by("ssnLastFour", "3333"),
        by("mrn", "LC-2"),
        by("name", "nora"),
    ] {
        assert_eq!(found(&clerk, new.clone()).await, 1, "{new}");
    }
}

#[tokio::test]
async fn refused_changes_change_nothing() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let id = register(&clerk, nora()).await["id"].clone();
    register(&clerk, with(person("Samuel", "Okafor", "1991-07-30"), json!({ "mrn": "LC-2" }))).await;
    let input = |more: Value| with(json!({ "id": id, "expectedVersion": 1 }), more);
    let once = async |more| refused_once(&app, &clerk, UPDATE, input(more), "patientUpdate").await;
    assert_eq!(once(json!({ "mrn": "LC-2" })).await, told("MRN_TAKEN", "input.mrn"));
    assert_eq!(once(json!({ "expectedVersion": 2 })).await, told("STALE_VERSION", "input.expectedVersion"));
    assert_eq!(once(json!({ "givenName": null })).await, told("INVALID", "input.givenName"));
    let all = refused(
        &app,
        &clerk,
        UPDATE,
        input(json!({ "familyName": "", "phone": "5", "birthDate": "1066-10-14" })),
        "patientUpdate",
    )
    .await;
    let expected = ["input.birthDate", "input.familyName", "input.phone"].map(|field| told("INVALID", field));
    assert_eq!(all, expected);
    let archive = "mutation($input: PatientArchiveInput!) { patientArchive(input: $input) { userErrors { code } } }";
    let administrator = app.member(&[Role::Administrator]).await;
    done(administrator.run(archive, json!({ "input": { "id": id, "expectedVersion": 1 } })).await, "patientArchive");
    assert_eq!(once(json!({ "expectedVersion": 2, "givenName": "Norah" })).await, told("ARCHIVED", ""));
    // Each refusal is on record with whom it was about.
    let refusals = format!(
        "SELECT count(*) FROM audit_log WHERE action = 'patients.update' AND outcome = 'refused' AND patient_id = '{}'",
        uuid(&id)
    );
    assert_eq!(app.db_value(&refusals).await, "5");
}

#[tokio::test]
async fn of_two_changes_of_one_version_exactly_one_wins() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let id = register(&clerk, nora()).await["id"].clone();
    let input = |given: &str| json!({ "input": { "id": id, "expectedVersion": 1, "givenName": given } });
    let (one, other) = tokio::join!(clerk.run(UPDATE, input("Nina")), clerk.run(UPDATE, input("Nadia")));
    let outcomes = [one.ok(), other.ok()].map(|mut data| data["patientUpdate"].take());
    let won: Vec<_> = outcomes.iter().filter(|payload| !payload["patient"].is_null()).collect();
    let lost: Vec<_> = outcomes.iter().filter(|payload| payload["userErrors"][0]["code"] == "STALE_VERSION").collect();
    assert_eq!((won.len(), lost.len()), (1, 1), "{outcomes:?}");
    let read = clerk.run("query($id: ID!) { patient(id: $id) { givenName version } }", json!({ "id": id })).await.ok();
    assert_eq!(read["patient"], json!({ "givenName": won[0]["patient"]["givenName"], "version": 2 }));
    // The index follows the winner alone.
    for name in ["Nina", "Nadia"] {
        let expected = usize::from(won[0]["patient"]["givenName"] == name);
        assert_eq!(found(&clerk, json!({ "name": name, "nameMode": "EXACT" })).await, expected);
    }
}
