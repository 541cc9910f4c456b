//! The edge: HTTP in, HTTP out. Knows no domain but identity, whose tokens it reads.

mod authentication;
mod graphql;
mod headers;
mod health;
mod playground;
mod rate;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;

pub use server::serve;

use crate::app::App;
use crate::graphql::AnamnesisSchema;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) app: Arc<App>,
    pub(crate) schema: AnamnesisSchema,
    pub(crate) rate: Arc<rate::RateLimit>,
}

/// Every route of the server.
pub fn router(app: Arc<App>) -> Router {
    let schema = graphql::schema(&app);
    let body = app.config.max_body_bytes;
    let cors = headers::cors(&app.config);
    let playground = app.config.playground_open();
    let rate = Arc::new(rate::RateLimit::new(app.config.requests_per_minute));
    let edge = Edge { app, schema, rate };
    let mut routes = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .layer(RequestBodyLimitLayer::new(body))
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
}
