//! Versions: every state a document was in before it was signed.
//!
//! Whoever changes a document calls [`record`] in the same transaction; the number of a version is the document's own
//! `version` then. Autosaves of one author within [`AUTOSAVE_WINDOW_MINUTES`] are one version. A version is seen where its
//! document is; one of a draft by the note's author alone, for ever: what others see of a note begins with what was
//! declared final. Versions never change, by a trigger, and none is added to a signed note.

mod diff;
pub mod graphql;
pub mod loaders;
pub mod model;
mod repository;
pub mod service;

pub use service::{AUTOSAVE_WINDOW_MINUTES, record};
