//! GraphQL over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_graphql::{Request, Response as GraphqlResponse, ServerError};
use async_graphql_axum::GraphQLRequest;
use axum::extract::{FromRequest as _, FromRequestParts, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use tracing::{Instrument as _, field};

use super::subscriptions::{sse, websocket};
use super::{Edge, authentication, multipart};
use crate::access::{ContextParts, RequestContext};
use crate::app::App;
use crate::db::counting;
use crate::error::{Error, Result};
use crate::graphql::limits::Limits;
use crate::graphql::loaders::batched;
use crate::graphql::observe::{Observed, Observing};
use crate::graphql::{AnamnesisSchema, builder, errors};
use crate::telemetry::TRACE;

/// Nesting of brackets the parser follows before it gives up.
const RECURSION: usize = 64;
const RESPONSE_JSON: &str = "application/graphql-response+json";

/// Directives on one field: none of ours needs more, and each costs.
const MAX_DIRECTIVES: usize = 10;

/// The schema with its limits.
pub(super) fn schema(app: &App) -> AnamnesisSchema {
    let mut schema = builder()
        .limit_directives(MAX_DIRECTIVES)
        .limit_recursive_depth(RECURSION)
        .extension(Limits::of(&app.config))
        .extension(Observing)
        .extension(app.persisted.clone());
    if !app.config.introspection_open() {
        schema = schema.disable_introspection();
    }
    schema.finish()
}

/// Who asks, or the answer that says they are not let in.
pub(super) struct Caller(ContextParts);

impl FromRequestParts<Edge> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Response> {
        authentication::identify(&edge.app, parts).map(Self).map_err(|error| {
            let modern = accepts_response_json(&parts.headers);
            respond(failed(error), modern, uuid::Uuid::now_v7())
        })
    }
}

/// `POST /graphql`.
pub(super) async fn post(
    State(edge): State<Edge>,
    caller: Caller,
    headers: axum::http::HeaderMap,
    request: HttpRequest,
) -> Response {
    let (modern, request_id) = (accepts_response_json(&headers), caller.0.request_id);
    if let Err(refused) = admit(&edge, &caller, modern) {
        return *refused;
    }
    let ctx = RequestContext::new(edge.app.clone(), caller.0);
    let read = if multipart::is_multipart(&headers) {
        multipart::graphql(&ctx, request).await
    } else {
        read_operation(request, edge.app.config.max_body_bytes).await
    };
    match read {
        Ok(request) if sse::wanted(&headers) => sse::respond(&edge, ctx, request),
        Ok(request) => execute(edge, ctx, &headers, request).boxed().await,
        Err(error) => {
            let too_large = matches!(error, Error::Limit(_));
            // A denial of the upload is on record before the answer.
            let error = ctx.finish().await.err().unwrap_or(error);
            let mut response = respond(failed(error), modern, request_id);
            if too_large {
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            }
            response
        }
    }
}

/// An operation without files, no larger than allowed.
async fn read_operation(request: HttpRequest, limit: usize) -> Result<Request> {
    let (parts, body) = request.into_parts();
    let too_large = |_| Error::Limit(format!("a request may have at most {limit} bytes").into());
    let body = axum::body::to_bytes(body, limit).await.map_err(too_large)?;
    let request = HttpRequest::from_parts(parts, body.into());
    let read = GraphQLRequest::<async_graphql_axum::rejection::GraphQLRejection>::from_request(request, &()).await;
    read.map(GraphQLRequest::into_inner).map_err(|_| Error::bad_input("the request is not a GraphQL request"))
}

