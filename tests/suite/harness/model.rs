//! A chat model as an endpoint: says what a test has it say, piece by piece, as server-sent events.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// What the model has heard and says next.
#[derive(Clone)]
pub struct ChatModel {
    heard: Arc<Mutex<Vec<Value>>>,
    says: Arc<Mutex<Vec<String>>>,
    /// Ends without saying that it is done.
    breaks_off: Arc<Mutex<bool>>,
    /// A piece is said for each permit; as many as there are unless a test holds it.
    may_speak: Arc<Semaphore>,
    url: String,
}

impl ChatModel {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            heard: Arc::default(),
            says: Arc::default(),
            breaks_off: Arc::default(),
            may_speak: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2)),
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
        };
        let router = axum::Router::new().route("/v1/chat/completions", post(answer)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        this
    }

    /// Settings of a server that asks this model.
    pub fn settings(&self) -> [(&'static str, &str); 2] {
        [("ANAMNESIS_CHAT_URL", self.url.as_str()), ("ANAMNESIS_CHAT_MODEL", "scribe")]
    }

    pub fn say(&self, pieces: &[&str]) {
        *self.says.lock().unwrap() = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        *self.breaks_off.lock().unwrap() = false;
    }

    pub fn say_and_break_off(&self, pieces: &[&str]) {
        self.say(pieces);
        *self.breaks_off.lock().unwrap() = true;
    }

    /// From now on a piece is said only when [`ChatModel::go_on`] lets it.
    pub fn hold(&self) {
        self.may_speak.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn go_on(&self, pieces: usize) {
        self.may_speak.add_permits(pieces);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// What it was told last.
    pub fn heard(&self) -> String {
        self.heard.lock().unwrap().last().cloned().unwrap_or_default().to_string()
    }
}

async fn answer(State(model): State<ChatModel>, Json(request): Json<Value>) -> Response {
    let streams = request["stream"] == true;
    model.heard.lock().unwrap().push(request);
    if !streams {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut events: Vec<String> = model
        .says
        .lock()
        .unwrap()
        .iter()
        .map(|piece| json!({ "model": "scribe-2026-03", "choices": [{ "index": 0, "delta": { "content": piece } }] }))
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    if !*model.breaks_off.lock().unwrap() {
        events.push("data: [DONE]\n\n".to_owned());
    }
    let said = futures::stream::iter(events).then(move |event| {
        let model = model.clone();
        async move {
            model.may_speak.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(event)
        }
    });
    ([("content-type", "text/event-stream")], Body::from_stream(said)).into_response()
}
