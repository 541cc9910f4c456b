//! WhatsApp calls here: `GET /webhooks/whatsapp/{facility}/{integration}` once, to see that the facility means it, and
//! `POST` there with what people write and what became of what was sent.
//!
//! Nobody is told why they are not believed. What is answered with 200 is on record; anything else is sent again.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::{Edge, authentication, multipart, problem};
use crate::access::{Actor, ContextParts, Purpose};
use crate::domains::chat::whatsapp::receive::{self, Address, Taken};
use crate::error::{Error, Result};
use crate::ids::{FacilityId, TypedId as _, WhatsappIntegrationId};

pub(super) const ROUTE: &str = "/webhooks/whatsapp/{facility}/{integration}";
const SIGNATURE: &str = "x-hub-signature-256";
/// The provider says that its calls have at most so much.
const MAX_BYTES: usize = 3 * 1024 * 1024;
/// Longest challenge that is given back.
const MAX_CHALLENGE: usize = 256;

/// What the provider asks with.
#[derive(Deserialize)]
pub(super) struct Handshake {
    #[serde(rename = "hub.mode")]
    mode: String,
    #[serde(rename = "hub.verify_token")]
    token: String,
    #[serde(rename = "hub.challenge")]
    challenge: String,
}

type Named = Path<(String, String)>;

fn address(Path((facility, integration)): Named) -> Option<Address> {
    Some(Address {
        facility: FacilityId::decode(&facility).ok()?,
        integration: WhatsappIntegrationId::decode(&integration).ok()?,
    })
}

/// Whoever calls, who is nobody yet; counted by their address.
fn counted(edge: &Edge, parts: &axum::http::request::Parts) -> Result<Uuid, (Error, Uuid)> {
    let request_id = Uuid::now_v7();
    super::observe::identified(request_id);
    let who = ContextParts {
        actor: Actor::Anonymous,
        facility: FacilityId::PLATFORM,
        purpose: Purpose::Operations,
        request_id,
        ip_address: authentication::client_address(&edge.app, parts).map(|address| address.to_string()),
        user_agent: None,
    };
    edge.rate.check(&who).map_err(|error| {
        edge.app.metrics.rate_limited("whatsapp");
        (error, request_id)
    })?;
    Ok(request_id)
}

/// `GET`: whether the facility has told the provider of this address.
pub(super) async fn handshake(
    State(edge): State<Edge>,
    named: Named,
    query: Result<Query<Handshake>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let request_id = match counted(&edge, &parts) {
        Ok(request_id) => request_id,
        Err((error, request_id)) => return problem::identified(problem::respond(&error, request_id), request_id),
    };
    let answer = match shaken(&edge, named, query.ok()).await {
        Ok(Some(challenge)) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response(),
        Ok(None) => StatusCode::FORBIDDEN.into_response(),
        Err(error) => problem::respond(&error, request_id),
    };
    problem::identified(answer, request_id)
}

async fn shaken(edge: &Edge, named: Named, query: Option<Query<Handshake>>) -> Result<Option<String>> {
    let (Some(address), Some(Query(asked))) = (address(named), query) else { return Ok(None) };
    let sound = asked.mode == "subscribe"
        && asked.challenge.len() <= MAX_CHALLENGE
        && asked.challenge.bytes().all(|byte| byte.is_ascii_graphic());
    let known = sound && receive::handshake(&edge.app, address, &asked.token).await?;
    Ok(known.then_some(asked.challenge))
}

/// `POST`: what happened.
pub(super) async fn receive(State(edge): State<Edge>, named: Named, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = match counted(&edge, &parts) {
        Ok(request_id) => request_id,
        Err((error, request_id)) => return problem::identified(problem::respond(&error, request_id), request_id),
    };
    let answer = match taken(&edge, named, &parts.headers, body).await {
        Ok(Taken::Done) => StatusCode::OK.into_response(),
        Ok(Taken::Unauthorized) => StatusCode::UNAUTHORIZED.into_response(),
        Ok(Taken::Malformed) => StatusCode::BAD_REQUEST.into_response(),
        Err(error) => problem::respond(&error, request_id),
    };
    problem::identified(answer, request_id)
}

async fn taken(edge: &Edge, named: Named, headers: &HeaderMap, body: Body) -> Result<Taken> {
    let Some(address) = address(named) else { return Ok(Taken::Unauthorized) };
    let read = async {
        let whole = axum::body::to_bytes(body, MAX_BYTES).await;
        whole.map_err(|_| Error::Limit("a call may have at most 3145728 bytes".into()))
    };
    let body = multipart::within_time(read).await?;
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    receive::take(&edge.app, address, signature, &body).await
}
