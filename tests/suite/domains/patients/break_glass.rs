//! Emergency access, and its review.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::access::document;
use super::{again, db_restrict_therapists, db_state, done, patient, refused_once, register, told, uuid, with};
use crate::harness::{Client, TestApp};

const BREAK: &str = "mutation($input: BreakGlassInput!) { breakGlass(input: $input) {
    patient { id familyName contacts { name } } expiresAt userErrors { code field } } }";
const REASON: &str = "Found unconscious, no family to ask";

async fn visible(client: &Client, id: &str) -> bool {
    let data = client.run("query($id: ID!) { patient(id: $id) { id } }", json!({ "id": id })).await.ok();
    !data["patient"].is_null()
}

async fn accesses(client: &Client, unreviewed: bool) -> Value {
    let query = "query($u: Boolean!) { breakGlassAccesses(unreviewedOnly: $u) { totalCount nodes {
        id user { id } reason startedAt expiresAt reviewedAt reviewedBy { id } justified reviewNote patient { familyName } } } }";
    client.run(query, json!({ "u": unreviewed })).await.ok()["breakGlassAccesses"].take()
}

/// A clinic with a patient and a therapist to whom the chart is closed.
async fn clinic() -> (TestApp, Client, String) {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let input = with(super::person("Nora", "O’Brien", "1984-02-11"), json!({ "mrn": "LC-1" }));
    let id = register(&nurse, input).await["id"].as_str().unwrap().to_owned();
    db_restrict_therapists(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    assert!(!visible(&therapist, &id).await);
    (app, therapist, id)
}

#[tokio::test]
async fn the_glass_opens_a_chart_for_an_hour_and_no_longer() {
    let (app, therapist, id) = clinic().await;
    let other = patient(&app.member(&[Role::Nurse]).await).await;
    let input = json!({ "input": { "patientId": id, "reason": REASON } });
    let opened = done(therapist.run(BREAK, input).await, "breakGlass");
    assert_eq!(opened["patient"], json!({ "id": id, "familyName": "O’Brien", "contacts": [] }));
    assert_eq!(opened["expiresAt"], "2026-03-09T15:00:00+00:00");
    assert!(visible(&therapist, &id).await);
    assert!(!visible(&therapist, &other).await, "one chart, not all");
    assert!(!visible(&app.member(&[Role::Therapist]).await, &id).await, "to one person, not to all");
    app.advance(TimeDelta::minutes(60) - TimeDelta::microseconds(1));
    let therapist = again(&app, &therapist).await;
    assert!(visible(&therapist, &id).await);
    app.advance(TimeDelta::microseconds(1));
    assert!(!visible(&therapist, &id).await);
}

#[tokio::test]
async fn a_chart_that_cannot_be_found_is_opened_by_its_number() {
    let (app, therapist, id) = clinic().await;
    let minutes = "UPDATE facilities SET settings = settings || '{\"breakGlassMinutes\": 15}'";
    app.db_execute(minutes).await;
    let input = json!({ "input": { "mrn": " lc-1 ", "reason": REASON } });
    let opened = done(therapist.run(BREAK, input).await, "breakGlass");
    assert_eq!(opened["patient"]["id"], json!(id));
    assert_eq!(opened["expiresAt"], "2026-03-09T14:15:00+00:00");
    app.advance(TimeDelta::minutes(15));
    let therapist = again(&app, &therapist).await;
    assert!(!visible(&therapist, &id).await);
}

#[tokio::test]
async fn what_is_no_patient_of_the_facility_is_not_found() {
    let (app, therapist, _) = clinic().await;
    let elsewhere = patient(&app.member_of(app.other, &[Role::Nurse]).await).await;
    let nobody = anamnesis::ids::new_id::<anamnesis::ids::PatientId>().to_string();
    let before = db_state(&app).await;
    for input in [
        json!({ "patientId": elsewhere, "reason": REASON }),
        json!({ "patientId": nobody, "reason": REASON }),
        json!({ "mrn": "LC-2", "reason": REASON }),
        json!({ "mrn": " ", "reason": REASON }),
    ] {
        assert_eq!(therapist.run(BREAK, json!({ "input": input })).await.code(), "NOT_FOUND", "{input}");
    }
    for input in [json!({ "reason": REASON }), json!({ "patientId": nobody, "mrn": "LC-1", "reason": REASON })] {
        assert_eq!(therapist.run(BREAK, json!({ "input": input })).await.code(), "BAD_USER_INPUT", "{input}");
    }
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn without_a_reason_the_glass_holds() {
    let (app, therapist, id) = clinic().await;
    for reason in ["", "because", "         x         ", "x".repeat(1001).as_str()] {
        let input = json!({ "patientId": id, "reason": reason });
        let refusal = refused_once(&app, &therapist, BREAK, input, "breakGlass").await;
        assert_eq!(refusal, told("INVALID", "input.reason"), "{reason}");
    }
    assert!(!visible(&therapist, &id).await);
}

#[tokio::test]
async fn breaking_the_glass_is_recorded_as_an_emergency_whatever_the_request_said() {
    let (app, therapist, id) = clinic().await;
    let variables = json!({ "input": { "patientId": id, "reason": REASON } });
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-purpose-of-use", "operations".parse().unwrap());
    done(therapist.run_with(BREAK, variables, headers).await, "breakGlass");
    let rows = app
        .db_query("SELECT purpose, outcome, patient_id::text, resource_kind, user_id::text FROM audit_log WHERE action = 'patients.break_glass'")
        .await;
    let user = therapist.user.unwrap().uuid().to_string();
    let expected =
        ["emergency", "success", &uuid(&json!(id)), "BreakGlassAccess", &user].map(|text| Some(text.to_owned()));
    assert_eq!(rows, [expected]);
    // An attempt that found nobody, and one without the right, too.
    let nobody = anamnesis::ids::new_id::<anamnesis::ids::PatientId>().to_string();
    therapist.run(BREAK, json!({ "input": { "patientId": nobody, "reason": REASON } })).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(clerk.run(BREAK, json!({ "input": { "patientId": id, "reason": REASON } })).await.code(), "FORBIDDEN");
    let rows =
        app.db_query("SELECT outcome, purpose FROM audit_log WHERE action = 'patients.break_glass' ORDER BY id").await;
    let row = |outcome: &str| vec![Some(outcome.to_owned()), Some("emergency".to_owned())];
    assert_eq!(rows, [row("success"), row("refused"), row("denied")]);
}

#[tokio::test]
async fn an_access_is_listed_and_reviewed_once_by_someone_else() {
    let (app, therapist, id) = clinic().await;
    let input = json!({ "input": { "patientId": id, "reason": REASON } });
    done(therapist.run(BREAK, input.clone()).await, "breakGlass");
    done(therapist.run(BREAK, input).await, "breakGlass");
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let listed = accesses(&officer, true).await;
    assert_eq!(listed["totalCount"], 2);
    let (newest, oldest) = (listed["nodes"][0].clone(), listed["nodes"][1].clone());
    let expected = json!({ "id": newest["id"], "user": { "id": therapist.user.unwrap().to_string() }, "reason": REASON,
        "startedAt": "2026-03-09T14:00:00+00:00", "expiresAt": "2026-03-09T15:00:00+00:00", "reviewedAt": null,
        "reviewedBy": null, "justified": null, "reviewNote": null, "patient": { "familyName": "O’Brien" } });
    assert_eq!(newest, expected);
    app.advance(TimeDelta::days(1));
    let officer = again(&app, &officer).await;
    let review = document("breakGlassReview").replace("{ userErrors", "{ access { id justified } userErrors");
    let verdict = |id: &Value, justified: bool, note: Value| json!({ "id": id, "justified": justified, "note": note });
    let unsaid =
        refused_once(&app, &officer, &review, verdict(&newest["id"], false, Value::Null), "breakGlassReview").await;
    assert_eq!(unsaid, told("INVALID", "input.note"));
    let input = verdict(&newest["id"], false, json!("The patient was not in the building"));
    done(officer.run(&review, json!({ "input": input })).await, "breakGlassReview");
    let again =
        refused_once(&app, &officer, &review, verdict(&newest["id"], true, Value::Null), "breakGlassReview").await;
    assert_eq!(again, told("ALREADY_REVIEWED", "input.id"));
    let waiting = accesses(&officer, true).await;
    assert_eq!((&waiting["totalCount"], &waiting["nodes"][0]["id"]), (&json!(1), &oldest["id"]));
    let all = accesses(&officer, false).await;
    assert_eq!(all["totalCount"], 2);
    let more = json!({ "reviewedAt": "2026-03-10T14:00:00+00:00", "reviewedBy": { "id": officer.user.unwrap().to_string() },
        "justified": false, "reviewNote": "The patient was not in the building" });
    assert_eq!(all["nodes"][0], with(expected, more));
    let reason = app.db_value("SELECT string_agg(t::text, '|') FROM break_glass_accesses t").await;
    let hidden: String = "unconscious".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!reason.contains("unconscious") && !reason.contains(&hidden));
}

#[tokio::test]
async fn nobody_reviews_their_own_access() {
    let app = TestApp::start().await;
    let both = app.member(&[Role::Physician, Role::Administrator]).await;
    let id = patient(&both).await;
    // Also who may open every chart may put an emergency on record.
    done(both.run(BREAK, json!({ "input": { "patientId": id, "reason": REASON } })).await, "breakGlass");
    let access = accesses(&both, true).await["nodes"][0]["id"].clone();
    let review = document("breakGlassReview");
    let refusal =
        refused_once(&app, &both, &review, json!({ "id": access, "justified": true }), "breakGlassReview").await;
    assert_eq!(refusal, told("OWN_ACCESS", "input.id"));
    let administrator = app.member(&[Role::Administrator]).await;
    done(administrator.run(&review, json!({ "input": { "id": access, "justified": true } })).await, "breakGlassReview");
}

#[tokio::test]
async fn of_two_reviews_at_once_one_counts() {
    let (app, therapist, id) = clinic().await;
    done(therapist.run(BREAK, json!({ "input": { "patientId": id, "reason": REASON } })).await, "breakGlass");
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let access = accesses(&officer, true).await["nodes"][0]["id"].clone();
    let input =
        |justified: bool| json!({ "input": { "id": access, "justified": justified, "note": "Looked into it" } });
    let review = document("breakGlassReview");
    let (one, other) = tokio::join!(officer.run(&review, input(true)), officer.run(&review, input(false)));
    let codes = [one.ok(), other.ok()].map(|data| data["breakGlassReview"]["userErrors"][0]["code"].clone());
    assert_eq!(codes.iter().filter(|code| code.is_null()).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "ALREADY_REVIEWED").count(), 1, "{codes:?}");
}

