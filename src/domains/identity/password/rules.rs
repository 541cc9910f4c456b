//! What may be a password: long enough, and not what is tried first. No rule about kinds of letters
//! (NIST SP 800-63B, 3.1.1.2, forbids them).

use std::collections::BTreeSet;

use crate::phi::Phi;

/// Fewest characters of a password.
pub(crate) const SHORTEST_CHARS: usize = 12;
/// Most characters of a password.
pub(crate) const LONGEST_CHARS: usize = 128;
/// Fewer different characters than this are a pattern.
const FEWEST_DIFFERENT: usize = 5;
/// A word of a name or address shorter than this is in many a good password by chance.
const SHORTEST_WORD: usize = 3;
/// What is left of a password besides known words must be more than this.
const FEWEST_LETTERS_LEFT: usize = 4;
const FEWEST_OTHERS_LEFT: usize = 7;

/// Rows of a keyboard, walked along in either direction.
const ROWS: [&str; 4] = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"];

/// Words that the most common passwords are made of, with what people in a clinic think of.
const COMMON: &[&str] = &[
    "administrator",
    "liverpool",
    "anamnesis",
    "basketball",
    "chocolate",
    "correcthorse",
    "butterfly",
    "password",
    "passwort",
    "passw0rd",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "starwars",
    "whatever",
    "computer",
    "internet",
    "hospital",
    "mustang",
    "welcome",
    "letmein",
    "charlie",
    "michael",
    "jessica",
    "ashley",
    "changeme",
    "default",
    "arsenal",
    "freedom",
    "flower",
    "cheese",
    "pepper",
    "summer",
    "winter",
    "spring",
    "autumn",
    "master",
    "dragon",
    "monkey",
    "shadow",
    "jordan",
    "hunter",
    "killer",
    "batman",
    "soccer",
    "hockey",
    "secret",
    "qwerty",
    "qwertz",
    "azerty",
    "trustno",
    "clinic",
    "doctor",
    "nurse",
    "medical",
    "medicine",
    "health",
    "patient",
    "therapy",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "friday",
    "hello",
    "admin",
    "login",
    "guest",
    "test",
    "user",
    "love",
    "pass",
    "root",
    "abc",
];

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    TooShort,
    TooLong,
    Unprintable,
    Pattern,
    Common,
}

impl Weakness {
    /// The sentence shown.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::TooShort => "must have at least 12 characters; several words are easy to remember",
            Self::TooLong => "must have at most 128 characters",
            Self::Unprintable => "has characters that cannot be printed",
            Self::Pattern => "is a pattern that is tried first: repeated characters, or a run on the keyboard",
            Self::Common => "is made of common words, or of your name or e-mail address",
        }
    }
}

/// Why a password may not be used, given the name and e-mail address of its owner; `None` when it may.
pub(crate) fn weakness(password: &Phi<String>, personal: &[&Phi<String>]) -> Option<Weakness> {
    let text = password.reveal_str();
    match password.length_chars() {
        length if length < SHORTEST_CHARS => return Some(Weakness::TooShort),
        length if length > LONGEST_CHARS => return Some(Weakness::TooLong),
        _ => {}
    }
    if text.chars().any(char::is_control) {
        return Some(Weakness::Unprintable);
    }
    let plain = text.to_lowercase();
    if is_pattern(&plain) {
        return Some(Weakness::Pattern);
    }
    let words = known_words(personal);
    let read: String = plain.chars().map(as_letter).collect();
    (only_known_words(&plain, &words) || only_known_words(&read, &words)).then_some(Weakness::Common)
}

/// Few characters over and over, or mostly steps to a neighbour in the alphabet or on the keyboard.
fn is_pattern(text: &str) -> bool {
    if text.chars().collect::<BTreeSet<_>>().len() < FEWEST_DIFFERENT {
        return true;
    }
    let pairs = || text.chars().zip(text.chars().skip(1));
    let steps = pairs().filter(|(one, next)| are_neighbours(*one, *next)).count();
    steps * 4 >= pairs().count() * 3
}

