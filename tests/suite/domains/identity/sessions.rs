//! Sessions and their tokens.

use std::sync::Arc;

use anamnesis::access::Role;
use anamnesis::app::App;
use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{PASSWORD, REFRESH, Tokens, VIEWER, at_once, audit, person, refusal, sign_in, try_refresh};
use crate::harness::{Client, TestApp};

const SESSIONS: &str = "query($first: Int, $after: String) { sessions(first: $first, after: $after) {
    nodes { id current device } pageInfo { hasNextPage endCursor } totalCount } }";
const REVOKE: &str =
    "mutation($input: SessionRevokeInput!) { sessionRevoke(input: $input) { sessionId userErrors { code } } }";
const REVOKE_OTHERS: &str = "mutation { sessionRevokeOthers(input: {}) { ended userErrors { code } } }";
const SIGN_OUT: &str = "mutation($input: SignOutInput!) { signOut(input: $input) { signedOut userErrors { code } } }";

async fn session_id(client: &Client) -> String {
    client.run(VIEWER, json!({})).await.ok()["viewer"]["session"]["id"].as_str().unwrap().to_owned()
}

async fn revoked_reasons(app: &TestApp) -> Vec<Option<String>> {
    let rows = app.db_query("SELECT revoked_reason FROM user_sessions ORDER BY id").await;
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_session() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let first = sign_in(&app, &person, PASSWORD).await;
    let second = Tokens::read(&try_refresh(&app, &first.refresh).await);
    assert_ne!(first.refresh, second.refresh);
    second.client(&app).run(VIEWER, json!({})).await.ok();
    assert_eq!(revoked_reasons(&app).await, [None]);

    assert_eq!(refusal(&try_refresh(&app, &first.refresh).await), "INVALID_TOKEN");
    assert_eq!(revoked_reasons(&app).await, [Some("token_reuse".to_owned())]);
    // The honest one is out too: which of the two it was cannot be told.
    assert_eq!(refusal(&try_refresh(&app, &second.refresh).await), "INVALID_TOKEN");
    assert_eq!(second.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    let reuse = audit(&app, "identity.token_refresh").await;
    assert_eq!(
        reuse.iter().map(|(outcome, _)| outcome.as_str()).collect::<Vec<_>>(),
        ["success", "refused", "refused"]
    );
    assert_eq!(reuse[1].1, json!({ "because": "token_reuse", "user": person.id.uuid() }));
}

#[tokio::test]
async fn two_refreshes_at_once_give_one_token() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    for _ in 0..3 {
        let tokens = sign_in(&app, &person, PASSWORD).await;
        let both = futures::future::join(try_refresh(&app, &tokens.refresh), try_refresh(&app, &tokens.refresh));
        let (one, other) = at_once(&app, "SELECT FROM refresh_tokens", 2, both).await;
        let given = [&one, &other].into_iter().filter(|answer| !answer["tokens"].is_null()).count();
        assert_eq!(given, 1, "{one} {other}");
        let refused = if one["tokens"].is_null() { &one } else { &other };
        assert_eq!(refusal(refused), "INVALID_TOKEN");
    }
    assert_eq!(revoked_reasons(&app).await, vec![Some("token_reuse".to_owned()); 3]);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let app = TestApp::start().await;
    for wrong in ["", "x", &"A".repeat(43)] {
        assert_eq!(refusal(&try_refresh(&app, wrong).await), "INVALID_TOKEN");
    }
    let without = app.anonymous().run(REFRESH, json!({ "input": {} })).await.ok();
    assert_eq!(refusal(&without["tokenRefresh"]), "INVALID_TOKEN");
}

#[tokio::test]
async fn an_access_token_runs_out_and_a_session_that_is_not_used_ends() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    app.advance(TimeDelta::minutes(10));
    assert_eq!(tokens.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    app.advance(TimeDelta::days(6));
    let tokens = Tokens::read(&try_refresh(&app, &tokens.refresh).await);
    app.advance(TimeDelta::days(7));
    assert_eq!(refusal(&try_refresh(&app, &tokens.refresh).await), "INVALID_TOKEN");
}

