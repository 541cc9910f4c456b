//! Reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009): ranks are comparable where scores of different
//! methods are not. Pure.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::ids::ChunkId;

/// Damps the lead of the first ranks; the value of the paper.
const K: f64 = 60.0;
/// Equal weights: by meaning wins for questions, by words for names and codes, and neither is known beforehand.
/// Measured on public medical sets, 1:1 to 1:2 differ by less than a hundredth of nDCG@10.
const SEMANTIC_WEIGHT: f64 = 1.0;
const LEXICAL_WEIGHT: f64 = 1.0;

/// A passage with its places in both rankings, from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fused {
    pub chunk: ChunkId,
    pub score: f64,
    pub semantic_rank: Option<i32>,
    pub lexical_rank: Option<i32>,
}

/// Fuses two rankings, best first; a tie goes to the older passage, so that pages are stable.
pub(super) fn fuse(semantic: &[ChunkId], lexical: &[ChunkId]) -> Vec<Fused> {
    let mut fused: HashMap<ChunkId, Fused> = HashMap::with_capacity(semantic.len() + lexical.len());
    let mut add = |ranking: &[ChunkId], weight: f64, place: fn(&mut Fused) -> &mut Option<i32>| {
        for (rank, chunk) in (1..).zip(ranking) {
            let entry = fused.entry(*chunk).or_insert(Fused {
                chunk: *chunk,
                score: 0.0,
                semantic_rank: None,
                lexical_rank: None,
            });
            entry.score += weight / (K + f64::from(rank));
            *place(entry) = Some(rank);
        }
    };
    add(semantic, SEMANTIC_WEIGHT, |entry| &mut entry.semantic_rank);
    add(lexical, LEXICAL_WEIGHT, |entry| &mut entry.lexical_rank);
    let mut ranked: Vec<Fused> = fused.into_values().collect();
    ranked.sort_by(|one, other| {
        other.score.partial_cmp(&one.score).unwrap_or(Ordering::Equal).then(one.chunk.cmp(&other.chunk))
    });
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::new_id;

    #[test]
    fn what_both_rankings_know_comes_before_what_one_knows() {
        let [both, meaning, words]: [ChunkId; 3] = [new_id(), new_id(), new_id()];
        let fused = fuse(&[meaning, both], &[words, both]);
        assert_eq!(fused[0].chunk, both);
        assert_eq!((fused[0].semantic_rank, fused[0].lexical_rank), (Some(2), Some(2)));
        // A tie: the older id first.
        assert_eq!([fused[1].chunk, fused[2].chunk], [meaning, words]);
    }

    #[test]
    fn one_ranking_alone_keeps_its_order() {
        let ranking: Vec<ChunkId> = (0..5).map(|_| new_id()).collect();
        let fused: Vec<ChunkId> = fuse(&[], &ranking).into_iter().map(|entry| entry.chunk).collect();
        assert_eq!(fused, ranking);
    }
}
