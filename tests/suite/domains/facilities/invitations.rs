//! Invitations: made, mailed, sent again, taken back, accepted.

use anamnesis::access::Role;
use anamnesis::ids::{FacilityId, TypedId as _};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{account, administrator, audited, done, mailed_token, refused, staff, state};
use crate::harness::{Client, TestApp};

const INVITE: &str = "mutation($input: MemberInviteInput!) { memberInvite(input: $input) {
    invitation { id email title status roles { role department primary } invitedBy { displayName } expiresAt }
    userErrors { code field } } }";
const RESEND: &str = "mutation($input: InvitationInput!) { invitationResend(input: $input) {
    invitation { status expiresAt } userErrors { code field } } }";
const REVOKE: &str = "mutation($input: InvitationInput!) { invitationRevoke(input: $input) {
    invitation { status } userErrors { code field } } }";
const ACCEPT: &str = "mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) {
    membership { facilityId facilityName memberId accountCreated } userErrors { code field message } } }";
const LIST: &str =
    "query($status: InvitationStatus) { invitations(status: $status) { totalCount nodes { email status } } }";
const GOOD_PASSWORD: &str = "four wet otters sing";

fn nurse(email: &str) -> Value {
    json!({ "input": { "email": email, "roles": [{ "role": "NURSE", "department": "Youth" }], "title": "Registered Nurse" } })
}

async fn invite(client: &Client, email: &str) -> Value {
    done(client.run(INVITE, nurse(email)).await, "memberInvite")["invitation"].clone()
}

fn which(invitation: &Value) -> Value {
    json!({ "input": { "invitationId": invitation["id"] } })
}

fn answer(token: &str) -> Value {
    json!({ "input": { "token": token, "password": GOOD_PASSWORD, "displayName": "Ines Vale" } })
}

#[tokio::test]
async fn an_invitation_is_made_mailed_and_listed() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let made = invite(&boss.client, " Ines.Vale@example.org ").await;
    assert_eq!(
        made,
        json!({ "id": made["id"], "email": "Ines.Vale@example.org", "title": "Registered Nurse", "status": "PENDING",
            "roles": [{ "role": "NURSE", "department": "Youth", "primary": true }],
            "invitedBy": { "displayName": "Ada Bell" }, "expiresAt": "2026-03-16T14:00:00+00:00" })
    );
    let token = mailed_token(&app, app.facility).await.unwrap();
    let kept = app.db_value("SELECT payload::text FROM jobs WHERE kind = 'mail.invitation'").await;
    assert!(!kept.contains(&token) && !kept.to_lowercase().contains("ines"), "{kept}");
    let listed = boss.client.run(LIST, json!({ "status": "PENDING" })).await.ok();
    assert_eq!(
        listed["invitations"],
        json!({ "totalCount": 1, "nodes": [{ "email": "Ines.Vale@example.org", "status": "PENDING" }] })
    );
    assert_eq!(audited(&app, app.facility, "facilities.members.invite", "success").await, "1");
}

#[tokio::test]
async fn members_and_the_invited_are_not_invited_again() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let tom = staff(&app, "Tom Rell", &[Role::Nurse]).await;
    let suspend = "mutation($input: MemberSuspendInput!) { memberSuspend(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "memberId": tom.id(), "reason": "UNDER_REVIEW" } });
    done(boss.client.run(suspend, input).await, "memberSuspend");
    invite(&boss.client, "ines@example.org").await;
    let before = state(&app).await;
    for (email, code) in [
        ("NORA.quill@example.org", "ALREADY_MEMBER"),
        ("tom.rell@example.org", "MEMBER_SUSPENDED"),
        ("INES@example.org", "ALREADY_INVITED"),
        ("nobody", "INVALID"),
    ] {
        assert_eq!(refused(boss.client.run(INVITE, nurse(email)).await, "memberInvite"), code, "{email}");
    }
    let without_roles = json!({ "input": { "email": "eve@example.org", "roles": [] } });
    assert_eq!(refused(boss.client.run(INVITE, without_roles).await, "memberInvite"), "INVALID");
    assert_eq!(state(&app).await, before);
    drop(nora);
}