#[tokio::test]
async fn a_session_ends_after_thirty_days_however_it_is_used() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let mut tokens = sign_in(&app, &person, PASSWORD).await;
    for _ in 0..5 {
        app.advance(TimeDelta::days(5));
        tokens = Tokens::read(&try_refresh(&app, &tokens.refresh).await);
    }
    app.advance(TimeDelta::days(5));
    assert_eq!(refusal(&try_refresh(&app, &tokens.refresh).await), "INVALID_TOKEN");
}

#[tokio::test]
async fn a_refresh_gives_the_facility_last_chosen_while_the_user_works_there() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    app.db_create_member(app.facility, person.id, &[Role::Nurse]).await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    app.db_execute(&format!("UPDATE user_sessions SET chosen_facility_id = '{}'", app.facility.uuid())).await;
    let tokens = Tokens::read(&try_refresh(&app, &tokens.refresh).await);
    let facility = async |client: Client| client.run(VIEWER, json!({})).await.ok()["viewer"]["facilityId"].take();
    assert_eq!(facility(tokens.client(&app)).await, json!(app.facility.encode()));

    for undo in [
        "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review'",
        "UPDATE facility_members SET status = 'active', suspended_at = NULL, status_reason = NULL; UPDATE facilities SET status = 'suspended'",
    ] {
        let tokens = sign_in(&app, &person, PASSWORD).await;
        app.db_execute(&format!("UPDATE user_sessions SET chosen_facility_id = '{}'", app.facility.uuid())).await;
        app.db_execute(undo).await;
        let tokens = Tokens::read(&try_refresh(&app, &tokens.refresh).await);
        assert_eq!(facility(tokens.client(&app)).await, Value::Null, "{undo}");
    }
}

#[tokio::test]
async fn a_revoked_session_is_refused_at_its_next_request() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let (phone, laptop) = (sign_in(&app, &person, PASSWORD).await, sign_in(&app, &person, PASSWORD).await);
    let (phone_client, laptop_client) = (phone.client(&app), laptop.client(&app));
    let id = session_id(&phone_client).await;
    let answer = laptop_client.run(REVOKE, json!({ "input": { "id": id } })).await.ok();
    assert_eq!(answer["sessionRevoke"], json!({ "sessionId": id, "userErrors": [] }));
    assert_eq!(phone_client.run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(refusal(&try_refresh(&app, &phone.refresh).await), "INVALID_TOKEN");
    laptop_client.run(VIEWER, json!({})).await.ok();
    // Again is nothing new.
    laptop_client.run(REVOKE, json!({ "input": { "id": id } })).await.ok();
    assert_eq!(revoked_reasons(&app).await, [Some("revoked".to_owned()), None]);
}

#[tokio::test]
async fn nobody_ends_the_session_of_someone_else() {
    let app = TestApp::start().await;
    let maria = person(&app, "maria.okafor@lakeside.example").await;
    let eve = person(&app, "eve@lakeside.example").await;
    let (theirs, mine) = (sign_in(&app, &maria, PASSWORD).await, sign_in(&app, &eve, PASSWORD).await);
    let id = session_id(&theirs.client(&app)).await;
    let tried = json!({ "input": { "id": id } });
    assert_eq!(mine.client(&app).run(REVOKE, tried.clone()).await.code(), "NOT_FOUND");
    assert_eq!(app.anonymous().run(REVOKE, tried).await.code(), "UNAUTHENTICATED");
    assert_eq!(app.anonymous().run(REVOKE_OTHERS, json!({})).await.code(), "UNAUTHENTICATED");
    theirs.client(&app).run(VIEWER, json!({})).await.ok();
    assert_eq!(revoked_reasons(&app).await, [None, None]);
}

