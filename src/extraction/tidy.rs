//! The last step of every reader: text that is safe to store, cut into passages and show.
//!
//! Removes what carries no meaning (control and zero-width characters, padding) and keeps every word,
//! digit, sign and line. It never folds characters that differ in meaning: a superscript two in a unit
//! stays one.

/// At most this many line feeds in a row: two empty lines say no more than one.
const MAX_LINE_FEEDS: usize = 2;

/// Cleans `raw`: line ends to line feeds, no other control characters but tab, no zero-width
/// characters, no spaces at line ends, no runs of empty lines, Latin ligatures as letters.
pub(super) fn tidy(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    // Blanks are held back until a visible character follows, so that none stays at the end of a line.
    let (mut line_feeds, mut blanks) = (0usize, String::new());
    let mut previous = '\0';
    for character in raw.chars() {
        let after_return = previous == '\r';
        previous = character;
        match character {
            '\n' if after_return => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                line_feeds += 1;
                blanks.clear();
            }
            '\t' | ' ' => blanks.push(character),
            '\u{a0}' => blanks.push(' '),
            // Soft hyphen, zero-width space, word joiner, byte order mark: invisible, and they split
            // words for search. U+200C and U+200D stay: some scripts need them.
            '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => {}
            _ if character.is_control() => {}
            _ => {
                if !out.is_empty() {
                    (0..line_feeds.min(MAX_LINE_FEEDS)).for_each(|_| out.push('\n'));
                    out.push_str(&blanks);
                }
                line_feeds = 0;
                blanks.clear();
                push_unligated(&mut out, character);
            }
        }
    }
    out
}

/// Whether `text` holds no control character that [`tidy`] would have removed.
pub(super) fn is_tidy(text: &str) -> bool {
    text.chars().all(|character| matches!(character, '\n' | '\t') || !character.is_control())
}

/// PDF fonts often map one glyph to U+FB01 and its like; the word is then not found as it is typed.
fn push_unligated(out: &mut String, character: char) {
    match character {
        '\u{fb00}' => out.push_str("ff"),
        '\u{fb01}' => out.push_str("fi"),
        '\u{fb02}' => out.push_str("fl"),
        '\u{fb03}' => out.push_str("ffi"),
        '\u{fb04}' => out.push_str("ffl"),
        '\u{fb05}' | '\u{fb06}' => out.push_str("st"),
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn line_ends_become_line_feeds_and_empty_lines_collapse() {
        assert_eq!(tidy("\n  a\r\n b\rc\u{2028}d\n\n\n\ne \t\n"), "a\n b\nc\nd\n\ne");
    }

    #[test]
    fn control_characters_vanish_and_meaning_stays() {
        assert_eq!(tidy("\u{feff}kg/m²\0 ef\u{fb01}\u{200b}cient\u{7}\t5 µg"), "kg/m² efficient\t5 µg");
    }

    #[test]
    fn nothing_but_blanks_is_empty() {
        assert_eq!(tidy(" \n\u{a0}\t\r\n"), "");
    }
}
