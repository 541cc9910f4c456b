//! Processes killed at any moment: what was acknowledged is there afterwards, once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anamnesis::access::Role;
use anamnesis::ids::{MessageId, TypedId as _};
use futures::StreamExt as _;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::domains::documents::register;
use crate::domains::documents::wire::{document_form, form_type};
use crate::domains::identity::{PASSWORD, person};
use crate::harness::{Client, Frame, Subscriber, TestApp, engines};

const UPLOADS: usize = 200;
/// The server and the worker are killed each time so many more are acknowledged.
const BETWEEN_KILLS: usize = 45;
const AT_ONCE: usize = 8;
/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(50);
/// Far more than it takes.
const PATIENCE: Duration = Duration::from_mins(4);

/// A server and a worker of their own, over the database and the files of a test.
struct Processes {
    settings: Vec<(&'static str, String)>,
    running: Mutex<Vec<Child>>,
    base: String,
}

impl Processes {
    fn of(app: &TestApp, keyring: PathBuf) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let model = engines::model_dir();
        let settings = vec![
            ("ANAMNESIS_ENVIRONMENT", "development".to_owned()),
            ("DATABASE_URL", app.database.server_url.clone()),
            ("ANAMNESIS_KEYRING", keyring.display().to_string()),
            ("ANAMNESIS_STORAGE_URL", app.app.config.storage_url.clone()),
            ("ANAMNESIS_MODEL_DIR", model.display().to_string()),
            ("ANAMNESIS_LISTEN", free.to_string()),
            ("ANAMNESIS_DATABASE_POOL", "4".to_owned()),
            ("ANAMNESIS_REQUESTS_PER_MINUTE", "1000000".to_owned()),
            ("ANAMNESIS_ACCESS_TOKEN_MINUTES", "15".to_owned()),
            ("ANAMNESIS_LOG_FILTER", "error".to_owned()),
        ];
        Self { settings, running: Mutex::default(), base: format!("http://{free}") }
    }

    /// Starts both.
    async fn start(&self) {
        let mut running = self.running.lock().await;
        for arguments in [["serve", "--no-worker"].as_slice(), &["work"]] {
            let child = Command::new(env!("CARGO_BIN_EXE_anamnesis"))
                .args(arguments)
                .envs(self.settings.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            running.push(child);
        }
    }

    /// SIGKILL to both, at whatever they do. Their leases are taken for run out, so that nobody waits for that.
    async fn kill(&self, app: &TestApp) {
        for mut child in self.running.lock().await.drain(..) {
            child.kill().await.unwrap();
        }
        app.db_execute("UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'").await;
    }
}

/// Uploads one document, over and over with one key until it is acknowledged; gives its id.
async fn upload(client: &Client, patient: &str, number: usize) -> String {
    let metadata = json!({ "kind": "CLINICAL_NOTE", "patientIds": [patient], "fileName": "note.txt" });
    let text = format!("Session {number}: slept {} hours, walked by the river, no new worries.", number % 9);
    let body = document_form(&metadata, "note.txt", text.as_bytes());
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let sent = client
            .request(reqwest::Method::POST, "/documents")
            .header("content-type", &form_type())
            .header("idempotency-key", format!("upload-{number}"))
            .body(body.clone());
        let Ok(answer) = sent.send().await else { continue };
        let status = answer.status();
        // Cut off between the head and the body: not acknowledged.
        let Ok(answer) = answer.json::<serde_json::Value>().await else { continue };
        match status.as_u16() {
            201 => return answer["id"].as_str().unwrap().to_owned(),
            // The first attempt may still hold its key, or the pool be starting.
            409 | 429 | 503 => {}
            _ => panic!("{status}: {answer}"),
        }
    }
}

