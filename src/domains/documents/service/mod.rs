//! Operations on documents, named as a clinician or a clerk would, split by what they are about.

mod content;
mod links;
mod notes;
mod read;
mod sign;
mod sweep;
mod update;
mod upload;

pub(super) use content::require_clean;
pub use content::{Download, download_link, open_content};
pub(super) use links::link_new;
pub use links::{link_patients, unlink_patient};
pub use notes::{add_to_note, create_note, finalize_note, update_note};
pub use read::{
    addenda_of, count_documents, document, documents_by_ids, documents_of_patients, list_documents, signature,
    signatures_of, texts_of,
};
pub use sign::sign_note;
pub use sweep::sweep_orphans;
pub use update::{retry_document, update_document};
pub(super) use upload::upload_in_batch;
pub use upload::{Staged, Uploader, begin_upload, upload_document};

use super::model::{DocumentRow, NoteState, Refusal};
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
    Sight { facility: ctx.facility(), kinds: policy::readable_kinds(door), user: ctx.user().ok() }
}

/// A document about to be changed: there, to be seen, and not signed.
pub(super) async fn changeable(tx: &Tx, id: DocumentId) -> Result<DocumentRow, Stop<Refusal>> {
    let row = repository::find_by_id(tx.db()?, sight(tx.ctx(), tx), id).await?.ok_or(Error::NotFound)?;
    match row.note_state {
        Some(NoteState::Signed) => Err(signed()),
        Some(_) if row.author_id != tx.ctx().user().ok() => Err(not_author()),
        _ => Ok(row),
    }
}

fn signed() -> Stop<Refusal> {
    Stop::refuse(Refusal::Signed, &["input", "id"], "the note is signed: write an addendum instead")
}

fn not_author() -> Stop<Refusal> {
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
