//! One-time codes and recovery codes.

use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::{Value, json};
use totp_rs::Totp;

use super::{PASSWORD, Person, Tokens, VIEWER, at_once, audit, person, refusal, sign_in, try_sign_in};
use crate::harness::{Client, TestApp};

const ENROLL: &str = "mutation($password: String!) { totpEnroll(input: { password: $password }) {
    enrolment { secret url } userErrors { code field retryAfterSeconds } } }";
const CONFIRM: &str = "mutation($code: String!) { totpConfirm(input: { code: $code }) {
    recoveryCodes userErrors { code field } } }";
const DISABLE: &str = "mutation($input: TotpDisableInput!) { totpDisable(input: $input) {
    user { id } userErrors { code field retryAfterSeconds } } }";
const REGENERATE: &str = "mutation($input: RecoveryCodesRegenerateInput!) { recoveryCodesRegenerate(input: $input) {
    recoveryCodes userErrors { code field } } }";
const CHALLENGE: &str = "mutation($input: SignInChallengeInput!) { signInChallenge(input: $input) {
    tokens { accessToken refreshToken } userErrors { code field retryAfterSeconds } } }";

/// A user with the second factor on, and what they hold.
struct Guarded {
    person: Person,
    client: Client,
    totp: Totp,
    recovery: Vec<String>,
}

impl Guarded {
    async fn new(app: &TestApp) -> Self {
        let person = person(app, "maria.okafor@lakeside.example").await;
        let client = sign_in(app, &person, PASSWORD).await.client(app);
        let enrolled = client.run(ENROLL, json!({ "password": PASSWORD })).await.ok()["totpEnroll"].take();
        let totp = Totp::from_url(enrolled["enrolment"]["url"].as_str().unwrap()).unwrap();
        assert_eq!(enrolled["enrolment"]["secret"], totp.secret().to_base32());
        let confirmed = client.run(CONFIRM, json!({ "code": code(app, &totp) })).await.ok()["totpConfirm"].take();
        let recovery: Vec<String> = serde_json::from_value(confirmed["recoveryCodes"].clone()).unwrap();
        // The code of the confirmation is used up: on to the next.
        app.advance(TimeDelta::seconds(30));
        Self { person, client, totp, recovery }
    }

    async fn challenge(&self, app: &TestApp) -> String {
        let answer = try_sign_in(app, &self.person.email, PASSWORD).await;
        assert_eq!((&answer["tokens"], &answer["userErrors"]), (&Value::Null, &json!([])), "{answer}");
        answer["challengeToken"].as_str().unwrap().to_owned()
    }
}

fn code(app: &TestApp, totp: &Totp) -> String {
    totp.generate(u64::try_from(app.now().timestamp()).unwrap()).to_string()
}

/// A code that is right at no time near now.
fn wrong_code(app: &TestApp, totp: &Totp) -> String {
    let now = u64::try_from(app.now().timestamp()).unwrap();
    let near: Vec<String> = (0..5).map(|step| totp.generate(now + 30 * step - 60).to_string()).collect();
    (0..10).map(|digit| digit.to_string().repeat(6)).find(|code| !near.contains(code)).unwrap()
}

async fn answer(app: &TestApp, challenge: &str, proof: &[(&str, &str)]) -> Value {
    let mut input = json!({ "challengeToken": challenge });
    for (name, value) in proof {
        input[name] = json!(value);
    }
    app.anonymous().run(CHALLENGE, json!({ "input": input })).await.ok()["signInChallenge"].take()
}

#[tokio::test]
async fn with_the_second_factor_on_a_sign_in_takes_a_code() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let viewer = user.client.run(VIEWER, json!({})).await.ok()["viewer"].take();
    assert_eq!((&viewer["secondFactor"], &viewer["recoveryCodesLeft"]), (&json!(true), &json!(10)));
    let challenge = user.challenge(&app).await;
    let signed = answer(&app, &challenge, &[("code", &code(&app, &user.totp))]).await;
    let client = Tokens::read(&signed).client(&app);
    let viewer = client.run(VIEWER, json!({})).await.ok()["viewer"].take();
    assert_eq!(viewer["session"]["secondFactor"], true);
    let rows = audit(&app, "identity.sign_in").await;
    assert_eq!(rows[1].1, json!({ "step": "password" }));
    assert_eq!(rows[2].1["secondFactor"], true);
    // The challenge is used up.
    app.advance(TimeDelta::seconds(30));
    assert_eq!(refusal(&answer(&app, &challenge, &[("code", &code(&app, &user.totp))]).await), "INVALID_TOKEN");
}

#[tokio::test]
async fn a_code_is_good_once_and_an_earlier_one_never_after_a_later() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let earlier = code(&app, &user.totp);
    app.advance(TimeDelta::seconds(30));
    let later = code(&app, &user.totp);
    let challenge = user.challenge(&app).await;
    Tokens::read(&answer(&app, &challenge, &[("code", &later)]).await);
    for used in [&later, &earlier] {
        let challenge = user.challenge(&app).await;
        assert_eq!(refusal(&answer(&app, &challenge, &[("code", used)]).await), "INVALID_CODE");
    }
    app.advance(TimeDelta::seconds(30));
    let challenge = user.challenge(&app).await;
    Tokens::read(&answer(&app, &challenge, &[("code", &code(&app, &user.totp))]).await);
}

