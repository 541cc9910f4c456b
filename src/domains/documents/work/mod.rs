//! What staff do with documents that come in: whose they are to look at, whether that is done, how long they are kept, and
//! what may not be touched because a court may ask for it.
//!
//! Invariants: an uploaded file waits for a review until somebody says it is done; the inbox shows what its reader may
//! know of and nothing else; a hold has a reason, is on record for good and is released with another reason; while it
//! lasts the database itself keeps the document, its content and whom it is about. Nothing is deleted here: a retention
//! class says by which rule a facility keeps a document, and no more.

pub mod graphql;
pub mod loader;
pub mod model;
mod repository;
mod sealing;
pub mod service;
