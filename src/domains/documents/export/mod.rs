//! The documents of one patient as one archive, for whoever may let a record out.
//!
//! A ZIP with the files as they were uploaded, the notes as text, an index for programs (`index.json`) and for people
//! (`index.txt`), and the SHA-256 of each (`checksums.sha256`, as `sha256sum -c` reads it). It is made by a job, streamed
//! from store to store and encrypted like any file, fetched through a short-lived link by whoever asked for it, and gone
//! after seven days.
//!
//! Invariants: a draft, a file with a virus and a psychotherapy note are never in it, a document labelled 42 CFR Part 2 only
//! where whoever asked may read such, and then with the notice;
//! whoever fetches it is asked for the permission again, and that they did is on record in the patient's record.

pub mod graphql;
pub(super) mod job;
mod repository;
pub mod service;

use std::sync::Arc;

use crate::jobs::Handlers;

/// Makes an archive. Payload: `{"exportId": …}`.
pub const EXPORT_JOB: &str = "documents.export";

/// Adds the job of this part of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(EXPORT_JOB, Arc::new(job::MakeExport));
}
