//! Requests that end midway, and tenants that share connections, leave nothing behind on a connection.

use std::time::Duration;

use anamnesis::access::Role;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

const REGISTER: &str = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) {
    patient { id } userErrors { code } } }";
const LIST: &str = "{ patients(first: 20) { nodes { familyName contacts { name } visits { nodes { reason } } } } }";

/// Alternating requests of two tenants on a pool of two.
const ALTERNATING: usize = 10_000;

async fn register(client: &Client, family: &str) {
    let input = json!({ "input": { "givenName": "Given", "familyName": family, "birthDate": "1980-01-01",
        "gender": "FEMALE", "acceptDuplicates": true } });
    let data = client.run(REGISTER, input).await.ok();
    assert_eq!(data["patientRegister"]["userErrors"], json!([]));
}

/// Sessions of the server that are not at rest.
async fn not_at_rest(app: &TestApp) -> Vec<Vec<Option<String>>> {
    app.db_query(
        "SELECT pid::text, state, left(query, 80) FROM pg_stat_activity WHERE datname = current_database() \
         AND usename = 'anamnesis_server' AND (state <> 'idle' OR xact_start IS NOT NULL)",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_dropped_midway_leave_no_transaction_and_no_tenant() {
    let app = TestApp::start().await;
    let client = app.member(&[Role::Physician]).await;
    register(&client, "Kept").await;
    // How long a whole request takes here: the drops are spread over that.
    let begun = std::time::Instant::now();
    client.run(LIST, json!({})).await.ok();
    let whole = begun.elapsed().max(Duration::from_millis(2));
    futures::stream::iter(0..100_u32)
        .for_each_concurrent(20, |number| {
            let client = client.clone();
            async move {
                let after = whole * (number % 25) / 12;
                let input = json!({ "input": { "givenName": "Given", "familyName": format!("Dropped{number}"),
                    "birthDate": "1980-01-01", "gender": "FEMALE", "acceptDuplicates": true } });
                let call = async {
                    if number % 2 == 0 { client.run(LIST, json!({})).await } else { client.run(REGISTER, input).await }
                };
                // Dropping the call closes its connection.
                let _ = tokio::time::timeout(after, call).await;
            }
        })
        .await;
    // What was dropped is being taken down: ask until it is, which the deadline bounds.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let open = not_at_rest(&app).await;
        if open.is_empty() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "still open: {open:?}");
        tokio::task::yield_now().await;
    }
    // Every connection serves, and for whoever asks.
    let other = app.member_of(app.other, &[Role::Physician]).await;
    let answers = futures::future::join_all((0..16).map(|_| other.run(LIST, json!({})))).await;
    for answer in answers {
        assert_eq!(answer.ok()["patients"]["nodes"], json!([]));
    }
    let (size, available) = app.app.database.pool_status();
    assert!(size <= 4, "{size}");
    assert_eq!(size, available, "a connection was not given back");
    // What was dropped was done whole, with its audit row, or not at all.
    let patients: usize = app.db_value("SELECT count(*) FROM patients").await.parse().unwrap();
    let audited =
        "SELECT count(DISTINCT patient_id) FROM audit_log WHERE action = 'patients.register' AND outcome = 'success'";
    assert_eq!(app.db_value(audited).await.parse::<usize>().unwrap(), patients);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_on_a_pool_of_two_never_see_each_other() {
    let app = TestApp::start_with(&[("ANAMNESIS_DATABASE_POOL", "2")]).await;
    let one = app.member_of(app.facility, &[Role::Physician]).await;
    let two = app.member_of(app.other, &[Role::Physician]).await;
    register(&one, "One").await;
    register(&two, "Two").await;
    let document = "{ patients { nodes { familyName } } }";
    let foreign: Vec<Value> = futures::stream::iter(0..ALTERNATING)
        .map(|number| {
            let (client, own) = if number % 2 == 0 { (&one, "One") } else { (&two, "Two") };
            async move {
                let shown = client.run(document, json!({})).await.ok()["patients"]["nodes"].clone();
                (shown != json!([{ "familyName": own }])).then_some(shown)
            }
        })
        .buffer_unordered(8)
        .filter_map(|foreign| async { foreign })
        .collect()
        .await;
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(not_at_rest(&app).await.is_empty());
    // Outside a transaction a connection belongs to nobody: its own session settings are as they began.
    let left =
        crate::harness::query_text(&app.database.server_url, "SELECT current_setting('app.facility_id', true)").await;
    assert!(left[0][0].as_deref().unwrap_or_default().is_empty());
}
