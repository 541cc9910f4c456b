//! Members: reading, suspending, removing, leaving.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};

use super::{Staff, administrator, audited, done, refused, staff, staff_of, state};
use crate::harness::TestApp;

const MEMBERS: &str =
    "query($first: Int, $after: String, $status: MemberStatus = ACTIVE, $role: Role, $search: String) {
    members(first: $first, after: $after, status: $status, role: $role, search: $search) {
        totalCount nodes { id user { displayName } roles { role department primary } invitedBy { id } statusReason }
        pageInfo { hasNextPage endCursor } } }";
const MEMBER: &str = "query($id: ID!) { member(id: $id) { status statusReason title version user { displayName email }
    roles { role } } }";
const UPDATE: &str = "mutation($input: MemberUpdateInput!) { memberUpdate(input: $input) {
    member { title version } userErrors { code field } } }";
const SUSPEND: &str = "mutation($input: MemberSuspendInput!) { memberSuspend(input: $input) {
    member { status statusReason suspendedAt version } userErrors { code field } } }";
const REINSTATE: &str = "mutation($input: MemberReinstateInput!) { memberReinstate(input: $input) {
    member { status statusReason suspendedAt } userErrors { code field } } }";
const REMOVE: &str = "mutation($input: MemberRemoveInput!) { memberRemove(input: $input) {
    member { status removedAt } userErrors { code field } } }";
const LEAVE: &str = "mutation { memberLeave(input: {}) { memberId userErrors { code field } } }";

fn names(data: &Value) -> Vec<&str> {
    data["members"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["user"]["displayName"].as_str().unwrap())
        .collect()
}

fn who(someone: &Staff) -> Value {
    json!({ "input": { "memberId": someone.id() } })
}

fn who_and_why(someone: &Staff, reason: &str) -> Value {
    json!({ "input": { "memberId": someone.id(), "reason": reason } })
}

#[tokio::test]
async fn staff_are_listed_newest_first_by_state_role_and_page() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Nurse, Role::CaseManager]).await;
    staff(&app, "Ikenna Dufresne", &[Role::Nurse]).await;
    staff_of(&app, app.other, "Hollis Wakeford", &[Role::Nurse]).await;
    let listed = nora.client.run(MEMBERS, json!({})).await.ok();
    assert_eq!(names(&listed), ["Ikenna Dufresne", "Nora Quill", "Ada Bell"]);
    assert_eq!(listed["members"]["totalCount"], 3);
    assert_eq!(
        listed["members"]["nodes"][1]["roles"],
        json!([{ "role": "NURSE", "department": null, "primary": true },
            { "role": "CASE_MANAGER", "department": null, "primary": false }])
    );
    let nurses = nora.client.run(MEMBERS, json!({ "role": "NURSE", "first": 1 })).await.ok();
    assert_eq!((names(&nurses), &nurses["members"]["totalCount"]), (vec!["Ikenna Dufresne"], &json!(2)));
    let after = &nurses["members"]["pageInfo"]["endCursor"];
    let rest = nora.client.run(MEMBERS, json!({ "role": "NURSE", "after": after })).await.ok();
    assert_eq!(names(&rest), ["Nora Quill"]);

    done(boss.client.run(REMOVE, who_and_why(&nora, "TRANSFERRED")).await, "memberRemove");
    assert_eq!(names(&boss.client.run(MEMBERS, json!({})).await.ok()), ["Ikenna Dufresne", "Ada Bell"]);
    assert_eq!(names(&boss.client.run(MEMBERS, json!({ "status": "REMOVED" })).await.ok()), ["Nora Quill"]);
    assert_eq!(boss.client.run(MEMBERS, json!({ "status": null })).await.ok()["members"]["totalCount"], 3);
}

#[tokio::test]
async fn staff_are_found_by_the_beginning_of_any_part_of_their_name() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    staff(&app, "María Okafor", &[Role::Nurse]).await;
    staff(&app, "Okabe Marsh", &[Role::Physician]).await;
    let find = async |variables: Value| boss.client.run(MEMBERS, variables).await.ok();
    assert_eq!(names(&find(json!({ "search": "mar" })).await), ["Okabe Marsh", "María Okafor"]);
    let page = find(json!({ "search": "mar oka", "first": 1 })).await;
    assert_eq!((names(&page), &page["members"]["totalCount"]), (vec!["Okabe Marsh"], &json!(2)));
    assert_eq!(page["members"]["pageInfo"]["hasNextPage"], true);
    let after = &page["members"]["pageInfo"]["endCursor"];
    assert_eq!(names(&find(json!({ "search": "mar", "after": after })).await), ["María Okafor"]);
    assert_eq!(names(&find(json!({ "search": "MARIA", "role": "NURSE" })).await), ["María Okafor"]);
    assert!(names(&find(json!({ "search": "afor" })).await).is_empty());
    assert_eq!(boss.client.run(MEMBERS, json!({ "search": " - " })).await.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_search_by_name_through_too_many_is_refused_until_it_is_narrowed() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    // Copies of one account: a search opens each name.
    let copies = format!(
        "WITH made AS (INSERT INTO users (id, email_ciphertext, email_index, display_name_ciphertext, created_at, updated_at) \
             SELECT gen_random_uuid(), '', n, '', now(), now() FROM generate_series(1, 2000) n RETURNING id) \
         INSERT INTO facility_members (facility_id, id, user_id, status, joined_at, created_at, updated_at) \
             SELECT '{}', id, id, 'active', now(), now(), now() FROM made",
        app.facility.uuid()
    );
    app.db_execute(&copies).await;
    assert_eq!(boss.client.run(MEMBERS, json!({ "search": "ada" })).await.code(), "LIMIT_EXCEEDED");
    let narrowed = boss.client.run(MEMBERS, json!({ "search": "ada", "role": "ADMINISTRATOR" })).await.ok();
    assert_eq!(names(&narrowed), ["Ada Bell"]);
}

