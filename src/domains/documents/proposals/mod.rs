//! What a document's own text proposes: its kind, its day, whom it is about, and that it is there already.
//!
//! Invariants: nothing is applied unasked, a person accepts or dismisses each proposal; what names a patient or another
//! document is shown only to who may see that one; reading a document anew replaces what is still open and proposes
//! nothing again that was dismissed.

mod finding;
pub mod graphql;
pub mod loader;
mod repository;
pub mod service;
