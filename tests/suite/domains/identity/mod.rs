//! Logins, through the API.

mod accounts;
mod cookies;
mod passwords;
mod second_factor;
mod sessions;
mod sign_in;

use anamnesis::access::RequestContext;
use anamnesis::domains::identity::model::NewAccount;
use anamnesis::domains::identity::service;
use anamnesis::ids::{FacilityId, TypedId as _, UserId};
use anamnesis::phi::Phi;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

pub const PASSWORD: &str = "four wet otters sing";
const NEW_PASSWORD: &str = "a lamp behind the stove";

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    tokens { accessToken accessTokenExpiresAt refreshToken } challengeToken
    userErrors { code field message retryAfterSeconds } } }";

const REFRESH: &str = "mutation($input: TokenRefreshInput!) { tokenRefresh(input: $input) {
    tokens { accessToken accessTokenExpiresAt refreshToken } userErrors { code field message } } }";

const VIEWER: &str = "{ viewer { user { id displayName email phone version } platformRoles facilityId secondFactor
    recoveryCodesLeft session { id device ipAddress secondFactor current createdAt expiresAt } } }";

/// An account that can sign in.
pub struct Person {
    pub id: UserId,
    pub email: String,
}

/// Makes an account with the password of these tests.
pub async fn person(app: &TestApp, email: &str) -> Person {
    let (email, name) = (Phi::from(email), Phi::from("Maria Okafor"));
    let ctx: RequestContext = app.system(FacilityId::PLATFORM);
    let password = service::prepare_password(&ctx, "password", &Phi::from(PASSWORD), &email, &name).await.unwrap();
    let account = NewAccount {
        email: email.clone(),
        display_name: name,
        phone: Some(Phi::from("(617) 555-0142")),
        password: Some(password),
        locale: None,
        time_zone: None,
        npi: None,
        license_number: None,
    };
    let id = service::make_account(&ctx, account).await.unwrap();
    Person { id, email: email.into_revealed() }
}

async fn try_sign_in(app: &TestApp, email: &str, password: &str) -> Value {
    let input = json!({ "input": { "email": email, "password": password, "device": "Ward tablet" } });
    app.anonymous().run(SIGN_IN, input).await.ok()["signIn"].take()
}

/// The tokens of a sign-in that must go well.
async fn sign_in(app: &TestApp, person: &Person, password: &str) -> Tokens {
    Tokens::read(&try_sign_in(app, &person.email, password).await)
}

async fn try_refresh(app: &TestApp, refresh_token: &str) -> Value {
    let input = json!({ "input": { "refreshToken": refresh_token } });
    app.anonymous().run(REFRESH, input).await.ok()["tokenRefresh"].take()
}

struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    #[track_caller]
    fn read(payload: &Value) -> Self {
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        let text =
            |name: &str| payload["tokens"][name].as_str().unwrap_or_else(|| panic!("no {name}: {payload}")).to_owned();
        Self { access: text("accessToken"), refresh: text("refreshToken") }
    }

    fn client(&self, app: &TestApp) -> Client {
        app.anonymous().with_token(self.access.clone())
    }
}

/// Runs requests that all come to wait for a row which is held from outside, and lets the row go once so many
/// of them do: what they do to it then happens as close together as it can.
async fn at_once<T>(app: &TestApp, row: &str, waiting: u32, requests: impl Future<Output = T>) -> T {
    let (client, connection) =
        tokio_postgres::connect(&app.database.superuser_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("BEGIN; {row} FOR UPDATE")).await.unwrap();
    let release = async {
        let count =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let all = async {
            while app.db_value(count).await != waiting.to_string() {
                tokio::task::yield_now().await;
            }
        };
        let seconds = std::time::Duration::from_secs(9);
        assert!(tokio::time::timeout(seconds, all).await.is_ok(), "not {waiting} requests came to wait for the row");
        client.batch_execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = tokio::join!(requests, release);
    answers
}

/// The code of the one user error of a payload.
#[track_caller]
fn refusal(payload: &Value) -> &str {
    let errors = payload["userErrors"].as_array().unwrap_or_else(|| panic!("no user errors: {payload}"));
    assert_eq!(errors.len(), 1, "{payload}");
    errors[0]["code"].as_str().unwrap()
}

/// Actions and outcomes of the audit log of the platform with their detail, in the order they were written.
async fn audit(app: &TestApp, action: &str) -> Vec<(String, Value)> {
    let rows = app
        .db_query(&format!(
            "SELECT outcome, detail FROM audit_log WHERE action = '{action}' AND facility_id = '{}' ORDER BY id",
            FacilityId::PLATFORM.uuid()
        ))
        .await;
    rows.into_iter()
        .map(|row| (row[0].clone().unwrap(), serde_json::from_str(row[1].as_deref().unwrap()).unwrap()))
        .collect()
}