#[tokio::test]
async fn a_page_of_members_costs_the_same_statements_however_long() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    // Reading oneself is not recorded; reading a colleague is, by one statement for all.
    staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let count = async || {
        let before = app.app.database.statements();
        let listed = boss.client.run(MEMBERS, json!({ "first": 100 })).await.ok();
        (app.app.database.statements() - before, names(&listed).len())
    };
    count().await;
    let (one, rows) = count().await;
    assert_eq!(rows, 2);
    for index in 0..6 {
        staff(&app, &format!("Nurse Number{index}"), &[Role::Nurse]).await;
    }
    assert_eq!(count().await, (one, 8));
}

#[tokio::test]
async fn colleagues_read_each_other_and_only_administrators_read_why_someone_is_out() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let tom = staff(&app, "Tom Rell", &[Role::FrontDesk]).await;
    done(boss.client.run(SUSPEND, who_and_why(&tom, "UNDER_REVIEW")).await, "memberSuspend");
    let seen = |data: Value| (data["member"]["status"].clone(), data["member"]["statusReason"].clone());
    let id = json!({ "id": tom.id() });
    assert_eq!(seen(boss.client.run(MEMBER, id.clone()).await.ok()), (json!("SUSPENDED"), json!("UNDER_REVIEW")));
    assert_eq!(seen(nora.client.run(MEMBER, id.clone()).await.ok()), (json!("SUSPENDED"), Value::Null));
    let stranger = staff_of(&app, app.other, "Hollis Wakeford", &[Role::Administrator]).await;
    assert_eq!(stranger.client.run(MEMBER, id.clone()).await.ok()["member"], Value::Null);
    let node = stranger.client.run("query($id: ID!) { node(id: $id) { id } }", id.clone()).await.ok();
    assert_eq!(node["node"], Value::Null);
    let patient = staff(&app, "Pat Ient", &[Role::Patient]).await;
    assert_eq!(patient.client.run(MEMBER, id.clone()).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run(MEMBER, id).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn departments_are_those_of_active_members() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let tom = staff(&app, "Tom Rell", &[Role::Nurse]).await;
    let grant = "mutation($input: MemberRoleGrantInput!) { memberRoleGrant(input: $input) { userErrors { code } } }";
    for (someone, role, department) in [
        (&nora, "NURSE", "Youth"),
        (&nora, "CASE_MANAGER", "Youth"),
        (&tom, "NURSE", "Youth"),
        (&tom, "NURSE", "Memory Clinic"),
    ] {
        let input = json!({ "input": { "memberId": someone.id(), "role": role, "department": department } });
        done(boss.client.run(grant, input).await, "memberRoleGrant");
    }
    let read =
        async || nora.client.run("{ departments { name memberCount } }", json!({})).await.ok()["departments"].clone();
    assert_eq!(
        read().await,
        json!([{ "name": "Memory Clinic", "memberCount": 1 }, { "name": "Youth", "memberCount": 2 }])
    );
    done(boss.client.run(SUSPEND, who_and_why(&tom, "LEAVE_OF_ABSENCE")).await, "memberSuspend");
    assert_eq!(read().await, json!([{ "name": "Youth", "memberCount": 1 }]));
}

#[tokio::test]
async fn a_title_is_set_and_cleared_under_the_version_read() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let input = |version: i32, title: Value| json!({ "input": { "memberId": nora.id(), "expectedVersion": version, "title": title } });
    let set = done(boss.client.run(UPDATE, input(1, json!(" Charge Nurse "))).await, "memberUpdate");
    assert_eq!(set["member"], json!({ "title": "Charge Nurse", "version": 2 }));
    let before = state(&app).await;
    assert_eq!(refused(boss.client.run(UPDATE, input(1, json!("Late"))).await, "memberUpdate"), "STALE_VERSION");
    assert_eq!(refused(boss.client.run(UPDATE, input(2, json!("x".repeat(101)))).await, "memberUpdate"), "INVALID");
    assert_eq!(state(&app).await, before);
    let cleared = done(boss.client.run(UPDATE, input(2, Value::Null)).await, "memberUpdate");
    assert_eq!(cleared["member"], json!({ "title": null, "version": 3 }));
}

