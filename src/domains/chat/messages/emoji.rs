//! Whether a text is one emoji. Pure.

const JOINER: char = '\u{200D}';
const PRESENTATION: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';

/// One emoji: a sign with its skin tone and presentation, several of them joined into one, a flag or a keycap (UTS #51).
pub(super) fn is_emoji(text: &str) -> bool {
    let signs: Vec<char> = text.chars().collect();
    match signs.as_slice() {
        [] => false,
        [first, second] if is_regional(*first) && is_regional(*second) => true,
        ['0'..='9' | '#' | '*', rest @ ..] => rest == [KEYCAP] || rest == [PRESENTATION, KEYCAP],
        signs => signs.len() <= 16 && signs.split(|sign| *sign == JOINER).all(is_element),
    }
}

/// A sign, what changes its looks, and the letters of a flag of a region.
fn is_element(signs: &[char]) -> bool {
    let [first, rest @ ..] = signs else { return false };
    is_sign(*first)
        && rest
            .iter()
            .all(|sign| *sign == PRESENTATION || matches!(sign, '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0020}'..='\u{E007F}'))
        && rest.iter().filter(|sign| matches!(sign, '\u{1F3FB}'..='\u{1F3FF}')).count() <= 1
}

const fn is_regional(sign: char) -> bool {
    matches!(sign, '\u{1F1E6}'..='\u{1F1FF}')
}

const fn is_sign(sign: char) -> bool {
    matches!(sign,
        '\u{1F300}'..='\u{1FAFF}' | '\u{1F000}'..='\u{1F1E5}' | '\u{1F200}'..='\u{1F2FF}'
        | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}' | '\u{2300}'..='\u{23FF}' | '\u{2190}'..='\u{21FF}'
        | '\u{25AA}'..='\u{25FE}' | '\u{2934}' | '\u{2935}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}'
        | '\u{24C2}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{A9}' | '\u{AE}')
}

#[cfg(test)]
mod tests {
    use super::is_emoji;

    #[test]
    fn one_emoji_is_one_however_it_is_made() {
        for emoji in ["👍", "👍🏽", "❤️", "✅", "👩‍⚕️", "👨‍👩‍👧", "🇺🇸", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "☎", "©"]
        {
            assert!(is_emoji(emoji), "{emoji}");
        }
    }

    #[test]
    fn texts_and_several_are_none() {
        for text in ["", "a", "1", "ok", "👍👍", "👍 ", " ", "🇺", "1️", "\u{200D}", "👍\u{200D}", "x👍", "🇺🇸🇺🇸"]
        {
            assert!(!is_emoji(text), "{text}");
        }
    }
}
