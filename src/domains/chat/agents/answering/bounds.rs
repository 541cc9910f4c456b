//! What an assistant does not speak of: told from the words of a question, before anything is looked up. Pure.

/// Phrases of acute danger: data, so that they can be looked at without reading code.
const CRISIS: &str = include_str!("crisis.txt");

/// Words in lower case with one space around each, so that a phrase is found as whole words.
fn words(text: &str) -> String {
    let lower = text.to_lowercase().replace(['\'', '’'], "");
    let mut words = String::from(" ");
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words.push_str(word);
        words.push(' ');
    }
    words
}

/// Whether a text speaks of acute danger. Negation is not looked for: one hand-over too many does no harm.
pub(super) fn is_crisis(text: &str) -> bool {
    let text = words(text);
    let phrases = CRISIS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    phrases.map(words).any(|phrase| text.contains(&phrase))
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
