//! Operations on documents, named as a clinician or a clerk would, split by what they are about.

mod content;
mod export;
mod label;
mod links;
mod notes;
mod print;
mod read;
mod sign;
mod sweep;
mod update;
mod upload;

pub(super) use content::require_clean;
pub use content::{Download, download_link, open_content};
pub use export::bundles_of;
pub use label::label_document;
pub(super) use links::link_new;
pub use links::{link_patients, unlink_patient};
pub(super) use notes::{Draft, a_draft, begin_addendum, begin_draft, set_text};
pub use notes::{add_to_note, autosave_note, create_note, finalize_note, reopen_note, update_note};
pub use read::{
    addenda_of, are_readable, count_documents, document, documents_by_ids, documents_of_patients, list_documents,
    signature, signatures_of, texts_of,
};
pub use sign::{cosign_note, sign_note};
pub use sweep::{look_after_search, sweep_orphans};
pub use update::{retry_document, update_document};
pub(super) use upload::upload_in_batch;
pub use upload::{Staged, Uploader, begin_upload, upload_document};

use super::model::{DocumentKind, DocumentRow, NoteState, Refusal};
use super::policy::{self, Door};
use super::repository::{self, Sight};
use crate::access::{RequestContext, Tx};
use crate::error::{Error, Result, Stop};
use crate::ids::{DocumentId, TypedId as _};
use crate::jobs::{self, NewJob};

/// Kind of the job that reads a file and prepares it for search.
pub const EXTRACT_JOB: &str = "documents.extract";
/// Kind of the job that prepares a note for search.
pub const INDEX_NOTE_JOB: &str = "documents.index_note";

/// What this actor may know of.
pub(super) fn sight(ctx: &RequestContext, door: &impl Door) -> Sight {
    Sight {
        facility: ctx.facility(),
        kinds: policy::readable_kinds(door),
        part2: door.allows(&policy::PART2_READ),
        user: ctx.user().ok(),
    }
}

/// A document about to be changed: there, to be seen, and not signed.
pub(super) async fn changeable(tx: &Tx, id: DocumentId) -> Result<DocumentRow, Stop<Refusal>> {
    let row = repository::find_by_id(tx.db()?, sight(tx.ctx(), tx), id).await?.ok_or(Error::NotFound)?;
    match row.note_state {
        Some(NoteState::Signed) => Err(signed()),
        Some(NoteState::AwaitingCosignature) => Err(awaiting()),
        Some(_) if row.author_id != tx.ctx().user().ok() => Err(not_author()),
        _ => Ok(row),
    }
}

/// A kind that a document of another may be given.
pub(super) fn same_class(before: DocumentKind, after: DocumentKind) -> Result<(), Stop<Refusal>> {
    let apart = |kind| kind == DocumentKind::PsychotherapyNote;
    if apart(before) == apart(after) { Ok(()) } else { Err(repository::kept_apart()) }
}

fn signed() -> Stop<Refusal> {
    Stop::refuse(Refusal::Signed, &["input", "id"], "the note is signed: write an addendum instead")
}

fn awaiting() -> Stop<Refusal> {
    let message = "the note is signed by its author and waits for the co-signature";
    Stop::refuse(Refusal::AwaitingCosignature, &["input", "id"], message)
}

pub(super) fn not_author() -> Stop<Refusal> {
    Stop::refuse(Refusal::NotAuthor, &["input", "id"], "only the author of a note may do this")
}

/// What an update that touched no row means, once the document is known to be there.
pub(super) fn stale() -> Stop<Refusal> {
    Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], "the document changed since it was read")
}

/// Queues a document for search, once.
async fn enqueue(tx: &Tx, kind: &'static str, id: DocumentId) -> Result<()> {
    let mut job = NewJob::new(tx.ctx().facility(), kind, serde_json::json!({ "documentId": id }));
    job.deduplication_key = Some(id.uuid().to_string());
    jobs::enqueue(tx, job).await?;
    Ok(())
}
