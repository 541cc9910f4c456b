//! The Cloud API as an endpoint that answers what a test has it answer, and its calls to us, signed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anamnesis::ids::{FacilityId, TypedId as _};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Notify;

use super::Client;

/// What comes of being asked to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Refused with this status and code.
    Refused(u16, i64),
    /// A gateway in between answers with this status.
    Gateway(u16),
    /// It is taken, and the answer breaks off.
    BreaksOff,
    /// It is taken, and nothing is ever answered.
    Silent,
}

#[derive(Default)]
struct Inner {
    sent: Mutex<Vec<Value>>,
    tokens: Mutex<Vec<String>>,
    outcomes: Mutex<VecDeque<Outcome>>,
    asked: Notify,
}

/// The provider.
#[derive(Clone)]
pub struct CloudApi {
    inner: Arc<Inner>,
    pub url: String,
}

impl CloudApi {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v21.0", listener.local_addr().unwrap());
        let this = Self { inner: Arc::default(), url };
        let router = axum::Router::new()
            .route("/v21.0/{number}/messages", post(messages))
            .route("/v21.0/{number}", get(number))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        this
    }

    /// What comes of the next messages, one after the other; those after are taken.
    pub fn next(&self, outcomes: &[Outcome]) {
        self.inner.outcomes.lock().unwrap().extend(outcomes);
    }

    /// What it was asked to send, in this order.
    pub fn sent(&self) -> Vec<Value> {
        self.inner.sent.lock().unwrap().clone()
    }

    /// The texts of it.
    pub fn texts(&self) -> Vec<String> {
        self.sent().iter().map(|sent| sent["text"]["body"].as_str().unwrap().to_owned()).collect()
    }

    /// With what it was asked, last.
    pub fn token(&self) -> String {
        self.inner.tokens.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Waits until it is asked.
    pub async fn asked(&self) {
        self.inner.asked.notified().await;
    }

    /// The id it gave the message it was asked to send as the `place`th, from 1.
    pub fn wamid(place: usize) -> String {
        format!("wamid.sent{place}")
    }

    fn heard(&self, headers: &HeaderMap) -> Option<Outcome> {
        let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        self.inner.tokens.lock().unwrap().push(token.unwrap_or_default());
        self.inner.outcomes.lock().unwrap().pop_front()
    }
}

fn refused(status: u16, code: i64) -> Response {
    let error = json!({ "error": { "message": "(#1) It went wrong with +16175550199", "type": "OAuthException",
        "code": code, "error_data": { "messaging_product": "whatsapp", "details": "16175550199" }, "fbtrace_id": "x" } });
    (StatusCode::from_u16(status).unwrap(), Json(error)).into_response()
}

async fn messages(State(api): State<CloudApi>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let outcome = api.heard(&headers);
    let (to, place) = {
        let mut sent = api.inner.sent.lock().unwrap();
        sent.push(body.clone());
        (body["to"].clone(), sent.len())
    };
    api.inner.asked.notify_one();
    match outcome {
        Some(Outcome::Refused(status, code)) => refused(status, code),
        Some(Outcome::Gateway(status)) => {
            (StatusCode::from_u16(status).unwrap(), "<html>Bad gateway</html>").into_response()
        }
        Some(Outcome::BreaksOff) => {
            let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("broken off"))]);
            Body::from_stream(broken).into_response()
        }
        Some(Outcome::Silent) => std::future::pending().await,
        None => Json(json!({ "messaging_product": "whatsapp", "contacts": [{ "input": to, "wa_id": to }],
            "messages": [{ "id": CloudApi::wamid(place) }] }))
        .into_response(),
    }
}

async fn number(State(api): State<CloudApi>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    match api.heard(&headers) {
        Some(Outcome::Refused(status, code)) => refused(status, code),
        _ => Json(json!({ "display_phone_number": "+1 617-555-0100", "verified_name": "Lakeside Clinic",
            "code_verification_status": "VERIFIED", "id": id }))
        .into_response(),
    }
}

/// The provider as it calls us, for one number.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    pub path: String,
    pub secret: String,
    pub phone_number_id: String,
}

impl Webhook {
    pub fn of(client: Client, facility: FacilityId, integration: &Value, phone_number_id: &str, secret: &str) -> Self {
        let path = format!("/webhooks/whatsapp/{}/{}", facility.encode(), integration.as_str().unwrap());
        Self { client, path, secret: secret.to_owned(), phone_number_id: phone_number_id.to_owned() }
    }

    /// The same at another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// The same with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// The handshake; status and body.
    pub async fn shake(&self, mode: &str, token: &str, challenge: &str) -> (u16, String) {
        let query = [("hub.mode", mode), ("hub.verify_token", token), ("hub.challenge", challenge)];
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("{}?{}", self.path, query.join("&"));
        let answer = self.client.request(reqwest::Method::GET, &path).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub fn sign(&self, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(body);
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256={digest}")
    }

    /// Sends bytes with a signature, or none; status and body.
    pub async fn post(&self, body: Vec<u8>, signature: Option<&str>) -> (u16, String) {
        let request = self.client.request(reqwest::Method::POST, &self.path).header("content-type", "application/json");
        let request = match signature {
            Some(signature) => request.header("x-hub-signature-256", signature),
            None => request,
        };
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sends a call, signed; gives the status.
    pub async fn call(&self, body: &Value) -> u16 {
        let body = body.to_string().into_bytes();
        let signature = self.sign(&body);
        self.post(body, Some(&signature)).await.0
    }

    /// A call of one change.
    pub fn change(&self, messages: &[Value], statuses: &[Value]) -> Value {
        let contacts: Vec<Value> = messages
            .iter()
            .map(|message| json!({ "profile": { "name": "Odile" }, "wa_id": message["from"] }))
            .collect();
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "16175550100", "phone_number_id": self.phone_number_id },
            "contacts": contacts, "messages": messages, "statuses": statuses,
        } }] }] })
    }
}
