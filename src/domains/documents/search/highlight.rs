//! Which words of a passage answer the words of a query. Words are cut here; whether a word has a lexeme of the
//! query is PostgreSQL's to say, so that highlights and ranking agree on stems.

use std::collections::{BTreeSet, HashSet};

use super::model::Stretch;

/// A word longer than this is no word; PostgreSQL's lexer leaves longer ones out too (2,046 bytes).
const MAX_WORD_CHARS: usize = 100;

fn is_word(character: char) -> bool {
    character.is_alphanumeric()
}

/// Words with their places, in Unicode scalar values.
fn words(text: &str) -> Vec<(Stretch, String)> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut start = 0;
    for (place, character) in text.chars().chain(std::iter::once(' ')).enumerate() {
        if is_word(character) {
            if word.is_empty() {
                start = place;
            }
            word.extend(character.to_lowercase());
        } else if !word.is_empty() {
            let stretch = Stretch { start, end: place };
            let word = std::mem::take(&mut word);
            if stretch.end - stretch.start <= MAX_WORD_CHARS {
                found.push((stretch, word));
            }
        }
    }
    found
}

/// The distinct words of all passages, to be asked about at once.
pub(super) fn distinct<'a>(passages: impl Iterator<Item = &'a str>) -> Vec<String> {
    let distinct: BTreeSet<String> = passages.flat_map(|text| words(text).into_iter().map(|(_, word)| word)).collect();
    distinct.into_iter().collect()
}

/// Where the words that match stand in a passage.
pub(super) fn stretches(text: &str, matching: &HashSet<String>) -> Vec<Stretch> {
    if matching.is_empty() {
        return Vec::new();
    }
    words(text).into_iter().filter(|(_, word)| matching.contains(word)).map(|(stretch, _)| stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_not_bytes() {
        let text = "Über Ängste: «Ängste»";
        let matching = HashSet::from(["ängste".to_owned()]);
        assert_eq!(stretches(text, &matching), [Stretch { start: 5, end: 11 }, Stretch { start: 14, end: 20 }]);
    }

    #[test]
    fn words_are_asked_about_once() {
        assert_eq!(distinct(["Sleep, sleep", "no sleep"].into_iter()), ["no", "sleep"]);
    }
}
