//! How two texts differ, word by word.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::model::{DocumentDiffChange, Piece};

/// After that long the rest is told more coarsely: two long texts that have nothing in common would take minutes.
const AT_MOST: Duration = Duration::from_millis(500);

/// The pieces of both texts in reading order. Those that are not `Added` make up the first text, those that are not
/// `Removed` the second, to the character.
pub(super) fn words(from: &str, to: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for change in TextDiff::configure().timeout(AT_MOST).diff_words(from, to).iter_all_changes() {
        let kind = match change.tag() {
            ChangeTag::Equal => DocumentDiffChange::Equal,
            ChangeTag::Delete => DocumentDiffChange::Removed,
            ChangeTag::Insert => DocumentDiffChange::Added,
        };
        match pieces.last_mut().filter(|last| last.change == kind) {
            Some(last) => last.text.push_str(change.value()),
            None => pieces.push(Piece { change: kind, text: change.value().to_owned() }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy as _, any, proptest};

    use super::{DocumentDiffChange, words};

    fn told(from: &str, to: &str) -> String {
        let mark = |change| match change {
            DocumentDiffChange::Equal => ' ',
            DocumentDiffChange::Removed => '-',
            DocumentDiffChange::Added => '+',
        };
        words(from, to).iter().map(|piece| format!("{}[{}]", mark(piece.change), piece.text)).collect()
    }

    #[test]
    fn words_are_told_apart_not_letters() {
        assert_eq!(told("Slept badly again.", "Slept well again."), " [Slept ]-[badly]+[well] [ again.]");
        assert_eq!(told("", "Slept"), "+[Slept]");
        assert_eq!(told("same", "same"), " [same]");
        assert_eq!(told("", ""), "");
    }

    proptest! {
        #[test]
        fn the_pieces_make_up_both_texts(from in any::<String>(), to in "[a-c \n]{0,40}".prop_map(|text| text)) {
            let pieces = words(&from, &to);
            let without = |change| pieces.iter().filter(|piece| piece.change != change).map(|piece| piece.text.as_str()).collect::<String>();
            assert_eq!(without(DocumentDiffChange::Added), from);
            assert_eq!(without(DocumentDiffChange::Removed), to);
        }
    }
}
