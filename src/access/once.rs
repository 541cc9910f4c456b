//! Idempotency: what a client promises of a mutation it may send twice.

use crate::error::{Error, Result};

/// A promise that a mutation happens once: the client's key, and a keyed hash of what it sent.
#[derive(Debug, Clone)]
pub struct Once {
    /// As the client sent it: looked at once the write is authorized.
    pub key: String,
    pub fingerprint: [u8; 8],
}

impl Once {
    /// Longest key, in bytes.
    const MAX_KEY: usize = 200;

    /// # Errors
    /// [`Error::BadInput`] for what cannot be a key.
    pub(super) fn check(&self) -> Result<()> {
        if self.key.is_empty() || self.key.len() > Self::MAX_KEY || self.key.chars().any(char::is_control) {
            let most = Self::MAX_KEY;
            return Err(Error::bad_input(format!("`idempotencyKey` must be 1 to {most} printable characters")));
        }
        Ok(())
    }
}
