//! Passwords changed and set anew.

use anamnesis::domains::identity::mail;
use anamnesis::ids::{FacilityId, JobId, TypedId as _};
use anamnesis::jobs::Job;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NEW_PASSWORD, PASSWORD, VIEWER, at_once, audit, person, refusal, sign_in, try_refresh, try_sign_in};
use crate::harness::{Client, TestApp};

const CHANGE: &str = "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) {
    user { id } userErrors { code field message retryAfterSeconds } } }";
const REQUEST: &str = "mutation($email: String!) { passwordResetRequest(input: { email: $email }) {
    accepted userErrors { code } } }";
const RESET: &str = "mutation($input: PasswordResetInput!) { passwordReset(input: $input) {
    reset userErrors { code field message } } }";

async fn change(client: &Client, current: &str, new: &str) -> Value {
    let input = json!({ "input": { "currentPassword": current, "newPassword": new } });
    client.run(CHANGE, input).await.ok()["passwordChange"].take()
}

async fn ask(app: &TestApp, email: &str) -> Value {
    app.anonymous().run(REQUEST, json!({ "email": email })).await.ok()["passwordResetRequest"].take()
}

async fn reset(app: &TestApp, token: &str, new: &str) -> Value {
    let input = json!({ "input": { "token": token, "newPassword": new } });
    app.anonymous().run(RESET, input).await.ok()["passwordReset"].take()
}

/// Jobs queued for the mail, oldest first.
async fn jobs(app: &TestApp) -> Vec<Job> {
    let rows = app.db_query("SELECT id, payload FROM jobs WHERE kind = 'mail.password_reset' ORDER BY id").await;
    rows.into_iter()
        .map(|row| Job {
            facility: FacilityId::PLATFORM,
            id: JobId::from_uuid(row[0].as_deref().unwrap().parse().unwrap()),
            kind: mail::PASSWORD_RESET.to_owned(),
            payload: serde_json::from_str(row[1].as_deref().unwrap()).unwrap(),
            attempt: 1,
            max_attempts: 1,
            user: None,
        })
        .collect()
}

/// The token of the last mail, and where it goes.
async fn mailed(app: &TestApp) -> Option<(String, String)> {
    let job = jobs(app).await.pop().unwrap();
    let ctx = app.system(FacilityId::PLATFORM);
    let mail = mail::password_reset(&ctx, &job).await.unwrap();
    ctx.finish().await.unwrap();
    mail.map(|mail| (mail.to.into_revealed(), mail.token.into_revealed()))
}

