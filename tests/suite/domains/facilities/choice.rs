//! Where to work: memberships, and choosing one.

use anamnesis::access::Role;
use anamnesis::domains::facilities::model::RoleGrant;
use anamnesis::domains::identity;
use anamnesis::ids::{FacilityId, TypedId as _};
use anamnesis::phi::Phi;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{Staff, address_of, administrator, audited, db_second_factor, done, refused, staff, state, super_admin};
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
    anamnesis::domains::facilities::service::add_member(&app.system(app.other), nurse.user, grants, None)
        .await
        .unwrap();

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

/// Someone with a password, signed in: access and refresh token.
async fn signed_in_by_password(app: &TestApp, name: &str) -> (Staff, String, String) {
    let nurse = staff(app, name, &[Role::Nurse]).await;
    let (email, name) = (Phi::new(address_of(name)), Phi::from(name));
    let system = app.system(FacilityId::PLATFORM);
    let password = Phi::from("four wet otters sing");
    let hash = identity::service::prepare_password(&system, "password", &password, &email, &name).await.unwrap();
    app.db_execute(&format!("UPDATE users SET password_hash = '{}' WHERE id = '{}'", hash.as_str(), nurse.user.uuid()))
        .await;
    let sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { tokens { accessToken refreshToken } userErrors { code } } }";
    let input = json!({ "input": { "email": email.reveal_str(), "password": password.reveal_str() } });
    let tokens = done(app.anonymous().run(sign_in, input).await, "signIn")["tokens"].clone();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (nurse, text("accessToken"), text("refreshToken"))
}

/// The tokens a refresh token is exchanged for.
async fn refreshed(app: &TestApp, refresh: &str) -> (Client, String) {
    let document = "mutation($input: TokenRefreshInput!) { tokenRefresh(input: $input) {
        tokens { accessToken refreshToken } userErrors { code } } }";
    let answer = app.anonymous().run(document, json!({ "input": { "refreshToken": refresh } })).await;
    let tokens = done(answer, "tokenRefresh")["tokens"].clone();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (app.anonymous().with_token(text("accessToken")), text("refreshToken"))
}

#[tokio::test]
async fn the_choice_holds_for_the_tokens_to_come_as_long_as_it_can_be_used() {
    let app = TestApp::start().await;
    let (nurse, access, refresh) = signed_in_by_password(&app, "Nora Quill").await;
    let client = app.anonymous().with_token(access);
    assert_eq!(client.run("{ facility { name } }", json!({})).await.code(), "FORBIDDEN");
    chosen(&client, choose(app.facility)).await;
    let (client, refresh) = refreshed(&app, &refresh).await;
    assert_eq!(client.run("{ facility { name } }", json!({})).await.ok()["facility"]["name"], "Lakeside Clinic");

    let facility = app.facility.uuid();
    app.db_execute(&format!(
        "UPDATE facilities SET settings = '{{\"requireSecondFactor\": true}}' WHERE id = '{facility}'"
    ))
    .await;
    let (client, refresh) = refreshed(&app, &refresh).await;
    let seen = client.run(MEMBERSHIPS, json!({})).await.ok();
    assert_eq!(
        (&seen["viewerMemberships"][0]["selected"], &seen["viewerMemberships"][0]["obstacle"]),
        (&json!(false), &json!("SECOND_FACTOR_REQUIRED"))
    );
    db_second_factor(&app, nurse.user).await;
    let (client, _) = refreshed(&app, &refresh).await;
    assert_eq!(client.run("{ facility { name } }", json!({})).await.ok()["facility"]["name"], "Lakeside Clinic");
}

#[tokio::test]
async fn a_browser_gets_the_chosen_token_in_its_cookie_alone() {
    let app = TestApp::start().await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let mut headers = HeaderMap::new();
    let cookie = format!("__Host-anamnesis={}", nurse.client.token.clone().unwrap());
    headers.insert("cookie", HeaderValue::from_str(&cookie).unwrap());
    headers.insert("x-anamnesis-csrf", HeaderValue::from_static("1"));
    let out = json!({ "input": { "facilityId": null } });
    let answer = app.anonymous().run_with(SELECT, out, headers.clone()).await;
    let set = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.starts_with("__Host-anamnesis=") && set.contains("; Secure; HttpOnly; SameSite=Strict"), "{set}");
    assert_eq!(done(answer, "facilitySelect")["tokens"], json!({ "accessToken": null, "refreshToken": null }));
    headers.insert("cookie", HeaderValue::from_str(set.split(';').next().unwrap()).unwrap());
    let outside = app.anonymous().run_with("{ facility { id } }", json!({}), headers).await;
    assert_eq!(outside.code(), "FORBIDDEN");
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
            format!(
                "UPDATE facility_members SET status = 'suspended', status_reason = 'security' WHERE user_id = '{}'",
                nurse.user.uuid()
            ),
            format!(
                "UPDATE facility_members SET status = 'active', status_reason = NULL WHERE user_id = '{}'",
                nurse.user.uuid()
            ),
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
    anamnesis::domains::facilities::service::add_member(&app.system(app.other), nurse.user, grants, None)
        .await
        .unwrap();
    assert_eq!(count().await, one);
}
