//! What loaders share.

use std::sync::Arc;

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
