//! Whether the process lives, and whether it can serve.

use axum::extract::State;
use axum::http::StatusCode;

use super::Edge;

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> &'static str {
    "live"
}

/// `GET /health/ready`: the database answers too.
pub(super) async fn ready(State(edge): State<Edge>) -> (StatusCode, &'static str) {
    match edge.app.database.ping(edge.app.clock.now()).await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(error) => {
            tracing::warn!(code = error.code(), "not ready: the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
        }
    }
}
