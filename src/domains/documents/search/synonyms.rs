//! Clinical words and abbreviations that mean the same (`data/clinical-language/synonyms.tsv`), for queries alone:
//! what is indexed stays what was written. Pure.

use std::collections::HashMap;
use std::sync::OnceLock;

const GROUPS: &str = include_str!("../../../../data/clinical-language/synonyms.tsv");

/// A term of a group.
#[derive(Debug)]
struct Term {
    text: &'static str,
    words: Vec<String>,
    /// Meant only where it is typed in capitals.
    capitals: bool,
}

#[derive(Debug, Default)]
struct Synonyms {
    groups: Vec<Vec<Term>>,
    /// Group and term by the first word, longest term first.
    by_first: HashMap<String, Vec<(usize, usize)>>,
}

/// A stretch of a query and what else it may be called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alternative {
    /// The words of the query it stands for, as typed.
    pub typed: String,
    /// One other term of the group.
    pub term: &'static str,
}

fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

fn synonyms() -> &'static Synonyms {
    static READ: OnceLock<Synonyms> = OnceLock::new();
    READ.get_or_init(|| {
        let mut read = Synonyms::default();
        for line in GROUPS.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let term = |text: &'static str| {
                let capitals = text.chars().all(char::is_uppercase);
                let words = if capitals { vec![text.to_owned()] } else { words(&text.to_lowercase()) };
                Term { text, words, capitals }
            };
            let group: Vec<Term> = line.split('\t').map(term).collect();
            for (index, term) in group.iter().enumerate() {
                read.by_first.entry(term.words[0].clone()).or_default().push((read.groups.len(), index));
            }
            read.groups.push(group);
        }
        let groups = &read.groups;
        for known in read.by_first.values_mut() {
            known.sort_by_key(|(group, term)| std::cmp::Reverse(groups[*group][*term].words.len()));
        }
        read
    })
}

/// What a query may also be called: for each of its terms the others of its group. The longest term wins.
pub(super) fn alternatives(query: &str) -> Vec<Alternative> {
    let typed = words(query);
    let lower: Vec<String> = typed.iter().map(|word| word.to_lowercase()).collect();
    let known = synonyms();
    let mut found = Vec::new();
    let mut index = 0;
    while index < typed.len() {
        let fits = |(group, term): &&(usize, usize)| {
            let term = &known.groups[*group][*term];
            let against = if term.capitals { &typed } else { &lower };
            against[index..].starts_with(&term.words)
        };
        let exact = known.by_first.get(&typed[index]).into_iter().flatten().find(fits);
        let hit = exact.or_else(|| known.by_first.get(&lower[index]).into_iter().flatten().find(fits));
        let Some((group, hit)) = hit else {
            index += 1;
            continue;
        };
        let length = known.groups[*group][*hit].words.len();
        let others = known.groups[*group].iter().enumerate().filter(|(other, term)| other != hit && !term.capitals);
        found.extend(
            others.map(|(_, term)| Alternative { typed: typed[index..index + length].join(" "), term: term.text }),
        );
        index += length;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn called(query: &str) -> Vec<&'static str> {
        alternatives(query).into_iter().map(|other| other.term).collect()
    }

    #[test]
    fn every_term_is_in_one_group() {
        let known = synonyms();
        let mut seen = HashSet::new();
        for term in known.groups.iter().flatten() {
            assert!(seen.insert(term.text.to_lowercase()), "{} is given twice", term.text);
            assert!(!term.words.is_empty() && term.text.trim() == term.text, "{:?}", term.text);
        }
        assert!(known.groups.iter().all(|group| group.len() > 1));
    }

    #[test]
    fn an_abbreviation_finds_what_it_is_short_for_and_back() {
        assert_eq!(called("HTN follow-up"), ["hypertension", "high blood pressure", "f/u"]);
        assert_eq!(called("denies Suicidal  Ideation"), ["si", "suicidal thoughts"]);
        let other = &alternatives("pt with si")[0];
        assert_eq!((other.typed.as_str(), other.term), ("si", "suicidal ideation"));
        assert_eq!(called("knitting"), Vec::<&str>::new());
    }

    #[test]
    fn the_longest_term_wins() {
        // Not also the shorter "blood pressure".
        assert_eq!(called("high blood pressure"), ["htn", "hypertension"]);
    }

    #[test]
    fn what_is_an_english_word_is_meant_in_capitals_alone() {
        assert_eq!(called("BED treatment")[..2], ["binge-eating disorder", "binge eating"]);
        assert_eq!(called("time in the bed"), Vec::<&str>::new());
        assert_eq!(called("binge eating"), ["binge-eating disorder"]);
    }
}
