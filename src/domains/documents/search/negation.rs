//! Which words of a passage it denies: `denies suicidal ideation` speaks of suicidal ideation and says there is none.
//! In the manner of `NegEx` (Chapman and others, 2001), with rules and cues of our own; cues are data
//! (`data/clinical-language/negation.tsv`). Pure; reads a sentence at a time and looks at nothing beyond it.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::model::{Mark, Stretch};

const CUES: &str = include_str!("../../../../data/clinical-language/negation.tsv");
/// How far back a cue after its object reaches, in words; `NegEx` has five too.
const WORDS_BACK: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cue {
    /// Negates what follows.
    Before,
    /// Negates what precedes, at the end of a clause.
    After,
    /// Looks like a cue and is none.
    Pseudo,
    /// Ends the scope of a cue before it.
    End,
}

/// Cues by their first word, longest first.
type Cues = HashMap<&'static str, Vec<(Vec<&'static str>, Cue)>>;

fn cues() -> &'static Cues {
    static READ: OnceLock<Cues> = OnceLock::new();
    READ.get_or_init(|| {
        let mut read = Cues::new();
        for (kind, words) in CUES.lines().filter_map(|line| line.split_once('\t')) {
            let words: Vec<&str> = words.split(' ').collect();
            let kind = match kind {
                "before" => Cue::Before,
                "after" => Cue::After,
                "pseudo" => Cue::Pseudo,
                "end" => Cue::End,
                _ => continue,
            };
            read.entry(words[0]).or_default().push((words, kind));
        }
        for known in read.values_mut() {
            known.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        }
        read
    })
}

/// A word of a sentence.
struct Word {
    place: Stretch,
    text: String,
    /// Whether a comma, a colon or the like, or the sentence's end, follows.
    ends_clause: bool,
}

fn is_part(character: char, before: Option<char>, after: Option<char>) -> bool {
    let letter = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    match character {
        // "doesn't" is one word, and so is 0.8.
        '\'' | '\u{2019}' | '.' => letter(before) && letter(after),
        _ => character.is_alphanumeric(),
    }
}

/// Whether a line break ends a sentence: where the text was broken to fit a page, the next line goes on in lower case.
fn breaks(rest: &[char]) -> bool {
    rest.iter().find(|character| **character != ' ').is_none_or(|next| !next.is_lowercase())
}

/// Sentences of a text, as words.
fn sentences(text: &str) -> Vec<Vec<Word>> {
    let characters: Vec<char> = text.chars().collect();
    let mut sentences = vec![Vec::<Word>::new()];
    let mut place = 0;
    while place < characters.len() {
        let start = place;
        let at = |index: usize| characters.get(index).copied();
        while at(place).is_some_and(|one| is_part(one, place.checked_sub(1).and_then(at), at(place + 1))) {
            place += 1;
        }
        if place > start {
            let text: String = characters[start..place].iter().flat_map(|one| one.to_lowercase()).collect();
            let word =
                Word { place: Stretch { start, end: place }, text: text.replace('\u{2019}', "'"), ends_clause: false };
            if let Some(sentence) = sentences.last_mut() {
                sentence.push(word);
            }
            continue;
        }
        let ends = match characters[place] {
            '.' | '!' | '?' | ';' => true,
            '\n' => breaks(&characters[place + 1..]),
            _ => false,
        };
        let clause = ends || matches!(characters[place], ',' | ':' | ')' | '(');
        if clause && let Some(word) = sentences.last_mut().and_then(|sentence| sentence.last_mut()) {
            word.ends_clause = true;
        }
        if ends && sentences.last().is_some_and(|sentence| !sentence.is_empty()) {
            sentences.push(Vec::new());
        }
        place += 1;
    }
    if let Some(word) = sentences.last_mut().and_then(|sentence| sentence.last_mut()) {
        word.ends_clause = true;
    }
    sentences
}

/// The longest cue that begins here, how many words it has, and all kinds it may be of.
fn cue_at(sentence: &[Word]) -> Option<(usize, Vec<Cue>)> {
    let known = cues().get(sentence.first()?.text.as_str())?;
    let fits = |words: &[&str]| {
        words.len() <= sentence.len() && words.iter().zip(sentence).all(|(cue, word)| *cue == word.text)
    };
    let longest = known.iter().find(|(words, _)| fits(words))?.0.len();
    let kinds = known.iter().filter(|(words, _)| words.len() == longest && fits(words)).map(|(_, kind)| *kind);
    Some((longest, kinds.collect()))
}