#[tokio::test]
async fn no_more_than_five_hundred_invitations_wait_at_once() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let many = format!(
        "INSERT INTO facility_invitations (facility_id, id, token_hash, email_ciphertext, email_index, roles, status, \
             expires_at, created_at, updated_at) \
         SELECT '{}', gen_random_uuid(), decode(md5(n::text), 'hex'), '', n, '[]', 'pending', '{now}'::timestamptz + '1 day', \
             '{now}', '{now}' FROM generate_series(1, 500) n",
        app.facility.uuid(),
        now = app.now().to_rfc3339()
    );
    app.db_execute(&many).await;
    let before = state(&app).await;
    let answer = boss.client.run(INVITE, nurse("ines@example.org")).await;
    assert_eq!(refused(answer, "memberInvite"), "TOO_MANY_INVITATIONS");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn whoever_has_no_account_gets_one_and_joins() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    invite(&boss.client, "ines@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    let joined = done(app.anonymous().run(ACCEPT, answer(&token)).await, "invitationAccept");
    assert_eq!(joined["membership"]["facilityName"], "Lakeside Clinic");
    assert_eq!(joined["membership"]["accountCreated"], true);
    let member = "query($id: ID!) { member(id: $id) { status title roles { role department primary }
        user { displayName email } invitedBy { displayName } } }";
    let read = boss.client.run(member, json!({ "id": joined["membership"]["memberId"] })).await.ok();
    assert_eq!(
        read["member"],
        json!({ "status": "ACTIVE", "title": "Registered Nurse", "invitedBy": { "displayName": "Ada Bell" },
            "roles": [{ "role": "NURSE", "department": "Youth", "primary": true }],
            "user": { "displayName": "Ines Vale", "email": "ines@example.org" } })
    );
    let sign_in =
        "mutation($input: SignInInput!) { signIn(input: $input) { tokens { accessToken } userErrors { code } } }";
    let input = json!({ "input": { "email": "ines@example.org", "password": GOOD_PASSWORD } });
    let tokens = done(app.anonymous().run(sign_in, input).await, "signIn");
    let ines = app.anonymous().with_token(tokens["tokens"]["accessToken"].as_str().unwrap().to_owned());
    let mine = ines.run("{ viewerMemberships { facility { name } obstacle } }", json!({})).await.ok();
    assert_eq!(mine["viewerMemberships"], json!([{ "facility": { "name": "Lakeside Clinic" }, "obstacle": null }]));
    assert_eq!(audited(&app, app.facility, "facilities.invitations.accept", "success").await, "2");
    let listed = boss.client.run(LIST, json!({})).await.ok();
    assert_eq!(listed["invitations"]["nodes"][0]["status"], "ACCEPTED");
    assert_eq!(mailed_token(&app, app.facility).await, None, "a mail not yet sent is not sent any more");
}

#[tokio::test]
async fn whoever_is_signed_in_with_the_address_joins_with_their_account() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let ines = account(&app, "ines@example.org", "Ines Vale").await;
    invite(&boss.client, "INES@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    let input = json!({ "input": { "token": token } });
    let before = state(&app).await;
    assert_eq!(refused(app.anonymous().run(ACCEPT, input.clone()).await, "invitationAccept"), "SIGN_IN_FIRST");
    assert_eq!(refused(app.anonymous().run(ACCEPT, answer(&token)).await, "invitationAccept"), "SIGN_IN_FIRST");
    assert_eq!(refused(boss.client.run(ACCEPT, input.clone()).await, "invitationAccept"), "WRONG_ACCOUNT");
    assert_eq!(state(&app).await, before);
    let client = app.signed_in(ines, FacilityId::PLATFORM).await;
    let joined = done(client.run(ACCEPT, input).await, "invitationAccept");
    assert_eq!(joined["membership"]["accountCreated"], false);
    let by = app
        .db_value(&format!(
            "SELECT count(*) FROM audit_log WHERE facility_id = '{}' AND action = 'facilities.invitations.accept' \
             AND outcome = 'success' AND user_id = '{}'",
            app.facility.uuid(),
            ines.uuid()
        ))
        .await;
    assert_eq!(by, "2", "the invitation and the membership, by the one who joined");
}