async fn wait_until(mut holds: impl AsyncFnMut() -> bool) {
    let mut look = tokio::time::interval(LOOK);
    let waiting = async {
        while !holds().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it never came about");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_upload_is_ready_exactly_once_after_kills() {
    engines::provide_model().await;
    let app = TestApp::start().await;
    let physician = person(&app, "naomi.feldgate@example.org").await;
    app.db_create_member(app.facility, physician.id, &[Role::Physician]).await;
    let patient = register(&app, "Ada").await;
    let keyring = app.storage.path().with_extension("keyring.toml");
    app.app.keyring.save_new(&keyring).unwrap();
    let processes = Processes::of(&app, keyring.clone());
    processes.start().await;
    wait_until(async || reqwest::get(format!("{}/health/ready", processes.base)).await.is_ok()).await;
    let client = sign_in(&app, &processes.base, &physician.email).await;

    let acknowledged = AtomicUsize::new(0);
    let uploads = futures::stream::iter(0..UPLOADS)
        .map(async |number| {
            let id = upload(&client, &patient, number).await;
            acknowledged.fetch_add(1, Ordering::SeqCst);
            id
        })
        .buffer_unordered(AT_ONCE)
        .collect::<BTreeSet<String>>();
    let kills = async {
        for round in 1..=UPLOADS / BETWEEN_KILLS {
            wait_until(async || acknowledged.load(Ordering::SeqCst) >= round * BETWEEN_KILLS).await;
            processes.kill(&app).await;
            processes.start().await;
        }
    };
    let (ids, ()) = tokio::join!(uploads, kills);
    assert_eq!(ids.len(), UPLOADS);

    wait_until(async || app.db_value("SELECT count(*) FROM documents WHERE status <> 'ready'").await == "0").await;
    processes.kill(&app).await;
    let uploads = UPLOADS.to_string();
    assert_eq!(app.db_value("SELECT count(*) FROM documents").await, uploads);
    assert_eq!(app.db_value("SELECT count(*) FROM document_chunks").await, uploads);
    assert_eq!(app.db_value("SELECT count(DISTINCT document_id) FROM document_chunks").await, uploads);
    assert_eq!(app.db_value("SELECT count(*) FROM jobs WHERE state = 'dead'").await, "0");
    let recorded = "SELECT count(*) FROM audit_log WHERE action = 'documents.upload' AND outcome = 'success'";
    assert_eq!(app.db_value(recorded).await, uploads);
    std::fs::remove_file(keyring).unwrap();
}

/// A client of the killed and restarted server, with a token of its clock.
async fn sign_in(app: &TestApp, base: &str, email: &str) -> Client {
    let client = app.anonymous().at(base.to_owned());
    let sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { tokens { accessToken } } }";
    let input = json!({ "input": { "email": email, "password": PASSWORD } });
    let token = client.run(sign_in, input).await.ok()["signIn"]["tokens"]["accessToken"].take();
    let client = client.with_token(token.as_str().unwrap().to_owned());
    let choose = "mutation($input: FacilitySelectInput!) { facilitySelect(input: $input) { tokens { accessToken } } }";
    let facility = app.facility.encode();
    let token = client.run(choose, json!({ "input": { "facilityId": facility } })).await.ok()["facilitySelect"]["tokens"]
        ["accessToken"]
        .take();
    client.with_token(token.as_str().unwrap().to_owned())
}

/// Messages and kills of the test; multiplied by `SOAK` where that is set: 40 is 20,000 and 1,000.
const MESSAGES: usize = 500;
const KILLS: usize = 25;
/// Less than a token lives.
const RENEWED: Duration = Duration::from_mins(8);
/// One kill in so many is of the server, the others are of a subscriber's socket.
const SERVER_KILLS: usize = 5;
const SUBSCRIBERS: usize = 4;

#[expect(clippy::disallowed_methods, reason = "how far a test goes is said to it from outside")]
fn soak() -> usize {
    std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// A client whose token is renewed as the test goes on.
type Renewed = std::sync::RwLock<Client>;

fn present(client: &Renewed) -> Client {
    client.read().unwrap().clone()
}

/// Sends one message, over and over with one key until it is acknowledged.
async fn send_message(client: &Renewed, conversation: &str, number: usize) {
    const SEND: &str = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { message } } }";
    let input = json!({ "conversationId": conversation, "body": format!("message {number}"),
        "idempotencyKey": format!("message-{number}") });
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let body = json!({ "query": SEND, "variables": { "input": input } });
        let sent = present(client).request(reqwest::Method::POST, "/graphql").json(&body).send().await;
        let Ok(answer) = sent else { continue };
        let Ok(answer) = answer.json::<serde_json::Value>().await else { continue };
        if answer["data"]["messageSend"]["userErrors"] == json!([]) {
            return;
        }
    }
}

