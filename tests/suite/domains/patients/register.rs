//! Registering.

use anamnesis::access::Role;
use serde_json::json;

use super::{REGISTER, db_state, done, person, refused, refused_once, register, told, uuid, with};
use crate::harness::TestApp;

#[tokio::test]
async fn a_clerk_registers_a_patient_and_reads_them_back() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input = json!({ "mrn": "LC-0042", "givenName": "Nora", "middleName": "Katherine", "familyName": "O’Brien",
        "preferredName": "Nonie", "birthDate": "1984-02-29", "gender": "FEMALE", "ssn": "999-12-3456",
        "phone": "(617) 555-0142", "email": "nora@example.org", "preferredLanguage": "en-US",
        "address": { "line1": "1 Elm Street", "city": "Boston", "state": "MA", "zipCode": "02134-1000" } });
    let registered = register(&clerk, input).await;
    assert_eq!(registered["ssnLastFour"], "3456");
    assert_eq!(registered["phone"], "+16175550142");
    let read = clerk
        .run(
            "query($id: ID!) { patient(id: $id) { id mrn givenName middleName familyName preferredName birthDate
                ssnLastFour phone email gender preferredLanguage status archivedAt version createdAt updatedAt
                address { line1 line2 city state zipCode } contacts { id } } node(id: $id) { __typename id } }",
            json!({ "id": registered["id"] }),
        )
        .await
        .ok();
    assert_eq!(
        read["patient"],
        json!({ "id": registered["id"], "mrn": "LC-0042", "givenName": "Nora", "middleName": "Katherine",
            "familyName": "O’Brien", "preferredName": "Nonie", "birthDate": "1984-02-29", "ssnLastFour": "3456",
            "phone": "+16175550142", "email": "nora@example.org", "gender": "FEMALE", "preferredLanguage": "en-US",
            "status": "ACTIVE", "archivedAt": null, "version": 1, "createdAt": "2026-03-09T14:00:00+00:00",
            "updatedAt": "2026-03-09T14:00:00+00:00",
            "address": { "line1": "1 Elm Street", "line2": null, "city": "Boston", "state": "MA", "zipCode": "02134-1000" },
            "contacts": [] })
    );
    assert_eq!(read["node"], json!({ "__typename": "Patient", "id": registered["id"] }));
}

#[tokio::test]
async fn what_identifies_a_patient_is_not_in_the_database() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input = with(
        person("Wilhelmina", "Quackenbush", "1984-02-11"),
        json!({ "mrn": "ZEBRA-77", "ssn": "999123456", "phone": "6175550142", "email": "wilhelmina@example.org" }),
    );
    register(&clerk, input).await;
    for table in super::TABLES.iter().chain(&["audit_log", "idempotency_keys"]) {
        let text =
            app.db_value(&format!("SELECT coalesce(string_agg(t::text, '|'), '') FROM {table} t")).await.to_lowercase();
        for value in ["wilhelmina", "quackenbush", "zebra", "999123456", "6175550142", "1984-02-11"] {
            assert!(!text.contains(value), "{table} holds {value}");
            let bytes: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(&bytes), "{table} holds the bytes of {value}");
        }
    }
}

#[tokio::test]
async fn every_malformed_value_is_named_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input =
        with(person(" ", "O’Brien", "2026-03-10"), json!({ "ssn": "12", "phone": "555", "email": "x", "mrn": "a b" }));
    let mut errors = refused(&app, &clerk, REGISTER, input, "patientRegister").await;
    errors.sort();
    let expected: Vec<_> =
        ["input.birthDate", "input.email", "input.givenName", "input.mrn", "input.phone", "input.ssn"]
            .iter()
            .map(|field| told("INVALID", field))
            .collect();
    assert_eq!(errors, expected);
}

#[tokio::test]
async fn a_record_number_belongs_to_one_patient_of_a_facility() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    register(&clerk, with(person("Nora", "O’Brien", "1984-02-11"), json!({ "mrn": "LC-1" }))).await;
    // Case does not make another number.
    let second = with(person("Samuel", "Okafor", "1991-07-30"), json!({ "mrn": "lc-1" }));
    let refusal = refused_once(&app, &clerk, REGISTER, second.clone(), "patientRegister").await;
    assert_eq!(refusal, told("MRN_TAKEN", "input.mrn"));
    // Another facility counts on its own.
    let elsewhere = app.member_of(app.other, &[Role::FrontDesk]).await;
    register(&elsewhere, second).await;
}

