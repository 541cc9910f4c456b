//! One ranking out of two, by their scores. Pure.
//!
//! Ranks alone (reciprocal rank fusion) let the ranking by words push aside what was found by meaning even where the
//! words found are few and common. Scores say how sure each is: cosine similarity, and BM25 as a share of what a
//! passage with all words of the query could reach, so that a passage with one common word of five counts for little.
//! Figures in `docs/search-quality.md`.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::model::DocumentSearchMode;
use crate::ids::{ChunkId, DocumentId};

/// What the ranking by words weighs beside that by meaning, up to [`SHORT`] words. Tuned on the halves named in
/// `docs/search-quality.md`.
const LEXICAL_WEIGHT: f64 = 0.4;
/// Of a longer query no passage has most words: what share of them it has is worth more, by the square of its length, up
/// to [`LONG`] words. Beyond, queries tell a story, and its words say less.
const SHORT: f64 = 6.0;
const LONG: f64 = 15.0;

/// A passage of one ranking; its score is from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub chunk: ChunkId,
    pub document: DocumentId,
    pub score: f64,
}

/// A passage with its places in both rankings, from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fused {
    pub chunk: ChunkId,
    pub document: DocumentId,
    pub score: f64,
    pub semantic_rank: Option<i32>,
    pub lexical_rank: Option<i32>,
}

/// How the two rankings are weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    meaning: f64,
    words: f64,
}

impl Weights {
    /// For a query of so many lexemes. They add up to 1, and so a score is at most 1.
    pub(super) fn of(mode: DocumentSearchMode, lexemes: usize) -> Self {
        match mode {
            DocumentSearchMode::Hybrid | DocumentSearchMode::Reranked => {
                let length = f64::from(u32::try_from(lexemes).unwrap_or(u32::MAX)).clamp(SHORT, LONG) / SHORT;
                let words = LEXICAL_WEIGHT * length * length;
                Self { meaning: 1.0 / (1.0 + words), words: words / (1.0 + words) }
            }
            DocumentSearchMode::Semantic => Self { meaning: 1.0, words: 0.0 },
            DocumentSearchMode::Lexical => Self { meaning: 0.0, words: 1.0 },
        }
    }
}

/// Fuses two rankings, best first; a tie goes to the older passage, so that pages are stable.
pub(super) fn fuse(weights: Weights, semantic: &[Candidate], lexical: &[Candidate]) -> Vec<Fused> {
    let Weights { meaning, words } = weights;
    // What is not among the nearest is at most as near as the last of them.
    let floor = semantic.last().map_or(0.0, |last| last.score.max(0.0));
    let mut fused: HashMap<ChunkId, Fused> = HashMap::with_capacity(semantic.len() + lexical.len());
    let entry = |candidate: &Candidate| Fused {
        chunk: candidate.chunk,
        document: candidate.document,
        score: meaning * floor,
        semantic_rank: None,
        lexical_rank: None,
    };
    for (rank, candidate) in (1..).zip(semantic) {
        let found = fused.entry(candidate.chunk).or_insert_with(|| entry(candidate));
        found.score = meaning * candidate.score.max(0.0);
        found.semantic_rank = Some(rank);
    }
    for (rank, candidate) in (1..).zip(lexical) {
        let found = fused.entry(candidate.chunk).or_insert_with(|| entry(candidate));
        found.score += words * candidate.score;
        found.lexical_rank = Some(rank);
    }
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

    fn candidate(chunk: ChunkId, score: f64) -> Candidate {
        Candidate { chunk, document: new_id(), score }
    }

    #[test]
    fn what_both_rankings_know_comes_before_what_one_knows() {
        let [both, meaning, words]: [ChunkId; 3] = [new_id(), new_id(), new_id()];
        let semantic = [candidate(meaning, 0.5), candidate(both, 0.45), candidate(new_id(), 0.1)];
        let lexical = [candidate(words, 0.5), candidate(both, 0.45)];
        let fused = fuse(Weights::of(DocumentSearchMode::Hybrid, 2), &semantic, &lexical);
        assert_eq!(fused[0].chunk, both);
        assert_eq!((fused[0].semantic_rank, fused[0].lexical_rank), (Some(2), Some(2)));
        let alone = fused.iter().find(|entry| entry.chunk == words).unwrap();
        assert_eq!((alone.semantic_rank, alone.lexical_rank), (None, Some(1)));
    }

    #[test]
    fn a_few_common_words_do_not_push_the_meaning_aside() {
        let [meant, worded]: [ChunkId; 2] = [new_id(), new_id()];
        let fused = fuse(
            Weights::of(DocumentSearchMode::Hybrid, 2),
            &[candidate(meant, 0.6), candidate(worded, 0.3)],
            &[candidate(worded, 0.1)],
        );
        assert_eq!(fused[0].chunk, meant);
    }

    #[test]
    fn the_words_of_a_long_query_weigh_more() {
        let share = |lexemes| Weights::of(DocumentSearchMode::Hybrid, lexemes).words;
        assert!(
            (share(1) - LEXICAL_WEIGHT / (1.0 + LEXICAL_WEIGHT)).abs() < 1e-12 && (share(6) - share(1)).abs() < 1e-12
        );
        let words = LEXICAL_WEIGHT * 4.0;
        assert!((share(12) - words / (1.0 + words)).abs() < 1e-12);
        assert!(share(15) > share(12) && (share(200) - share(15)).abs() < 1e-12);
    }

    #[test]
    fn one_ranking_alone_keeps_its_order_and_its_scores() {
        let ranking: Vec<Candidate> = (0..5).map(|place| candidate(new_id(), 0.9 - 0.1 * f64::from(place))).collect();
        for (mode, semantic, lexical) in [
            (DocumentSearchMode::Lexical, Vec::new(), ranking.clone()),
            (DocumentSearchMode::Semantic, ranking.clone(), Vec::new()),
        ] {
            let fused = fuse(Weights::of(mode, 1), &semantic, &lexical);
            assert!(fused.iter().zip(&ranking).all(|(one, other)| one.chunk == other.chunk));
            assert!((fused[0].score - 0.9).abs() < 1e-12);
        }
    }
}
