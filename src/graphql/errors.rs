//! How errors leave the server: a closed set of codes, fixed sentences for our own faults, the chain
//! logged once and never sent.

use async_graphql::{Response, ServerError, Value};
use uuid::Uuid;

use super::loaders::LoadError;
use crate::error::Error;

/// Gives every error of a response its code and hides what is ours.
pub fn seal(response: &mut Response, request_id: Uuid) {
    for error in &mut response.errors {
        seal_one(error, request_id);
    }
}

fn seal_one(error: &mut ServerError, request_id: Uuid) {
    if let Some(LoadError(shared)) = error.source::<LoadError>().cloned() {
        error.source = Some(shared);
    }
    let ours = error.source::<Error>().map(|ours| (ours.code(), ours.is_fault(), ours.to_string()));
    let code = match ours {
        Some((code, true, sentence)) => {
            if let Some(ours) = error.source::<Error>() {
                log_fault(ours, request_id);
            }
            error.message = format!("{sentence}; quote request {request_id}");
            code
        }
        Some((code, false, _)) => code,
        // A resolver error that is not ours is a fault of ours; without a path it is the document's.
        None if error.source.is_some() => {
            tracing::error!(%request_id, "a resolver failed with an unknown error");
            error.message = format!("something went wrong on our side; quote request {request_id}");
            "INTERNAL_SERVER_ERROR"
        }
        None if has_code(error) => return,
        None if error.path.is_empty() => "GRAPHQL_VALIDATION_FAILED",
        None => "BAD_USER_INPUT",
    };
    error.extensions.get_or_insert_default().set("code", Value::from(code));
}

fn has_code(error: &ServerError) -> bool {
    error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some())
}

/// Logs a fault with its chain. SQL errors name constraints and columns, not values: `Debug` of the chain
/// is not used, and database details, which may quote a row, are left out.
pub fn log_fault(error: &Error, request_id: Uuid) {
    let mut chain = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        chain.push(source.to_string());
        cause = source.source();
    }
    tracing::error!(%request_id, code = error.code(), cause = chain.join(": "), "a request failed");
}