#[tokio::test]
async fn of_two_registrations_with_one_number_exactly_one_is_kept() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input =
        |given: &str, birth: &str| json!({ "input": with(person(given, "Okafor", birth), json!({ "mrn": "LC-1" })) });
    let (one, other) = tokio::join!(
        clerk.run(REGISTER, input("Samuel", "1991-07-30")),
        clerk.run(REGISTER, input("Nora", "1984-02-11")),
    );
    let outcomes = [one.ok(), other.ok()].map(|data| data["patientRegister"]["userErrors"][0]["code"].clone());
    assert_eq!(outcomes.iter().filter(|code| code.is_null()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|code| **code == "MRN_TAKEN").count(), 1, "{outcomes:?}");
    assert_eq!(app.db_value("SELECT count(*) FROM patients").await, "1");
}

#[tokio::test]
async fn of_two_equal_registrations_at_once_the_second_sees_the_first() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input = json!({ "input": person("Samuel", "Okafor", "1991-07-30") });
    let (one, other) = tokio::join!(clerk.run(REGISTER, input.clone()), clerk.run(REGISTER, input));
    let outcomes = [one.ok(), other.ok()].map(|data| data["patientRegister"]["userErrors"][0]["code"].clone());
    assert_eq!(outcomes.iter().filter(|code| code.is_null()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|code| **code == "POSSIBLE_DUPLICATE").count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_repeated_request_registers_once() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input = with(person("Samuel", "Okafor", "1991-07-30"), json!({ "idempotencyKey": "k-1" }));
    let first = register(&clerk, input.clone()).await;
    let again = register(&clerk, input).await;
    assert_eq!(first["id"], again["id"]);
    assert_eq!(app.db_value("SELECT count(*) FROM patients").await, "1");
    let other = with(person("Nora", "O’Brien", "1984-02-11"), json!({ "idempotencyKey": "k-1" }));
    let before = db_state(&app).await;
    assert_eq!(clerk.run(REGISTER, json!({ "input": other })).await.code(), "BAD_USER_INPUT");
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn a_registration_is_on_record() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let registered = register(&clerk, with(person("Samuel", "Okafor", "1991-07-30"), json!({ "mrn": "LC-1" }))).await;
    let id = uuid(&registered["id"]);
    let rows = |outcome: &str| {
        format!("SELECT count(*) FROM audit_log WHERE action = 'patients.register' AND outcome = '{outcome}'")
    };
    assert_eq!(
        app.db_value(&format!("{} AND patient_id = '{id}' AND resource_id = '{id}'", rows("success"))).await,
        "1"
    );
    // So are what was shown, and what was refused.
    assert_eq!(
        app.db_value(&format!("SELECT count(*) FROM audit_log WHERE action = 'read' AND patient_id = '{id}'")).await,
        "1"
    );
    let taken = with(person("Nora", "O’Brien", "1984-02-11"), json!({ "mrn": "LC-1" }));
    refused_once(&app, &clerk, REGISTER, taken, "patientRegister").await;
    assert_eq!(app.db_value(&rows("refused")).await, "1");
}

#[tokio::test]
async fn a_therapist_treats_whom_they_register() {
    let app = TestApp::start().await;
    let therapist = app.member(&[Role::Therapist]).await;
    let document = REGISTER.replace("patient { id", "patient { careTeam { user { id } kind endedAt } id");
    let input = json!({ "input": person("Samuel", "Okafor", "1991-07-30") });
    let registered = done(therapist.run(&document, input).await, "patientRegister");
    assert_eq!(
        registered["patient"]["careTeam"],
        json!([{ "user": { "id": therapist.user.unwrap().to_string() }, "kind": "THERAPIST", "endedAt": null }])
    );
    let nurse = app.member(&[Role::Nurse]).await;
    let input = json!({ "input": person("Nora", "O’Brien", "1984-02-11") });
    let registered = done(nurse.run(&document, input).await, "patientRegister");
    assert_eq!(registered["patient"]["careTeam"], json!([]));
}
