//! Contacts, coverages and allergies.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::access::document;
use super::{done, patient, refused, refused_once, told, uuid, with};
use crate::harness::{Client, TestApp};

async fn run(client: &Client, field: &str, object: &str, fields: &str, input: Value) -> Value {
    let document = document(field).replace("{ userErrors", &format!("{{ {object} {{ {fields} }} userErrors"));
    done(client.run(&document, json!({ "input": input })).await, field)[object].take()
}

const CONTACT: &str = "id name relationship phone email emergency legalGuardian priority version";

#[tokio::test]
async fn contacts_are_added_changed_and_removed() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let id = patient(&clerk).await;
    let input = json!({ "patientId": id, "name": " Sam Okafor ", "relationship": "SPOUSE", "phone": "212 555 0100",
        "email": "sam@example.org", "emergency": true, "legalGuardian": true, "priority": 2 });
    let sam = run(&clerk, "patientContactAdd", "contact", CONTACT, input).await;
    let expected = json!({ "id": sam["id"], "name": "Sam Okafor", "relationship": "SPOUSE", "phone": "+12125550100",
        "email": "sam@example.org", "emergency": true, "legalGuardian": true, "priority": 2, "version": 1 });
    assert_eq!(sam, expected);
    let ann = json!({ "patientId": id, "name": "Ann", "relationship": "FRIEND" });
    let ann = run(&clerk, "patientContactAdd", "contact", CONTACT, ann).await;
    let input = json!({ "id": sam["id"], "expectedVersion": 1, "email": null, "relationship": "PARTNER" });
    let changed = run(&clerk, "patientContactUpdate", "contact", CONTACT, input).await;
    let expected = with(expected, json!({ "email": null, "relationship": "PARTNER", "version": 2 }));
    assert_eq!(changed, expected);
    let all = "query($id: ID!) { patient(id: $id) { contacts { name } emergencyContacts { name } } }";
    let read = clerk.run(all, json!({ "id": id })).await.ok();
    // In the order they are called.
    assert_eq!(
        read["patient"],
        json!({ "contacts": [{ "name": "Ann" }, { "name": "Sam Okafor" }],
        "emergencyContacts": [{ "name": "Sam Okafor" }] })
    );
    let remove = "mutation($input: PatientContactRemoveInput!) { patientContactRemove(input: $input) {
        removedId patient { id contacts { name } } userErrors { code } } }";
    let input = json!({ "input": { "id": ann["id"], "expectedVersion": 1 } });
    let removed = done(clerk.run(remove, input.clone()).await, "patientContactRemove");
    assert_eq!(removed["removedId"], ann["id"]);
    assert_eq!(removed["patient"], json!({ "id": id, "contacts": [{ "name": "Sam Okafor" }] }));
    assert_eq!(clerk.run(remove, input).await.code(), "NOT_FOUND");
    let actions = app
        .db_query(&format!(
            "SELECT action, resource_id::text, detail ->> 'changed' FROM audit_log WHERE action LIKE 'patients.contacts.%' \
             AND patient_id = '{}' AND outcome = 'success' ORDER BY id",
            uuid(&json!(id))
        ))
        .await;
    let row = |action: &str, id: &Value, changed: Option<&str>| {
        vec![Some(format!("patients.contacts.{action}")), Some(uuid(id)), changed.map(str::to_owned)]
    };
    let expected = [
        row("add", &sam["id"], None),
        row("add", &ann["id"], None),
        row("update", &sam["id"], Some("[\"relationship\", \"email\"]")),
        row("remove", &ann["id"], None),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn refused_contacts_change_nothing() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let id = patient(&clerk).await;
    let add = |more: Value| with(json!({ "patientId": id, "name": "Sam", "relationship": "FRIEND" }), more);
    let adding = document("patientContactAdd");
    let one = async |more| refused_once(&app, &clerk, &adding, add(more), "patientContactAdd").await;
    assert_eq!(one(json!({ "name": " " })).await, told("INVALID", "input.name"));
    assert_eq!(one(json!({ "phone": "12" })).await, told("INVALID", "input.phone"));
    assert_eq!(one(json!({ "email": "x@y" })).await, told("INVALID", "input.email"));
    assert_eq!(one(json!({ "priority": 0 })).await, told("INVALID", "input.priority"));
    assert_eq!(one(json!({ "emergency": true })).await, told("INVALID", "input.phone"));
    let sam =
        run(&clerk, "patientContactAdd", "contact", "id", add(json!({ "phone": "2125550100", "emergency": true })))
            .await;
    let input = |more: Value| with(json!({ "id": sam["id"], "expectedVersion": 1 }), more);
    let updating = document("patientContactUpdate");
    let one = async |more| refused_once(&app, &clerk, &updating, input(more), "patientContactUpdate").await;
    assert_eq!(one(json!({ "expectedVersion": 0 })).await, told("STALE_VERSION", "input.expectedVersion"));
    assert_eq!(one(json!({ "phone": null })).await, told("INVALID", "input.phone"));
    assert_eq!(one(json!({ "name": null })).await, told("INVALID", "input.name"));
    let removing = document("patientContactRemove");
    let stale =
        refused_once(&app, &clerk, &removing, input(json!({ "expectedVersion": 2 })), "patientContactRemove").await;
    assert_eq!(stale, told("STALE_VERSION", "input.expectedVersion"));
    // The fiftieth goes in, the next does not.
    for _ in 1..50 {
        run(&clerk, "patientContactAdd", "contact", "id", add(json!({}))).await;
    }
    let full = refused_once(&app, &clerk, &adding, add(json!({})), "patientContactAdd").await;
    assert_eq!(full, told("TOO_MANY", ""));
}