#[tokio::test]
async fn one_code_at_two_challenges_at_once_opens_one() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let (one, other) = (user.challenge(&app).await, user.challenge(&app).await);
    let code = code(&app, &user.totp);
    let proof = [("code", code.as_str())];
    let both = futures::future::join(answer(&app, &one, &proof), answer(&app, &other, &proof));
    let (first, second) = at_once(&app, "SELECT FROM user_totp", 2, both).await;
    let refused = [&first, &second].into_iter().filter(|answer| answer["tokens"].is_null()).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1);
    assert_eq!(refusal(refused[0]), "INVALID_CODE");
}

#[tokio::test]
async fn a_clock_may_be_one_step_off_and_no_more() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    app.advance(TimeDelta::seconds(90));
    let now = u64::try_from(app.now().timestamp()).unwrap();
    for (at, right) in [(now - 60, false), (now + 60, false), (now - 30, true), (now + 30, true)] {
        let challenge = user.challenge(&app).await;
        let answer = answer(&app, &challenge, &[("code", &user.totp.generate(at).to_string())]).await;
        assert_eq!(!answer["tokens"].is_null(), right, "{at} of {now}: {answer}");
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    assert_eq!(user.recovery.len(), 10);
    let challenge = user.challenge(&app).await;
    let typed = user.recovery[3].to_lowercase().replace('-', " ");
    let client = Tokens::read(&answer(&app, &challenge, &[("recoveryCode", &typed)]).await).client(&app);
    assert_eq!(client.run(VIEWER, json!({})).await.ok()["viewer"]["recoveryCodesLeft"], 9);
    let challenge = user.challenge(&app).await;
    for wrong in [user.recovery[3].as_str(), "2222-2222-2222-2222", "nonsense"] {
        assert_eq!(refusal(&answer(&app, &challenge, &[("recoveryCode", wrong)]).await), "INVALID_CODE");
    }
    Tokens::read(&answer(&app, &challenge, &[("recoveryCode", &user.recovery[4])]).await);
    let (one, other) = (user.challenge(&app).await, user.challenge(&app).await);
    let proof = [("recoveryCode", user.recovery[5].as_str())];
    let (first, second) = tokio::join!(answer(&app, &one, &proof), answer(&app, &other, &proof));
    assert_eq!([first, second].iter().filter(|answer| answer["tokens"].is_null()).count(), 1);
}

#[tokio::test]
async fn wrong_codes_block_the_account_and_use_the_challenge_up() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let wrong = wrong_code(&app, &user.totp);
    let challenge = user.challenge(&app).await;
    for _ in 0..5 {
        assert_eq!(refusal(&answer(&app, &challenge, &[("code", &wrong)]).await), "INVALID_CODE");
    }
    let right = [("code", &*code(&app, &user.totp))];
    // Five attempts, then the challenge is spent; and the account is blocked for another.
    assert_eq!(refusal(&answer(&app, &challenge, &right).await), "INVALID_TOKEN");
    assert_eq!(refusal(&try_sign_in(&app, &user.person.email, PASSWORD).await), "TRY_LATER");
    app.advance(TimeDelta::seconds(32));
    // The right password alone does not forgive: the next wrong code blocks at once, for longer.
    let challenge = user.challenge(&app).await;
    let wrong = wrong_code(&app, &user.totp);
    assert_eq!(refusal(&answer(&app, &challenge, &[("code", &wrong)]).await), "INVALID_CODE");
    let blocked = answer(&app, &challenge, &[("code", &code(&app, &user.totp))]).await;
    assert_eq!((refusal(&blocked), &blocked["userErrors"][0]["retryAfterSeconds"]), ("TRY_LATER", &json!(64)));
    app.advance(TimeDelta::seconds(64));
    Tokens::read(&answer(&app, &challenge, &[("code", &code(&app, &user.totp))]).await);
}

