//! The second stage: the first of a ranking, put in order by a cross-encoder that reads query and passage together.

use std::collections::HashSet;

use super::fusion::Fused;
use super::repository;
use crate::access::Read;
use crate::domains::documents::processing;
use crate::error::{Error, Result};
use crate::ids::ChunkId;
use crate::phi::Phi;

/// How many are read again.
const FIRST: usize = 50;

/// Puts the first in order; `false` when the cross-encoder did not answer, and all stays as it was.
///
/// # Errors
/// [`Error::BadInput`] where the server has no cross-encoder; a fault.
pub(super) async fn rerank(read: &Read, query: &Phi<String>, ranked: &mut [Fused]) -> Result<bool> {
    let Some(reranker) = &read.ctx().app().reranker else {
        return Err(Error::bad_input("`mode` cannot be RERANKED: this server has no reranker"));
    };
    let count = ranked.len().min(FIRST);
    let ids: Vec<ChunkId> = ranked[..count].iter().map(|entry| entry.chunk).collect();
    let rows = repository::passages(read.db()?, read.ctx().facility(), &ids).await?;
    let keys = read.keys().await?;
    let mut texts: Vec<(ChunkId, Phi<String>)> = Vec::with_capacity(rows.len());
    // A disclosure that nobody has consented to: what is labelled stays behind those that were read again.
    for row in rows.into_iter().filter(|row| !row.part2) {
        texts.push((row.id, processing::open_text(&keys, row.id, &row.text_ciphertext)?));
    }
    let passages: Vec<&str> = texts.iter().map(|(_, text)| text.reveal_str()).collect();
    let scores = match reranker.scores(query.reveal_str(), &passages).await {
        Ok(scores) => scores,
        Err(error) => {
            tracing::warn!(%error, "passages could not be reranked");
            return Ok(false);
        }
    };
    for ((chunk, _), score) in texts.iter().zip(scores) {
        if let Some(entry) = ranked[..count].iter_mut().find(|entry| entry.chunk == *chunk) {
            // What was read again stands above what was not.
            entry.score = f64::midpoint(1.0, share(score));
        }
    }
    let read_again: HashSet<ChunkId> = texts.iter().map(|(chunk, _)| *chunk).collect();
    ranked.iter_mut().filter(|entry| !read_again.contains(&entry.chunk)).for_each(|entry| entry.score /= 2.0);
    ranked[..count].sort_by(|one, other| other.score.total_cmp(&one.score).then(one.chunk.cmp(&other.chunk)));
    Ok(true)
}

/// Cross-encoders give logits; some servers turn them into probabilities. Either way from 0 to 1, in the same order.
fn share(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}