const COVERAGE: &str = "id payerName planName memberNumber groupNumber subscriberName subscriberRelationship priority
    effectiveOn endsOn version";

fn harbor(id: &str) -> Value {
    json!({ "patientId": id, "payerName": "Harbor Mutual", "memberNumber": "H-1", "subscriberRelationship": "SELF",
        "effectiveOn": "2026-01-01" })
}

#[tokio::test]
async fn coverages_are_added_changed_and_ended() {
    let app = TestApp::start().await;
    let biller = app.member(&[Role::BillingSpecialist]).await;
    let id = patient(&app.member(&[Role::FrontDesk]).await).await;
    let input = with(
        harbor(&id),
        json!({ "planName": "Gold", "groupNumber": "G-9", "subscriberName": "Ann O’Brien",
        "subscriberRelationship": "CHILD", "priority": 2, "endsOn": "2026-12-31" }),
    );
    let second = run(&biller, "patientCoverageAdd", "coverage", COVERAGE, input).await;
    let expected = json!({ "id": second["id"], "payerName": "Harbor Mutual", "planName": "Gold", "memberNumber": "H-1",
        "groupNumber": "G-9", "subscriberName": "Ann O’Brien", "subscriberRelationship": "CHILD", "priority": 2,
        "effectiveOn": "2026-01-01", "endsOn": "2026-12-31", "version": 1 });
    assert_eq!(second, expected);
    let first = run(&biller, "patientCoverageAdd", "coverage", COVERAGE, harbor(&id)).await;
    let input = json!({ "id": second["id"], "expectedVersion": 1, "subscriberRelationship": "SELF", "subscriberName": null,
        "endsOn": null, "memberNumber": "H-2" });
    let changed = run(&biller, "patientCoverageUpdate", "coverage", COVERAGE, input).await;
    let more = json!({ "subscriberRelationship": "SELF", "subscriberName": null, "endsOn": null, "memberNumber": "H-2", "version": 2 });
    assert_eq!(changed, with(expected, more));
    let input = json!({ "id": first["id"], "expectedVersion": 1, "endsOn": "2026-03-31" });
    let ended = run(&biller, "patientCoverageEnd", "coverage", COVERAGE, input).await;
    assert_eq!((&ended["endsOn"], &ended["version"]), (&json!("2026-03-31"), &json!(2)));
    // The day after, another takes its place.
    let next = with(harbor(&id), json!({ "payerName": "Bay", "effectiveOn": "2026-04-01" }));
    run(&biller, "patientCoverageAdd", "coverage", COVERAGE, next).await;
    let all = "query($id: ID!) { patient(id: $id) { coverages { payerName priority effectiveOn } } }";
    let read = biller.run(all, json!({ "id": id })).await.ok();
    assert_eq!(
        read["patient"]["coverages"],
        json!([
            { "payerName": "Bay", "priority": 1, "effectiveOn": "2026-04-01" },
            { "payerName": "Harbor Mutual", "priority": 1, "effectiveOn": "2026-01-01" },
            { "payerName": "Harbor Mutual", "priority": 2, "effectiveOn": "2026-01-01" },
        ])
    );
}