#[tokio::test]
async fn a_challenge_runs_out() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let challenge = user.challenge(&app).await;
    app.advance(TimeDelta::minutes(5));
    assert_eq!(refusal(&answer(&app, &challenge, &[("code", &code(&app, &user.totp))]).await), "INVALID_TOKEN");
    assert_eq!(refusal(&answer(&app, "not one", &[("code", &code(&app, &user.totp))]).await), "INVALID_TOKEN");
    for proof in [vec![], vec![("code", "1"), ("recoveryCode", "2")]] {
        let mut input = json!({ "challengeToken": challenge });
        for (name, value) in proof {
            input[name] = json!(value);
        }
        assert_eq!(app.anonymous().run(CHALLENGE, json!({ "input": input })).await.code(), "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn the_second_factor_is_not_on_before_it_is_confirmed() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    let early = client.run(CONFIRM, json!({ "code": "123456" })).await.ok();
    assert_eq!(refusal(&early["totpConfirm"]), "SECOND_FACTOR_OFF");
    let refused = client.run(ENROLL, json!({ "password": "not the password" })).await.ok()["totpEnroll"].take();
    assert_eq!(
        (refusal(&refused), &refused["userErrors"][0]["field"]),
        ("INVALID_CREDENTIALS", &json!(["input", "password"]))
    );
    let enroll = async || {
        let answer = client.run(ENROLL, json!({ "password": PASSWORD })).await.ok();
        Totp::from_url(answer["totpEnroll"]["enrolment"]["url"].as_str().unwrap()).unwrap()
    };
    let (abandoned, totp) = (enroll().await, enroll().await);
    for wrong in [code(&app, &abandoned), wrong_code(&app, &totp), String::new(), "12345x".to_owned()] {
        let answer = client.run(CONFIRM, json!({ "code": wrong })).await.ok();
        assert_eq!(refusal(&answer["totpConfirm"]), "INVALID_CODE");
    }
    sign_in(&app, &person, PASSWORD).await;
    client.run(CONFIRM, json!({ "code": code(&app, &totp) })).await.ok();
    let on = client.run(ENROLL, json!({ "password": PASSWORD })).await.ok();
    assert_eq!(refusal(&on["totpEnroll"]), "SECOND_FACTOR_ON");
    let on = client.run(CONFIRM, json!({ "code": code(&app, &totp) })).await.ok();
    assert_eq!(refusal(&on["totpConfirm"]), "SECOND_FACTOR_ON");
    for (document, variables) in [(ENROLL, json!({ "password": PASSWORD })), (CONFIRM, json!({ "code": "123456" }))] {
        assert_eq!(app.anonymous().run(document, variables).await.code(), "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn turning_it_off_takes_the_password_and_a_code() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let disable = async |client: &Client, input: Value| client.run(DISABLE, json!({ "input": input })).await;
    let right = code(&app, &user.totp);
    let refused = disable(&user.client, json!({ "password": "not the password", "code": right })).await.ok();
    assert_eq!(refusal(&refused["totpDisable"]), "INVALID_CREDENTIALS");
    let refused =
        disable(&user.client, json!({ "password": PASSWORD, "code": wrong_code(&app, &user.totp) })).await.ok();
    assert_eq!(refusal(&refused["totpDisable"]), "INVALID_CODE");
    assert_eq!(disable(&user.client, json!({ "password": PASSWORD })).await.code(), "BAD_USER_INPUT");
    assert_eq!(
        disable(&app.anonymous(), json!({ "password": PASSWORD, "code": right })).await.code(),
        "UNAUTHENTICATED"
    );
    assert_eq!(app.db_value("SELECT count(*) FROM user_totp WHERE confirmed_at IS NOT NULL").await, "1");
    // The wrong password did not use the code up.
    let done = disable(&user.client, json!({ "password": PASSWORD, "code": right })).await.ok();
    assert_eq!(done["totpDisable"]["user"]["id"], user.person.id.encode());
    assert_eq!(app.db_value("SELECT count(*) FROM user_recovery_codes").await, "0");
    sign_in(&app, &user.person, PASSWORD).await;
    let off = disable(&user.client, json!({ "password": PASSWORD, "code": "123456" })).await.ok();
    assert_eq!(refusal(&off["totpDisable"]), "SECOND_FACTOR_OFF");
}

#[tokio::test]
async fn new_recovery_codes_void_the_old() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let input = json!({ "input": { "password": PASSWORD, "code": wrong_code(&app, &user.totp) } });
    let refused = user.client.run(REGENERATE, input).await.ok()["recoveryCodesRegenerate"].take();
    assert_eq!((refusal(&refused), &refused["recoveryCodes"]), ("INVALID_CODE", &Value::Null));
    let input = json!({ "input": { "password": PASSWORD, "recoveryCode": user.recovery[0] } });
    let answer = user.client.run(REGENERATE, input.clone()).await.ok()["recoveryCodesRegenerate"].take();
    let codes: Vec<String> = serde_json::from_value(answer["recoveryCodes"].clone()).unwrap();
    assert!(codes.len() == 10 && codes.iter().all(|code| !user.recovery.contains(code)));
    let challenge = user.challenge(&app).await;
    assert_eq!(refusal(&self::answer(&app, &challenge, &[("recoveryCode", &user.recovery[1])]).await), "INVALID_CODE");
    Tokens::read(&self::answer(&app, &challenge, &[("recoveryCode", &codes[0])]).await);
    assert_eq!(app.anonymous().run(REGENERATE, input).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn neither_secret_nor_recovery_code_stands_in_the_database() {
    let app = TestApp::start().await;
    let user = Guarded::new(&app).await;
    let hex: String = user.totp.secret().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for row in app.db_query("SELECT t::text FROM user_totp t UNION ALL SELECT c::text FROM user_recovery_codes c").await
    {
        let text = row[0].clone().unwrap();
        assert!(!text.contains(&hex), "{text}");
        for code in &user.recovery {
            let bare: String = code.replace('-', "").bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(&bare), "{text}");
        }
    }
}
