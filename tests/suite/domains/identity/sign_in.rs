//! Signing in, and what it does not tell.

use anamnesis::ids::TypedId as _;
use chrono::TimeDelta;
use serde_json::json;

use super::{PASSWORD, Tokens, VIEWER, at_once, audit, person, refusal, sign_in, try_sign_in};
use crate::harness::TestApp;

#[tokio::test]
async fn a_user_signs_in_and_sees_themself() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    let viewer = tokens.client(&app).run(VIEWER, json!({})).await.ok()["viewer"].take();
    assert_eq!(viewer["user"]["id"], person.id.encode());
    assert_eq!(viewer["user"]["displayName"], "Maria Okafor");
    assert_eq!(viewer["user"]["email"], "maria.okafor@lakeside.example");
    assert_eq!(viewer["user"]["phone"], "+16175550142");
    assert_eq!(viewer["session"]["device"], "Ward tablet");
    assert_eq!(viewer["session"]["ipAddress"], "127.0.0.1");
    assert_eq!(viewer["session"]["current"], true);
    assert_eq!(
        (&viewer["facilityId"], &viewer["secondFactor"], &viewer["platformRoles"]),
        (&json!(null), &json!(false), &json!([]))
    );
    let rows = audit(&app, "identity.sign_in").await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].0.as_str(), &rows[0].1["secondFactor"]), ("success", &json!(false)));
    let subject = app.db_value("SELECT resource_id FROM audit_log WHERE action = 'identity.sign_in'").await;
    assert_eq!(subject, person.id.uuid().to_string());
}

#[tokio::test]
async fn the_case_of_an_address_does_not_matter() {
    let app = TestApp::start().await;
    person(&app, "Maria.Okafor@Lakeside.example").await;
    Tokens::read(&try_sign_in(&app, " maria.OKAFOR@lakeside.EXAMPLE ", PASSWORD).await);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_are_answered_and_worked_for_alike() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    // Warm: keys unwrapped, statements prepared.
    try_sign_in(&app, "warm@lakeside.example", "not the password").await;
    let before = app.app.database.statements();
    let known = try_sign_in(&app, &person.email, "not the password").await;
    let between = app.app.database.statements();
    let unknown = try_sign_in(&app, "nobody@lakeside.example", "not the password").await;
    let after = app.app.database.statements();
    assert_eq!(refusal(&known), "INVALID_CREDENTIALS");
    assert_eq!(known, unknown);
    assert_eq!(between - before, after - between, "as many statements for one as for the other");
    assert_eq!(app.db_value("SELECT count(*) FROM user_sessions").await, "0");
    let rows = audit(&app, "identity.sign_in").await;
    let refused = ("refused".to_owned(), json!({ "because": "credentials" }));
    assert_eq!(rows, vec![refused.clone(), refused.clone(), refused]);
}

#[tokio::test]
async fn an_account_that_cannot_sign_in_is_answered_like_an_unknown_one() {
    let app = TestApp::start().await;
    let suspended = person(&app, "maria.okafor@lakeside.example").await;
    app.db_execute(&format!("UPDATE users SET status = 'suspended' WHERE id = '{}'", suspended.id.uuid())).await;
    let unknown = try_sign_in(&app, "nobody@lakeside.example", PASSWORD).await;
    assert_eq!(try_sign_in(&app, &suspended.email, PASSWORD).await, unknown);
    // Without a password yet, as after an invitation.
    app.db_execute("UPDATE users SET status = 'active', password_hash = NULL").await;
    for password in [PASSWORD, ""] {
        assert_eq!(try_sign_in(&app, &suspended.email, password).await, unknown);
    }
    assert_eq!(try_sign_in(&app, "not an address", PASSWORD).await, unknown);
    assert_eq!(app.db_value("SELECT count(*) FROM user_sessions").await, "0");
}

