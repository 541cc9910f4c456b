//! The visit history.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::access::document;
use super::icd10::db_load_codes;
use super::{done, patient, refused, refused_once, told, with};
use crate::harness::{Client, TestApp};

const FIELDS: &str = "id visitedAt dischargedAt department attending { id } reason notes version
    vitals { systolicMmhg diastolicMmhg heartRateBpm respiratoryRate temperatureC weightKg heightCm spo2Percent painScore }
    medications { name dose route frequency startedOn endedOn } diagnoses { code description position }
    patient { familyName }";

async fn run(client: &Client, field: &str, input: Value) -> Value {
    let document = document(field).replace("{ userErrors", &format!("{{ visit {{ {FIELDS} }} userErrors"));
    done(client.run(&document, json!({ "input": input })).await, field)["visit"].take()
}

fn full(id: &str, attending: &str) -> Value {
    json!({ "patientId": id, "visitedAt": "2026-03-09T09:00:00+00:00", "dischargedAt": "2026-03-09T10:30:00+00:00",
        "department": "Outpatient", "attendingId": attending, "reason": "Cannot sleep", "notes": "Came with her sister.\nTired.",
        "vitals": { "systolicMmhg": 128, "diastolicMmhg": 82, "heartRateBpm": 72, "respiratoryRate": 14, "temperatureC": 36.8,
            "weightKg": 61.5, "heightCm": 168.0, "spo2Percent": 98, "painScore": 2 },
        "medications": [{ "name": "Sertraline", "dose": "50 mg", "route": "by mouth", "frequency": "once a day",
            "startedOn": "2026-01-05" }],
        "diagnoses": ["f41.1", "F329"] })
}

#[tokio::test]
async fn a_visit_is_recorded_with_all_there_is_to_it() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let physician = app.member(&[Role::Physician]).await;
    let id = patient(&physician).await;
    let attending = physician.user.unwrap().to_string();
    let visit = run(&physician, "patientVisitRecord", full(&id, &attending)).await;
    assert_eq!(
        visit,
        json!({ "id": visit["id"], "visitedAt": "2026-03-09T09:00:00+00:00", "dischargedAt": "2026-03-09T10:30:00+00:00",
            "department": "Outpatient", "attending": { "id": attending }, "reason": "Cannot sleep",
            "notes": "Came with her sister.\nTired.", "version": 1,
            "vitals": { "systolicMmhg": 128, "diastolicMmhg": 82, "heartRateBpm": 72, "respiratoryRate": 14,
                "temperatureC": 36.8, "weightKg": 61.5, "heightCm": 168.0, "spo2Percent": 98, "painScore": 2 },
            "medications": [{ "name": "Sertraline", "dose": "50 mg", "route": "by mouth", "frequency": "once a day",
                "startedOn": "2026-01-05", "endedOn": null }],
            "diagnoses": [
                { "code": "F41.1", "description": "Generalized anxiety disorder", "position": 1 },
                { "code": "F32.9", "description": "Major depressive disorder, single episode, unspecified", "position": 2 }],
            "patient": { "familyName": "O’Brien" } })
    );
    let text = app.db_value("SELECT string_agg(t::text, '|') FROM patient_visits t").await;
    for value in ["sleep", "sister", "Sertraline", "61.5"] {
        let bytes: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(value) && !text.contains(&bytes), "{value} is in the database");
    }
}

#[tokio::test]
async fn a_visit_is_changed_and_lists_are_replaced_as_a_whole() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let physician = app.member(&[Role::Physician]).await;
    let id = patient(&physician).await;
    let visit = run(&physician, "patientVisitRecord", full(&id, &physician.user.unwrap().to_string())).await;
    let input = json!({ "id": visit["id"], "expectedVersion": 1, "attendingId": null, "vitals": null,
        "diagnoses": ["F32.9", "F10.10"], "notes": "Slept well." });
    let changed = run(&physician, "patientVisitUpdate", input).await;
    let expected = with(
        visit.clone(),
        json!({ "version": 2, "attending": null, "vitals": null, "notes": "Slept well.",
        "diagnoses": [
            { "code": "F32.9", "description": "Major depressive disorder, single episode, unspecified", "position": 1 },
            { "code": "F10.10", "description": "Alcohol abuse, uncomplicated", "position": 2 }] }),
    );
    assert_eq!(changed, expected);
    // What is left out stays, and null empties a list.
    let input = json!({ "id": visit["id"], "expectedVersion": 2, "medications": null, "diagnoses": null });
    let changed = run(&physician, "patientVisitUpdate", input).await;
    assert_eq!(changed, with(expected, json!({ "version": 3, "medications": [], "diagnoses": [] })));
}

