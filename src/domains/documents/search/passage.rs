//! One passage by its id, for whoever kept it from a search.

use super::model::Hit;
use super::repository;
use crate::access::{RequestContext, Subject};
use crate::domains::documents::service::sight;
use crate::domains::documents::{policy, processing};
use crate::error::{Error, Result};
use crate::ids::ChunkId;

/// A passage of a document the caller may know of; without ranks, since nothing was searched for.
///
/// # Errors
/// [`Error::NotFound`] when there is none; a denial, or a fault.
pub async fn passage(ctx: &RequestContext, id: ChunkId) -> Result<Hit> {
    let read = ctx.read(&policy::SEARCH).await?;
    let db = read.db()?;
    let row = repository::passages(db, ctx.facility(), &[id]).await?.pop().ok_or(Error::NotFound)?;
    let known = crate::domains::documents::repository::find_by_id(db, sight(ctx, &read), row.document_id).await?;
    known.ok_or(Error::NotFound)?;
    let subject = Subject::of(id);
    if row.patient_ids.is_empty() {
        ctx.note_read(subject);
    }
    row.patient_ids.iter().for_each(|patient| ctx.note_read(subject.in_record_of(*patient)));
    Ok(Hit {
        chunk: id,
        document: row.document_id,
        score: 0.0,
        semantic_rank: None,
        lexical_rank: None,
        highlights: Vec::new(),
        text: processing::open_text(&*read.keys().await?, id, &row.text_ciphertext)?,
        page: row.page,
        position: row.position,
        start_char: row.start_char,
        end_char: row.end_char,
        place: row.place(),
        part2: row.part2,
    })
}
