//! What a query asks for by words: its lexemes, those of what it may also be called, and what a mistyped one may
//! have meant. Pure but for the lexer and the look-up, which the service runs.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::synonyms::{Alternative, alternatives};
use crate::crypto::blind_index::IndexKey;
use crate::domains::documents::lexemes::slips;

/// What a synonym is worth beside the word itself.
const SYNONYM: f64 = 0.7;
/// What a spelling one slip away is worth.
const CORRECTION: f64 = 0.8;
/// Spellings taken for one mistyped word, those in most passages first.
const CORRECTIONS: usize = 3;

/// A lexeme of a query as it is looked up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weighted {
    pub weight: f64,
    /// Whether it is the query's own: what a passage may reach at most is told by these.
    pub own: bool,
    /// What a synonym stands for has the same number; it is not to be worth more for being rarer.
    pub group: i32,
}

/// A query, taken apart.
#[derive(Debug, Default)]
pub(super) struct Asked {
    alternatives: Vec<Alternative>,
    lexemes: BTreeMap<String, Weighted>,
    /// The query's words as typed, with their lexemes.
    words: Vec<(String, String)>,
}

/// A lexeme of one of the [`Asked::texts`].
pub(super) struct Lexed {
    pub text: usize,
    pub lexeme: String,
}

/// A spelling that may be meant by a lexeme nothing has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Correction {
    /// Which of [`Asked::unsure`].
    pub lexeme: usize,
    pub term: i64,
    pub passages: i64,
}

/// Terms to be looked up, as a statement takes them.
#[derive(Debug, Default, PartialEq)]
pub struct Terms {
    pub terms: Vec<i64>,
    pub weights: Vec<f64>,
    /// Whether each is of the query itself.
    pub own: Vec<bool>,
    /// Terms of one group stand for one another, and count for no rarer than the most frequent of them; -1 is none.
    pub groups: Vec<i32>,
}

impl Asked {
    pub(super) fn new(query: &str) -> Self {
        Self { alternatives: alternatives(query), ..Self::default() }
    }

    /// Texts to be put through the lexer at once: the query, then of each alternative what was typed and what it
    /// stands for.
    pub(super) fn texts<'a>(&'a self, query: &'a str) -> Vec<&'a str> {
        let others = self.alternatives.iter().flat_map(|other| [other.typed.as_str(), other.term]);
        std::iter::once(query).chain(others).collect()
    }

    /// Takes what the lexer gave.
    pub(super) fn lexed(&mut self, lexed: Vec<Lexed>) {
        let mut by_text: HashMap<usize, Vec<String>> = HashMap::new();
        for found in lexed {
            by_text.entry(found.text).or_default().push(found.lexeme);
        }
        for (group, lexeme) in (0..).zip(by_text.remove(&0).unwrap_or_default()) {
            self.lexemes.insert(lexeme, Weighted { weight: 1.0, own: true, group });
        }
        for index in 0..self.alternatives.len() {
            let typed = by_text.remove(&(2 * index + 1)).unwrap_or_default();
            let other = by_text.remove(&(2 * index + 2)).unwrap_or_default();
            let group = typed.first().and_then(|lexeme| self.lexemes.get(lexeme)).map_or(-1, |first| first.group);
            for lexeme in &typed {
                self.lexemes.entry(lexeme.clone()).and_modify(|own| own.group = group);
            }
            // All lexemes of the other term together are worth what was typed, less the discount.
            let weight = SYNONYM * count(typed.len()) / count(other.len().max(1));
            for lexeme in other {
                self.lexemes.entry(lexeme).or_insert(Weighted { weight, own: false, group });
            }
        }
    }

    /// Nothing but stop words.
    pub(super) fn is_empty(&self) -> bool {
        self.lexemes.is_empty()
    }

    /// How many lexemes the query itself has.
    pub(super) fn own(&self) -> usize {
        self.lexemes.values().filter(|weighted| weighted.own).count()
    }

    /// All lexemes, for marking them in passages.
    pub(super) fn lexemes(&self) -> Vec<String> {
        self.lexemes.keys().cloned().collect()
    }

    /// Takes the query's words as typed, with their lexemes.
    pub(super) fn typed(&mut self, words: Vec<(String, String)>) {
        self.words = words;
    }

