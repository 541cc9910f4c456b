//! Words one slip of the pen apart (a letter missing, too many, wrong, or two exchanged), found over keyed hashes alone.
//!
//! Each word of a facility is kept as hashes of itself and of itself without one letter, with the place of that letter.
//! A mistyped word is looked up as all that it may be, by equality: which is all that hashes allow, and all that
//! row-level security lets an index do. The words are those before stemming: a slip in an ending makes another stem.
//! Pure.

/// Shorter words have too many neighbours.
const MIN_CHARS: usize = 5;
/// Longer ones are no words.
const MAX_CHARS: usize = 30;

/// A word and every spelling of it without one letter, by the place of that letter; none for what is too short, or no
/// word: a number that is off by one is another number.
#[must_use]
pub fn spellings(word: &str) -> Vec<String> {
    let Some(letters) = letters(word) else { return Vec::new() };
    let without = (0..letters.len()).map(|place| placed(&without(&letters, place), place));
    std::iter::once(word.to_owned()).chain(without).collect()
}

/// Which of these spellings a word has that is one slip away from this one.
pub(super) fn slips(word: &str) -> Vec<String> {
    let Some(letters) = letters(word) else { return Vec::new() };
    let count = letters.len();
    let swapped = |place: usize| {
        let mut swapped = letters.clone();
        swapped.swap(place, place + 1);
        swapped.into_iter().collect::<String>()
    };
    let mut slips: Vec<String> = (0..count)
        // A letter too many, or another letter in its place.
        .flat_map(|place| {
            let less = without(&letters, place);
            [placed(&less, place), less]
        })
        .chain((0..=count).map(|place| placed(word, place)))
        .chain((0..count - 1).map(swapped))
        .collect();
    slips.sort_unstable();
    slips.dedup();
    slips
}

fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word.chars().collect();
    let is_word =
        (MIN_CHARS..=MAX_CHARS).contains(&letters.len()) && letters.iter().all(|letter| letter.is_alphabetic());
    is_word.then_some(letters)
}

fn without(letters: &[char], place: usize) -> String {
    letters.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, letter)| letter).collect()
}

/// What is left of a word when the letter at a place is taken out. No word has a stroke in it.
fn placed(rest: &str, place: usize) -> String {
    format!("{rest}/{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets(written: &str, typed: &str) -> bool {
        let slips = slips(typed);
        spellings(written).iter().any(|spelling| slips.contains(spelling))
    }

    #[test]
    fn one_slip_apart_meets() {
        for slip in ["anxity", "anxieety", "anxiaty", "anixety", "nxiety", "anxietys", "xanxiety"] {
            assert!(meets("anxiety", slip), "{slip}");
        }
        assert!(meets("ängste", "ängstte"));
    }

    #[test]
    fn two_slips_apart_does_not() {
        for (written, typed) in
            [("depress", "express"), ("anxiety", "anixty"), ("trial", "trail of"), ("abcde", "badce")]
        {
            assert!(!meets(written, typed), "{typed}");
        }
    }

    #[test]
    fn short_words_and_numbers_have_no_neighbours() {
        for word in ["pain", "900mg", "0.8 mmol", ""] {
            assert_eq!((spellings(word), slips(word)), (Vec::new(), Vec::new()), "{word}");
        }
        assert_eq!(spellings("aorta"), ["aorta", "orta/0", "arta/1", "aota/2", "aora/3", "aort/4"]);
    }
}