#[tokio::test]
async fn refused_coverages_change_nothing() {
    let app = TestApp::start().await;
    let biller = app.member(&[Role::BillingSpecialist]).await;
    let id = patient(&app.member(&[Role::FrontDesk]).await).await;
    let adding = document("patientCoverageAdd");
    let one = async |more| refused_once(&app, &biller, &adding, with(harbor(&id), more), "patientCoverageAdd").await;
    assert_eq!(one(json!({ "payerName": "" })).await, told("INVALID", "input.payerName"));
    assert_eq!(one(json!({ "memberNumber": "x".repeat(51) })).await, told("INVALID", "input.memberNumber"));
    assert_eq!(one(json!({ "priority": 10 })).await, told("INVALID", "input.priority"));
    assert_eq!(one(json!({ "endsOn": "2025-12-31" })).await, told("INVALID", "input.endsOn"));
    assert_eq!(one(json!({ "subscriberRelationship": "SPOUSE" })).await, told("INVALID", "input.subscriberName"));
    let first = run(&biller, "patientCoverageAdd", "coverage", "id", harbor(&id)).await;
    assert_eq!(one(json!({})).await, told("COVERAGE_OVERLAPS", "input.priority"));
    let second =
        run(&biller, "patientCoverageAdd", "coverage", "id", with(harbor(&id), json!({ "priority": 2 }))).await;
    let updating = document("patientCoverageUpdate");
    let input = |more: Value| with(json!({ "id": second["id"], "expectedVersion": 1 }), more);
    let one = async |more| refused_once(&app, &biller, &updating, input(more), "patientCoverageUpdate").await;
    assert_eq!(one(json!({ "priority": 1 })).await, told("COVERAGE_OVERLAPS", "input.priority"));
    assert_eq!(one(json!({ "expectedVersion": 7 })).await, told("STALE_VERSION", "input.expectedVersion"));
    assert_eq!(one(json!({ "payerName": null })).await, told("INVALID", "input.payerName"));
    let ending = document("patientCoverageEnd");
    let input = |version: i32, day: &str| json!({ "id": first["id"], "expectedVersion": version, "endsOn": day });
    let early = refused_once(&app, &biller, &ending, input(1, "2025-12-31"), "patientCoverageEnd").await;
    assert_eq!(early, told("INVALID", "input.endsOn"));
    let stale = refused_once(&app, &biller, &ending, input(2, "2026-03-31"), "patientCoverageEnd").await;
    assert_eq!(stale, told("STALE_VERSION", "input.expectedVersion"));
}

#[tokio::test]
async fn of_two_coverages_of_one_priority_at_once_one_is_kept() {
    let app = TestApp::start().await;
    let biller = app.member(&[Role::BillingSpecialist]).await;
    let id = patient(&app.member(&[Role::FrontDesk]).await).await;
    let adding = document("patientCoverageAdd");
    let input = json!({ "input": harbor(&id) });
    let (one, other) = tokio::join!(biller.run(&adding, input.clone()), biller.run(&adding, input));
    let codes = [one.ok(), other.ok()].map(|data| data["patientCoverageAdd"]["userErrors"][0]["code"].clone());
    assert_eq!(codes.iter().filter(|code| code.is_null()).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "COVERAGE_OVERLAPS").count(), 1, "{codes:?}");
}