#[tokio::test]
async fn all_other_sessions_end_at_once() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let others = [sign_in(&app, &person, PASSWORD).await, sign_in(&app, &person, PASSWORD).await];
    let mine = sign_in(&app, &person, PASSWORD).await;
    let answer = mine.client(&app).run(REVOKE_OTHERS, json!({})).await.ok();
    assert_eq!(answer["sessionRevokeOthers"]["ended"], 2);
    for other in others {
        assert_eq!(other.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    }
    mine.client(&app).run(VIEWER, json!({})).await.ok();
}

#[tokio::test]
async fn sessions_that_run_are_listed_newest_first_in_pages() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    super::person(&app, "eve@lakeside.example").await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(sign_in(&app, &person, PASSWORD).await);
    }
    let client = all[2].client(&app);
    let first = client.run(SESSIONS, json!({ "first": 2 })).await.ok()["sessions"].take();
    assert_eq!(first["totalCount"], 3);
    assert_eq!(first["nodes"][0]["current"], true);
    assert_eq!(first["nodes"][1]["current"], false);
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let next =
        client.run(SESSIONS, json!({ "first": 2, "after": first["pageInfo"]["endCursor"] })).await.ok()["sessions"]
            .take();
    assert_eq!(next["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(next["nodes"][0]["id"], session_id(&all[0].client(&app)).await);
    client.run(REVOKE, json!({ "input": { "id": next["nodes"][0]["id"] } })).await.ok();
    let left = client.run(SESSIONS, json!({})).await.ok();
    assert_eq!(left["sessions"]["totalCount"], 2);
    assert_eq!(app.anonymous().run(SESSIONS, json!({})).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_may_be_done_again() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    for _ in 0..2 {
        let answer = tokens.client(&app).run(SIGN_OUT, json!({ "input": {} })).await.ok();
        assert_eq!(answer["signOut"]["signedOut"], true);
    }
    assert_eq!(tokens.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(refusal(&try_refresh(&app, &tokens.refresh).await), "INVALID_TOKEN");
    assert_eq!(revoked_reasons(&app).await, [Some("signed_out".to_owned())]);
}

#[tokio::test]
async fn a_session_is_signed_out_by_its_refresh_token_when_the_access_token_has_run_out() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    app.advance(TimeDelta::minutes(20));
    app.anonymous().run(SIGN_OUT, json!({ "input": { "refreshToken": "not one" } })).await.ok();
    assert_eq!(revoked_reasons(&app).await, [None]);
    app.anonymous().run(SIGN_OUT, json!({ "input": { "refreshToken": tokens.refresh } })).await.ok();
    assert_eq!(revoked_reasons(&app).await, [Some("signed_out".to_owned())]);
}

#[tokio::test]
async fn a_suspended_account_is_out_at_its_next_request() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    app.db_execute("UPDATE users SET status = 'suspended'").await;
    assert_eq!(tokens.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(refusal(&try_refresh(&app, &tokens.refresh).await), "INVALID_TOKEN");
}

/// Another server over the same database, with a key ring of its own.
async fn second_server(
    app: &TestApp,
    change: impl FnOnce(&mut anamnesis::crypto::Keyring),
) -> (Client, CancellationToken) {
    let mut keyring = (*app.app.keyring).clone();
    change(&mut keyring);
    let server = App::new(app.app.config.clone(), keyring, app.app.clock.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(anamnesis::http::serve(Arc::clone(&server), listener, stop.clone()));
    (Client::new(base), stop)
}

#[tokio::test]
async fn new_signing_keys_sign_nobody_out() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let old = sign_in(&app, &person, PASSWORD).await;
    let (rotated, stop) = second_server(&app, |keyring| keyring.rotate_token().unwrap()).await;
    rotated.with_token(old.access.clone()).run(VIEWER, json!({})).await.ok();
    let answer = rotated.run(REFRESH, json!({ "input": { "refreshToken": old.refresh } })).await.ok();
    let new = Tokens::read(&answer["tokenRefresh"]);
    rotated.with_token(new.access.clone()).run(VIEWER, json!({})).await.ok();
    // A server that has not got the new key yet does not know its tokens; one that has knows both.
    assert_eq!(new.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    old.client(&app).run(VIEWER, json!({})).await.ok();
    stop.cancel();
}