fn are_neighbours(one: char, next: char) -> bool {
    if u32::from(one).abs_diff(u32::from(next)) <= 1 {
        return true;
    }
    ROWS.iter().any(|row| match (row.find(one), row.find(next)) {
        (Some(here), Some(there)) => here.abs_diff(there) <= 1,
        _ => false,
    })
}

/// Words of the owner, then the common ones; longest first.
fn known_words(personal: &[&Phi<String>]) -> Vec<String> {
    let mut words: Vec<String> = personal
        .iter()
        .flat_map(|text| text.reveal_str().split(|letter: char| !letter.is_alphanumeric()))
        .filter(|word| word.chars().count() >= SHORTEST_WORD)
        .map(str::to_lowercase)
        .chain(COMMON.iter().map(|word| (*word).to_owned()))
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

/// Whether, known words taken out, next to nothing is left. A password without any is not looked at.
fn only_known_words(text: &str, words: &[String]) -> bool {
    let left = words.iter().fold(text.to_owned(), |left, word| left.replace(word.as_str(), " "));
    if left == text {
        return false;
    }
    let letters = left.chars().filter(|letter| letter.is_alphabetic()).count();
    let others = left.chars().filter(|letter| !letter.is_alphabetic() && !letter.is_whitespace()).count();
    letters < FEWEST_LETTERS_LEFT && others < FEWEST_OTHERS_LEFT
}

/// The letter a digit or sign is put in place of.
const fn as_letter(sign: char) -> char {
    match sign {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Weakness, weakness};
    use crate::phi::Phi;

    fn judge(password: &str) -> Option<Weakness> {
        let (email, name) = (Phi::from("maria.okafor@lakeside.example"), Phi::from("Dr. María Okafor"));
        weakness(&Phi::from(password), &[&email, &name])
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(judge("elevenchars"), Some(Weakness::TooShort));
        assert_eq!(judge("ungewöhnlich"), None);
        assert_eq!(judge(&"harbour 9 ".repeat(13)), Some(Weakness::TooLong));
        assert_eq!(judge("tab\tin the middle"), Some(Weakness::Unprintable));
    }

    #[test]
    fn patterns_are_refused() {
        for weak in
            ["aaaaaaaaaaaaaa", "abcabcabcabcabc", "123456789012", "abcdefghijklmnop", "qwertyuiop[]", "zyxwvutsrqpo"]
        {
            assert_eq!(judge(weak), Some(Weakness::Pattern), "{weak}");
        }
    }

    #[test]
    fn common_words_are_refused_however_they_are_dressed() {
        for weak in [
            "password1234",
            "P@ssw0rd2024!",
            "WelcomeWelcome",
            "Summer-Hospital-24",
            "iloveyou2025!!",
            "Letmein.Letmein",
        ] {
            assert_eq!(judge(weak), Some(Weakness::Common), "{weak}");
        }
    }

    #[test]
    fn the_owners_name_and_address_are_refused() {
        for weak in ["maria.okafor@lakeside.example", "OkaforOkafor1", "lakeside2024maria", "Dr. María Okafor"] {
            assert_eq!(judge(weak), Some(Weakness::Common), "{weak}");
        }
    }

    #[test]
    fn what_merely_holds_a_common_word_is_not() {
        for good in [
            "four wet otters sing",
            "testament of pelicans",
            "okafor rides at dawn",
            "k7#Vq2!mZp9w",
            "love is a slow kettle",
        ] {
            assert_eq!(judge(good), None, "{good}");
        }
    }

    #[test]
    fn every_reason_says_something_else() {
        use Weakness::{Common, Pattern, TooLong, TooShort, Unprintable};
        let messages = [Common, Pattern, TooLong, TooShort, Unprintable].map(Weakness::message);
        assert_eq!(std::collections::BTreeSet::from(messages).len(), 5);
    }
}