#[tokio::test]
async fn someone_at_work_in_another_facility_accepts_without_leaving_it() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let hollis = super::staff_of(&app, app.other, "Hollis Wakeford", &[Role::Nurse]).await;
    invite(&boss.client, "hollis.wakeford@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    done(hollis.client.run(ACCEPT, json!({ "input": { "token": token } })).await, "invitationAccept");
    let here = hollis.client.run("{ facility { name } viewerMemberships { facility { name } } }", json!({})).await.ok();
    assert_eq!(here["facility"]["name"], "Hillside Clinic");
    assert_eq!(here["viewerMemberships"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_token_that_is_wrong_used_revoked_or_expired_lets_nobody_in() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let stranger = app.anonymous();
    let refuses = async |token: &str, code: &str| {
        let before = state(&app).await;
        assert_eq!(refused(stranger.run(ACCEPT, answer(token)).await, "invitationAccept"), code);
        assert_eq!(state(&app).await, before);
    };
    refuses("not a token", "INVITATION_INVALID").await;

    invite(&boss.client, "used@example.org").await;
    let used = mailed_token(&app, app.facility).await.unwrap();
    done(stranger.run(ACCEPT, answer(&used)).await, "invitationAccept");
    refuses(&used, "INVITATION_USED").await;

    let revoked = invite(&boss.client, "revoked@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    done(boss.client.run(REVOKE, which(&revoked)).await, "invitationRevoke");
    refuses(&token, "INVITATION_REVOKED").await;
    assert_eq!(mailed_token(&app, app.facility).await, None);

    invite(&boss.client, "late@example.org").await;
    let late = mailed_token(&app, app.facility).await.unwrap();
    app.advance(TimeDelta::days(7));
    refuses(&late, "INVITATION_EXPIRED").await;
    assert_eq!(audited(&app, app.facility, "facilities.invitations.accept", "refused").await, "3");
    assert_eq!(audited(&app, FacilityId::PLATFORM, "facilities.invitations.accept", "refused").await, "1");
}

#[tokio::test]
async fn a_new_account_needs_a_name_and_a_good_password() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    invite(&boss.client, "ines@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    let before = state(&app).await;
    for (password, name, code) in [
        (json!(null), json!("Ines Vale"), "INVALID"),
        (json!(GOOD_PASSWORD), json!(" "), "INVALID"),
        (json!("short"), json!("Ines Vale"), "WEAK_PASSWORD"),
        (json!("ines@example.org"), json!("Ines Vale"), "WEAK_PASSWORD"),
    ] {
        let input = json!({ "input": { "token": token, "password": password, "displayName": name } });
        assert_eq!(refused(app.anonymous().run(ACCEPT, input).await, "invitationAccept"), code, "{password}");
    }
    assert_eq!(state(&app).await, before);
    done(app.anonymous().run(ACCEPT, answer(&token)).await, "invitationAccept");
}

#[tokio::test]
async fn a_suspended_facility_is_not_joined() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    invite(&boss.client, "ines@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    app.db_execute(&format!(
        "UPDATE facilities SET status = 'suspended', status_reason = 'legal' WHERE id = '{}'",
        app.facility.uuid()
    ))
    .await;
    let before = state(&app).await;
    assert_eq!(refused(app.anonymous().run(ACCEPT, answer(&token)).await, "invitationAccept"), "FACILITY_NOT_ACTIVE");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn two_who_accept_at_once_make_one_account_and_one_member() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    invite(&boss.client, "ines@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    let (one, two) = (app.anonymous(), app.anonymous());
    let (first, second) = tokio::join!(one.run(ACCEPT, answer(&token)), two.run(ACCEPT, answer(&token)));
    let answers = [first.ok(), second.ok()];
    let errors: Vec<&Value> = answers.iter().map(|answer| &answer["invitationAccept"]["userErrors"]).collect();
    let codes: Vec<&Value> = errors.iter().filter_map(|errors| errors.get(0)).map(|error| &error["code"]).collect();
    // The second sees the account or the used token, whichever it comes to first.
    assert!(matches!(codes.as_slice(), [code] if *code == "INVITATION_USED" || *code == "SIGN_IN_FIRST"), "{codes:?}");
    let made = "SELECT (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM facility_members)";
    assert_eq!(app.db_value(made).await, "2 2", "the administrator and the new one");
}

#[tokio::test]
async fn a_removed_member_comes_back_as_the_same_member_with_new_roles() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Administrator, Role::Physician]).await;
    let remove = "mutation($input: MemberRemoveInput!) { memberRemove(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "memberId": nora.id(), "reason": "CONTRACT_ENDED" } });
    done(boss.client.run(remove, input).await, "memberRemove");
    invite(&boss.client, "nora.quill@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    let client = app.signed_in(nora.user, FacilityId::PLATFORM).await;
    let joined = done(client.run(ACCEPT, json!({ "input": { "token": token } })).await, "invitationAccept");
    assert_eq!(joined["membership"]["memberId"], nora.id());
    let member =
        "query($id: ID!) { member(id: $id) { status statusReason removedAt title roles { role department } } }";
    let read = boss.client.run(member, json!({ "id": nora.id() })).await.ok();
    assert_eq!(
        read["member"],
        json!({ "status": "ACTIVE", "statusReason": null, "removedAt": null, "title": "Registered Nurse",
            "roles": [{ "role": "NURSE", "department": "Youth" }] })
    );
    nora.client.run("{ facility { name } }", json!({})).await.ok();
}