    /// The words that may be mistyped: the term of each, and by place in the list the spellings that a word one slip
    /// away has.
    pub(super) fn unsure(&self, index: &IndexKey) -> (Vec<i64>, Vec<(usize, i64)>) {
        let (mut terms, mut found) = (Vec::new(), Vec::new());
        for (word, lexeme) in &self.words {
            let slips = slips(word);
            if !slips.is_empty() {
                found.extend(slips.iter().map(|spelling| (terms.len(), index.spelling(spelling))));
                terms.push(index.lexeme(lexeme));
            }
        }
        (terms, found)
    }

    /// What is looked up: every lexeme, those that nothing has replaced by their corrections.
    pub(super) fn terms(&self, index: &IndexKey, unsure: &[i64], corrections: &[Correction]) -> Terms {
        let corrected: HashSet<i64> =
            corrections.iter().filter_map(|correction| unsure.get(correction.lexeme).copied()).collect();
        let mut all: BTreeMap<i64, Weighted> = BTreeMap::new();
        for (lexeme, weighted) in &self.lexemes {
            let term = index.lexeme(lexeme);
            if !corrected.contains(&term) {
                all.insert(term, *weighted);
            }
        }
        let mut by_lexeme: BTreeMap<usize, Vec<Correction>> = BTreeMap::new();
        for correction in corrections {
            by_lexeme.entry(correction.lexeme).or_default().push(*correction);
        }
        for mut likely in by_lexeme.into_values() {
            likely.sort_by_key(|one| (std::cmp::Reverse(one.passages), one.term));
            for (place, one) in likely.into_iter().take(CORRECTIONS).enumerate() {
                // Of a group of its own: what was typed is not there to be compared with.
                all.entry(one.term).or_insert(Weighted { weight: CORRECTION, own: place == 0, group: -1 });
            }
        }
        let mut terms = Terms::default();
        for (term, weighted) in all {
            terms.terms.push(term);
            terms.weights.push(weighted.weight);
            terms.own.push(weighted.own);
            terms.groups.push(weighted.group);
        }
        terms
    }
}

/// A query has at most a few hundred words.
fn count(words: usize) -> f64 {
    f64::from(u16::try_from(words).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::crypto::Key32;

    fn lexed(query: &str, lexemes: &[(usize, &str)]) -> Asked {
        let mut asked = Asked::new(query);
        asked.lexed(lexemes.iter().map(|(text, lexeme)| Lexed { text: *text, lexeme: (*lexeme).to_owned() }).collect());
        asked
    }

    fn key() -> IndexKey {
        IndexKey::of_facility(&Key32::from_bytes([3; 32]), Uuid::from_u128(1)).unwrap()
    }

    #[test]
    fn a_synonym_is_worth_less_than_the_word_and_shares_it_out() {
        let asked =
            lexed("si", &[(0, "si"), (1, "si"), (2, "suicid"), (2, "ideat"), (3, "si"), (4, "suicid"), (4, "thought")]);
        assert_eq!(asked.texts("si"), ["si", "si", "suicidal ideation", "si", "suicidal thoughts"]);
        let weight = |lexeme: &str| asked.lexemes[lexeme];
        assert_eq!(weight("si"), Weighted { weight: 1.0, own: true, group: 0 });
        assert_eq!(weight("suicid"), Weighted { weight: 0.35, own: false, group: 0 });
        assert_eq!(asked.lexemes(), ["ideat", "si", "suicid", "thought"]);
    }

    #[test]
    fn a_word_that_nothing_has_gives_way_to_what_it_may_mean() {
        let (mut asked, key) = (lexed("depresion", &[(0, "depresion")]), key());
        asked.typed(vec![("depresion".to_owned(), "depresion".to_owned()), ("of".to_owned(), "of".to_owned())]);
        let (unsure, spelled) = asked.unsure(&key);
        assert_eq!(unsure, [key.lexeme("depresion")]);
        assert!(spelled.contains(&(0, key.spelling("depresion/5"))));
        let plain = asked.terms(&key, &unsure, &[]);
        assert_eq!(
            plain,
            Terms { terms: vec![key.lexeme("depresion")], weights: vec![1.0], own: vec![true], groups: vec![0] }
        );
        let corrections: Vec<Correction> =
            (0..4).map(|term| Correction { lexeme: 0, term, passages: 10 - term }).collect();
        let corrected = asked.terms(&key, &unsure, &corrections);
        assert_eq!(corrected.terms, [0, 1, 2]);
        assert_eq!(corrected.own, [true, false, false]);
    }
}