/// The one function that looks past the policy of patients: it gives an id of the bound facility and no more.
#[tokio::test]
async fn the_look_past_the_policy_gives_an_id_of_the_bound_facility_and_nothing_else() {
    let (app, therapist, id) = clinic().await;
    let index = app.db_value(&format!("SELECT mrn_index FROM patients WHERE id = '{}'", uuid(&json!(id)))).await;
    let user = therapist.user.unwrap().uuid();
    let asked = async |facility: anamnesis::ids::FacilityId| {
        let rows = crate::harness::query_text(
            &app.database.server_url,
            &format!(
                "BEGIN; SELECT bind('facility', '{}', '{user}', 'own', now()); \
                 SELECT break_glass_patient({index}) AS id, (SELECT count(*) FROM patients) AS seen, \
                     current_setting('app.patient_scope') AS scope; ROLLBACK",
                facility.uuid()
            ),
        )
        .await;
        rows.last().unwrap().clone()
    };
    let text = |value: &str| Some(value.to_owned());
    // The chart itself stays closed, and the scope is what it was.
    assert_eq!(asked(app.facility).await, [Some(uuid(&json!(id))), text("0"), text("own")]);
    assert_eq!(asked(app.other).await, [None, text("0"), text("own")]);
    let unbound =
        crate::harness::query_text(&app.database.server_url, &format!("SELECT break_glass_patient({index})")).await;
    assert_eq!(unbound, [[None]]);
    let kind = app.db_value("SELECT prosecdef::text FROM pg_proc WHERE proname = 'break_glass_patient'").await;
    assert_eq!(kind, "false");
}
