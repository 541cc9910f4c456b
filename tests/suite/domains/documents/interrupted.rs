//! Workers that go down with a document: it is taken up again, and in the end somebody is told.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anamnesis::access::Role;
use anamnesis::domains::documents::processing::PROCESSING_INTERRUPTED;
use anamnesis::jobs::Worker;
use axum::Json;
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::upload_text;
use crate::harness::{Client, TestApp};

const STATE: &str = "query($id: ID!) { document(id: $id) { status failure { code message retryable } } }";
const RETRY: &str = "mutation($input: DocumentRetryInput!) { documentRetry(input: $input) { userErrors { code } } }";

/// A model that keeps whoever asks waiting for ever, until it is told to answer.
#[derive(Default)]
struct Model {
    answers: AtomicBool,
    asked: Notify,
}

impl Model {
    async fn serve(self: &Arc<Self>) -> String {
        let model = Arc::clone(self);
        let embed = async move |Json(request): Json<Value>| {
            if !model.answers.load(Ordering::SeqCst) {
                model.asked.notify_one();
                return std::future::pending().await;
            }
            let inputs = request["input"].as_array().unwrap().len();
            let data: Vec<Value> = (0..inputs)
                .map(|index| json!({ "object": "embedding", "index": index, "embedding": [1.0, 0.0, 0.0, 0.0] }))
                .collect();
            Json(json!({ "object": "list", "model": request["model"], "data": data }))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().route("/embeddings", post(embed));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}")
    }

    /// Waits until somebody waits for an answer.
    async fn is_asked(&self) {
        let limit = std::time::Duration::from_mins(1);
        tokio::time::timeout(limit, self.asked.notified()).await.expect("nobody asked the model");
    }
}

async fn start() -> (Arc<Model>, String, TestApp) {
    let model = Arc::new(Model::default());
    let url = model.serve().await;
    let app = TestApp::start_with(&[
        ("ANAMNESIS_EMBEDDING_URL", &url),
        ("ANAMNESIS_EMBEDDING_MODEL", "four"),
        ("ANAMNESIS_EMBEDDING_DIMENSIONS", "4"),
    ])
    .await;
    (model, url, app)
}

async fn state(client: &Client, id: &str) -> Value {
    client.run(STATE, json!({ "id": id })).await.ok()["document"].take()
}

/// Moves the clock past the lease that the last worker left behind.
async fn outlive_the_lease(app: &TestApp) {
    let leased = app.db_value("SELECT to_char(leased_until, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM jobs").await;
    let leased: DateTime<Utc> = leased.parse().unwrap();
    app.advance(leased - app.now() + TimeDelta::seconds(1));
}

/// Starts a worker in a process of its own, lets it begin a document, and kills it.
async fn kill_a_worker(app: &TestApp, model: &Model, url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let keyring = folder.path().join("keyring.toml");
    anamnesis::crypto::Keyring::clone(&app.app.keyring).save_new(&keyring).unwrap();
    let mut worker = Command::new(env!("CARGO_BIN_EXE_anamnesis"))
        .arg("work")
        .env_clear()
        .env("ANAMNESIS_ENVIRONMENT", "development")
        .env("DATABASE_URL", &app.database.server_url)
        .env("ANAMNESIS_KEYRING", &keyring)
        .env("ANAMNESIS_STORAGE_URL", &app.app.config.storage_url)
        .env("ANAMNESIS_MAIL_FOLDER", folder.path().join("mail"))
        .env("ANAMNESIS_METRICS_LISTEN", "127.0.0.1:0")
        .env("ANAMNESIS_EMBEDDING_URL", url)
        .env("ANAMNESIS_EMBEDDING_MODEL", "four")
        .env("ANAMNESIS_EMBEDDING_DIMENSIONS", "4")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    model.is_asked().await;
    // SIGKILL: nothing is tidied up.
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[tokio::test]
async fn a_document_whose_worker_was_killed_is_taken_up_when_the_lease_is_over() {
    let (model, url, app) = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "Half read.").await;
    kill_a_worker(&app, &model, &url).await;
    assert_eq!(state(&nurse, &id).await["status"], "EMBEDDING");
    model.answers.store(true, Ordering::SeqCst);
    // The lease holds: it might be alive.
    assert_eq!(app.work().await, 0);
    outlive_the_lease(&app).await;
    assert_eq!(app.work().await, 1);
    let nurse = app.signed_in(nurse.user.unwrap(), app.facility).await;
    assert_eq!(state(&nurse, &id).await, json!({ "status": "READY", "failure": null }));
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
    assert_eq!(app.db_value("SELECT count(*) FROM document_chunks").await, "1");
}

#[tokio::test]
async fn a_document_that_takes_every_worker_down_fails_with_a_reason_and_can_be_tried_again() {
    let (model, _, app) = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "Never read.").await;
    app.db_execute("UPDATE jobs SET max_attempts = 2").await;
    for _ in 0..2 {
        let worker = Worker::new(Arc::clone(&app.app), anamnesis::domains::job_handlers(&app.app));
        let working = tokio::spawn(async move { worker.run(CancellationToken::new()).await });
        model.is_asked().await;
        working.abort();
        assert!(working.await.unwrap_err().is_cancelled());
        app.advance(TimeDelta::seconds(61));
    }
    assert_eq!(state(&nurse, &id).await["status"], "EMBEDDING");
    model.answers.store(true, Ordering::SeqCst);
    assert_eq!(app.work().await, 1);
    assert_eq!(
        app.db_value("SELECT state || ' ' || attempts || ' ' || last_error FROM jobs").await,
        "dead 2 WORKER_LOST"
    );
    let failed = state(&nurse, &id).await;
    assert_eq!((&failed["status"], &failed["failure"]["code"]), (&json!("FAILED"), &json!(PROCESSING_INTERRUPTED)));
    assert_eq!(
        failed["failure"]["message"],
        "Reading the document was interrupted again and again. The file is kept. \
         Try again; if it fails again, tell your administrator."
    );
    assert_eq!(failed["failure"]["retryable"], true);

    let retried = nurse.run(RETRY, json!({ "input": { "id": id } })).await.ok();
    assert_eq!(retried["documentRetry"]["userErrors"], json!([]));
    assert_eq!(app.work().await, 1);
    assert_eq!(state(&nurse, &id).await["status"], "READY");
}

#[tokio::test]
async fn a_document_that_another_job_has_finished_stays_as_it_is() {
    let (model, _, app) = start().await;
    model.answers.store(true, Ordering::SeqCst);
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "Read by another.").await;
    // A second job of the document, whose worker is gone.
    app.db_execute(&format!(
        "INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, attempts, max_attempts, leased_until, worker, \
         created_at, updated_at) SELECT facility_id, gen_random_uuid(), kind, payload, 'running', run_at, 1, 1, \
         '{now}'::timestamptz + interval '1 minute', 'gone', '{now}', '{now}' FROM jobs",
        now = app.now().to_rfc3339()
    ))
    .await;
    assert_eq!(app.work().await, 1);
    app.advance(TimeDelta::seconds(61));
    assert_eq!(app.work().await, 1);
    assert_eq!(state(&nurse, &id).await, json!({ "status": "READY", "failure": null }));
    assert_eq!(app.db_value("SELECT state || ' ' || last_error FROM jobs").await, "dead WORKER_LOST");
}
