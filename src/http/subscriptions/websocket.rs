//! GraphQL over a websocket, by the protocol `graphql-transport-ws`.
//!
//! Who asks is known by the token in `connection_init` (`{"authorization": "Bearer …"}`, which a browser can send), by
//! the header of the upgrade, or by the cookie where the page that opened the socket is of an origin that may call: a
//! browser sends the cookie whoever asks, and can be given no header. Nobody is let in unknown.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_graphql::http::{ClientMessage, WebSocket as Protocol, WebSocketProtocols, WsMessage};
use async_graphql::{Data, Executor, Request, Response as GraphqlResponse};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{BoxStream, Stream, StreamExt as _};
use futures::{Sink, SinkExt as _};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Edge, Open, another, answers, refused};
use crate::access::{Actor, ContextParts, RequestContext};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::authentication::{self, CSRF_HEADER};

/// The name of the protocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// How long a client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How often a silent client is asked whether it is there; one that stays silent twice is not.
const PING: Duration = Duration::from_secs(25);
/// How long a client may take to receive what is sent to it.
const SEND: Duration = Duration::from_secs(20);
/// Operations at once on one connection.
const OPERATIONS: usize = 64;
/// Buffers of a connection to begin with: thousands are open and silent.
const BUFFER: usize = 4096;

/// A request to open a websocket.
pub(in super::super) struct Upgrade {
    upgrade: WebSocketUpgrade,
    parts: Parts,
}

impl OptionalFromRequestParts<Edge> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Option<Self>, Response> {
        if !parts.headers.contains_key(header::UPGRADE) {
            return Ok(None);
        }
        let upgrade = WebSocketUpgrade::from_request_parts(parts, edge).await;
        let upgrade = upgrade.map_err(axum::response::IntoResponse::into_response)?;
        Ok(Some(Self { upgrade, parts: parts.clone() }))
    }
}

/// `GET /graphql` that asks for a websocket.
pub(in super::super) fn respond(edge: Edge, Upgrade { upgrade, parts }: Upgrade) -> Response {
    let limit = edge.app.config.max_body_bytes;
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(limit)
        .max_frame_size(limit);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, "the protocol of this websocket is graphql-transport-ws").into_response();
    }
    upgrade.on_upgrade(move |socket| serve(edge, parts, socket))
}

/// Serves one connection to its end.
async fn serve(edge: Edge, parts: Parts, socket: WebSocket) {
    let _open = Open::new(&edge, "websocket");
    let (mut sink, incoming) = socket.split();
    let caller = Arc::new(OnceLock::new());
    let executor =
        Operations { edge: edge.clone(), caller: Arc::clone(&caller), room: Arc::new(Semaphore::new(OPERATIONS)) };
    let heard = Arc::new(Heard::new());
    let turned_away = Arc::new(AtomicBool::new(false));
    let introduced = {
        let (app, caller, turned_away) = (Arc::clone(&edge.app), Arc::clone(&caller), Arc::clone(&turned_away));
        move |payload: Value| async move {
            match introduce(&app, parts, &payload) {
                // Once: the protocol refuses a second introduction.
                Ok(known) => drop(caller.set(known)),
                Err(error) => {
                    turned_away.store(true, Ordering::Release);
                    return Err(async_graphql::Error::new(error.to_string()));
                }
            }
            Ok(Data::default())
        }
    };
    let protocol =
        Protocol::from_message_stream(executor, messages(incoming, Arc::clone(&heard)), WebSocketProtocols::GraphQLWS)
            .on_connection_init(introduced);
    let mut protocol = std::pin::pin!(protocol);
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    let introduction = tokio::time::sleep(INTRODUCTION);
    let mut introduction = std::pin::pin!(introduction);
    loop {
        let message = tokio::select! {
            next = protocol.next() => match next {
                Some(WsMessage::Text(text)) => {
                    heard.answered(&text);
                    Message::Text(text.into())
                }
                Some(WsMessage::Close(code, _)) => close(code, turned_away.load(Ordering::Acquire)),
                None if heard.twice.load(Ordering::Acquire) => closed(4409, "an operation of this id runs already"),
                None => return,
            },
            _ = ping.tick() => {
                if heard.silent() > PING * 2 {
                    return;
                }
                Message::Ping(axum::body::Bytes::new())
            }
            () = &mut introduction, if caller.get().is_none() => closed(4408, "say who you are with connection_init"),
            () = edge.closing.cancelled() => closed(1001, "the server is stopping; connect again and go on with `after`"),
        };
        let last = matches!(message, Message::Close(_));
        if !sent(&mut sink, message).await || last {
            return;
        }
    }
}

/// Sends, unless the client does not receive: what it was not given is replayed when it comes back.
async fn sent(sink: &mut (impl Sink<Message> + Unpin), message: Message) -> bool {
    matches!(tokio::time::timeout(SEND, sink.send(message)).await, Ok(Ok(())))
}

