//! The edge: HTTP in, HTTP out. Knows no domain but identity, whose tokens it reads.

mod authentication;
mod documents;
mod graphql;
mod headers;
mod health;
mod metrics;
mod multipart;
mod observe;
mod playground;
mod problem;
mod rate;
mod server;
mod subscriptions;
mod whatsapp;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use metrics::serve as serve_metrics;
pub use server::serve;

use crate::app::App;
use crate::graphql::AnamnesisSchema;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) app: Arc<App>,
    pub(crate) schema: AnamnesisSchema,
    pub(crate) rate: Arc<rate::RateLimit>,
    /// The server is stopping: whoever listens is told to connect again.
    pub(crate) closing: CancellationToken,
}

/// Every route of the server, until it is `closing`.
pub fn router(app: Arc<App>, closing: CancellationToken) -> Router {
    let schema = graphql::schema(&app);
    let cors = headers::cors(&app.config);
    let playground = app.config.playground_open();
    let rate = Arc::new(rate::RateLimit::new(app.config.requests_per_minute));
    let edge = Edge { app: Arc::clone(&app), schema, rate, closing };
    let mut routes = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/documents", post(documents::upload))
        .route("/documents/{id}/content", get(documents::download))
        .route("/conversations/{id}/content", get(documents::download))
        .route(whatsapp::ROUTE, get(whatsapp::handshake).post(whatsapp::receive))
        // Each handler counts what it reads: an operation and a file have different limits.
        .layer(DefaultBodyLimit::disable())
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    if playground {
        routes = routes.route("/", get(playground::page));
    }
    routes
        .with_state(edge)
        .layer(axum::middleware::from_fn(headers::security))
        .layer(cors)
        .layer(CatchPanicLayer::custom(headers::panicked))
        .layer(axum::middleware::from_fn_with_state(app, observe::observe))
}
