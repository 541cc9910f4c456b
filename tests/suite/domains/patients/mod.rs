//! Patients, through the API.

mod access;
mod archive;
mod break_glass;
mod care_team;
mod duplicates;
mod icd10;
mod loading;
mod parts;
mod register;
mod restricted;
mod search;
mod update;
mod visits;

use anamnesis::access::Role;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, TestApp};

/// Tables of the domain, each of which a refused operation must leave as it was.
const TABLES: &[&str] = &[
    "patients",
    "patient_terms",
    "patient_contacts",
    "patient_coverages",
    "patient_visits",
    "visit_diagnoses",
    "patient_allergies",
    "care_relationships",
    "break_glass_accesses",
];

const REGISTER: &str = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) {
    patient { id mrn givenName familyName birthDate ssnLastFour phone email version status }
    possibleDuplicates { score reasons patient { id } }
    userErrors { code field message } } }";

/// What is in the tables of the domain, as one text.
async fn db_state(app: &TestApp) -> String {
    let mut state = String::new();
    for table in TABLES {
        state += &app
            .db_value(&format!(
                "SELECT '{table} ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), 'empty') FROM {table} t"
            ))
            .await;
        state.push('\n');
    }
    state
}

/// One operation by several people and in several states; a refusal must leave the tables alone.
async fn refused(app: &TestApp, client: &Client, document: &str, input: Value, field: &str) -> Vec<(String, String)> {
    let before = db_state(app).await;
    let answer = client.run(document, json!({ "input": input })).await.ok();
    assert_eq!(db_state(app).await, before, "a refused operation changed something");
    let errors = answer[field]["userErrors"].as_array().unwrap();
    assert!(!errors.is_empty(), "not refused: {answer}");
    errors
        .iter()
        .map(|error| {
            let path = error["field"].as_array().unwrap().iter().map(|part| part.as_str().unwrap());
            (error["code"].as_str().unwrap().to_owned(), path.collect::<Vec<_>>().join("."))
        })
        .collect()
}

/// The one refusal, as code and path.
async fn refused_once(app: &TestApp, client: &Client, document: &str, input: Value, field: &str) -> (String, String) {
    let mut all = refused(app, client, document, input, field).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn told(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// What an operation that went well gives.
#[track_caller]
fn done(answer: Answer, field: &str) -> Value {
    let mut data = answer.ok();
    let payload = data[field].take();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload
}

/// Input of a registration with the least there must be.
fn person(given: &str, family: &str, birth: &str) -> Value {
    json!({ "givenName": given, "familyName": family, "birthDate": birth, "gender": "UNKNOWN" })
}

/// `base` with the entries of `more`.
fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object") };
    base.as_object_mut().unwrap().extend(more);
    base
}

/// Registers someone; gives the patient.
async fn register(client: &Client, input: Value) -> Value {
    done(client.run(REGISTER, json!({ "input": input })).await, "patientRegister")["patient"].take()
}

/// Registers someone of whom only the id matters.
async fn patient(client: &Client) -> String {
    let patient =
        register(client, with(person("Nora", "O’Brien", "1984-02-11"), json!({ "acceptDuplicates": true }))).await;
    patient["id"].as_str().unwrap().to_owned()
}

/// Lets therapists see only their own patients.
async fn db_restrict_therapists(app: &TestApp) {
    use anamnesis::ids::TypedId as _;
    let facility = app.facility.uuid();
    app.db_execute(&format!(
        "UPDATE facilities SET settings = settings || '{{\"restrictTherapistsToOwnPatients\": true}}' WHERE id = '{facility}'"
    ))
    .await;
}

/// The same person signed in anew, after a token has run out.
async fn again(app: &TestApp, client: &Client) -> Client {
    app.signed_in(client.user.unwrap(), app.facility).await
}

/// Every role there is: what someone with all of them cannot do, nobody can.
fn all_roles() -> &'static [Role] {
    Role::ALL
}

/// UUID of an opaque id, as text for SQL.
fn uuid(id: &Value) -> String {
    anamnesis::ids::split(id.as_str().unwrap()).unwrap().1.to_string()
}
