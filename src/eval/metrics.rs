//! How good a ranking is, by the definitions of `trec_eval`. Pure.

use std::collections::BTreeMap;

/// Places that count for nDCG and recall.
pub const DEPTH: usize = 10;

/// The figures of one query, or their mean over many; each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Discounted gain of the first ten, over that of the best order there is. Gain is the grade.
    pub ndcg: f64,
    /// Share of what is relevant that stands in the first ten.
    pub recall: f64,
    /// One over the place of the first relevant one; 0 when there is none.
    pub reciprocal_rank: f64,
}

impl Figures {
    /// Of one ranking, best first; an id that comes again does not count again.
    #[must_use]
    pub fn of(ranking: &[&str], relevant: &BTreeMap<String, u8>) -> Self {
        let mut seen = std::collections::HashSet::new();
        let grades: Vec<u8> =
            ranking.iter().filter(|id| seen.insert(**id)).map(|id| relevant.get(*id).copied().unwrap_or(0)).collect();
        let mut ideal: Vec<u8> = relevant.values().copied().filter(|grade| *grade > 0).collect();
        ideal.sort_unstable_by(|one, other| other.cmp(one));
        if ideal.is_empty() {
            return Self::default();
        }
        let found = grades.iter().take(DEPTH).filter(|grade| **grade > 0).count();
        let first = grades.iter().position(|grade| *grade > 0);
        Self {
            ndcg: gain(&grades) / gain(&ideal),
            recall: share(found, ideal.len()),
            reciprocal_rank: first.map_or(0.0, |place| share(1, place + 1)),
        }
    }

    /// Of many queries, each counting the same.
    #[must_use]
    pub fn mean(all: &[Self]) -> Self {
        let sum = all.iter().fold(Self::default(), |sum, one| Self {
            ndcg: sum.ndcg + one.ndcg,
            recall: sum.recall + one.recall,
            reciprocal_rank: sum.reciprocal_rank + one.reciprocal_rank,
        });
        let over = share(1, all.len().max(1));
        Self { ndcg: sum.ndcg * over, recall: sum.recall * over, reciprocal_rank: sum.reciprocal_rank * over }
    }
}

fn gain(grades: &[u8]) -> f64 {
    let discounted = grades.iter().take(DEPTH).zip(2_u32..);
    discounted.map(|(grade, place)| f64::from(*grade) / f64::from(place).log2()).sum()
}

fn share(part: usize, whole: usize) -> f64 {
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    float(part) / float(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relevant() -> BTreeMap<String, u8> {
        [("a", 2), ("b", 1), ("c", 0)].map(|(id, grade)| (id.to_owned(), grade)).into()
    }

    #[test]
    fn the_best_order_is_one() {
        let best = Figures { ndcg: 1.0, recall: 1.0, reciprocal_rank: 1.0 };
        assert_eq!(Figures::of(&["a", "b", "x"], &relevant()), best);
        assert_eq!(Figures::of(&["a", "a", "b"], &relevant()), best);
    }

    #[test]
    fn places_are_discounted() {
        // By hand: (1 / log2 2 + 2 / log2 4) / (2 / log2 2 + 1 / log2 3).
        let figures = Figures::of(&["b", "c", "a"], &relevant());
        assert!((figures.ndcg - 2.0 / (2.0 + 1.0 / 3_f64.log2())).abs() < 1e-12, "{figures:?}");
        let late = Figures::of(&["x", "c", "y", "b"], &relevant());
        assert_eq!((late.recall, late.reciprocal_rank), (0.5, 0.25));
    }

    #[test]
    fn only_ten_places_count_but_for_the_first_relevant_one() {
        let ranking: Vec<String> = (0..10).map(|place| format!("x{place}")).collect();
        let ranking: Vec<&str> = ranking.iter().map(String::as_str).chain(["a"]).collect();
        let figures = Figures::of(&ranking, &relevant());
        assert_eq!((figures.ndcg, figures.recall), (0.0, 0.0));
        assert!((figures.reciprocal_rank - 1.0 / 11.0).abs() < 1e-12);
        assert_eq!(Figures::of(&[], &relevant()), Figures::default());
    }

    #[test]
    fn each_query_counts_the_same() {
        let one = Figures { ndcg: 1.0, recall: 1.0, reciprocal_rank: 1.0 };
        let mean = Figures::mean(&[one, Figures::default()]);
        assert_eq!(mean, Figures { ndcg: 0.5, recall: 0.5, reciprocal_rank: 0.5 });
        assert_eq!(Figures::mean(&[]), Figures::default());
    }
}
