//! Phrases that are looked for in what people write. Pure.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Phrases of acute danger in what staff asks, and in what people outside write: data, so that they can be looked at
/// without reading code. Staff speaks of a history too, and is not to be taken for somebody in danger.
pub(super) const CRISIS_OF_STAFF: &str = include_str!("../../../data/clinical-language/crisis-staff.txt");
pub(super) const CRISIS_OUTSIDE: &str = include_str!("../../../data/clinical-language/crisis-outside.txt");

/// Words in lower case, without marks and apostrophes, with one space around each, so that a phrase is found as whole
/// words.
pub(super) fn words(text: &str) -> String {
    let mut words = String::from(" ");
    let mut open = false;
    let letters = text.nfkd().filter(|letter| !is_combining_mark(*letter) && !matches!(letter, '\'' | '’' | '`' | 'ʼ'));
    for letter in letters.flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            words.push(letter);
            open = true;
        } else if open {
            words.push(' ');
            open = false;
        }
    }
    if open {
        words.push(' ');
    }
    words
}

/// Those of a list of phrases, one a line; lines that begin with `#` are none.
pub(super) fn of(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether a text has a phrase of a list. Negation is not looked for: an alarm too many does less harm than one too few.
pub(super) fn any_in(list: &'static str, text: &str) -> bool {
    let text = words(text);
    of(list).map(words).any(|phrase| text.contains(&phrase))
}
