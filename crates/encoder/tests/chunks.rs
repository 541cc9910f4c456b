//! Chunks: where they are cut, what they cover, and that cutting always ends.

#![expect(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "model/mod.rs"]
mod model;

use std::sync::LazyLock;

use anamnesis_encoder::{Chunk, Encoder, MAX_CHUNK_TOKENS, OVERLAP_TOKENS, chunk_approximately};
use proptest::prelude::*;

/// The model, loaded once per test binary.
fn encoder() -> &'static Encoder {
    static ENCODER: LazyLock<Encoder> = LazyLock::new(|| Encoder::load(&model::dir()).unwrap());
    &ENCODER
}

/// The model's chunks; the approximate ones are held to the same promises on every text.
fn chunk(text: &str) -> Vec<Chunk> {
    assert_holds(text, &chunk_approximately(text));
    let chunks = encoder().chunk(text).unwrap();
    assert_holds(text, &chunks);
    chunks
}

fn passage<'a>(text: &'a str, chunk: &Chunk) -> &'a str {
    &text[chunk.start_byte..chunk.end_byte]
}

/// Everything that [`Chunk`] promises whatever the text is.
fn assert_holds(text: &str, chunks: &[Chunk]) {
    for chunk in chunks {
        assert!(chunk.start_byte < chunk.end_byte, "not empty");
        assert!((1..=MAX_CHUNK_TOKENS).contains(&chunk.tokens));
        assert!(chunk.end_byte - chunk.start_byte <= 64 * 1024);
        let chars = |bytes: usize| text[..bytes].chars().count();
        assert_eq!(chunk.start_char, chars(chunk.start_byte));
        assert_eq!(chunk.end_char, chars(chunk.end_byte));
    }
    for pair in chunks.windows(2) {
        assert!(pair[0].start_byte < pair[1].start_byte, "progress");
        assert!(pair[0].end_byte < pair[1].end_byte, "progress");
    }
    // Every letter and digit lies in a chunk.
    let mut covered = 0;
    for chunk in chunks {
        if chunk.start_byte > covered {
            assert_no_word(&text[covered..chunk.start_byte]);
        }
        covered = chunk.end_byte;
    }
    assert_no_word(&text[covered..]);
}

fn assert_no_word(text: &str) {
    assert!(!text.contains(|c: char| c.is_ascii_alphanumeric()), "lost: {text:?}");
}

#[test]
fn a_text_without_words_gives_no_chunk() {
    for text in ["", " ", "\n\n\t ", "\u{feff}\u{200b}", "\0\0"] {
        assert_eq!(chunk(text), []);
        assert_eq!(chunk_approximately(text), []);
    }
}

#[test]
fn a_short_text_is_one_chunk_without_the_space_around_it() {
    let text = "  Caf\u{e9} visit.\n";
    assert_eq!(chunk(text), [Chunk { start_char: 2, end_char: 13, start_byte: 2, end_byte: 14, tokens: 3 }]);
}

#[test]
fn two_hundred_wordpieces_are_one_chunk_and_one_more_makes_two() {
    assert_eq!(chunk(&"fever ".repeat(200)).len(), 1);
    let text = "fever ".repeat(201);
    let chunks = chunk(&text);
    assert_eq!(chunks.iter().map(|c| c.tokens).collect::<Vec<_>>(), [200, 1 + OVERLAP_TOKENS]);
    assert_eq!(chunks[1].start_byte, 160 * "fever ".len());
}

#[test]
fn chunks_end_with_sentences_and_begin_with_sentences() {
    // 17 wordpieces each, abbreviation and decimal included.
    let text = "Dr. Lee raised sertraline to 62.5 mg today and saw no harm. ".repeat(60);
    let chunks = chunk(&text);
    assert!(chunks.len() > 4);
    for chunk in &chunks {
        let passage = passage(&text, chunk);
        assert!(passage.ends_with("harm."), "{passage}");
        assert!(passage.starts_with("Dr. Lee"), "{passage}");
    }
    for pair in chunks.windows(2) {
        let shared = &text[pair[1].start_byte..pair[0].end_byte];
        let shared = chunk_tokens(shared);
        assert!((OVERLAP_TOKENS / 2..=OVERLAP_TOKENS).contains(&shared), "{shared}");
    }
}

fn chunk_tokens(text: &str) -> usize {
    chunk(text).iter().map(|c| c.tokens).sum()
}

#[test]
fn a_paragraph_border_is_preferred_to_a_later_sentence() {
    let first = "She sleeps well and eats well. ".repeat(18);
    let text = format!("{first}\n\n{}", "Plan is to go on as before. ".repeat(30));
    let chunks = chunk(&text);
    assert_eq!(passage(&text, &chunks[0]), first.trim_end());
}