/// Listens from a cursor on until so many messages have come, connecting again whenever the connection breaks or `cut`
/// is told; gives their ids.
async fn listen(
    client: &Renewed,
    conversation: &str,
    mut cursor: String,
    messages: usize,
    cut: &tokio::sync::Notify,
) -> Vec<String> {
    let mut ids = Vec::with_capacity(messages);
    let mut look = tokio::time::interval(LOOK);
    while ids.len() < messages {
        look.tick().await;
        let variables = json!({ "of": [conversation], "kinds": ["MESSAGE_SENT"], "after": cursor });
        let Some(mut subscriber) = Subscriber::try_connect(&present(client), MESSAGES_SENT, variables).await else {
            continue;
        };
        while ids.len() < messages {
            // Dropped without a word: as a network does.
            let frame = tokio::select! {
                frame = subscriber.hear() => frame,
                () = cut.notified() => break,
            };
            let Frame::Message(message) = frame else { break };
            let event = &message["payload"]["data"]["events"];
            let Some(reached) = event["cursor"].as_str() else { break };
            reached.clone_into(&mut cursor);
            if event["kind"] == "MESSAGE_SENT" {
                ids.push(event["subject"]["id"].as_str().unwrap().to_owned());
            }
        }
    }
    ids
}

const MESSAGES_SENT: &str = "subscription($of: [ID!], $kinds: [EventKind!], $after: String) {
    events(of: $of, kinds: $kinds, after: $after) { cursor kind subject { id ... on Message { body } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_have_every_message_once_and_in_order_whatever_is_killed() {
    let (messages, kills) = (MESSAGES * soak(), KILLS * soak());
    let app = TestApp::start().await;
    let physician = person(&app, "naomi.feldgate@example.org").await;
    app.db_create_member(app.facility, physician.id, &[Role::Physician]).await;
    let keyring = app.storage.path().with_extension("keyring.toml");
    app.app.keyring.save_new(&keyring).unwrap();
    let processes = Processes::of(&app, keyring.clone());
    processes.start().await;
    wait_until(async || reqwest::get(format!("{}/health/ready", processes.base)).await.is_ok()).await;
    let client = sign_in(&app, &processes.base, &physician.email).await;
    let begin =
        "mutation($input: ConversationCreateInput!) { conversationCreate(input: $input) { conversation { id } } }";
    let input = json!({ "kind": "GENERAL", "title": "Beds", "participantIds": [] });
    let begun = client.run(begin, json!({ "input": input })).await.ok();
    let conversation = begun["conversationCreate"]["conversation"]["id"].as_str().unwrap();
    let (first, cursor) = Subscriber::listening(&client, json!({ "of": [conversation] })).await;
    drop(first);
    let client = Renewed::new(client);

    let cuts: Vec<_> = (0..SUBSCRIBERS).map(|_| tokio::sync::Notify::new()).collect();
    let sent = AtomicUsize::new(0);
    let sending = futures::stream::iter(0..messages)
        .map(async |number| {
            send_message(&client, conversation, number).await;
            sent.fetch_add(1, Ordering::SeqCst);
        })
        .buffer_unordered(AT_ONCE)
        .collect::<()>();
    let killing = async {
        let mut renewed = std::time::Instant::now();
        for kill in 0..kills {
            wait_until(async || sent.load(Ordering::SeqCst) >= messages * kill / kills).await;
            if kill % SERVER_KILLS == 0 {
                processes.kill(&app).await;
                processes.start().await;
                if renewed.elapsed() > RENEWED {
                    wait_until(async || reqwest::get(format!("{}/health/ready", processes.base)).await.is_ok()).await;
                    let another = sign_in(&app, &processes.base, &physician.email).await;
                    *client.write().unwrap() = another;
                    renewed = std::time::Instant::now();
                }
            } else {
                cuts[kill % SUBSCRIBERS].notify_waiters();
            }
        }
    };
    let listening =
        futures::future::join_all(cuts.iter().map(|cut| listen(&client, conversation, cursor.clone(), messages, cut)));
    let (heard, (), ()) = tokio::join!(listening, sending, killing);
    processes.kill(&app).await;

    let committed = app.db_query("SELECT id::text FROM messages WHERE kind = 'text' ORDER BY sequence").await;
    let committed: Vec<String> = committed
        .iter()
        .map(|row| MessageId::from_uuid(row[0].as_deref().unwrap().parse().unwrap()).encode())
        .collect();
    assert_eq!(committed.len(), messages, "a message was kept twice, or lost");
    for one in &heard {
        assert_eq!(one, &committed);
    }
    std::fs::remove_file(keyring).unwrap();
}
