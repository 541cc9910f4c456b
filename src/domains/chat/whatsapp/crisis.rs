//! Words that raise an alarm, and words that end or begin a conversation. Pure.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Phrases of acute danger: data, so that they can be looked at without reading code.
const PHRASES: &str = include_str!("../../../../data/clinical-language/crisis.txt");

/// What is answered to them unless the facility has words of its own.
pub(super) const REPLY: &str = "This is an automatic reply. Nobody watches these messages around the clock. If you or \
    somebody else is in danger, call 911 or your local emergency number now. In the United States you can call or text \
    988 (Suicide & Crisis Lifeline) at any time, day or night.";

const STOP: &[&str] =
    &["stop", "stopall", "stop all", "unsubscribe", "opt out", "optout", "baja", "parar", "arret", "stopp"];
const START: &[&str] = &["start", "unstop", "subscribe", "opt in", "optin", "alta", "comenzar"];

/// Words in lower case, without marks and apostrophes, with one space around each, so that a phrase is found as whole
/// words.
fn words(text: &str) -> String {
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

/// Whether a text speaks of acute danger. Negation is not looked for: an alarm too many does less harm than one too few.
pub(super) fn is_crisis(text: &str) -> bool {
    let text = words(text);
    let phrases = PHRASES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    phrases.map(words).any(|phrase| text.contains(&phrase))
}

/// What a text of one word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Start,
}

/// Whether a text is nothing but a wish to hear nothing more, or to hear again.
pub(super) fn wish(text: &str) -> Option<Wish> {
    let text = words(text);
    match text.trim() {
        word if STOP.contains(&word) => Some(Wish::Stop),
        word if START.contains(&word) => Some(Wish::Start),
        _ => None,
    }
}

#[cfg(test)]
pub(super) fn phrases() -> impl Iterator<Item = &'static str> {
    PHRASES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}