#[test]
fn lines_are_kept_whole_where_there_are_no_sentences() {
    let text = "blood pressure 120/80 pulse 72\n".repeat(80);
    for chunk in &chunk(&text) {
        let passage = passage(&text, chunk);
        assert!(passage.ends_with("pulse 72"), "{passage}");
        assert!(passage.starts_with("blood pressure"), "{passage}");
    }
}

#[test]
fn words_are_kept_whole_where_there_are_no_lines() {
    let text = "hydrochlorothiazide-triamterene ".repeat(200);
    for chunk in &chunk(&text) {
        let passage = passage(&text, chunk);
        assert!(passage.ends_with("triamterene") && passage.starts_with("hydro"), "{passage}");
    }
}

#[test]
fn ideographs_are_cut_after_their_full_stop() {
    let text = "\u{60a3}\u{8005}\u{8bc9}\u{5931}\u{7720}\u{3002}".repeat(100);
    for chunk in &chunk(&text) {
        let passage = passage(&text, chunk);
        assert!(passage.ends_with('\u{3002}') && passage.starts_with('\u{60a3}'));
    }
}

#[test]
fn text_without_any_space_ends_and_is_bounded() {
    // One word as the tokenizer sees it, longer than a window.
    let chunks = chunk(&"a".repeat(100_000));
    assert!((8..20).contains(&chunks.len()), "{}", chunks.len());
    // Pieces of words with no border between them that the tokenizer would call one.
    let chunks = chunk(&"x-7/".repeat(20_000));
    assert!(chunks.iter().all(|c| c.tokens >= MAX_CHUNK_TOKENS / 2 || c.end_byte == 80_000));
    // Characters of several wordpieces each.
    chunk(&"\u{d55c}\u{ae00}".repeat(9_000));
}

#[test]
fn a_long_empty_stretch_ends_a_chunk_and_is_in_none() {
    let text = format!("before{}after", " ".repeat(40_000));
    let chunks = chunk(&text);
    assert_eq!(chunks.len(), 2);
    assert_eq!(passage(&text, &chunks[0]), "before");
    assert_eq!(passage(&text, &chunks[1]), "after");
}

#[test]
fn a_combining_mark_stays_with_its_letter() {
    let text = "cafe\u{301}";
    assert_eq!(passage(text, &chunk(text)[0]), text);
}

#[test]
fn windows_do_not_show() {
    // 40 windows; every chunk but the last is equally long, so none was cut at a window's end.
    let text = "fever ".repeat(100_000);
    let chunks = chunk(&text);
    let (last, full) = chunks.split_last().unwrap();
    assert!(full.iter().all(|c| c.tokens == 200));
    assert_eq!(full.len(), (100_000_usize - 200).div_ceil(160));
    assert_eq!(last.end_byte, text.len() - 1);
}

#[test]
fn a_chunk_cut_out_of_its_text_still_fits_the_model() {
    let text = "Pt c/o N/V x3d, \u{394}MS; \u{2193}Na+ 128; K\u{207a} 3.1mmol/L (\u{b1}0.2)\u{2026}\
                CHA\u{2082}DS\u{2082}-VASc=4, \u{fb01}brillation\u{a0}\u{2192}DOAC. \u{1f637} "
        .repeat(200);
    for passage in chunk(&text).iter().map(|c| passage(&text, c)) {
        assert!(chunk_tokens(passage) <= 254);
    }
}

#[test]
fn an_approximate_chunk_cuts_at_the_same_kind_of_border_and_fits_the_model() {
    let text = "Dr. Lee raised sertraline to 62.5 mg today and saw no harm. ".repeat(60);
    let chunks = chunk_approximately(&text);
    assert!(chunks.len() > 4);
    for chunk in &chunks {
        let passage = passage(&text, chunk);
        assert!(passage.starts_with("Dr. Lee") && passage.ends_with("harm."), "{passage}");
        assert!(chunk_tokens(passage) <= chunk.tokens, "an overestimate of {passage}");
    }
    assert_eq!(chunk_approximately("Sertraline 50 mg, nightly.")[0].tokens, 3 + 1 + 1 + 1 + 2 + 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_keeps_the_promises(
        parts in prop::collection::vec(
            prop_oneof![
                4 => "[A-Za-z]{1,12}[ ,.;!?\n]{0,3}",
                1 => "\\PC{0,80}",
                1 => any::<String>(),
                1 => "(\r\n|\u{c}|\u{a0}|\u{300}|\u{d55c}|[\u{4e00}-\u{4e20}\u{3002}]){0,60}",
                1 => "[A-Za-z0-9+/]{60,400}",
            ],
            0..300,
        )
    ) {
        chunk(&parts.concat());
    }
}
