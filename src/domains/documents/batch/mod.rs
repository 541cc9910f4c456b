//! Files sent together: each becomes a document, or is refused, on its own.
//!
//! Invariants: a batch is on record before its first file is; a file is recorded in its batch in the transaction that
//! makes its document; a batch is seen by whoever sent it; sent again under the same idempotency key, nothing is kept
//! twice.

pub mod graphql;
mod repository;
pub mod service;
