//! Dead jobs, through the API.

use anamnesis::access::{PlatformRole, Role};
use anamnesis::domains::identity;
use anamnesis::ids::{FacilityId, JobId, TypedId as _, new_id};
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

const DEAD: &str =
    "{ deadJobs(first: 10) { totalCount nodes { id kind state attempts lastError createdAt updatedAt } } }";
const RETRY: &str = "mutation($input: JobRetryInput!) { jobRetry(input: $input) { id userErrors { code field } } }";
const DISCARD: &str =
    "mutation($input: JobDiscardInput!) { jobDiscard(input: $input) { id userErrors { code field } } }";

async fn job(app: &TestApp, facility: FacilityId, state: &str, deduplication_key: &str) -> JobId {
    let id: JobId = new_id();
    app.db_execute(&format!(
        "INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, attempts, max_attempts, last_error, \
         deduplication_key, created_at, updated_at) VALUES ('{}', '{}', 'test.deed', '{{\"secret\": \"ciphertext\"}}', \
         '{state}', '{now}', 8, 8, 'TIMEOUT', {deduplication_key}, '{now}', '{now}')",
        facility.uuid(),
        id.uuid(),
        now = app.now().to_rfc3339(),
    ))
    .await;
    id
}

async fn state_of(app: &TestApp, id: JobId) -> Option<String> {
    let rows = app.db_query(&format!("SELECT state || attempts FROM jobs WHERE id = '{}'", id.uuid())).await;
    rows.into_iter().next().and_then(|row| row[0].clone())
}

async fn run(client: &Client, document: &str, id: JobId) -> Value {
    let data = client.run(document, json!({ "input": { "id": id.to_string() } })).await.ok();
    data.as_object().unwrap().values().next().unwrap().clone()
}

#[tokio::test]
async fn an_operator_sees_dead_jobs_without_their_payload() {
    let app = TestApp::start().await;
    let dead = job(&app, app.facility, "dead", "NULL").await;
    job(&app, app.facility, "queued", "NULL").await;
    job(&app, app.other, "dead", "NULL").await;
    let operator = app.member(&[Role::SystemAdmin]).await;
    let found = operator.run(DEAD, json!({})).await.ok();
    assert_eq!(found["deadJobs"]["totalCount"], 1);
    let node = &found["deadJobs"]["nodes"][0];
    assert_eq!(node["id"], dead.to_string());
    assert_eq!((&node["state"], &node["lastError"], &node["attempts"]), (&json!("DEAD"), &json!("TIMEOUT"), &json!(8)));
    assert!(!anamnesis::graphql::sdl().contains("payload:"), "a payload has become part of the API");
}

#[tokio::test]
async fn a_dead_job_is_tried_again_from_the_first_attempt() {
    let app = TestApp::start().await;
    let dead = job(&app, app.facility, "dead", "NULL").await;
    let operator = app.member(&[Role::Administrator]).await;
    assert_eq!(run(&operator, RETRY, dead).await, json!({ "id": dead.to_string(), "userErrors": [] }));
    assert_eq!(state_of(&app, dead).await.as_deref(), Some("queued0"));
    let again = run(&operator, RETRY, dead).await;
    assert_eq!(again, json!({ "id": null, "userErrors": [{ "code": "NOT_DEAD", "field": ["input", "id"] }] }));
}

#[tokio::test]
async fn a_job_is_not_queued_beside_another_that_does_the_same() {
    let app = TestApp::start().await;
    let dead = job(&app, app.facility, "dead", "'once'").await;
    job(&app, app.facility, "queued", "'once'").await;
    let operator = app.member(&[Role::Administrator]).await;
    assert_eq!(run(&operator, RETRY, dead).await["userErrors"][0]["code"], "ALREADY_QUEUED");
    assert_eq!(state_of(&app, dead).await.as_deref(), Some("dead8"));
}

#[tokio::test]
async fn a_job_that_fails_gives_way_to_one_queued_meanwhile_that_does_the_same() {
    let app = TestApp::start().await;
    // Two whose worker is gone; nothing does such deeds, so whoever takes them over fails.
    let first = job(&app, app.facility, "dead", "'once'").await;
    let other = job(&app, app.facility, "dead", "'another'").await;
    app.db_execute("UPDATE jobs SET state = 'running', attempts = 1, leased_until = run_at - interval '1 minute'")
        .await;
    let second = job(&app, app.facility, "queued", "'once'").await;
    app.db_execute("UPDATE jobs SET run_at = run_at + interval '1 day' WHERE state = 'queued'").await;
    app.work().await;
    assert_eq!(state_of(&app, first).await, None);
    assert_eq!(state_of(&app, second).await.as_deref(), Some("queued8"));
    assert_eq!(state_of(&app, other).await.as_deref(), Some("queued2"));
}

#[tokio::test]
async fn a_dead_job_is_given_up_and_a_living_one_is_not() {
    let app = TestApp::start().await;
    let dead = job(&app, app.facility, "dead", "NULL").await;
    let queued = job(&app, app.facility, "queued", "NULL").await;
    let operator = app.member(&[Role::SystemAdmin]).await;
    assert_eq!(run(&operator, DISCARD, dead).await["id"], dead.to_string());
    assert_eq!(state_of(&app, dead).await, None);
    assert_eq!(run(&operator, DISCARD, queued).await["userErrors"][0]["code"], "NOT_DEAD");
    assert_eq!(state_of(&app, queued).await.as_deref(), Some("queued8"));
}

#[tokio::test]
async fn jobs_are_for_operators_of_their_own_facility() {
    let app = TestApp::start().await;
    let dead = job(&app, app.facility, "dead", "NULL").await;
    let input = json!({ "input": { "id": dead.to_string() } });
    let clinician = app.member(&[Role::Physician, Role::PrivacyOfficer]).await;
    let stranger = app.member_of(app.other, &[Role::SystemAdmin]).await;
    for (client, code) in [(&clinician, "FORBIDDEN"), (&stranger, "NOT_FOUND"), (&app.anonymous(), "UNAUTHENTICATED")] {
        for document in [RETRY, DISCARD] {
            assert_eq!(client.run(document, input.clone()).await.code(), code);
        }
    }
    assert_eq!(clinician.run(DEAD, json!({})).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run(DEAD, json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(stranger.run(DEAD, json!({})).await.ok()["deadJobs"]["totalCount"], 0);
    assert_eq!(state_of(&app, dead).await.as_deref(), Some("dead8"));
}

#[tokio::test]
async fn the_platforms_jobs_are_for_its_super_administrators() {
    let app = TestApp::start().await;
    let dead = job(&app, FacilityId::PLATFORM, "dead", "NULL").await;
    let user = app.db_create_user().await;
    let plain = app.signed_in(user, FacilityId::PLATFORM).await;
    assert_eq!(plain.run(DEAD, json!({})).await.code(), "FORBIDDEN");
    let system = app.system(FacilityId::PLATFORM);
    identity::service::grant_platform_role(&system, user, PlatformRole::SuperAdmin).await.unwrap();
    let found = plain.run(DEAD, json!({})).await.ok();
    assert_eq!(found["deadJobs"]["nodes"][0]["id"], dead.to_string());
    assert_eq!(run(&plain, RETRY, dead).await["userErrors"], json!([]));
    assert_eq!(state_of(&app, dead).await.as_deref(), Some("queued0"));
}
