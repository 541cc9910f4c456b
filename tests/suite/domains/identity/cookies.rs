//! Tokens in cookies, for browser apps.

use chrono::TimeDelta;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{PASSWORD, REFRESH, SIGN_IN, VIEWER, person};
use crate::harness::{Answer, TestApp};

const SIGN_OUT: &str = "mutation { signOut(input: {}) { signedOut } }";

/// The cookies a browser would keep, as `name=value` pairs.
fn kept(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
    all.filter(|cookie| !cookie.contains("Max-Age=0;"))
        .map(|cookie| cookie.split(';').next().unwrap().to_owned())
        .collect()
}

fn with_cookies(cookies: &[String], csrf: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !cookies.is_empty() {
        headers.insert("cookie", HeaderValue::from_str(&cookies.join("; ")).unwrap());
    }
    if csrf {
        headers.insert("x-anamnesis-csrf", HeaderValue::from_static("1"));
    }
    headers
}

async fn signed_in(app: &TestApp) -> (Answer, Vec<String>) {
    let person = person(app, "maria.okafor@lakeside.example").await;
    let input = json!({ "input": { "email": person.email, "password": PASSWORD, "cookie": true } });
    let answer = app.anonymous().run_with(SIGN_IN, input, with_cookies(&[], true)).await;
    let cookies = kept(&answer);
    (answer, cookies)
}

#[tokio::test]
async fn tokens_go_into_cookies_that_scripts_cannot_read_and_not_into_the_payload() {
    let app = TestApp::start().await;
    let (answer, cookies) = signed_in(&app).await;
    let all: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(all.len(), 2, "{all:?}");
    for (cookie, name, seconds) in [(all[0], "__Host-anamnesis-refresh", 7 * 86_400), (all[1], "__Host-anamnesis", 600)]
    {
        assert!(cookie.starts_with(&format!("{name}=")), "{cookie}");
        assert!(
            cookie.ends_with(&format!("; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Strict")),
            "{cookie}"
        );
    }
    assert_eq!(cookies.len(), 2);
    let tokens = &answer.ok()["signIn"]["tokens"];
    assert_eq!((&tokens["accessToken"], &tokens["refreshToken"]), (&Value::Null, &Value::Null));
    assert!(tokens["accessTokenExpiresAt"].is_string());
}

#[tokio::test]
async fn a_cookie_counts_only_with_the_header_another_site_cannot_send() {
    let app = TestApp::start().await;
    let (_, cookies) = signed_in(&app).await;
    let client = app.anonymous();
    client.run_with(VIEWER, json!({}), with_cookies(&cookies, true)).await.ok();
    assert_eq!(client.run_with(VIEWER, json!({}), with_cookies(&cookies, false)).await.code(), "FORBIDDEN");
    // The refresh cookie alone, as when the access token has run out.
    let refresh = &cookies[..1];
    let refused = client.run_with(REFRESH, json!({ "input": {} }), with_cookies(refresh, false)).await.ok();
    assert_eq!(refused["tokenRefresh"]["userErrors"][0]["code"], "INVALID_TOKEN");
    // Nor is a session begun, ended, or its cookies taken away, by a page that cannot send the header.
    let input = json!({ "input": { "email": "maria.okafor@lakeside.example", "password": PASSWORD, "cookie": true } });
    let begun = client.run_with(SIGN_IN, input, with_cookies(&[], false)).await;
    assert_eq!(begun.code(), "FORBIDDEN");
    let ended = client.run_with(SIGN_OUT, json!({}), with_cookies(refresh, false)).await;
    assert_eq!(begun.headers.get_all("set-cookie").iter().chain(ended.headers.get_all("set-cookie")).count(), 0);
    assert_eq!(app.db_value("SELECT count(*) FROM user_sessions WHERE revoked_at IS NULL").await, "1");
    // It was not used up: with the header it is good.
    let renewed = client.run_with(REFRESH, json!({ "input": {} }), with_cookies(refresh, true)).await.ok();
    assert_eq!(renewed["tokenRefresh"]["userErrors"], json!([]));
}

#[tokio::test]
async fn a_refresh_by_cookie_sets_the_next_cookies() {
    let app = TestApp::start().await;
    let (_, cookies) = signed_in(&app).await;
    app.advance(TimeDelta::minutes(10));
    // A browser drops the access cookie by now; one that does not is not barred from renewing it.
    let renewed = app.anonymous().run_with(REFRESH, json!({ "input": {} }), with_cookies(&cookies, true)).await;
    let next = kept(&renewed);
    assert_eq!(next.len(), 2);
    assert_eq!(renewed.ok()["tokenRefresh"]["tokens"]["accessToken"], Value::Null);
    app.anonymous().run_with(VIEWER, json!({}), with_cookies(&next, true)).await.ok();
    // A used one takes its cookies with it.
    let again = app.anonymous().run_with(REFRESH, json!({ "input": {} }), with_cookies(&cookies, true)).await;
    assert_eq!(again.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(kept(&again), Vec::<String>::new());
}

#[tokio::test]
async fn a_stale_access_cookie_does_not_bar_the_way_to_signing_in() {
    let app = TestApp::start().await;
    let (_, cookies) = signed_in(&app).await;
    app.db_execute("UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'revoked'").await;
    let headers = || with_cookies(&cookies, true);
    assert_eq!(app.anonymous().run_with(VIEWER, json!({}), headers()).await.code(), "UNAUTHENTICATED");
    let input = json!({ "input": { "email": "maria.okafor@lakeside.example", "password": PASSWORD, "cookie": true } });
    assert_eq!(kept(&app.anonymous().run_with(SIGN_IN, input.clone(), headers()).await).len(), 2);
    app.advance(TimeDelta::minutes(10));
    assert_eq!(app.anonymous().run_with(VIEWER, json!({}), headers()).await.code(), "UNAUTHENTICATED");
    assert_eq!(kept(&app.anonymous().run_with(SIGN_IN, input, headers()).await).len(), 2);
}

#[tokio::test]
async fn signing_out_takes_the_cookies_back() {
    let app = TestApp::start().await;
    let (_, cookies) = signed_in(&app).await;
    // By the refresh cookie alone.
    let answer = app.anonymous().run_with(SIGN_OUT, json!({}), with_cookies(&cookies[..1], true)).await;
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(kept(&answer), Vec::<String>::new());
    assert_eq!(app.db_value("SELECT revoked_reason FROM user_sessions").await, "signed_out");
}
