//! The audit log: what was done, seen, refused and denied, by whom and for what purpose.
//!
//! Invariants: a write cannot commit without its audit row (`access::Write`); what a request read is
//! written before its response is sent; a row holds ids, counts and names of columns, never values.

mod block;
mod entry;
mod reads;
mod seal;
mod verify;

pub use block::Checkpoint;
pub use entry::{Entry, Outcome, Who};
pub use reads::Reads;
pub use seal::{checkpoint, facilities, seal, seal_all};
pub use verify::{Fault, Verified, verify};
