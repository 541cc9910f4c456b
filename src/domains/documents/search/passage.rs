//! Passages by their ids, for whoever kept one from a search.

use std::collections::{HashMap, HashSet};

use super::model::Hit;
use super::repository;
use crate::access::{RequestContext, Subject};
use crate::domains::documents::service::sight;
use crate::domains::documents::{policy, processing};
use crate::error::{Error, Result};
use crate::graphql::loaders::Loader;
use crate::ids::{ChunkId, DocumentId};

/// A passage of a document the caller may know of; without ranks, since nothing was searched for.
///
/// # Errors
/// [`Error::NotFound`] when there is none; a denial, or a fault.
pub async fn passage(ctx: &RequestContext, id: ChunkId) -> Result<Hit> {
    passages(ctx, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Passages of documents the caller may know of, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn passages(ctx: &RequestContext, ids: &[ChunkId]) -> Result<Vec<Hit>> {
    let read = ctx.read(&policy::SEARCH).await?;
    let db = read.db()?;
    let rows = repository::passages(db, ctx.facility(), ids).await?;
    let documents: Vec<DocumentId> = rows.iter().map(|row| row.document_id).collect();
    let known = crate::domains::documents::repository::find_by_ids(db, sight(ctx, &read), &documents).await?;
    let known: HashSet<DocumentId> = known.into_iter().map(|document| document.id).collect();
    let keys = read.keys().await?;
    let mut hits = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter(|row| known.contains(&row.document_id)) {
        let subject = Subject::of(row.id);
        if row.patient_ids.is_empty() {
            ctx.note_read(subject);
        }
        row.patient_ids.iter().for_each(|patient| ctx.note_read(subject.in_record_of(*patient)));
        hits.push(Hit {
            chunk: row.id,
            document: row.document_id,
            score: 0.0,
            semantic_rank: None,
            lexical_rank: None,
            highlights: Vec::new(),
            text: processing::open_text(&keys, row.id, &row.text_ciphertext)?,
            page: row.page,
            position: row.position,
            start_char: row.start_char,
            end_char: row.end_char,
            place: row.place(),
            part2: row.part2,
            patients: row.patient_ids,
        });
    }
    Ok(hits)
}

/// Passages by id.
#[derive(Debug)]
pub struct PassageLoader;

impl Loader for PassageLoader {
    type Key = ChunkId;
    type Value = Hit;

    async fn load(ctx: &RequestContext, keys: &[ChunkId]) -> Result<HashMap<ChunkId, Hit>> {
        Ok(passages(ctx, keys).await?.into_iter().map(|hit| (hit.chunk, hit)).collect())
    }
}