const ALLERGY: &str = "id substance reaction category severity status notedOn version";

fn latex(id: &str) -> Value {
    json!({ "patientId": id, "substance": "Latex", "category": "ENVIRONMENT", "severity": "MODERATE" })
}

#[tokio::test]
async fn allergies_are_recorded_changed_and_never_deleted() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = patient(&nurse).await;
    let input = with(latex(&id), json!({ "reaction": "Hives", "notedOn": "2020-05-01" }));
    let latex_allergy = run(&nurse, "patientAllergyRecord", "allergy", ALLERGY, input).await;
    let expected = json!({ "id": latex_allergy["id"], "substance": "Latex", "reaction": "Hives", "category": "ENVIRONMENT",
        "severity": "MODERATE", "status": "ACTIVE", "notedOn": "2020-05-01", "version": 1 });
    assert_eq!(latex_allergy, expected);
    let input =
        json!({ "id": latex_allergy["id"], "expectedVersion": 1, "status": "ENTERED_IN_ERROR", "reaction": null });
    let changed = run(&nurse, "patientAllergyUpdate", "allergy", ALLERGY, input).await;
    assert_eq!(changed, with(expected, json!({ "status": "ENTERED_IN_ERROR", "reaction": null, "version": 2 })));
    // What was a mistake may be found true.
    run(&nurse, "patientAllergyRecord", "allergy", ALLERGY, latex(&id)).await;
    let all = "query($id: ID!) { patient(id: $id) { allergies { substance status } } }";
    let read = nurse.run(all, json!({ "id": id })).await.ok();
    assert_eq!(
        read["patient"]["allergies"],
        json!([
        { "substance": "Latex", "status": "ENTERED_IN_ERROR" }, { "substance": "Latex", "status": "ACTIVE" }])
    );
    // The server has no right to delete one.
    let rights = app.db_value("SELECT has_table_privilege('anamnesis_server', 'patient_allergies', 'DELETE')").await;
    assert_eq!(rights, "f");
}

#[tokio::test]
async fn refused_allergies_change_nothing() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = patient(&nurse).await;
    let recording = document("patientAllergyRecord");
    let wrong = with(latex(&id), json!({ "substance": " ", "notedOn": "2026-03-10", "reaction": "x".repeat(501) }));
    let mut errors = refused(&app, &nurse, &recording, wrong, "patientAllergyRecord").await;
    errors.sort();
    assert_eq!(errors, ["input.notedOn", "input.reaction", "input.substance"].map(|field| told("INVALID", field)));
    let first = run(&nurse, "patientAllergyRecord", "allergy", "id", latex(&id)).await;
    let twice = with(latex(&id), json!({ "substance": "LATEX" }));
    let refusal = refused_once(&app, &nurse, &recording, twice, "patientAllergyRecord").await;
    assert_eq!(refusal, told("ALREADY_RECORDED", "input.substance"));
    let nuts =
        run(&nurse, "patientAllergyRecord", "allergy", "id", with(latex(&id), json!({ "substance": "Nuts" }))).await;
    let updating = document("patientAllergyUpdate");
    let one = async |allergy: &Value, more| {
        let input = with(json!({ "id": allergy["id"], "expectedVersion": 1 }), more);
        refused_once(&app, &nurse, &updating, input, "patientAllergyUpdate").await
    };
    assert_eq!(one(&nuts, json!({ "substance": "latex" })).await, told("ALREADY_RECORDED", "input.substance"));
    assert_eq!(one(&nuts, json!({ "substance": null })).await, told("INVALID", "input.substance"));
    assert_eq!(one(&first, json!({ "expectedVersion": 3 })).await, told("STALE_VERSION", "input.expectedVersion"));
}
