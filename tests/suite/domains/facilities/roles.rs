//! Roles of members.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};

use super::{Staff, administrator, done, refused, staff, state};
use crate::harness::TestApp;

const FIELDS: &str = "member { version roles { id role department primary } } userErrors { code field } } }";

fn set() -> String {
    format!("mutation($input: MemberRolesSetInput!) {{ memberRolesSet(input: $input) {{ {FIELDS}")
}

fn grant() -> String {
    format!("mutation($input: MemberRoleGrantInput!) {{ memberRoleGrant(input: $input) {{ {FIELDS}")
}

fn revoke() -> String {
    format!("mutation($input: MemberRoleRevokeInput!) {{ memberRoleRevoke(input: $input) {{ {FIELDS}")
}

/// Roles as `(role, department, primary)`.
fn held(payload: &Value) -> Vec<(String, Option<String>, bool)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    payload["member"]["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (text(&role["role"]).unwrap(), text(&role["department"]), role["primary"].as_bool().unwrap()))
        .collect()
}

fn role(name: &str, department: Option<&str>, primary: bool) -> (String, Option<String>, bool) {
    (name.to_owned(), department.map(str::to_owned), primary)
}

fn roles_of(someone: &Staff, version: i32, roles: Value) -> Value {
    json!({ "input": { "memberId": someone.id(), "expectedVersion": version, "roles": roles } })
}

/// Id of a role among those of a payload.
fn id_of(payload: &Value, name: &str, department: Option<&str>) -> Value {
    let all = payload["member"]["roles"].as_array().unwrap();
    all.iter().find(|role| role["role"] == name && role["department"] == json!(department)).unwrap()["id"].clone()
}

#[tokio::test]
async fn roles_are_granted_and_revoked_and_hold_from_the_next_request_on() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let invitations = "{ invitations { totalCount } }";
    assert_eq!(nora.client.run(invitations, json!({})).await.code(), "FORBIDDEN");
    let input = json!({ "input": { "memberId": nora.id(), "role": "ADMINISTRATOR", "department": " Youth ", "primary": true } });
    let granted = done(boss.client.run(&grant(), input).await, "memberRoleGrant");
    assert_eq!(held(&granted), [role("ADMINISTRATOR", Some("Youth"), true), role("NURSE", None, false)]);
    assert_eq!(granted["member"]["version"], 2);
    nora.client.run(invitations, json!({})).await.ok();

    let nurse = json!({ "input": { "roleId": id_of(&granted, "NURSE", None) } });
    let revoked = done(boss.client.run(&revoke(), nurse).await, "memberRoleRevoke");
    assert_eq!(held(&revoked), [role("ADMINISTRATOR", Some("Youth"), true)]);
    let detail = app
        .db_value("SELECT string_agg(detail::text, ' ' ORDER BY id) FROM audit_log WHERE action LIKE 'facilities.members.roles.%'")
        .await;
    assert_eq!(detail, r#"{"granted": ["administrator"]} {"revoked": ["nurse"]}"#);
}

