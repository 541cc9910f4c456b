//! What an assistant does not speak of: told from the words of a question, before anything is looked up. Pure.

use crate::domains::chat::phrases::{self, words};

/// Whether a text speaks of acute danger.
pub(super) fn is_crisis(text: &str) -> bool {
    phrases::any_in(phrases::CRISIS_OF_STAFF, text)
}

/// The boundary a text crosses.
pub(super) fn crossed<'a>(text: &str, boundaries: &'a [String]) -> Option<&'a str> {
    let text = words(text);
    let crosses = |boundary: &&String| {
        let phrase = words(boundary);
        phrase.len() > 1 && text.contains(&phrase)
    };
    boundaries.iter().find(crosses).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acute_danger_is_told_and_a_history_is_not() {
        for text in ["She says she wants to die.", "He will KILL  himself!", "caller: \"I want to die\""] {
            assert!(is_crisis(text), "{text}");
        }
        for text in ["Any suicidal ideation on record?", "When was the last risk assessment?", "Wants to diet", "#"] {
            assert!(!is_crisis(text), "{text}");
        }
    }

    #[test]
    fn a_boundary_is_crossed_by_its_words_alone() {
        let boundaries = ["dosing advice".to_owned(), "Billing".to_owned(), "--".to_owned()];
        assert_eq!(crossed("Any dosing advice, please?", &boundaries), Some("dosing advice"));
        assert_eq!(crossed("what of the BILLING?", &boundaries), Some("Billing"));
        assert_eq!(crossed("Dosing and advice; billings", &boundaries), None);
    }
}
