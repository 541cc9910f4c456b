//! What identifies a person, replaced by tokens and put back. Pure.
//!
//! Replaced are values known of the patient (names, numbers, addresses), and whatever looks like one of the identifiers of
//! 45 CFR 164.514(b)(2) that have a form: dates, telephone numbers, e-mail and web addresses, social security and other
//! long numbers, postal codes in addresses, ages above 89, and names that follow a title or a relation. A name that is
//! neither known nor has any of these about it is not found: nobody is to take this for de-identification.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::phi::Phi;

/// What a token stands for; part of its text, so that a model can make sense of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Person,
    Date,
    Phone,
    /// Of a house, a mailbox or a page.
    Address,
    Number,
    Age,
    /// What looks like a token in the text itself.
    Text,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Date => "DATE",
            Self::Phone => "PHONE",
            Self::Address => "ADDRESS",
            Self::Number => "NUMBER",
            Self::Age => "AGE",
            Self::Text => "TEXT",
        }
    }
}

/// A value that is known to identify someone.
#[derive(Debug, Clone)]
pub struct Known {
    pub kind: Kind,
    pub value: Phi<String>,
}

const MONTHS: &str = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|\
    oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?";

/// Whatever has a form, by what it is; of two that begin at one place the longer counts, of two as long the first here.
static FORMS: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    [
        // A token already: of the text itself, not ours.
        (Kind::Text, r"\[[A-Z]+_\d+\]".to_owned()),
        (Kind::Address, r"(?i)\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b".to_owned()),
        (Kind::Address, r"(?i)\b(?:https?://|www\.)[^\s<>]+".to_owned()),
        (Kind::Address, r"\b\d{1,3}(?:\.\d{1,3}){3}\b".to_owned()),
        (Kind::Address, r"\b\d{1,6}(?:\s[A-Z][\w.]*){1,4}\s(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl)\b\.?".to_owned()),
        (Kind::Address, r"\b[A-Z]{2}\s\d{5}(?:-\d{4})?\b".to_owned()),
        (Kind::Phone, r"(?:\+\d{1,3}[\s.-]?)?\(?\b\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}\b".to_owned()),
        (Kind::Phone, r"\+\d{7,15}\b".to_owned()),
        (Kind::Phone, r"\b\d{3}-\d{4}\b".to_owned()),
        (Kind::Date, r"\b\d{4}-\d{1,2}-\d{1,2}(?:T[\d:.]+Z?)?\b".to_owned()),
        (Kind::Date, r"\b\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})\b".to_owned()),
        (Kind::Date, format!(r"(?i)\b{MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?\b")),
        (Kind::Date, format!(r"(?i)\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTHS}(?:,?\s+\d{{4}})?\b")),
        (Kind::Number, r"\b\d{3}-\d{2}-\d{4}\b".to_owned()),
        (Kind::Number, r"\b[A-Za-z]{0,4}-?\d[\d-]{4,}\d\b".to_owned()),
        (Kind::Age, r"(?i)\b(?:9\d|1[0-3]\d)(?:-|\s)(?:years?|yrs?)(?:-|\s)old\b".to_owned()),
        (Kind::Person, r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Rev|Sr|Fr)\.?\s\p{Lu}[\p{L}'’-]+(?:\s\p{Lu}[\p{L}'’-]+){0,2}".to_owned()),
    ]
    .into_iter()
    .filter_map(|(kind, form)| Regex::new(&form).ok().map(|form| (kind, form)))
    .collect()
});

/// A name after whom it is of: the relation itself stays.
static RELATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\b(?:mother|father|mom|dad|brother|sister|son|daughter|wife|husband|spouse|partner|girlfriend|boyfriend|aunt|uncle|cousin|niece|nephew|grandmother|grandfather|friend|neighbou?r|roommate|named|called),?\s(\p{Lu}[\p{L}'’-]+(?:\s\p{Lu}[\p{L}'’-]+)?)",
    )
    .ok()
});

static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\[[A-Z]+_\d+\]").ok());

/// Shorter parts of names are too often words.
const MIN_NAME_CHARS: usize = 2;

/// Hands out tokens, the same for the same value, and remembers what they stand for.
#[derive(Debug)]
pub struct Tokens {
    known: Vec<(Kind, Regex)>,
    given: HashMap<(Kind, String), String>,
    behind: HashMap<String, Phi<String>>,
}

impl Tokens {
    /// With values that are known.
    #[must_use]
    pub fn new(known: &[Known]) -> Self {
        let mut forms = Vec::new();
        for Known { kind, value } in known {
            let parts: Vec<&str> = if *kind == Kind::Person {
                value.reveal_str().split_whitespace().filter(|part| part.chars().count() >= MIN_NAME_CHARS).collect()
            } else {
                vec![value.reveal_str().trim()]
            };
            for part in parts.into_iter().filter(|part| !part.is_empty()) {
                forms.extend(form_of(*kind, part).map(|form| (*kind, form)));
            }
        }
        Self { known: forms, given: HashMap::new(), behind: HashMap::new() }
    }