#[tokio::test]
async fn a_role_is_not_granted_twice_in_one_department() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let input =
        |department: Value| json!({ "input": { "memberId": nora.id(), "role": "NURSE", "department": department } });
    done(boss.client.run(&grant(), input(json!("Youth"))).await, "memberRoleGrant");
    let before = state(&app).await;
    for department in [json!("Youth"), Value::Null, json!("  ")] {
        assert_eq!(
            refused(boss.client.run(&grant(), input(department)).await, "memberRoleGrant"),
            "ROLE_ALREADY_GRANTED"
        );
    }
    let long = input(json!("x".repeat(101)));
    assert_eq!(refused(boss.client.run(&grant(), long).await, "memberRoleGrant"), "INVALID");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn a_member_holds_at_most_twenty_roles() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let more = format!(
        "INSERT INTO member_roles (facility_id, id, member_id, role, department, created_at) \
         SELECT facility_id, gen_random_uuid(), member_id, role, 'Ward ' || n, created_at \
         FROM member_roles, generate_series(1, 19) n WHERE member_id = '{}'",
        nora.member.uuid()
    );
    app.db_execute(&more).await;
    let before = state(&app).await;
    let input = json!({ "input": { "memberId": nora.id(), "role": "THERAPIST", "primary": true } });
    assert_eq!(refused(boss.client.run(&grant(), input).await, "memberRoleGrant"), "INVALID");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn the_only_and_the_primary_role_stay() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let input = json!({ "input": { "memberId": nora.id(), "role": "CASE_MANAGER" } });
    let granted = done(boss.client.run(&grant(), input).await, "memberRoleGrant");
    let before = state(&app).await;
    let nurse = json!({ "input": { "roleId": id_of(&granted, "NURSE", None) } });
    assert_eq!(refused(boss.client.run(&revoke(), nurse.clone()).await, "memberRoleRevoke"), "PRIMARY_ROLE");
    assert_eq!(state(&app).await, before);
    let manager = json!({ "input": { "roleId": id_of(&granted, "CASE_MANAGER", None) } });
    done(boss.client.run(&revoke(), manager.clone()).await, "memberRoleRevoke");
    let before = state(&app).await;
    assert_eq!(refused(boss.client.run(&revoke(), nurse).await, "memberRoleRevoke"), "ONLY_ROLE");
    assert_eq!(boss.client.run(&revoke(), manager).await.code(), "NOT_FOUND");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn all_roles_are_set_at_once_and_those_kept_keep_their_ids() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let wanted = json!([{ "role": "NURSE" }, { "role": "NURSE", "department": "Youth", "primary": true },
        { "role": "CASE_MANAGER" }]);
    let first = done(boss.client.run(&set(), roles_of(&nora, 1, wanted)).await, "memberRolesSet");
    assert_eq!(
        held(&first),
        [role("NURSE", Some("Youth"), true), role("NURSE", None, false), role("CASE_MANAGER", None, false)]
    );
    let wanted = json!([{ "role": "CASE_MANAGER", "primary": true }, { "role": "NURSE" }, { "role": "THERAPIST" }]);
    let second = done(boss.client.run(&set(), roles_of(&nora, 2, wanted)).await, "memberRolesSet");
    assert_eq!(
        held(&second),
        [role("CASE_MANAGER", None, true), role("NURSE", None, false), role("THERAPIST", None, false)]
    );
    for (name, department) in [("NURSE", None), ("CASE_MANAGER", None)] {
        assert_eq!(id_of(&first, name, department), id_of(&second, name, department));
    }
    let detail = app
        .db_value("SELECT detail FROM audit_log WHERE action = 'facilities.members.roles.set' ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(detail, r#"{"granted": ["therapist"], "revoked": ["nurse"]}"#);
}

#[tokio::test]
async fn a_set_of_roles_without_one_primary_or_of_another_version_changes_nothing() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let before = state(&app).await;
    let two_primaries = json!([{ "role": "NURSE", "primary": true }, { "role": "THERAPIST", "primary": true }]);
    let none = json!([{ "role": "NURSE" }, { "role": "THERAPIST" }]);
    let twice = json!([{ "role": "NURSE", "primary": true }, { "role": "NURSE" }]);
    for (roles, version, code) in [
        (json!([]), 1, "INVALID"),
        (two_primaries, 1, "INVALID"),
        (none, 1, "INVALID"),
        (twice, 1, "INVALID"),
        (json!([{ "role": "THERAPIST" }]), 5, "STALE_VERSION"),
    ] {
        let answer = boss.client.run(&set(), roles_of(&nora, version, roles.clone())).await;
        assert_eq!(refused(answer, "memberRolesSet"), code, "{roles}");
    }
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn roles_of_a_removed_member_stay_as_they_were() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse, Role::CaseManager]).await);
    let member = "query($id: ID!) { member(id: $id) { roles { id role department primary } } }";
    let read = boss.client.run(member, json!({ "id": nora.id() })).await.ok();
    let remove = "mutation($input: MemberRemoveInput!) { memberRemove(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "memberId": nora.id(), "reason": "TRANSFERRED" } });
    done(boss.client.run(remove, input).await, "memberRemove");
    let before = state(&app).await;
    let input = json!({ "input": { "memberId": nora.id(), "role": "THERAPIST" } });
    assert_eq!(refused(boss.client.run(&grant(), input).await, "memberRoleGrant"), "MEMBER_REMOVED");
    let input = json!({ "input": { "roleId": id_of(&read, "CASE_MANAGER", None) } });
    assert_eq!(refused(boss.client.run(&revoke(), input).await, "memberRoleRevoke"), "MEMBER_REMOVED");
    let input = roles_of(&nora, 2, json!([{ "role": "NURSE" }]));
    assert_eq!(refused(boss.client.run(&set(), input).await, "memberRolesSet"), "MEMBER_REMOVED");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn no_one_is_made_an_administrator_of_the_platform_from_within_a_facility() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let input = json!({ "input": { "memberId": boss.id(), "role": "SUPER_ADMIN" } });
    assert_eq!(boss.client.run(&grant(), input).await.code(), "GRAPHQL_VALIDATION_FAILED");
    for fine in ["SYSTEM_ADMIN", "PRIVACY_OFFICER"] {
        let input = json!({ "input": { "memberId": boss.id(), "role": fine } });
        done(boss.client.run(&grant(), input).await, "memberRoleGrant");
    }
}