async fn token_for(app: &TestApp, email: &str) -> String {
    assert_eq!(ask(app, email).await, json!({ "accepted": true, "userErrors": [] }));
    mailed(app).await.unwrap().1
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_no_other() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let (other, mine) = (sign_in(&app, &person, PASSWORD).await, sign_in(&app, &person, PASSWORD).await);
    let client = mine.client(&app);
    assert_eq!(change(&client, PASSWORD, NEW_PASSWORD).await["user"]["id"], person.id.encode());
    client.run(VIEWER, json!({})).await.ok();
    assert_eq!(other.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(refusal(&try_refresh(&app, &other.refresh).await), "INVALID_TOKEN");
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "INVALID_CREDENTIALS");
    sign_in(&app, &person, NEW_PASSWORD).await;
    assert_eq!(audit(&app, "identity.password_change").await, [("success".to_owned(), json!({ "sessionsEnded": 1 }))]);
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_knows_it_and_to_one_that_is_hard_to_guess() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    let before = app.db_value("SELECT password_hash FROM users").await;
    let wrong = change(&client, "not the password", NEW_PASSWORD).await;
    assert_eq!(
        (refusal(&wrong), &wrong["userErrors"][0]["field"]),
        ("INVALID_CREDENTIALS", &json!(["input", "currentPassword"]))
    );
    for weak in ["short", "password12345", "maria.okafor!", PASSWORD, &"x".repeat(129)] {
        let refused = change(&client, PASSWORD, weak).await;
        assert_eq!(
            (refusal(&refused), &refused["userErrors"][0]["field"]),
            ("WEAK_PASSWORD", &json!(["input", "newPassword"])),
            "{weak}"
        );
    }
    let nobody = app
        .anonymous()
        .run(CHANGE, json!({ "input": { "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD } }))
        .await;
    assert_eq!(nobody.code(), "UNAUTHENTICATED");
    assert_eq!(app.db_value("SELECT password_hash FROM users").await, before);
    client.run(VIEWER, json!({})).await.ok();
}

#[tokio::test]
async fn whoever_has_a_session_cannot_guess_the_password_for_ever() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    for _ in 0..5 {
        assert_eq!(refusal(&change(&client, "not the password", NEW_PASSWORD).await), "INVALID_CREDENTIALS");
    }
    let blocked = change(&client, PASSWORD, NEW_PASSWORD).await;
    assert_eq!((refusal(&blocked), &blocked["userErrors"][0]["retryAfterSeconds"]), ("TRY_LATER", &json!(32)));
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "TRY_LATER");
    app.advance(TimeDelta::seconds(32));
    change(&client, PASSWORD, NEW_PASSWORD).await;
    sign_in(&app, &person, NEW_PASSWORD).await;
}

#[tokio::test]
async fn guesses_of_the_present_password_sent_at_once_are_counted_one_by_one() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    // Three times as many as there are connections.
    let answers = futures::future::join_all((0..12).map(|_| change(&client, "not the password", NEW_PASSWORD))).await;
    let looked_at = answers.iter().filter(|answer| refusal(answer) == "INVALID_CREDENTIALS").count();
    let blocked = answers.iter().filter(|answer| refusal(answer) == "TRY_LATER").count();
    assert_eq!((looked_at, blocked), (5, 7));
}

#[tokio::test]
async fn a_change_sent_again_with_its_key_is_answered_again() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    let input =
        json!({ "input": { "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "idempotencyKey": "one" } });
    for _ in 0..2 {
        let answer = client.run(CHANGE, input.clone()).await.ok();
        assert_eq!(answer["passwordChange"]["user"]["id"], person.id.encode());
    }
    assert_eq!(audit(&app, "identity.password_change").await.len(), 1);
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_once() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let tokens = sign_in(&app, &person, PASSWORD).await;
    for _ in 0..6 {
        try_sign_in(&app, &person.email, "not the password").await;
    }
    let token = token_for(&app, "Maria.Okafor@lakeside.example").await;
    assert_eq!(mailed(&app).await.unwrap().0, person.email);
    assert_eq!(reset(&app, &token, NEW_PASSWORD).await, json!({ "reset": true, "userErrors": [] }));
    // Every session has ended, the block is forgotten, and the old password is void.
    assert_eq!(tokens.client(&app).run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
    sign_in(&app, &person, NEW_PASSWORD).await;
    assert_eq!(refusal(&try_sign_in(&app, &person.email, PASSWORD).await), "INVALID_CREDENTIALS");
    let again = reset(&app, &token, "another long password").await;
    assert_eq!(refusal(&again), "INVALID_TOKEN");
    sign_in(&app, &person, NEW_PASSWORD).await;
    // A mail sent late says nothing.
    assert!(mailed(&app).await.is_none());
}

#[tokio::test]
async fn two_resets_with_one_token_at_once_set_one_password() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let token = token_for(&app, &person.email).await;
    let both = futures::future::join(reset(&app, &token, NEW_PASSWORD), reset(&app, &token, "another long password"));
    let (one, other) = at_once(&app, "SELECT FROM password_resets", 2, both).await;
    let (set, refused, password) =
        if one["reset"] == true { (&one, &other, NEW_PASSWORD) } else { (&other, &one, "another long password") };
    assert_eq!((&set["reset"], refusal(refused)), (&json!(true), "INVALID_TOKEN"));
    sign_in(&app, &person, password).await;
}

#[tokio::test]
async fn a_reset_runs_out_and_all_of_them_end_with_the_first_used() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let late = token_for(&app, &person.email).await;
    app.advance(TimeDelta::minutes(30));
    assert_eq!(refusal(&reset(&app, &late, NEW_PASSWORD).await), "INVALID_TOKEN");
    let (first, second) = (token_for(&app, &person.email).await, token_for(&app, &person.email).await);
    assert_eq!(reset(&app, &second, NEW_PASSWORD).await["reset"], true);
    assert_eq!(refusal(&reset(&app, &first, "another long password").await), "INVALID_TOKEN");
    assert_eq!(refusal(&reset(&app, "no token at all", NEW_PASSWORD).await), "INVALID_TOKEN");
    sign_in(&app, &person, NEW_PASSWORD).await;
}

#[tokio::test]
async fn a_weak_password_leaves_the_token_good() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let token = token_for(&app, &person.email).await;
    for weak in ["short", "lakeside okafor"] {
        assert_eq!(refusal(&reset(&app, &token, weak).await), "WEAK_PASSWORD");
    }
    sign_in(&app, &person, PASSWORD).await;
    assert_eq!(reset(&app, &token, NEW_PASSWORD).await["reset"], true);
}

#[tokio::test]
async fn asking_for_a_reset_does_not_tell_whether_there_is_an_account() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    ask(&app, "warm@lakeside.example").await;
    let before = app.app.database.statements();
    let known = ask(&app, &person.email).await;
    let between = app.app.database.statements();
    let unknown = ask(&app, "nobody@lakeside.example").await;
    let after = app.app.database.statements();
    assert_eq!(known, unknown);
    assert_eq!(between - before, after - between, "as many statements for one as for the other");
    assert_eq!(jobs(&app).await.len(), 3, "and a job for each");
    assert!(mailed(&app).await.is_none(), "for nobody there is nothing to send");
    assert_eq!(app.db_value("SELECT count(*) FROM password_resets").await, "1");
}

#[tokio::test]
async fn a_suspended_account_is_sent_nothing() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let token = token_for(&app, &person.email).await;
    app.db_execute("UPDATE users SET status = 'suspended'").await;
    assert_eq!(refusal(&reset(&app, &token, NEW_PASSWORD).await), "INVALID_TOKEN");
    assert!(mailed(&app).await.is_none());
    ask(&app, &person.email).await;
    assert!(mailed(&app).await.is_none());
}

#[tokio::test]
async fn a_mailbox_is_not_flooded() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    for _ in 0..5 {
        assert_eq!(ask(&app, &person.email).await["accepted"], true);
        assert_eq!(ask(&app, "nobody@lakeside.example").await["accepted"], true);
    }
    assert_eq!(jobs(&app).await.len(), 6, "three for each");
    app.advance(TimeDelta::hours(2));
    ask(&app, &person.email).await;
    assert_eq!(jobs(&app).await.len(), 7);
}

#[tokio::test]
async fn the_outbox_holds_no_token_in_clear() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let token = token_for(&app, &person.email).await;
    let rows = app.db_query("SELECT j::text FROM jobs j UNION ALL SELECT r::text FROM password_resets r").await;
    for row in rows {
        let text = row[0].clone().unwrap();
        let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(&token) && !text.contains(&hex) && !text.contains("okafor"), "{text}");
    }
    // Moved to another job, the ciphertext does not open.
    let mut job = jobs(&app).await.pop().unwrap();
    job.id = anamnesis::ids::new_id();
    assert!(mail::password_reset(&app.system(FacilityId::PLATFORM), &job).await.is_err());
}
