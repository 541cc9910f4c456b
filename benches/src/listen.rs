//! What listening costs: memory of the server for each silent subscriber, and how long a message takes to reach those
//! who wait for it, from when it is sent. Beside it stands how long the sender waits for the acknowledgement, which
//! comes after the commit: what is above it is delivery.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::Result;
use crate::accounting;
use crate::bed::Bed;
use crate::client::Client;
use crate::population::Sizes;
use crate::server::Server;
use crate::statistics::{milliseconds, percentile};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const EVENTS: &str = "subscription($of: [ID!]) { events(of: $of, kinds: [MESSAGE_SENT]) { cursor kind \
    subject { ... on Message { body } } } }";
const CREATE: &str = "mutation($title: String!) { conversationCreate(input: { kind: GENERAL, title: $title, \
    participantIds: [] }) { conversation { id } userErrors { code } } }";
const SEND: &str = "mutation($conversation: ID!, $body: String!) { messageSend(input: { conversationId: $conversation, \
    body: $body }) { message { id } userErrors { code } } }";
/// Small: what is measured does not depend on it.
const SIZES: Sizes = Sizes { facilities: 2, patients: 20, visits: 20, passages: 20, messages: 20 };
/// Until all who listen have settled.
const SETTLED: Duration = Duration::from_secs(3);

/// Runs the benchmark and prints its figures.
///
/// # Errors
/// Whatever goes wrong.
pub async fn run(idle: usize, active: usize, messages: usize, keep: Option<PathBuf>) -> Result<()> {
    let bed = Bed::start(keep, SIZES).await?;
    let measured = measure(&bed, idle, active, messages).await;
    bed.stop().await?;
    measured
}

async fn measure(bed: &Bed, idle: usize, active: usize, messages: usize) -> Result<()> {
    let server = Server::start(bed, bed.urls.server.reveal()).await?;
    let client = Client::of(bed, &server.base, bed.population.largest().id)?;
    let silent = conversation(&client, "Silent").await?;
    let busy = conversation(&client, "Busy").await?;
    // What the first subscriber brings with it is not the price of the others.
    let _first = subscribe(&client, &silent).await?;
    tokio::time::sleep(SETTLED).await;
    let before = accounting::resident(server.pid()?)?;
    let mut silent_ones = Vec::with_capacity(idle);
    for _ in 0..idle {
        silent_ones.push(subscribe(&client, &silent).await?);
    }
    tokio::time::sleep(SETTLED).await;
    let each = accounting::resident(server.pid()?)?.saturating_sub(before) / u64::try_from(idle.max(1))?;
    println!(
        "\n{idle} silent subscribers: {:.1} KiB of the server's memory each",
        f64::from(u32::try_from(each)?) / 1024.0
    );

    let (tell, mut told) = mpsc::unbounded_channel::<(usize, Instant)>();
    let mut listening = Vec::with_capacity(active);
    for _ in 0..active {
        let mut socket = subscribe(&client, &busy).await?;
        let tell = tell.clone();
        listening.push(tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let now = Instant::now();
                if let Some(number) = number(&message)
                    && tell.send((number, now)).is_err()
                {
                    return;
                }
            }
        }));
    }
    let cpu = accounting::of_process(server.pid()?)? + accounting::of_family(bed.postmaster()?)?;
    let (mut acknowledged, mut received) = (Vec::with_capacity(messages), Vec::with_capacity(messages * active));
    for number in 0..messages {
        let sent = Instant::now();
        let body = json!({ "conversation": &*busy, "body": number.to_string() });
        acknowledged.push(client.run(SEND, &body).await?.took);
        for _ in 0..active {
            let (which, at) = told.recv().await.ok_or("a subscriber ended")?;
            if which != number {
                return Err(format!("message {which} came where {number} was due").into());
            }
            received.push(at.duration_since(sent));
        }
    }
    let used = (accounting::of_process(server.pid()?)? + accounting::of_family(bed.postmaster()?)?).saturating_sub(cpu);
    acknowledged.sort();
    received.sort();
    let deliveries = u32::try_from(received.len().max(1))?;
    println!(
        "{active} active subscribers, {messages} messages one after another:\n\
         | | p50 ms | p99 ms |\n|---|---|---|\n| acknowledged | {:.1} | {:.1} |\n| received | {:.1} | {:.1} |\n\
         {:.2} ms of processor time of server and database for each delivery",
        milliseconds(percentile(&acknowledged, 0.50)),
        milliseconds(percentile(&acknowledged, 0.99)),
        milliseconds(percentile(&received, 0.50)),
        milliseconds(percentile(&received, 0.99)),
        milliseconds(used / deliveries),
    );
    listening.iter().for_each(tokio::task::JoinHandle::abort);
    drop(silent_ones);
    Ok(())
}

async fn conversation(client: &Client, title: &str) -> Result<Arc<str>> {
    let made = client.run(CREATE, &json!({ "title": title })).await?.data;
    Ok(made["conversationCreate"]["conversation"]["id"].as_str().ok_or("no conversation")?.into())
}

/// A subscription to the messages of a conversation, which listens.
async fn subscribe(client: &Client, conversation: &str) -> Result<Socket> {
    let mut request = client.url().replacen("http", "ws", 1).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let authorization = format!("Bearer {}", client.token());
    let variables = json!({ "of": [conversation] });
    for message in [
        json!({ "type": "connection_init", "payload": { "authorization": authorization } }),
        json!({ "id": "1", "type": "subscribe", "payload": { "query": EVENTS, "variables": variables } }),
    ] {
        socket.send(Message::text(message.to_string())).await?;
        let answer = socket.next().await.ok_or("the server closed the connection")??;
        let answer: Value = serde_json::from_str(answer.to_text()?)?;
        if answer["type"] != "connection_ack" && answer["payload"]["data"]["events"]["kind"] != "LISTENING" {
            return Err(format!("the server says {answer}").into());
        }
    }
    Ok(socket)
}

/// Which message an event is about.
fn number(message: &Message) -> Option<usize> {
    let event: Value = serde_json::from_str(message.to_text().ok()?).ok()?;
    event["payload"]["data"]["events"]["subject"]["body"].as_str()?.parse().ok()
}