#[tokio::test]
async fn a_suspended_member_is_out_at_the_next_request_and_back_when_reinstated() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    nora.client.run("{ facility { id } }", json!({})).await.ok();
    let suspended = done(boss.client.run(SUSPEND, who_and_why(&nora, "CREDENTIALS_LAPSED")).await, "memberSuspend");
    assert_eq!(suspended["member"]["status"], "SUSPENDED");
    assert_eq!(suspended["member"]["statusReason"], "CREDENTIALS_LAPSED");
    assert!(suspended["member"]["suspendedAt"].is_string());
    assert_eq!(nora.client.run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    let before = state(&app).await;
    assert_eq!(
        refused(boss.client.run(SUSPEND, who_and_why(&nora, "SECURITY")).await, "memberSuspend"),
        "MEMBER_NOT_ACTIVE"
    );
    assert_eq!(state(&app).await, before);

    let back = done(boss.client.run(REINSTATE, who(&nora)).await, "memberReinstate");
    assert_eq!(back["member"], json!({ "status": "ACTIVE", "statusReason": null, "suspendedAt": null }));
    nora.client.run("{ facility { id } }", json!({})).await.ok();
    let before = state(&app).await;
    assert_eq!(refused(boss.client.run(REINSTATE, who(&nora)).await, "memberReinstate"), "MEMBER_NOT_SUSPENDED");
    assert_eq!(state(&app).await, before);
    let detail = app
        .db_value("SELECT detail ->> 'reason' FROM audit_log WHERE action = 'facilities.members.suspend' AND outcome = 'success'")
        .await;
    assert_eq!(detail, "credentials_lapsed");
}

#[tokio::test]
async fn a_removed_member_is_out_for_good_and_stays_on_record() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let removed = done(boss.client.run(REMOVE, who_and_why(&nora, "EMPLOYMENT_ENDED")).await, "memberRemove");
    assert_eq!(removed["member"]["status"], "REMOVED");
    assert_eq!(nora.client.run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    let kept = boss.client.run(MEMBER, json!({ "id": nora.id() })).await.ok();
    assert_eq!(kept["member"]["user"]["displayName"], "Nora Quill");
    assert_eq!(kept["member"]["roles"], json!([{ "role": "NURSE" }]));
    let before = state(&app).await;
    assert_eq!(
        refused(boss.client.run(REMOVE, who_and_why(&nora, "SECURITY")).await, "memberRemove"),
        "MEMBER_REMOVED"
    );
    assert_eq!(
        refused(boss.client.run(SUSPEND, who_and_why(&nora, "SECURITY")).await, "memberSuspend"),
        "MEMBER_NOT_ACTIVE"
    );
    assert_eq!(refused(boss.client.run(REINSTATE, who(&nora)).await, "memberReinstate"), "MEMBER_NOT_SUSPENDED");
    let update = json!({ "input": { "memberId": nora.id(), "expectedVersion": 2, "title": "Ghost" } });
    assert_eq!(refused(boss.client.run(UPDATE, update).await, "memberUpdate"), "MEMBER_REMOVED");
    assert_eq!(state(&app).await, before);
    assert_eq!(audited(&app, app.facility, "facilities.members.remove", "success").await, "1");
}

#[tokio::test]
async fn a_suspended_member_can_be_removed() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    done(boss.client.run(SUSPEND, who_and_why(&nora, "UNDER_REVIEW")).await, "memberSuspend");
    let removed = done(boss.client.run(REMOVE, who_and_why(&nora, "CONTRACT_ENDED")).await, "memberRemove");
    assert_eq!(removed["member"]["status"], "REMOVED");
}

#[tokio::test]
async fn a_member_leaves_by_themself() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let left = done(nora.client.run(LEAVE, json!({})).await, "memberLeave");
    assert_eq!(left["memberId"], nora.id());
    assert_eq!(nora.client.run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    let kept = boss.client.run(MEMBER, json!({ "id": nora.id() })).await.ok();
    assert_eq!((&kept["member"]["status"], &kept["member"]["statusReason"]), (&json!("REMOVED"), &json!("LEFT")));
    assert_eq!(app.anonymous().run(LEAVE, json!({})).await.code(), "UNAUTHENTICATED");
    let unchosen = app.signed_in(boss.user, anamnesis::ids::FacilityId::PLATFORM).await;
    assert_eq!(unchosen.run(LEAVE, json!({})).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn a_repeated_suspension_with_one_key_answers_the_same() {
    let app = TestApp::start().await;
    let (boss, nora) = (administrator(&app).await, staff(&app, "Nora Quill", &[Role::Nurse]).await);
    let input = json!({ "input": { "memberId": nora.id(), "reason": "SECURITY", "idempotencyKey": "k1" } });
    let first = done(boss.client.run(SUSPEND, input.clone()).await, "memberSuspend");
    assert_eq!(done(boss.client.run(SUSPEND, input).await, "memberSuspend"), first);
    let other = json!({ "input": { "memberId": boss.id(), "reason": "SECURITY", "idempotencyKey": "k1" } });
    assert_eq!(boss.client.run(SUSPEND, other).await.code(), "BAD_USER_INPUT");
}