#[tokio::test]
async fn a_code_retired_since_stays_until_the_codes_are_changed() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let physician = app.member(&[Role::Physician]).await;
    let id = patient(&physician).await;
    let input = json!({ "patientId": id, "visitedAt": "2026-03-09T09:00:00+00:00", "diagnoses": ["F41.1"] });
    let visit = run(&physician, "patientVisitRecord", input).await;
    app.db_execute("UPDATE icd10_codes SET billable = false WHERE code = 'F41.1'").await;
    let input = json!({ "id": visit["id"], "expectedVersion": 1, "department": "Ward 2" });
    let changed = run(&physician, "patientVisitUpdate", input).await;
    assert_eq!(changed["diagnoses"], visit["diagnoses"]);
    let input = json!({ "id": visit["id"], "expectedVersion": 2, "diagnoses": ["F41.1"] });
    let refusal = refused_once(&app, &physician, &document("patientVisitUpdate"), input, "patientVisitUpdate").await;
    assert_eq!(refusal, told("DIAGNOSIS_NOT_BILLABLE", "input.diagnoses.0"));
}

#[tokio::test]
async fn refused_visits_change_nothing() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let physician = app.member(&[Role::Physician]).await;
    let id = patient(&physician).await;
    let base = || json!({ "patientId": id, "visitedAt": "2026-03-09T09:00:00+00:00" });
    let recording = document("patientVisitRecord");
    let one = async |more| refused_once(&app, &physician, &recording, with(base(), more), "patientVisitRecord").await;
    assert_eq!(one(json!({ "visitedAt": "2026-03-09T14:00:01+00:00" })).await, told("INVALID", "input.visitedAt"));
    assert_eq!(
        one(json!({ "dischargedAt": "2026-03-09T08:00:00+00:00" })).await,
        told("INVALID", "input.dischargedAt")
    );
    assert_eq!(one(json!({ "vitals": { "temperatureC": 98.6 } })).await, told("INVALID", "input.vitals.temperatureC"));
    assert_eq!(one(json!({ "medications": [{ "name": "" }] })).await, told("INVALID", "input.medications.0"));
    let all = refused(
        &app,
        &physician,
        &recording,
        with(base(), json!({ "diagnoses": ["F41", "F41.1", "F99.99"] })),
        "patientVisitRecord",
    )
    .await;
    let expected =
        [told("DIAGNOSIS_NOT_BILLABLE", "input.diagnoses.0"), told("UNKNOWN_DIAGNOSIS", "input.diagnoses.2")];
    assert_eq!(all, expected);
    let elsewhere = app.member_of(app.other, &[Role::Physician]).await.user.unwrap().to_string();
    assert_eq!(one(json!({ "attendingId": elsewhere })).await, told("UNKNOWN_MEMBER", "input.attendingId"));
    let visit = run(&physician, "patientVisitRecord", base()).await;
    let updating = document("patientVisitUpdate");
    let one = async |more| {
        let input = with(json!({ "id": visit["id"], "expectedVersion": 1 }), more);
        refused_once(&app, &physician, &updating, input, "patientVisitUpdate").await
    };
    assert_eq!(one(json!({ "expectedVersion": 2 })).await, told("STALE_VERSION", "input.expectedVersion"));
    assert_eq!(one(json!({ "visitedAt": null })).await, told("INVALID", "input.visitedAt"));
    assert_eq!(one(json!({ "attendingId": elsewhere })).await, told("UNKNOWN_MEMBER", "input.attendingId"));
    assert_eq!(one(json!({ "diagnoses": ["F41"] })).await, told("DIAGNOSIS_NOT_BILLABLE", "input.diagnoses.0"));
}

#[tokio::test]
async fn the_history_is_paged_latest_first_and_visits_that_began_together_are_not_lost() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = patient(&nurse).await;
    for at in [
        "2026-01-05T10:00:00+00:00",
        "2026-02-05T10:00:00+00:00",
        "2026-02-05T10:00:00+00:00",
        "2025-12-01T10:00:00+00:00",
        "2026-02-05T10:00:00+00:00",
    ] {
        run(&nurse, "patientVisitRecord", json!({ "patientId": id, "visitedAt": at })).await;
    }
    let query = "query($id: ID!, $after: String) { patient(id: $id) { visits(first: 2, after: $after) {
        totalCount pageInfo { hasNextPage hasPreviousPage endCursor } nodes { id visitedAt } } } }";
    let (mut after, mut seen, mut pages) = (Value::Null, Vec::new(), 0);
    loop {
        let data = nurse.run(query, json!({ "id": id, "after": after })).await.ok();
        let page = &data["patient"]["visits"];
        assert_eq!(page["totalCount"], 5);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], pages > 0);
        seen.extend(page["nodes"].as_array().unwrap().clone());
        pages += 1;
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(pages, 3);
    let ids: std::collections::BTreeSet<String> = seen.iter().map(|visit| visit["id"].to_string()).collect();
    assert_eq!(ids.len(), 5);
    let times: Vec<&str> = seen.iter().map(|visit| visit["visitedAt"].as_str().unwrap()).collect();
    let same = "2026-02-05T10:00:00+00:00";
    assert_eq!(times, [same, same, same, "2026-01-05T10:00:00+00:00", "2025-12-01T10:00:00+00:00"]);
    let wrong = nurse.run(query, json!({ "id": id, "after": "nonsense" })).await;
    assert_eq!(wrong.code(), "BAD_USER_INPUT");
}
