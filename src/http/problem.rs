//! Errors of plain HTTP routes: the codes of GraphQL under the status that says the same.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use uuid::Uuid;

use crate::error::Error;
use crate::graphql::errors::log_fault;

/// An error as an answer. A fault is logged with its chain, once, and shown as a sentence.
pub(super) fn respond(error: &Error, request_id: Uuid) -> Response {
    let message = if error.is_fault() {
        log_fault(error, request_id);
        format!("{error}; quote request {request_id}")
    } else {
        error.to_string()
    };
    let status = match error {
        Error::Unauthenticated => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::BadInput(_) => StatusCode::BAD_REQUEST,
        Error::CursorExpired => StatusCode::GONE,
        Error::Limit(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::Timeout => StatusCode::REQUEST_TIMEOUT,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": error.code() } }] });
    (status, axum::Json(body)).into_response()
}

/// Gives an answer the id of its request, and keeps it out of caches.
pub(super) fn identified(mut response: Response, request_id: Uuid) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
