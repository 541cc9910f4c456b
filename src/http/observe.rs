//! A span and a count for every request: by route and status, never by path.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;
use uuid::Uuid;

use crate::app::App;
use crate::telemetry::TRACE;

/// Counts the request and spans it.
pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = route(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    let span = tracing::info_span!(
        target: TRACE, "request", http.route = route, http.request.method = method(request.method()),
        http.response.status_code = Empty, request_id = Empty,
    );
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    app.metrics.request(route, status);
    response
}

/// Names the request on its span, once it has an id.
pub(super) fn identified(request_id: Uuid) {
    tracing::Span::current().record("request_id", tracing::field::display(request_id));
}

/// The routes there are; a path that is none of them is whatever somebody sent.
fn route(matched: Option<&str>) -> &'static str {
    match matched {
        Some("/") => "/",
        Some("/graphql") => "/graphql",
        Some("/documents") => "/documents",
        Some("/documents/{id}/content") => "/documents/{id}/content",
        Some("/conversations/{id}/content") => "/conversations/{id}/content",
        Some(super::whatsapp::ROUTE) => super::whatsapp::ROUTE,
        Some("/health/live") => "/health/live",
        Some("/health/ready") => "/health/ready",
        _ => "other",
    }
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}
