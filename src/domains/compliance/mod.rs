//! Compliance: the audit log, for those who answer for it.
//!
//! Invariants: reading the log is itself recorded, with what was asked for; a row holds ids, counts and names
//! of columns, so it may be shown as it is; nothing here writes, changes or seals a row (see `crate::audit`).

pub mod graphql;
pub mod model;
pub mod policy;
mod repository;
pub mod service;