#[tokio::test]
async fn known_and_unknown_accounts_are_locked_out_alike() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let mut answers = Vec::new();
    for email in [person.email.as_str(), "nobody@lakeside.example"] {
        let mut given = Vec::new();
        for _ in 0..6 {
            given.push(try_sign_in(&app, email, "not the password").await);
        }
        answers.push(given);
    }
    assert_eq!(answers[0], answers[1]);
    for answer in &answers[0][..5] {
        assert_eq!(refusal(answer), "INVALID_CREDENTIALS");
    }
    assert_eq!(refusal(&answers[0][5]), "TRY_LATER");
    assert_eq!(answers[0][5]["userErrors"][0]["retryAfterSeconds"], 32);
    // The right password is not looked at either.
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "TRY_LATER");
    app.advance(TimeDelta::seconds(31));
    assert_eq!(try_sign_in(&app, &person.email, PASSWORD).await["userErrors"][0]["retryAfterSeconds"], 1);
    app.advance(TimeDelta::seconds(1));
    sign_in(&app, &person, PASSWORD).await;
    // A success forgets the failures of the account: five more before the next block.
    for _ in 0..5 {
        assert_eq!(refusal(&try_sign_in(&app, &person.email, "not the password").await), "INVALID_CREDENTIALS");
    }
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "TRY_LATER");
    let blocked =
        audit(&app, "identity.sign_in").await.into_iter().filter(|(_, detail)| detail["because"] == "blocked");
    assert_eq!(blocked.count(), 5);
}

#[tokio::test]
async fn guesses_sent_at_once_are_counted_one_by_one() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let guesses = (0..12).map(|guess| {
        let (app, email) = (&app, &person.email);
        async move { try_sign_in(app, email, &format!("guess number {guess}")).await }
    });
    let answers = futures::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| refusal(answer) == "INVALID_CREDENTIALS").count();
    let blocked = answers.iter().filter(|answer| refusal(answer) == "TRY_LATER").count();
    assert_eq!((looked_at, blocked), (5, 7));
    assert_eq!(
        app.db_value("SELECT max(failures) FROM sign_in_throttles WHERE get_byte(subject_hash, 0) = ascii('a')").await,
        "5"
    );
}

#[tokio::test]
async fn no_failure_is_lost_when_several_are_counted_together() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    try_sign_in(&app, &person.email, "not the password").await;
    let guesses = futures::future::join_all((0..4).map(|_| try_sign_in(&app, &person.email, "not the password")));
    let answers = at_once(&app, "SELECT FROM sign_in_throttles", 4, guesses).await;
    assert!(answers.iter().all(|answer| refusal(answer) == "INVALID_CREDENTIALS"));
    assert_eq!(app.db_value("SELECT string_agg(failures::text, ' ') FROM sign_in_throttles").await, "5 5");
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "TRY_LATER");
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_slowed_down() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    for number in 0..20 {
        let answer = try_sign_in(&app, &format!("user{number}@lakeside.example"), "not the password").await;
        assert_eq!(refusal(&answer), "INVALID_CREDENTIALS", "{number}");
    }
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "TRY_LATER");
    app.advance(TimeDelta::seconds(32));
    sign_in(&app, &person, PASSWORD).await;
    // Someone else's success does not forgive the address.
    assert_eq!(refusal(&try_sign_in(&app, "user1@lakeside.example", "no").await), "INVALID_CREDENTIALS");
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "TRY_LATER");
}

#[tokio::test]
async fn a_hash_of_old_parameters_is_made_anew_at_sign_in() {
    use argon2::password_hash::PasswordHasher as _;
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let weak = argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(64, 1, 1, None).unwrap(),
    );
    let old = weak.hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16]).unwrap().to_string();
    let id = person.id.uuid();
    app.db_execute(&format!("UPDATE users SET password_hash = '{old}' WHERE id = '{id}'")).await;
    assert_eq!(refusal(&try_sign_in(&app, &person.email, "not the password").await), "INVALID_CREDENTIALS");
    let hash = format!("SELECT password_hash FROM users WHERE id = '{id}'");
    assert_eq!(app.db_value(&hash).await, old, "a wrong password changes nothing");
    sign_in(&app, &person, PASSWORD).await;
    let new = app.db_value(&hash).await;
    assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
    sign_in(&app, &person, PASSWORD).await;
    assert_eq!(app.db_value(&hash).await, new, "and once is enough");
}

#[tokio::test]
async fn neither_address_nor_password_stands_in_the_database() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    try_sign_in(&app, &person.email, "not the password").await;
    sign_in(&app, &person, PASSWORD).await;
    for table in ["users", "user_sessions", "refresh_tokens", "sign_in_throttles", "audit_log", "jobs"] {
        let rows = app.db_query(&format!("SELECT t::text FROM {table} t")).await;
        for row in rows {
            let text = row[0].clone().unwrap();
            for secret in ["okafor", "Okafor", "lakeside", "otters", "5550142"] {
                assert!(!text.contains(secret), "{table}: {text}");
                let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
                assert!(!text.contains(&hex), "{table}: {text}");
            }
        }
    }
}
