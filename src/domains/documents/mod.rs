//! Uploaded files and authored notes: stored, linked to patients, signed, downloaded.
//!
//! Invariants: a file is encrypted before it reaches the store, its kind is told from its bytes, and an upload is
//! acknowledged only when its row has committed; a draft is seen by its author alone; a signed note never changes,
//! by the database's own trigger, and is only added to; every state before is kept as a version; a psychotherapy note is
//! its author's alone and never read into search; administrative roles see administrative kinds and nothing of
//! the others, not even that they exist; a restricted therapist sees documents of charts open to them, by the
//! database's own policy.
//!
//! Of visits it knows which one a document is of; of claims and messages nothing. How text gets out of a file is
//! told in `processing`, how it is found in `search`; the rest only queues a document for them. What a document was before
//! is told in `versions`, what forms a note is made of in `templates`,
//! whose notes need a co-signature in `supervision`, how a signed note leaves the server in `bundle`,
//! how a patient has one corrected in `amendments`, what a patient sees in `portal`.

pub mod amendments;
pub mod batch;
pub mod bundle;
mod changes;
pub mod export;
pub mod graphql;
pub mod lexemes;
pub mod loaders;
pub mod model;
mod pdf;
pub mod policy;
pub mod portal;
pub mod processing;
pub mod proposals;
mod repository;
mod sealing;
pub mod search;
pub mod service;
mod signing;
pub mod supervision;
pub mod templates;
#[cfg(test)]
mod tests;
mod validation;
pub mod versions;
pub mod work;
