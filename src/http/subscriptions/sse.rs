//! GraphQL over server-sent events, in the mode of distinct connections: a request to `/graphql` that accepts
//! `text/event-stream` is answered by `next` events and one `complete`.

use std::convert::Infallible;
use std::time::Duration;

use async_graphql::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{StreamExt as _, once};

use super::{Edge, Open, answers};
use crate::access::RequestContext;

/// How often something is sent for proxies that cut silent connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Whether the client asks for events.
pub(in super::super) fn wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|media| media.trim().starts_with("text/event-stream"))
}

/// Answers an operation with events.
pub(in super::super) fn respond(edge: &Edge, ctx: RequestContext, request: Request) -> Response {
    let (open, request_id) = (Open::new(edge, "sse"), ctx.parts().request_id);
    let next = answers(edge, ctx, request).map(|answer| {
        let data = serde_json::to_string(&answer).unwrap_or_else(|_| "{\"errors\":[]}".to_owned());
        Event::default().event("next").data(data)
    });
    let complete = once(async { Event::default().event("complete").data("") });
    // A server that is stopping breaks off without `complete`: clients then come again, and go on with `after`.
    let closing = edge.closing.clone().cancelled_owned();
    let events = next.chain(complete).take_until(closing).map(move |event| {
        let _ = &open;
        Ok::<_, Infallible>(event)
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that collects an answer before it passes it on would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert("x-request-id", value);
    }
    response
}
