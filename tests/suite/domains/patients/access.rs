//! Who may do what: each operation by someone without the role, by another facility and by nobody.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{all_roles, db_state, done, patient};
use crate::harness::{Client, TestApp};

/// A mutation that asks for its user errors alone.
pub fn document(field: &str) -> String {
    let (first, rest) = field.split_at(1);
    let input = format!("{}{rest}Input", first.to_uppercase());
    format!("mutation($input: {input}!) {{ {field}(input: $input) {{ userErrors {{ code field message }} }} }}")
}

/// What is there to be changed.
struct Chart {
    patient: String,
    contact: Value,
    coverage: Value,
    visit: Value,
    allergy: Value,
    relationship: Value,
    access: Value,
    member: String,
}

async fn made(client: &Client, field: &str, object: &str, input: Value) -> Value {
    let document = document(field).replace("{ userErrors", &format!("{{ {object} {{ id }} userErrors"));
    done(client.run(&document, json!({ "input": input })).await, field)[object]["id"].clone()
}

async fn chart(app: &TestApp) -> Chart {
    let everyone = app.member(all_roles()).await;
    let patient = patient(&app.member(&[Role::FrontDesk]).await).await;
    let member = app.member(&[Role::Therapist]).await.user.unwrap().to_string();
    let contact = json!({ "patientId": patient, "name": "Sam", "relationship": "FRIEND" });
    let coverage = json!({ "patientId": patient, "payerName": "Harbor", "memberNumber": "1", "subscriberRelationship": "SELF",
        "effectiveOn": "2026-01-01" });
    let allergy = json!({ "patientId": patient, "substance": "Latex", "category": "OTHER", "severity": "MILD" });
    let visit = json!({ "patientId": patient, "visitedAt": "2026-03-01T10:00:00+00:00" });
    let relationship = json!({ "patientId": patient, "userId": member, "kind": "THERAPIST" });
    let broken = json!({ "input": { "patientId": patient, "reason": "Unconscious on arrival" } });
    done(everyone.run(&document("breakGlass"), broken).await, "breakGlass");
    let accesses = everyone.run("{ breakGlassAccesses { nodes { id } } }", json!({})).await.ok();
    Chart {
        contact: made(&everyone, "patientContactAdd", "contact", contact).await,
        coverage: made(&everyone, "patientCoverageAdd", "coverage", coverage).await,
        visit: made(&everyone, "patientVisitRecord", "visit", visit).await,
        allergy: made(&everyone, "patientAllergyRecord", "allergy", allergy).await,
        relationship: made(&everyone, "careRelationshipStart", "careRelationship", relationship).await,
        access: accesses["breakGlassAccesses"]["nodes"][0]["id"].clone(),
        patient,
        member,
    }
}

/// Every mutation on a chart, with a role that may not.
fn mutations(chart: &Chart) -> Vec<(&'static str, Role, Value)> {
    use Role::{BillingSpecialist, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer, Technician, Therapist};
    let Chart { patient, contact, coverage, visit, allergy, relationship, access, member } = chart;
    let reason = "Unconscious on arrival";
    vec![
        ("patientUpdate", BillingSpecialist, json!({ "id": patient, "expectedVersion": 1 })),
        ("patientArchive", Physician, json!({ "id": patient, "expectedVersion": 1 })),
        ("patientRestore", FrontDesk, json!({ "id": patient, "expectedVersion": 1 })),
        ("patientContactAdd", Pharmacist, json!({ "patientId": patient, "name": "Ann", "relationship": "FRIEND" })),
        ("patientContactUpdate", Technician, json!({ "id": contact, "expectedVersion": 1, "name": "Ann" })),
        ("patientContactRemove", BillingSpecialist, json!({ "id": contact, "expectedVersion": 1 })),
        (
            "patientCoverageAdd",
            Nurse,
            json!({ "patientId": patient, "payerName": "Bay", "memberNumber": "2", "priority": 2,
            "subscriberRelationship": "SELF", "effectiveOn": "2026-01-01" }),
        ),
        ("patientCoverageUpdate", Physician, json!({ "id": coverage, "expectedVersion": 1, "payerName": "Bay" })),
        ("patientCoverageEnd", Therapist, json!({ "id": coverage, "expectedVersion": 1, "endsOn": "2026-02-01" })),
        ("patientVisitRecord", FrontDesk, json!({ "patientId": patient, "visitedAt": "2026-03-02T10:00:00+00:00" })),
        ("patientVisitUpdate", Pharmacist, json!({ "id": visit, "expectedVersion": 1 })),
        (
            "patientAllergyRecord",
            FrontDesk,
            json!({ "patientId": patient, "substance": "Nuts", "category": "FOOD", "severity": "MILD" }),
        ),
        ("patientAllergyUpdate", Technician, json!({ "id": allergy, "expectedVersion": 1 })),
        ("careRelationshipStart", Therapist, json!({ "patientId": patient, "userId": member, "kind": "CONSULTANT" })),
        ("careRelationshipEnd", Therapist, json!({ "id": relationship, "expectedVersion": 1 })),
        ("breakGlass", PrivacyOfficer, json!({ "patientId": patient, "reason": reason })),
        ("breakGlassReview", Physician, json!({ "id": access, "justified": true })),
    ]
}