#[tokio::test]
async fn an_invitation_sent_again_replaces_its_token_and_its_time() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let made = invite(&boss.client, "ines@example.org").await;
    let first = mailed_token(&app, app.facility).await.unwrap();
    let before = state(&app).await;
    assert_eq!(refused(boss.client.run(RESEND, which(&made)).await, "invitationResend"), "TOO_MANY_INVITATIONS");
    assert_eq!(state(&app).await, before);
    // Also when it has run out.
    app.advance(TimeDelta::days(8));
    let boss = app.signed_in(boss.user, app.facility).await;
    assert_eq!(boss.run(LIST, json!({ "status": "EXPIRED" })).await.ok()["invitations"]["totalCount"], 1);
    let again = done(boss.run(RESEND, which(&made)).await, "invitationResend");
    assert_eq!(again["invitation"], json!({ "status": "PENDING", "expiresAt": "2026-03-24T14:00:00+00:00" }));
    let second = mailed_token(&app, app.facility).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(refused(app.anonymous().run(ACCEPT, answer(&first)).await, "invitationAccept"), "INVITATION_INVALID");
    done(app.anonymous().run(ACCEPT, answer(&second)).await, "invitationAccept");
    let before = state(&app).await;
    app.advance(TimeDelta::minutes(2));
    assert_eq!(refused(boss.run(RESEND, which(&made)).await, "invitationResend"), "INVITATION_CLOSED");
    assert_eq!(refused(boss.run(REVOKE, which(&made)).await, "invitationRevoke"), "INVITATION_CLOSED");
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn an_invitation_that_ran_out_or_was_revoked_makes_way_for_another() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let revoked = invite(&boss.client, "ines@example.org").await;
    let gone = done(boss.client.run(REVOKE, which(&revoked)).await, "invitationRevoke");
    assert_eq!(gone["invitation"]["status"], "REVOKED");
    invite(&boss.client, "ines@example.org").await;
    app.advance(TimeDelta::days(7));
    let boss = app.signed_in(boss.user, app.facility).await;
    invite(&boss, "ines@example.org").await;
    let listed = boss.run(LIST, json!({})).await.ok();
    let states: Vec<&Value> =
        listed["invitations"]["nodes"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(states, ["PENDING", "EXPIRED", "REVOKED"]);
}

#[tokio::test]
async fn a_token_is_previewed_by_whoever_holds_it() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    account(&app, "ines@example.org", "Ines Vale").await;
    invite(&boss.client, "ines@example.org").await;
    let token = mailed_token(&app, app.facility).await.unwrap();
    let query =
        "query($token: String!) { invitationPreview(token: $token) { facilityName title status accountExists } }";
    let expected = json!({ "facilityName": "Lakeside Clinic", "title": "Registered Nurse", "status": "PENDING",
        "accountExists": true });
    for client in [&app.anonymous(), &boss.client] {
        let seen = client.run(query, json!({ "token": token })).await.ok();
        assert_eq!(seen["invitationPreview"], expected);
        let nothing = client.run(query, json!({ "token": "not a token" })).await.ok();
        assert_eq!(nothing["invitationPreview"], Value::Null);
    }
}