/// Which words of a sentence are negated.
fn negated_words(sentence: &[Word]) -> Vec<bool> {
    let mut negated = vec![false; sentence.len()];
    let (mut index, mut open) = (0, false);
    while index < sentence.len() {
        let Some((length, kinds)) = cue_at(&sentence[index..]) else {
            negated[index] |= open;
            index += 1;
            continue;
        };
        let last = index + length - 1;
        if kinds.contains(&Cue::Pseudo) {
            (index..=last).for_each(|word| negated[word] |= open);
        } else if kinds.contains(&Cue::End) {
            open = false;
        } else if kinds.contains(&Cue::After) && sentence[last].ends_clause && index > 0 {
            negate_back(sentence, index, &mut negated);
        } else {
            open |= kinds.contains(&Cue::Before);
        }
        index += length;
    }
    negated
}

/// Negates the words of a clause before a cue.
fn negate_back(sentence: &[Word], cue: usize, negated: &mut [bool]) {
    for word in (cue.saturating_sub(WORDS_BACK)..cue).rev() {
        let ends = cue_at(&sentence[word..]).is_some_and(|(_, kinds)| kinds.contains(&Cue::End));
        // "SI: denied" has its colon between; a comma begins another thing.
        if ends || (sentence[word].ends_clause && word + 1 < cue) {
            break;
        }
        negated[word] = true;
    }
}

/// Says of each stretch whether its sentence negates it.
pub(super) fn mark(text: &str, stretches: Vec<Stretch>) -> Vec<Mark> {
    if stretches.is_empty() {
        return Vec::new();
    }
    let mut denied: Vec<Stretch> = Vec::new();
    for sentence in sentences(text) {
        let negated = negated_words(&sentence);
        denied.extend(sentence.iter().zip(negated).filter(|(_, negated)| *negated).map(|(word, _)| word.place));
    }
    stretches
        .into_iter()
        .map(|place| {
            let after = denied.partition_point(|word| word.end <= place.start);
            let negated = denied.get(after).is_some_and(|word| word.start <= place.start);
            Mark { place, negated }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with what is negated in brackets, of the words asked about.
    fn negated(text: &str, asked: &str) -> bool {
        let start = text.find(asked).unwrap();
        let start = text[..start].chars().count();
        mark(text, vec![Stretch { start, end: start + asked.chars().count() }])[0].negated
    }

    #[test]
    fn every_cue_is_read() {
        let lines = CUES.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(cues().values().map(Vec::len).sum::<usize>(), lines);
    }

    #[test]
    fn what_is_denied_is_negated() {
        for (text, asked) in [
            ("Denies suicidal ideation.", "suicidal"),
            ("He denies SI, HI and AVH.", "AVH"),
            ("No AVH, no delusions.", "delusions"),
            ("No evidence of psychosis today.", "psychosis"),
            ("She doesn\u{2019}t report cravings.", "cravings"),
            ("SI: denied. Sleeps well.", "SI"),
            ("Cardiac work-up negative.", "Cardiac"),
            ("Pulmonary embolism was ruled out.", "embolism"),
            ("denies any suicidal\nideation or plan", "ideation"),
            ("Eight weeks without thoughts of dying", "dying"),
            ("Level 0.8. No tremor at 0.8 mmol", "tremor"),
        ] {
            assert!(negated(text, asked), "{text}");
        }
    }

    #[test]
    fn what_is_said_is_not() {
        for (text, asked) in [
            ("Reports suicidal ideation.", "suicidal"),
            ("Denies SI but reports cravings.", "cravings"),
            ("Not sleeping because of nightmares.", "nightmares"),
            ("No change in depression.", "depression"),
            ("Negative symptoms of schizophrenia persist.", "schizophrenia"),
            ("No fever. Cough for a week.", "Cough"),
            ("No fever\nCough for a week", "Cough"),
            ("Depression, SI denied.", "Depression"),
            ("Ängste; keine. Panic attacks daily, no agoraphobia", "Panic"),
        ] {
            assert!(!negated(text, asked), "{text}");
        }
    }
}
