//! The audit log: what was done, seen, refused and denied, by whom and for what purpose.
//!
//! Invariants: a write cannot commit without its audit row (`access::Write`); what a request read is
//! written before its response is sent; a row holds ids, counts and names of columns, never values.

mod entry;
mod reads;

pub use entry::{Entry, Outcome, Who};
pub use reads::Reads;
