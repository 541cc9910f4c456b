//! Where to work: memberships, and choosing one.

use anamnesis::access::Role;
use anamnesis::domains::facilities::model::RoleGrant;
use anamnesis::ids::{FacilityId, TypedId as _};
use serde_json::{Value, json};

use super::{administrator, audited, done, refused, staff, state, super_admin};
use crate::harness::{Client, TestApp};

const SELECT: &str = "mutation($input: FacilitySelectInput!) { facilitySelect(input: $input) {
    tokens { accessToken refreshToken } userErrors { code field } } }";
const MEMBERSHIPS: &str = "{ viewerMemberships { facility { name status } memberId title roles { role primary }
    obstacle selected } }";

fn choose(facility: FacilityId) -> Value {
    json!({ "input": { "facilityId": facility.encode() } })
}

/// The same client with the token of a choice.
async fn chosen(client: &Client, variables: Value) -> Client {
    let payload = done(client.run(SELECT, variables).await, "facilitySelect");
    client.with_token(payload["tokens"]["accessToken"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn someone_of_two_facilities_moves_between_them_and_out() {
    let app = TestApp::start().await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let grants = vec![RoleGrant { role: Role::CaseManager, department: None, primary: true }];
    anamnesis::domains::facilities::service::add_member(&app.system(app.other), nurse.user, grants, None).await.unwrap();

    let other = chosen(&nurse.client, choose(app.other)).await;
    let read = other.run("{ facility { name } }", json!({})).await.ok();
    assert_eq!(read["facility"]["name"], "Hillside Clinic");
    let seen = other.run(MEMBERSHIPS, json!({})).await.ok();
    let selected: Vec<_> = seen["viewerMemberships"].as_array().unwrap().iter().map(|one| &one["selected"]).collect();
    assert_eq!(selected, [false, true]);

    let out = chosen(&other, json!({ "input": { "facilityId": null } })).await;
    assert_eq!(out.run("{ facility { name } }", json!({})).await.code(), "FORBIDDEN");
    let seen = out.run(MEMBERSHIPS, json!({})).await.ok();
    assert_eq!(
        seen["viewerMemberships"][1],
        json!({ "facility": { "name": "Hillside Clinic", "status": "ACTIVE" }, "title": null, "obstacle": null,
            "selected": false, "roles": [{ "role": "CASE_MANAGER", "primary": true }],
            "memberId": seen["viewerMemberships"][1]["memberId"] })
    );
    assert_eq!(audited(&app, app.other, "facilities.select", "success").await, "1");
    assert_eq!(audited(&app, FacilityId::PLATFORM, "facilities.select", "success").await, "1");
    let remembered = app.db_value("SELECT count(*) FROM user_sessions WHERE chosen_facility_id IS NULL").await;
    assert_eq!(remembered, "1", "the last choice was none");
}

#[tokio::test]
async fn the_choice_is_remembered_by_the_session() {
    let app = TestApp::start().await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    chosen(&nurse.client, choose(app.facility)).await;
    let remembered = app.db_value("SELECT chosen_facility_id FROM user_sessions").await;
    assert_eq!(remembered, app.facility.uuid().to_string());
}

#[tokio::test]
async fn a_facility_one_does_not_work_in_cannot_be_chosen_nor_told_from_none() {
    let app = TestApp::start().await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let before = state(&app).await;
    let unknown = anamnesis::ids::new_id();
    for facility in [app.other, unknown, FacilityId::PLATFORM] {
        assert_eq!(refused(nurse.client.run(SELECT, choose(facility)).await, "facilitySelect"), "NOT_A_MEMBER");
    }
    let root = super_admin(&app).await;
    assert_eq!(refused(root.run(SELECT, choose(app.facility)).await, "facilitySelect"), "NOT_A_MEMBER");
    assert_eq!(app.anonymous().run(SELECT, choose(app.facility)).await.code(), "UNAUTHENTICATED");
    assert_eq!(app.anonymous().run(MEMBERSHIPS, json!({})).await.code(), "UNAUTHENTICATED");
    assert_ne!(before, state(&app).await, "only the platform's administrator was added");
    assert_eq!(app.db_value("SELECT count(*) FROM user_sessions WHERE chosen_facility_id IS NOT NULL").await, "0");
    assert_eq!(audited(&app, FacilityId::PLATFORM, "facilities.select", "refused").await, "4");
    assert_eq!(audited(&app, app.other, "facilities.select", "refused").await, "0");
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_choice_is_said() {
    let app = TestApp::start().await;
    let (boss, nurse) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let facility = app.facility.uuid();
    // Each is undone before the next: it is the only thing in the way.
    for (obstacle, code, statement, undo) in [
        (
            "MEMBERSHIP_SUSPENDED",
            "MEMBER_NOT_ACTIVE",
            format!("UPDATE facility_members SET status = 'suspended', status_reason = 'security' WHERE user_id = '{}'", nurse.user.uuid()),
            format!("UPDATE facility_members SET status = 'active', status_reason = NULL WHERE user_id = '{}'", nurse.user.uuid()),
        ),
        (
            "FACILITY_SUSPENDED",
            "FACILITY_NOT_ACTIVE",
            format!("UPDATE facilities SET status = 'suspended', status_reason = 'legal' WHERE id = '{facility}'"),
            format!("UPDATE facilities SET status = 'active', status_reason = NULL WHERE id = '{facility}'"),
        ),
        (
            "SECOND_FACTOR_REQUIRED",
            "SECOND_FACTOR_REQUIRED",
            format!("UPDATE facilities SET settings = '{{\"requireSecondFactor\": true}}' WHERE id = '{facility}'"),
            format!("UPDATE facilities SET settings = '{{}}' WHERE id = '{facility}'"),
        ),
    ] {
        app.db_execute(&statement).await;
        // The token bound to the facility is of no use now, but another choice can be made with it.
        assert_eq!(nurse.client.run(MEMBERSHIPS, json!({})).await.code(), "UNAUTHENTICATED");
        let outside = chosen(&nurse.client, json!({ "input": { "facilityId": null } })).await;
        let seen = outside.run(MEMBERSHIPS, json!({})).await.ok();
        assert_eq!(seen["viewerMemberships"][0]["obstacle"], obstacle);
        assert_eq!(refused(outside.run(SELECT, choose(app.facility)).await, "facilitySelect"), code);
        app.db_execute(&undo).await;
        chosen(&outside, choose(app.facility)).await;
    }
    drop(boss);
}

#[tokio::test]
async fn memberships_cost_the_same_statements_however_many_there_are() {
    let app = TestApp::start().await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let count = async || {
        let before = app.app.database.statements();
        nurse.client.run(MEMBERSHIPS, json!({})).await.ok();
        app.app.database.statements() - before
    };
    count().await; // Each statement is prepared once.
    let one = count().await;
    let grants = vec![RoleGrant { role: Role::Nurse, department: None, primary: true }];
    anamnesis::domains::facilities::service::add_member(&app.system(app.other), nurse.user, grants, None).await.unwrap();
    assert_eq!(count().await, one);
}
