//! Likely duplicates, before and while registering.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{REGISTER, db_state, person, refused_once, register, told, uuid, with};
use crate::harness::{Client, TestApp};

const DUPLICATES: &str = "query($input: PatientDuplicatesInput!) { patientDuplicates(input: $input) {
    score reasons patient { id } } }";

async fn duplicates(client: &Client, given: &str, family: &str, birth: &str, more: Value) -> Value {
    let input = with(json!({ "givenName": given, "familyName": family, "birthDate": birth }), more);
    client.run(DUPLICATES, json!({ "input": input })).await.ok()["patientDuplicates"].take()
}

#[tokio::test]
async fn a_clerk_is_told_of_likely_duplicates_before_registering() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let nora = with(
        person("Katherine", "O’Brien", "1984-02-11"),
        json!({ "ssn": "999123456", "phone": "617 555 0142", "email": "kate@example.org" }),
    );
    let nora = register(&clerk, nora).await["id"].clone();
    register(&clerk, person("Samuel", "Okafor", "1984-02-11")).await;
    let none = json!({});
    let only = |score: i32, reason: &str| json!([{ "score": score, "reasons": [reason], "patient": { "id": nora } }]);
    let found = duplicates(&clerk, "katherine", "obrien", "1984-02-11", none.clone()).await;
    assert_eq!(found, only(95, "SAME_BIRTH_DATE_AND_NAME"));
    let found = duplicates(&clerk, "Catherine", "O'Brian", "1984-02-11", none.clone()).await;
    assert_eq!(found, only(80, "SAME_BIRTH_DATE_AND_SIMILAR_NAME"));
    let found = duplicates(&clerk, "Katherine", "O'Brien", "1984-11-02", none.clone()).await;
    assert_eq!(found, only(70, "SAME_NAME_AND_SIMILAR_BIRTH_DATE"));
    let found = duplicates(&clerk, "Katherine", "O'Brien", "1985-02-11", none.clone()).await;
    assert_eq!(found, only(70, "SAME_NAME_AND_SIMILAR_BIRTH_DATE"));
    let found = duplicates(&clerk, "Maria", "Lopez", "1971-01-01", json!({ "ssn": "999-12-3456" })).await;
    assert_eq!(found, only(95, "SAME_SSN"));
    let found = duplicates(&clerk, "Maria", "Lopez", "1984-02-11", json!({ "ssn": "111-22-3456" })).await;
    assert_eq!(found, only(85, "SAME_SSN_LAST_FOUR_AND_BIRTH_DATE"));
    let found = duplicates(&clerk, "Catherine", "O'Brien", "1971-01-01", json!({ "phone": "+1 617 555 0142" })).await;
    assert_eq!(found, only(60, "SAME_PHONE_AND_NAME"));
    let found = duplicates(&clerk, "Katherine", "O'Brien", "1971-01-01", json!({ "email": "KATE@example.org" })).await;
    assert_eq!(found, only(80, "SAME_EMAIL_AND_NAME"));
    assert_eq!(duplicates(&clerk, "Maria", "Lopez", "1984-02-11", none).await, json!([]));
}

#[tokio::test]
async fn the_likeliest_comes_first_and_ten_are_enough() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let accepted = |input: Value| with(input, json!({ "acceptDuplicates": true }));
    for _ in 0..11 {
        register(&clerk, accepted(person("Catherine", "O’Brien", "1984-02-11"))).await;
    }
    let best = register(&clerk, accepted(person("Katherine", "O’Brien", "1984-02-11"))).await;
    let found = duplicates(&clerk, "Katherine", "O’Brien", "1984-02-11", json!({})).await;
    assert_eq!(found.as_array().unwrap().len(), 10);
    assert_eq!(found[0]["patient"]["id"], best["id"]);
    assert_eq!(found[0]["score"], 95);
    assert_eq!(found[9]["score"], 80);
}

#[tokio::test]
async fn a_possible_duplicate_is_refused_with_the_records_there_are_until_accepted() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let known = register(&clerk, person("Katherine", "O’Brien", "1984-02-11")).await;
    let again = person("Catherine", "OBrien", "1984-02-11");
    let refusal = refused_once(&app, &clerk, REGISTER, again.clone(), "patientRegister").await;
    assert_eq!(refusal, told("POSSIBLE_DUPLICATE", ""));
    let answer = clerk.run(REGISTER, json!({ "input": again })).await.ok();
    let payload = &answer["patientRegister"];
    assert_eq!(payload["patient"], Value::Null);
    assert_eq!(
        payload["possibleDuplicates"],
        json!([{ "score": 80, "reasons": ["SAME_BIRTH_DATE_AND_SIMILAR_NAME"], "patient": { "id": known["id"] } }])
    );
    let accepted = register(&clerk, with(again, json!({ "acceptDuplicates": true }))).await;
    assert_ne!(accepted["id"], known["id"]);
    let detail = format!(
        "SELECT detail ->> 'acceptedDuplicates' FROM audit_log WHERE action = 'patients.register' AND resource_id = '{}'",
        uuid(&accepted["id"])
    );
    assert_eq!(app.db_value(&detail).await, "1");
}

#[tokio::test]
async fn another_facilitys_patient_is_no_duplicate() {
    let app = TestApp::start().await;
    let elsewhere = app.member_of(app.other, &[Role::FrontDesk]).await;
    register(&elsewhere, person("Katherine", "O’Brien", "1984-02-11")).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(duplicates(&clerk, "Katherine", "O’Brien", "1984-02-11", json!({})).await, json!([]));
    register(&clerk, person("Katherine", "O’Brien", "1984-02-11")).await;
}

#[tokio::test]
async fn a_malformed_question_and_a_wrong_role_get_no_answer() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    register(&clerk, person("Katherine", "O’Brien", "1984-02-11")).await;
    let before = db_state(&app).await;
    let input =
        |birth: &str| json!({ "input": { "givenName": "Katherine", "familyName": "O’Brien", "birthDate": birth } });
    let answer = clerk.run(DUPLICATES, input("2030-01-01")).await;
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    assert!(!answer.errors[0]["message"].as_str().unwrap().contains("2030"));
    let biller = app.member(&[Role::BillingSpecialist]).await;
    assert_eq!(biller.run(DUPLICATES, input("1984-02-11")).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run(DUPLICATES, input("1984-02-11")).await.code(), "UNAUTHENTICATED");
    assert_eq!(db_state(&app).await, before);
}
