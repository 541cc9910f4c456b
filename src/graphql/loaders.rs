//! What loaders share.

use std::sync::Arc;

use async_graphql::Context;

use crate::error::Error;

/// A loader's error: every edge of the batch gets the same one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub Arc<Error>);

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// An edge that is null with its error told beside it, as the specification wants of a nullable field. Left to
/// itself, async-graphql 7 leaves the field out of the data.
pub fn or_null<T>(ctx: &Context<'_>, outcome: Result<T, LoadError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let error = async_graphql::Error::from(error).into_server_error(ctx.item.pos);
            ctx.add_error(ctx.set_error_path(error));
            None
        }
    }
}