    /// The text with tokens in the place of what identifies.
    pub fn hide(&mut self, text: &str) -> String {
        let mut spans: Vec<(usize, usize, Kind)> = Vec::new();
        for (kind, form) in self.known.iter().chain(FORMS.iter()) {
            spans.extend(form.find_iter(text).map(|found| (found.start(), found.end(), *kind)));
        }
        let relations = RELATION.iter().flat_map(|form| form.captures_iter(text));
        spans.extend(relations.filter_map(|found| found.get(1)).map(|name| (name.start(), name.end(), Kind::Person)));
        // The first, and of those that begin together the longest.
        spans.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        let mut hidden = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end, kind) in spans {
            // What begins within another and reaches beyond it is hidden as far as it is not yet.
            let start = start.max(at);
            let (Some(before), Some(value)) = (text.get(at..start), text.get(start..end)) else { continue };
            if value.trim().is_empty() {
                continue;
            }
            hidden.push_str(before);
            hidden.push_str(&self.token(kind, value));
            at = end;
        }
        hidden.push_str(text.get(at..).unwrap_or_default());
        hidden
    }

    fn token(&mut self, kind: Kind, value: &str) -> String {
        let number = self.given.keys().filter(|(other, _)| *other == kind).count() + 1;
        let key = (kind, value.to_lowercase());
        let token = self.given.entry(key).or_insert_with(|| format!("[{}_{number}]", kind.word())).clone();
        self.behind.entry(token.clone()).or_insert_with(|| Phi::from(value));
        token
    }

    /// The text with everything put back; `None` when it has a token that nothing stands behind.
    #[must_use]
    pub fn restore(&self, text: &str) -> Option<Phi<String>> {
        let mut restored = String::with_capacity(text.len());
        let mut at = 0;
        for found in TOKEN.iter().flat_map(|form| form.find_iter(text)) {
            restored.push_str(text.get(at..found.start())?);
            restored.push_str(self.behind.get(found.as_str())?.reveal_str());
            at = found.end();
        }
        restored.push_str(text.get(at..)?);
        Some(Phi::new(restored))
    }
}

/// A known value as a whole word, with or without a possessive. Names in any case but all small, which are words as
/// often: `will`, `grace`, `may`.
fn form_of(kind: Kind, value: &str) -> Option<Regex> {
    let form = if kind == Kind::Person {
        let mut letters = value.chars();
        let first = letters.next()?;
        let rest = regex::escape(letters.as_str());
        format!(r"\b{}(?i:{rest})\b", regex::escape(&first.to_uppercase().to_string()))
    } else {
        // Spaces and strokes of numbers vary.
        let words: Vec<String> = value.split_whitespace().map(regex::escape).collect();
        format!(r"(?i)\b{}\b", words.join(r"\s+"))
    };
    Regex::new(&form).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> Tokens {
        let known = |kind, value: &str| Known { kind, value: Phi::from(value) };
        Tokens::new(&[
            known(Kind::Person, "Odile"),
            known(Kind::Person, "Fennimore-Vane"),
            known(Kind::Number, "MRN 4711"),
            known(Kind::Address, "12 Harbour Walk"),
        ])
    }

    #[test]
    fn every_form_compiles() {
        assert_eq!(FORMS.len(), 17);
        assert!(RELATION.is_some() && TOKEN.is_some());
    }

    #[test]
    fn what_identifies_is_hidden_and_put_back() {
        for (text, hidden) in [
            ("Odile slept badly.", "[PERSON_1] slept badly."),
            ("ODILE's sister Rosalind called.", "[PERSON_1]'s sister [PERSON_2] called."),
            ("Ms. Fennimore-Vane was seen.", "[PERSON_1] was seen."),
            ("Dr. Amara Okafor agrees.", "[PERSON_1] agrees."),
            ("Born 1972-02-09, seen 3/14/2025.", "Born [DATE_1], seen [DATE_2]."),
            ("Since March 3rd, 2024 on sertraline 50 mg.", "Since [DATE_1] on sertraline 50 mg."),
            ("On 4 July she fell.", "On [DATE_1] she fell."),
            ("Call 617-555-0199 or (617) 555-0100.", "Call [PHONE_1] or [PHONE_2]."),
            ("SSN 999-41-7702, MRN 4711, case AB-123456.", "SSN [NUMBER_1], [NUMBER_2], case [NUMBER_3]."),
            ("Lives at 12 Harbour  Walk, MA 02139.", "Lives at [ADDRESS_1], [ADDRESS_2]."),
            ("Writes from o.f@example.org, see www.example.org/me.", "Writes from [ADDRESS_1], see [ADDRESS_2]"),
            ("A 92-year-old.", "A [AGE_1]."),
            ("It says [PERSON_1] already.", "It says [TEXT_1] already."),
        ] {
            let mut tokens = tokens();
            assert_eq!(tokens.hide(text), hidden, "{text}");
            assert_eq!(tokens.restore(hidden).unwrap().reveal(), text.trim_end_matches('\0'), "{text}");
        }
    }

    #[test]
    fn doses_scores_and_small_words_stay() {
        for text in ["Lithium 900 mg, level 0.8 mmol/l.", "PHQ-9 of 14, BP 120/80.", "A 45-year-old will come."] {
            assert_eq!(tokens().hide(text), text);
        }
    }

    #[test]
    fn a_value_has_one_token_and_a_token_one_value() {
        let mut tokens = tokens();
        assert_eq!(
            tokens.hide("Odile met odile; ODILE and Dr. Weiss."),
            "[PERSON_1] met odile; [PERSON_1] and [PERSON_2]."
        );
        assert_eq!(tokens.restore("[PERSON_3] came"), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in "\\PC{0,200}") {
            let mut tokens = tokens();
            let hidden = tokens.hide(&text);
            let back = tokens.restore(&hidden).unwrap();
            // The first spelling of a value stands for all of them.
            prop_assert_eq!(back.reveal().to_lowercase(), text.to_lowercase());
        }

        #[test]
        fn a_known_name_never_gets_out(before in "[ a-z.,]{0,20}", after in "[ a-z.,]{0,20}") {
            let hidden = tokens().hide(&format!("{before} Odile {after}"));
            prop_assert!(!hidden.contains("Odile"), "{}", hidden);
        }
    }
}
