//! Patients, through the API.

use anamnesis::access::Role;
use serde_json::json;

use crate::harness::TestApp;

const REGISTER: &str = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) {
    patient { id mrn givenName familyName birthDate ssnLastFour phone version }
    userErrors { code field } } }";

#[tokio::test]
async fn a_clerk_registers_a_patient_and_reads_them_back() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let input = json!({ "input": { "givenName": "Nora", "familyName": "O’Brien", "birthDate": "1984-02-29",
        "gender": "FEMALE", "ssn": "999-12-3456", "phone": "(617) 555-0142" } });
    let registered = clerk.run(REGISTER, input).await.ok();
    let patient = &registered["patientRegister"]["patient"];
    assert_eq!(patient["ssnLastFour"], "3456");
    assert_eq!(patient["phone"], "+16175550142");
    let read = clerk
        .run("query($id: ID!) { patient(id: $id) { givenName familyName contacts { id } } }", json!({ "id": patient["id"] }))
        .await
        .ok();
    assert_eq!(read["patient"]["familyName"], "O’Brien");
}
