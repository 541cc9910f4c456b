//! Who may not: anonymous callers, other roles, other facilities. Nothing changes by their trying.

use anamnesis::access::Role;
use anamnesis::ids::{FacilityId, TypedId as _};
use serde_json::{Value, json};

use super::{Staff, administrator, done, staff, staff_of, state};
use crate::harness::TestApp;

/// Every operation of administrators: its document, and its input about someone.
fn operations(about: &Targets) -> Vec<(&'static str, String, Value)> {
    let member = &about.member;
    let mutation = |name: &'static str, input: &str, variables: Value| {
        let document = format!("mutation($input: {input}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
        (name, document, json!({ "input": variables }))
    };
    vec![
        mutation(
            "memberUpdate",
            "MemberUpdateInput",
            json!({ "memberId": member, "expectedVersion": 1, "title": "X" }),
        ),
        mutation("memberSuspend", "MemberSuspendInput", json!({ "memberId": member, "reason": "SECURITY" })),
        mutation("memberReinstate", "MemberReinstateInput", json!({ "memberId": member })),
        mutation("memberRemove", "MemberRemoveInput", json!({ "memberId": member, "reason": "SECURITY" })),
        mutation(
            "memberRolesSet",
            "MemberRolesSetInput",
            json!({ "memberId": member, "expectedVersion": 1, "roles": [{ "role": "NURSE" }] }),
        ),
        mutation("memberRoleGrant", "MemberRoleGrantInput", json!({ "memberId": member, "role": "THERAPIST" })),
        mutation("memberRoleRevoke", "MemberRoleRevokeInput", json!({ "roleId": about.role })),
        mutation("invitationResend", "InvitationInput", json!({ "invitationId": about.invitation })),
        mutation("invitationRevoke", "InvitationInput", json!({ "invitationId": about.invitation })),
    ]
}

/// Operations of administrators that name nothing of a facility but act on the chosen one.
fn own_operations() -> Vec<(&'static str, String, Value)> {
    let mutation = |name: &'static str, input: &str, variables: Value| {
        let document = format!("mutation($input: {input}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
        (name, document, json!({ "input": variables }))
    };
    vec![
        mutation("facilityUpdate", "FacilityUpdateInput", json!({ "expectedVersion": 1, "name": "Mine now" })),
        mutation(
            "facilitySettingsUpdate",
            "FacilitySettingsUpdateInput",
            json!({ "expectedVersion": 1, "invitationDays": 2 }),
        ),
        mutation(
            "memberInvite",
            "MemberInviteInput",
            json!({ "email": "x@example.org", "roles": [{ "role": "NURSE" }] }),
        ),
    ]
}

/// Ids of things of one facility.
struct Targets {
    member: String,
    role: Value,
    invitation: Value,
}

async fn targets(boss: &Staff, nora: &Staff) -> Targets {
    let query = "query($id: ID!) { member(id: $id) { roles { id } } }";
    let read = boss.client.run(query, json!({ "id": nora.id() })).await.ok();
    let invite = "mutation($input: MemberInviteInput!) { memberInvite(input: $input) { invitation { id } userErrors { code } } }";
    let input = json!({ "input": { "email": "new@example.org", "roles": [{ "role": "NURSE" }] } });
    let invited = done(boss.client.run(invite, input).await, "memberInvite");
    Targets {
        member: nora.id(),
        role: read["member"]["roles"][0]["id"].clone(),
        invitation: invited["invitation"]["id"].clone(),
    }
}

#[tokio::test]
async fn what_administrators_do_nobody_else_does() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let targets = targets(&boss, &nora).await;
    let others: Vec<Role> = Role::ALL.iter().copied().filter(|role| *role != Role::Administrator).collect();
    let everyone_else = staff(&app, "Every One", &others).await;
    let unchosen = app.signed_in(boss.user, FacilityId::PLATFORM).await;
    let before = state(&app).await;
    for (name, document, variables) in operations(&targets).into_iter().chain(own_operations()) {
        for (client, code) in
            [(&everyone_else.client, "FORBIDDEN"), (&unchosen, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")]
        {
            assert_eq!(client.run(&document, variables.clone()).await.code(), code, "{name}");
        }
    }
    for query in
        ["{ invitations { totalCount } }".to_owned(), format!("{{ invitation(id: {}) {{ id }} }}", targets.invitation)]
    {
        for (client, code) in
            [(&everyone_else.client, "FORBIDDEN"), (&unchosen, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")]
        {
            assert_eq!(client.run(&query, json!({})).await.code(), code, "{query}");
        }
    }
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn what_is_another_facilitys_is_not_there() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let targets = targets(&boss, &nora).await;
    let stranger = staff_of(&app, app.other, "Hollis Wakeford", &[Role::Administrator]).await;
    let before = state(&app).await;
    for (name, document, variables) in operations(&targets) {
        assert_eq!(stranger.client.run(&document, variables).await.code(), "NOT_FOUND", "{name}");
    }
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for id in [&json!(targets.member), &targets.invitation] {
        assert_eq!(stranger.client.run(node, json!({ "id": id })).await.ok()["node"], Value::Null);
        assert_eq!(boss.client.run(node, json!({ "id": id })).await.ok()["node"]["id"], *id);
    }
    let lists = "{ members(status: null) { totalCount nodes { id } } invitations { totalCount } departments { name } }";
    let seen = stranger.client.run(lists, json!({})).await.ok();
    assert_eq!(
        seen,
        json!({ "members": { "totalCount": 1, "nodes": [{ "id": stranger.member.encode() }] },
            "invitations": { "totalCount": 0 }, "departments": [] })
    );
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn people_in_care_do_not_see_the_staff() {
    let app = TestApp::start().await;
    let patient = staff(&app, "Pat Ient", &[Role::Patient]).await;
    for query in ["{ members { totalCount } }", "{ departments { name } }", "{ invitations { totalCount } }"] {
        assert_eq!(patient.client.run(query, json!({})).await.code(), "FORBIDDEN", "{query}");
        assert_eq!(app.anonymous().run(query, json!({})).await.code(), "UNAUTHENTICATED", "{query}");
    }
    patient.client.run("{ facility { name phone } }", json!({})).await.ok();
}

#[tokio::test]
async fn an_id_of_another_kind_is_refused_before_any_work() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let suspend = "mutation($input: MemberSuspendInput!) { memberSuspend(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "memberId": app.facility.encode(), "reason": "SECURITY" } });
    let answer = boss.client.run(suspend, input).await;
    assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&answer.code()), "{:?}", answer.errors);
}