#[tokio::test]
async fn no_mutation_without_its_role_across_facilities_or_without_signing_in() {
    let app = TestApp::start().await;
    let chart = chart(&app).await;
    let before = db_state(&app).await;
    let elsewhere = app.member_of(app.other, all_roles()).await;
    for (field, role, input) in mutations(&chart) {
        let (document, variables) = (document(field), json!({ "input": input }));
        let wrong = app.member(&[role]).await;
        assert_eq!(wrong.run(&document, variables.clone()).await.code(), "FORBIDDEN", "{field} by {role:?}");
        assert_eq!(elsewhere.run(&document, variables.clone()).await.code(), "NOT_FOUND", "{field} from elsewhere");
        assert_eq!(app.anonymous().run(&document, variables).await.code(), "UNAUTHENTICATED", "{field} by nobody");
    }
    assert_eq!(db_state(&app).await, before);
    // A registration has nothing to be found; the rest holds for it as well.
    let input = json!({ "input": super::person("Samuel", "Okafor", "1991-07-30") });
    let pharmacist = app.member(&[Role::Pharmacist]).await;
    assert_eq!(pharmacist.run(&document("patientRegister"), input.clone()).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run(&document("patientRegister"), input).await.code(), "UNAUTHENTICATED");
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn the_role_that_may_can() {
    let app = TestApp::start().await;
    let chart = chart(&app).await;
    let mine: &[(&str, Role)] = &[
        ("patientUpdate", Role::Therapist),
        ("patientContactAdd", Role::SocialWorker),
        ("patientContactUpdate", Role::Nurse),
        ("patientCoverageAdd", Role::BillingSpecialist),
        ("patientCoverageUpdate", Role::FrontDesk),
        ("patientVisitRecord", Role::Technician),
        ("patientVisitUpdate", Role::Therapist),
        ("patientAllergyRecord", Role::Pharmacist),
        ("patientAllergyUpdate", Role::Nurse),
        ("careRelationshipStart", Role::CaseManager),
        ("breakGlass", Role::Technician),
        ("breakGlassReview", Role::PrivacyOfficer),
        ("careRelationshipEnd", Role::Administrator),
        ("patientContactRemove", Role::CaseManager),
        ("patientCoverageEnd", Role::SocialWorker),
        ("patientArchive", Role::CaseManager),
        ("patientRestore", Role::Administrator),
    ];
    let inputs = mutations(&chart);
    for (field, role) in mine {
        let mut input = inputs.iter().find(|(name, ..)| name == field).unwrap().2.clone();
        match *field {
            // The second change of the same object.
            "patientContactRemove" | "patientCoverageEnd" | "patientArchive" => input["expectedVersion"] = json!(2),
            "patientRestore" => input["expectedVersion"] = json!(3),
            // The one of the chart is taken by then.
            "careRelationshipStart" => {
                input["userId"] = json!(app.member(&[Role::Therapist]).await.user.unwrap().to_string());
            }
            _ => {}
        }
        let client = app.member(&[*role]).await;
        done(client.run(&document(field), json!({ "input": input })).await, field);
    }
}

/// Every way to read something of a chart, with the field that holds it and a role that may not.
fn queries(chart: &Chart) -> Vec<(String, &'static str, Role)> {
    use Role::{Administrator, FrontDesk, Nurse, PrivacyOfficer, SystemAdmin};
    let Chart { patient, contact, coverage, visit, allergy, relationship, access, .. } = chart;
    let node = |id: &Value| format!("{{ node(id: {id}) {{ id }} }}");
    vec![
        (format!("{{ patient(id: \"{patient}\") {{ id }} }}"), "patient", SystemAdmin),
        (node(&json!(patient)), "node", SystemAdmin),
        (node(contact), "node", SystemAdmin),
        (node(coverage), "node", SystemAdmin),
        (node(visit), "node", FrontDesk),
        (node(allergy), "node", Administrator),
        (node(relationship), "node", SystemAdmin),
        (node(access), "node", Nurse),
        ("{ patients { nodes { id } } }".to_owned(), "patients", SystemAdmin),
        (
            "{ patientSearch(input: { name: \"obrien\" }) { nodes { patient { id } } } }".to_owned(),
            "patientSearch",
            SystemAdmin,
        ),
        ("{ careRelationships { nodes { id } } }".to_owned(), "careRelationships", SystemAdmin),
        ("{ breakGlassAccesses { nodes { id } } }".to_owned(), "breakGlassAccesses", Nurse),
        (format!("{{ patient(id: \"{patient}\") {{ visits {{ nodes {{ id }} }} }} }}"), "visits", PrivacyOfficer),
        (format!("{{ patient(id: \"{patient}\") {{ allergies {{ id }} }} }}"), "allergies", FrontDesk),
    ]
}

#[tokio::test]
async fn no_query_without_its_role_across_facilities_or_without_signing_in() {
    let app = TestApp::start().await;
    let chart = chart(&app).await;
    let everyone = app.member(all_roles()).await;
    let elsewhere = app.member_of(app.other, all_roles()).await;
    for (query, field, role) in queries(&chart) {
        let id = |data: &Value| data.to_string().contains("\"id\":\"");
        let seen = everyone.run(&query, json!({})).await.ok();
        assert!(id(&seen), "{query} gives {seen}");
        let wrong = app.member(&[role]).await.run(&query, json!({})).await;
        assert_eq!(wrong.code(), "FORBIDDEN", "{query} by {role:?}");
        assert!(!id(&wrong.data), "{field}: {}", wrong.data);
        let other = elsewhere.run(&query, json!({})).await.ok();
        assert!(!id(&other), "{query} from elsewhere gives {other}");
        assert_eq!(app.anonymous().run(&query, json!({})).await.code(), "UNAUTHENTICATED", "{query} by nobody");
    }
}

#[tokio::test]
async fn an_edge_that_is_not_allowed_is_null_beside_what_is() {
    let app = TestApp::start().await;
    let chart = chart(&app).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let query = "query($id: ID!) { patient(id: $id) { familyName coverages { payerName } visits { nodes { id } } allergies { id } } }";
    let answer = clerk.run(query, json!({ "id": chart.patient })).await;
    assert_eq!(
        answer.data["patient"],
        json!({ "familyName": "O’Brien", "coverages": [{ "payerName": "Harbor" }], "visits": null, "allergies": null })
    );
    assert_eq!(answer.errors.len(), 2);
    assert!(answer.errors.iter().all(|error| error["extensions"]["code"] == "FORBIDDEN"));
}

#[tokio::test]
async fn an_id_of_another_kind_is_told_apart_before_anything_is_asked() {
    let app = TestApp::start().await;
    let chart = chart(&app).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let answer = nurse.run("query($id: ID!) { patient(id: $id) { id } }", json!({ "id": chart.contact })).await;
    assert_eq!(answer.errors.len(), 1);
    assert!(answer.errors[0]["message"].as_str().unwrap().contains("expected the id of a Patient"));
}
