//! Virus scanning, against a small server that speaks clamd's protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anamnesis::access::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{DOCUMENT, upload_text};
use crate::harness::{Client, TestApp, engines};

/// What the server takes for a virus.
const VIRUS: &[u8] = b"X5O!TEST-VIRUS";

/// A scanner that can be told to hang up.
#[derive(Default)]
struct Clamd {
    away: AtomicBool,
    scanned: AtomicUsize,
}

impl Clamd {
    async fn start() -> (Arc<Self>, String) {
        let clamd = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let serving = Arc::clone(&clamd);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if !serving.away.load(Ordering::SeqCst) {
                    tokio::spawn(Arc::clone(&serving).answer(socket));
                }
            }
        });
        (clamd, address)
    }

    async fn answer(self: Arc<Self>, mut socket: TcpStream) {
        let mut command = [0; 10];
        socket.read_exact(&mut command).await.unwrap();
        assert_eq!(&command, b"zINSTREAM\0");
        let mut content = Vec::new();
        loop {
            let length = usize::try_from(socket.read_u32().await.unwrap()).unwrap();
            if length == 0 {
                break;
            }
            let start = content.len();
            content.resize(start + length, 0);
            socket.read_exact(&mut content[start..]).await.unwrap();
        }
        self.scanned.fetch_add(1, Ordering::SeqCst);
        let infected = content.windows(VIRUS.len()).any(|window| window == VIRUS);
        let answer: &[u8] = if infected { b"stream: Test-Virus FOUND\0" } else { b"stream: OK\0" };
        socket.write_all(answer).await.unwrap();
    }
}

async fn start() -> (TestApp, Arc<Clamd>) {
    engines::provide_model().await;
    let (clamd, address) = Clamd::start().await;
    (TestApp::start_with(&[("ANAMNESIS_CLAMD_URL", &address)]).await, clamd)
}

async fn url(client: &Client, id: &str) -> Value {
    client.run(DOCUMENT, json!({ "id": id })).await.ok()["document"]["downloadUrl"].take()
}

async fn fetch(client: &Client, url: &str) -> u16 {
    client.request(reqwest::Method::GET, url).send().await.unwrap().status().as_u16()
}

async fn status(app: &TestApp) -> String {
    app.db_value(
        "SELECT status || ' ' || coalesce(failure_code, '-') || ' ' || (scanned_at IS NOT NULL) FROM documents",
    )
    .await
}

#[tokio::test]
async fn a_clean_file_is_scanned_read_and_served() {
    let (app, clamd) = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "Nothing of note.").await;
    app.work().await;
    assert_eq!(status(&app).await, "ready - true");
    assert_eq!(clamd.scanned.load(Ordering::SeqCst), 1);
    let link = url(&nurse, &id).await;
    assert_eq!(fetch(&nurse, link.as_str().unwrap()).await, 200);
    // It is not scanned again for each reader.
    assert_eq!(clamd.scanned.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_infected_file_is_set_apart_not_read_not_served_and_shown_in_the_inbox() {
    let (app, _) = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let text = format!("Before {} after.", String::from_utf8_lossy(VIRUS));
    let id = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), &text).await;
    // A link from before the scan does not open it either.
    let early = url(&nurse, &id).await;
    app.work().await;
    assert_eq!(status(&app).await, "quarantined infected false");
    assert_eq!(app.db_value("SELECT count(*) FROM document_chunks").await, "0");
    assert_eq!(url(&nurse, &id).await, Value::Null);
    assert_eq!(fetch(&nurse, early.as_str().unwrap()).await, 404);
    let inbox = nurse.run("{ documentInbox(folder: QUARANTINED) { nodes { id failure { code } } } documentInboxCounts { quarantined needsReview } }", Value::Null).await.ok();
    assert_eq!(inbox["documentInbox"]["nodes"], json!([{ "id": id, "failure": { "code": "infected" } }]));
    assert_eq!(inbox["documentInboxCounts"], json!({ "quarantined": 1, "needsReview": 0 }));
    let retry = "mutation($input: DocumentRetryInput!) { documentRetry(input: $input) { userErrors { code } } }";
    let refused = nurse.run(retry, json!({ "input": { "id": id } })).await.ok();
    assert_eq!(refused["documentRetry"]["userErrors"][0]["code"], "NOT_FAILED");
}

#[tokio::test]
async fn a_file_is_not_served_before_it_was_scanned() {
    let (app, clamd) = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let virus = String::from_utf8_lossy(VIRUS).into_owned();
    let infected = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), &virus).await;
    let link = url(&nurse, &infected).await;
    // Whoever is faster than the worker has it scanned.
    assert_eq!(fetch(&nurse, link.as_str().unwrap()).await, 404);
    assert_eq!(clamd.scanned.load(Ordering::SeqCst), 1);
    assert_eq!(status(&app).await, "quarantined infected false");
    clamd.away.store(true, Ordering::SeqCst);
    let clean = upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "Clean.").await;
    let link = url(&nurse, &clean).await;
    assert_eq!(fetch(&nurse, link.as_str().unwrap()).await, 503);
}

#[tokio::test]
async fn without_the_scanner_a_file_waits_and_is_not_passed() {
    let (app, clamd) = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    clamd.away.store(true, Ordering::SeqCst);
    upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), "Waiting words.").await;
    app.work().await;
    assert_eq!(status(&app).await, "uploaded - false");
    assert_eq!(app.db_value("SELECT state || ' ' || last_error FROM jobs").await, "queued SCANNER_UNAVAILABLE");
    clamd.away.store(false, Ordering::SeqCst);
    app.advance(chrono::TimeDelta::hours(1));
    app.work().await;
    assert_eq!(status(&app).await, "ready - true");
}
