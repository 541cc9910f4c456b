//! Operations: what keeps the server going, for those who run it.
//!
//! Jobs that failed for good are listed, tried again or given up by a person; their payload is shown to nobody.
//! [`keys`] rotates and destroys the keys of facilities, for the command line alone.

pub mod graphql;
pub mod keys;
pub mod model;
pub mod policy;
mod repository;
pub mod service;
