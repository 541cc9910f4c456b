//! What a portal user sees of documents, and how they ask for a correction.
//!
//! Invariants: notes alone, final or signed, about the patient and nobody else; never a psychotherapy note, never one
//! labelled 42 CFR Part 2, which needs a consent of its own. For a member whose only role is patient the database holds
//! the same (`linked` in `src/db/replaceable/50_documents.sql`).

pub mod graphql;
mod repository;
pub mod service;
