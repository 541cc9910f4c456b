//! Archiving and restoring; what an archived record refuses.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{done, patient, refused_once, told};
use crate::harness::TestApp;

const ARCHIVE: &str = "mutation($input: PatientArchiveInput!) { patientArchive(input: $input) {
    patient { id status archivedAt version } userErrors { code field } } }";
const RESTORE: &str = "mutation($input: PatientRestoreInput!) { patientRestore(input: $input) {
    patient { id status archivedAt version } userErrors { code field } } }";

#[tokio::test]
async fn a_record_is_archived_kept_and_restored() {
    let app = TestApp::start().await;
    let administrator = app.member(&[Role::Administrator]).await;
    let id = patient(&administrator).await;
    let listed = async |status: &str| {
        let query = "query($status: PatientStatus) { patients(status: $status) { totalCount nodes { id } } }";
        administrator.run(query, json!({ "status": status })).await.ok()["patients"]["totalCount"].clone()
    };
    let input = |version: i32| json!({ "input": { "id": id, "expectedVersion": version } });
    let archived = done(administrator.run(ARCHIVE, input(1)).await, "patientArchive");
    let expected = json!({ "id": id, "status": "ARCHIVED", "archivedAt": "2026-03-09T14:00:00+00:00", "version": 2 });
    assert_eq!(archived["patient"], expected);
    assert_eq!((listed("ACTIVE").await, listed("ARCHIVED").await), (json!(0), json!(1)));
    let again = refused_once(&app, &administrator, ARCHIVE, input(2)["input"].clone(), "patientArchive").await;
    assert_eq!(again, told("ARCHIVED", ""));
    let stale = refused_once(&app, &administrator, RESTORE, input(1)["input"].clone(), "patientRestore").await;
    assert_eq!(stale, told("STALE_VERSION", "input.expectedVersion"));
    let restored = done(administrator.run(RESTORE, input(2)).await, "patientRestore");
    assert_eq!(restored["patient"], json!({ "id": id, "status": "ACTIVE", "archivedAt": null, "version": 3 }));
    let again = refused_once(&app, &administrator, RESTORE, input(3)["input"].clone(), "patientRestore").await;
    assert_eq!(again, told("NOT_ARCHIVED", "input.id"));
    let stale = refused_once(&app, &administrator, ARCHIVE, input(2)["input"].clone(), "patientArchive").await;
    assert_eq!(stale, told("STALE_VERSION", "input.expectedVersion"));
}

/// Name, input type and input of everything that changes a record.
async fn changes(app: &TestApp, id: &str) -> Vec<(&'static str, Value)> {
    let everyone = app.member(super::all_roles()).await;
    let add = async |field: &str, object: &str, input: Value| {
        let input_type = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let document = format!(
            "mutation($input: {input_type}!) {{ {field}(input: $input) {{ {object} {{ id }} userErrors {{ code message }} }} }}"
        );
        done(everyone.run(&document, json!({ "input": input })).await, field)[object]["id"].clone()
    };
    let contact =
        add("patientContactAdd", "contact", json!({ "patientId": id, "name": "Sam", "relationship": "FRIEND" })).await;
    let coverage = json!({ "patientId": id, "payerName": "Harbor", "memberNumber": "1", "subscriberRelationship": "SELF",
        "effectiveOn": "2026-01-01" });
    let coverage = add("patientCoverageAdd", "coverage", coverage).await;
    let visit =
        add("patientVisitRecord", "visit", json!({ "patientId": id, "visitedAt": "2026-03-01T10:00:00+00:00" })).await;
    let allergy = json!({ "patientId": id, "substance": "Latex", "category": "ENVIRONMENT", "severity": "MILD" });
    let allergy = add("patientAllergyRecord", "allergy", allergy).await;
    let user = everyone.user.unwrap().to_string();
    vec![
        ("patientUpdate", json!({ "id": id, "expectedVersion": 2, "givenName": "Norah" })),
        ("patientContactAdd", json!({ "patientId": id, "name": "Ann", "relationship": "FRIEND" })),
        ("patientContactUpdate", json!({ "id": contact, "expectedVersion": 1, "name": "Ann" })),
        ("patientContactRemove", json!({ "id": contact, "expectedVersion": 1 })),
        (
            "patientCoverageAdd",
            json!({ "patientId": id, "payerName": "Bay", "memberNumber": "2", "priority": 2,
            "subscriberRelationship": "SELF", "effectiveOn": "2026-01-01" }),
        ),
        ("patientCoverageUpdate", json!({ "id": coverage, "expectedVersion": 1, "payerName": "Bay" })),
        ("patientCoverageEnd", json!({ "id": coverage, "expectedVersion": 1, "endsOn": "2026-02-01" })),
        ("patientVisitRecord", json!({ "patientId": id, "visitedAt": "2026-03-02T10:00:00+00:00" })),
        ("patientVisitUpdate", json!({ "id": visit, "expectedVersion": 1, "department": "Ward 2" })),
        (
            "patientAllergyRecord",
            json!({ "patientId": id, "substance": "Nuts", "category": "FOOD", "severity": "MILD" }),
        ),
        ("patientAllergyUpdate", json!({ "id": allergy, "expectedVersion": 1, "severity": "SEVERE" })),
        ("careRelationshipStart", json!({ "patientId": id, "userId": user, "kind": "PRESCRIBER" })),
    ]
}

#[tokio::test]
async fn an_archived_record_is_not_changed() {
    let app = TestApp::start().await;
    let everyone = app.member(super::all_roles()).await;
    let id = patient(&app.member(&[Role::FrontDesk]).await).await;
    let changes = changes(&app, &id).await;
    done(everyone.run(ARCHIVE, json!({ "input": { "id": id, "expectedVersion": 1 } })).await, "patientArchive");
    for (field, input) in &changes {
        let document = super::access::document(field);
        let refusal = refused_once(&app, &everyone, &document, input.clone(), field).await;
        assert_eq!(refusal, told("ARCHIVED", ""), "{field}");
    }
    // Restored, each of them goes through; the version of the patient is one further.
    done(everyone.run(RESTORE, json!({ "input": { "id": id, "expectedVersion": 2 } })).await, "patientRestore");
    for (field, mut input) in changes {
        // Each in its turn: what was updated is then at its second version.
        match field {
            "patientUpdate" => input["expectedVersion"] = json!(3),
            "patientContactRemove" | "patientCoverageEnd" => input["expectedVersion"] = json!(2),
            _ => {}
        }
        let document = super::access::document(field);
        done(everyone.run(&document, json!({ "input": input })).await, field);
    }
}