/// `GET /graphql`: a websocket, or a query.
pub(super) async fn get(
    State(edge): State<Edge>,
    upgrade: Option<websocket::Upgrade>,
    request: HttpRequest,
) -> Response {
    if let Some(upgrade) = upgrade {
        return websocket::respond(edge, upgrade);
    }
    let (mut parts, body) = request.into_parts();
    let caller = match Caller::from_request_parts(&mut parts, &edge).await {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    let headers = parts.headers.clone();
    let request = GraphQLRequest::<async_graphql_axum::rejection::GraphQLRejection>::from_request(
        HttpRequest::from_parts(parts, body),
        &(),
    );
    match request.await {
        Ok(request) => query(edge, caller, headers, request).await,
        Err(rejected) => rejected.into_response(),
    }
}

/// A query in the address.
async fn query(edge: Edge, caller: Caller, headers: axum::http::HeaderMap, request: GraphQLRequest) -> Response {
    let (modern, mut request) = (accepts_response_json(&headers), request.into_inner());
    if let Err(refused) = admit(&edge, &caller, modern) {
        return *refused;
    }
    if !is_query(&mut request) {
        let refused = failed(Error::bad_input("only queries may be sent by GET"));
        let mut response = respond(refused, modern, caller.0.request_id);
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    }
    let ctx = RequestContext::new(edge.app.clone(), caller.0);
    execute(edge, ctx, &headers, request).boxed().await
}

/// Refuses who asks too often, before anything of the request is read.
fn admit(edge: &Edge, caller: &Caller, modern: bool) -> Result<(), Box<Response>> {
    edge.rate.check(&caller.0).map_err(|error| {
        edge.app.metrics.rate_limited("graphql");
        let wait = if let Error::RateLimited(seconds) = error { seconds } else { 1 };
        let mut response = respond(failed(error), modern, caller.0.request_id);
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        Box::new(response)
    })
}

async fn execute(edge: Edge, ctx: RequestContext, headers: &axum::http::HeaderMap, request: Request) -> Response {
    let (modern, request_id) = (accepts_response_json(headers), ctx.parts().request_id);
    let (observed, statements, begun) = (Observed::default(), Arc::new(AtomicU64::new(0)), Instant::now());
    let (document_hash, outcome) = (field::Empty, field::Empty);
    let span = tracing::info_span!(
        target: TRACE, "operation", graphql.operation.type = field::Empty, document_hash, outcome, statements = field::Empty
    );
    let request = request.data(ctx.clone()).data(authentication::cookies(headers)).data(observed.clone());
    // On the heap once: an operation is large, and is handed through many layers.
    let answer = answered(&edge, &ctx, request).boxed();
    let answer = counting(Arc::clone(&statements), answer).instrument(span.clone()).await;
    let answer = sealed(answer, request_id);
    let (outcome, statements) = (outcome_of(&answer), statements.load(Ordering::Relaxed));
    edge.app.metrics.operation(observed.kind(), outcome, begun.elapsed(), statements);
    span.record("graphql.operation.type", observed.kind());
    span.record("document_hash", observed.document_hash());
    span.record("outcome", outcome);
    span.record("statements", statements);
    written(answer, modern, request_id)
}

/// Runs an operation and puts on record what it read, before that is shown.
async fn answered(edge: &Edge, ctx: &RequestContext, request: Request) -> GraphqlResponse {
    let limit = Duration::from_secs(edge.app.config.request_seconds);
    let operation = batched(|loads| edge.schema.execute(request.data(loads)));
    let (response, ended) = match tokio::time::timeout(limit, operation).await {
        Ok(response) => (response, ctx.finish().await),
        // What still runs would be waited for otherwise.
        Err(_) => (failed(Error::Timeout), ctx.abandon().await),
    };
    ended.map_or_else(failed, |()| response)
}

/// How an operation ended, by the first of its errors. What a rule refused went well.
pub(super) fn outcome_of(response: &GraphqlResponse) -> &'static str {
    match code(response) {
        None if response.errors.is_empty() => "ok",
        Some("UNAUTHENTICATED" | "FORBIDDEN" | "NOT_FOUND") => "denied",
        Some("TIMEOUT") => "timeout",
        Some("UNAVAILABLE" | "INTERNAL_SERVER_ERROR") => "fault",
        None | Some(_) => "invalid",
    }
}

fn is_query(request: &mut Request) -> bool {
    use async_graphql::parser::types::OperationType;
    let name = request.operation_name.clone();
    request.parsed_query().is_ok_and(|document| {
        document
            .operations
            .iter()
            .filter(|(operation, _)| name.is_none() || operation.map(AsRef::as_ref) == name.as_deref())
            .all(|(_, operation)| operation.node.ty == OperationType::Query)
    })
}

pub(super) fn failed(error: Error) -> GraphqlResponse {
    let mut server = ServerError::new(error.to_string(), None);
    server.source = Some(Arc::new(error));
    GraphqlResponse::from_errors(vec![server])
}

fn accepts_response_json(headers: &axum::http::HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains(RESPONSE_JSON))
}

/// Every error with its code, and nothing of ours told.
pub(super) fn sealed(mut response: GraphqlResponse, request_id: uuid::Uuid) -> GraphqlResponse {
    errors::seal(&mut response, request_id);
    response
}

fn respond(response: GraphqlResponse, modern: bool, request_id: uuid::Uuid) -> Response {
    written(sealed(response, request_id), modern, request_id)
}

/// Status codes of the GraphQL over HTTP specification: with its own media type, a request that was not
/// executed is a client error; with plain JSON it is 200, for clients that look no further.
fn written(mut response: GraphqlResponse, modern: bool, request_id: uuid::Uuid) -> Response {
    let status = if modern { status(&response) } else { StatusCode::OK };
    let media = if modern { RESPONSE_JSON } else { "application/json" };
    let body = serde_json::to_vec(&response).unwrap_or_else(|_| b"{\"errors\":[]}".to_vec());
    let mut http = (status, body).into_response();
    // Cookies that resolvers set; what comes below is ours alone.
    http.headers_mut().extend(std::mem::take(&mut response.http_headers));
    http.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    http.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        http.headers_mut().insert("x-request-id", value);
    }
    http
}

/// The code of the first error.
fn code(response: &GraphqlResponse) -> Option<&str> {
    match response.errors.first()?.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(code),
        _ => None,
    }
}

fn status(response: &GraphqlResponse) -> StatusCode {
    if response.data != async_graphql::Value::Null || response.errors.is_empty() {
        return StatusCode::OK;
    }
    match code(response) {
        Some("UNAUTHENTICATED") => StatusCode::UNAUTHORIZED,
        Some("FORBIDDEN") => StatusCode::FORBIDDEN,
        Some("RATE_LIMITED") => StatusCode::TOO_MANY_REQUESTS,
        Some("UNAVAILABLE") => StatusCode::SERVICE_UNAVAILABLE,
        Some("TIMEOUT") => StatusCode::GATEWAY_TIMEOUT,
        Some("INTERNAL_SERVER_ERROR") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
