//! A subscriber over a websocket, as an app would be: the protocol's own frames.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::client::Client;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a server sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Message(Value),
    /// The connection was closed with this code, or without one.
    Closed(Option<u16>),
}

/// What opens a connection.
fn request(base: &str, headers: &[(&'static str, &str)]) -> Request {
    let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

pub struct Subscriber {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Subscriber {
    /// Opens a connection and says nothing yet.
    pub async fn open(base: &str, headers: &[(&'static str, &str)]) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(request(base, headers)).await.unwrap();
        Self { socket }
    }

    /// A connection that takes in next to nothing beyond what is read.
    pub async fn narrow(client: &Client) -> Self {
        let address = client.base.strip_prefix("http://").unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let request = request(&client.base, &[]);
        let (socket, _) = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
        Self { socket }.introduced(client).await
    }

    /// A subscription, unless the server is not there.
    pub async fn try_connect(client: &Client, document: &str, variables: Value) -> Option<Self> {
        let (socket, _) = tokio_tungstenite::connect_async(request(&client.base, &[])).await.ok()?;
        let mut this = Self { socket };
        let authorization = format!("Bearer {}", client.token.as_deref().unwrap());
        let payload = json!({ "query": document, "variables": variables });
        for message in [
            json!({ "type": "connection_init", "payload": { "authorization": authorization } }),
            json!({ "id": "1", "type": "subscribe", "payload": payload }),
        ] {
            this.socket.send(Message::text(message.to_string())).await.ok()?;
            if message["type"] == "connection_init" {
                let ack = json!({ "type": "connection_ack" });
                (this.hear().await == Frame::Message(ack)).then_some(())?;
            }
        }
        Some(this)
    }

    /// A connection of somebody who is signed in.
    pub async fn connect(client: &Client) -> Self {
        Self::open(&client.base, &[]).await.introduced(client).await
    }

    async fn introduced(mut self, client: &Client) -> Self {
        let authorization = format!("Bearer {}", client.token.as_deref().unwrap());
        self.say(json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
        assert_eq!(self.hear().await, Frame::Message(json!({ "type": "connection_ack" })));
        self
    }

    /// A connection with one subscription to events, which listens. Gives where from.
    pub async fn listening(client: &Client, variables: Value) -> (Self, String) {
        let mut this = Self::connect(client).await;
        this.subscribe(EVENTS, variables).await;
        let first = this.event().await;
        assert_eq!(first["kind"], "LISTENING");
        let cursor = first["cursor"].as_str().unwrap().to_owned();
        (this, cursor)
    }

    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn subscribe(&mut self, document: &str, variables: Value) {
        let payload = json!({ "query": document, "variables": variables });
        self.say(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    }

    /// What comes next; answers to pings aside.
    pub async fn hear(&mut self) -> Frame {
        self.hear_within(PATIENCE).await.expect("nothing came")
    }

    /// The same, unless nothing comes for a while.
    pub async fn hear_within(&mut self, patience: Duration) -> Option<Frame> {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => return Frame::Message(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => return Frame::Closed(frame.map(|frame| frame.code.into())),
                    Some(Ok(_)) => {}
                    None | Some(Err(_)) => return Frame::Closed(None),
                }
            }
        };
        tokio::time::timeout(patience, next).await.ok()
    }

    /// The next answer of the subscription.
    pub async fn answer(&mut self) -> Value {
        match self.hear().await {
            Frame::Message(mut message) if message["type"] == "next" => message["payload"].take(),
            other => panic!("not an answer: {other:?}"),
        }
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        let mut answer = self.answer().await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"]["events"].take()
    }
}

pub const EVENTS: &str = "subscription($of: [ID!], $kinds: [EventKind!], $after: String) {
    events(of: $of, kinds: $kinds, after: $after) { cursor kind actor { id } subject { __typename id
        ... on Document { title status } } } }";