/// What is known of a client by what it says.
struct Heard {
    last: Mutex<Instant>,
    /// Ids of the operations that run.
    running: Mutex<HashSet<String>>,
    /// It began an operation under the id of one that runs.
    twice: AtomicBool,
}

impl Heard {
    fn new() -> Self {
        Self { last: Mutex::new(Instant::now()), running: Mutex::default(), twice: AtomicBool::new(false) }
    }

    /// For how long nothing came.
    fn silent(&self) -> Duration {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the client says in mind; `false` when it must not say that.
    fn says(&self, message: &serde_json::Result<ClientMessage>) -> bool {
        match message {
            Ok(ClientMessage::Start { id, .. }) if !self.running().insert(id.clone()) => {
                self.twice.store(true, Ordering::Release);
                return false;
            }
            Ok(ClientMessage::Stop { id }) => drop(self.running().remove(id)),
            _ => {}
        }
        true
    }

    /// Keeps in mind which operation ends by what the server says.
    fn answered(&self, text: &str) {
        /// Begins the message that ends an operation, as the library writes it.
        const COMPLETE: &str = r#"{"type":"complete""#;
        if text.starts_with(COMPLETE)
            && let Ok(Value::Object(message)) = serde_json::from_str(text)
            && let Some(Value::String(id)) = message.get("id")
        {
            self.running().remove(id);
        }
    }
}

/// What the client says, until it says what it must not.
fn messages(
    incoming: impl Stream<Item = Result<Message, axum::Error>> + Send,
    heard: Arc<Heard>,
) -> impl Stream<Item = serde_json::Result<ClientMessage>> + Send {
    let of_client = Arc::clone(&heard);
    incoming
        .take_while(|message| futures::future::ready(message.is_ok()))
        .filter_map(move |message| {
            *of_client.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            futures::future::ready(match message {
                Ok(Message::Text(text)) => Some(ClientMessage::from_bytes(text.as_bytes())),
                Ok(Message::Binary(bytes)) => Some(ClientMessage::from_bytes(&bytes)),
                _ => None,
            })
        })
        .take_while(move |message| futures::future::ready(heard.says(message)))
}

/// The codes of the protocol, for those the library closes with. Its words may hold what the client sent.
fn close(code: u16, turned_away: bool) -> Message {
    match code {
        1011 => closed(4401, "say who you are with connection_init first"),
        1002 if turned_away => closed(4403, "sign in to continue"),
        4429 => closed(4429, "connection_init was sent before"),
        _ => closed(4400, "not a message of graphql-transport-ws"),
    }
}

fn closed(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

/// Who opens the connection.
fn introduce(app: &App, mut parts: Parts, payload: &Value) -> Result<ContextParts> {
    let given = ["authorization", "Authorization"].iter().find_map(|name| payload.get(name)?.as_str());
    if let Some(given) = given {
        let value = HeaderValue::from_str(given).map_err(|_| Error::Unauthenticated)?;
        parts.headers.insert(header::AUTHORIZATION, value);
    }
    parts.headers.remove(CSRF_HEADER);
    if from_our_page(app, &parts.headers) {
        parts.headers.insert(CSRF_HEADER, HeaderValue::from_static("1"));
    }
    let known = authentication::identify(app, &parts)?;
    if known.actor == Actor::Anonymous { Err(Error::Unauthenticated) } else { Ok(known) }
}

/// Whether the page that opens the socket is of an origin whose requests would be let in.
fn from_our_page(app: &App, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else { return false };
    let own = app.config.public_url.trim_end_matches('/');
    origin == own || app.config.cors_origins.0.iter().any(|allowed| allowed == origin)
}

/// Runs the operations of one connection.
#[derive(Clone)]
struct Operations {
    edge: Edge,
    caller: Arc<OnceLock<ContextParts>>,
    room: Arc<Semaphore>,
}

#[async_graphql::async_trait::async_trait]
impl Executor for Operations {
    async fn execute(&self, request: Request) -> GraphqlResponse {
        let mut answers = self.execute_stream(request, None);
        answers.next().await.unwrap_or_default()
    }

    fn execute_stream(&self, request: Request, _: Option<Arc<Data>>) -> BoxStream<'static, GraphqlResponse> {
        let Some(caller) = self.caller.get() else { return refused(Error::Unauthenticated) };
        if let Err(error) = self.edge.rate.check(caller) {
            self.edge.app.metrics.rate_limited("graphql");
            return refused(error);
        }
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return refused(Error::Limit(format!("a connection may have {OPERATIONS} operations at once").into()));
        };
        let ctx = RequestContext::new(Arc::clone(&self.edge.app), another(caller));
        let held = move |answer| {
            let _ = &place;
            answer
        };
        answers(&self.edge, ctx, request).map(held).boxed()
    }
}
