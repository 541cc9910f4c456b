//! Cuts a text into overlapping chunks that each fit the model, at the best border in reach.
//!
//! The text is tokenised window by window, so a text of many megabytes needs memory for its chunks
//! and one window, not for its tokens. From each window come *pieces*, usually one per wordpiece,
//! each with its place in the text and the quality of a cut right before it; the cutting itself
//! looks only at those.

use std::collections::VecDeque;
use std::convert::Infallible;

use tokenizers::Tokenizer;

use crate::encoder::EncoderError;

/// The most wordpieces in a chunk, without the two special tokens the encoder adds. Leaves room in
/// the model's 256 for a word that tokenises into more pieces once it is cut out of its context.
pub const MAX_CHUNK_TOKENS: usize = 200;

/// The most wordpieces that a chunk repeats of the one before, so that a sentence on a border is
/// whole in at least one of the two.
pub const OVERLAP_TOKENS: usize = 40;

/// Bytes tokenised at a time.
const WINDOW_BYTES: usize = 16 * 1024;

/// A wordpiece longer than this is no word (the longest of the vocabulary has 18 letters) but what
/// the tokenizer gives up on, such as encoded binary data. It counts as several pieces, which
/// bounds the length of a chunk.
const MAX_PIECE_BYTES: usize = 64;

/// Text without any wordpiece (white space, control characters) that is longer than this always
/// ends a chunk, which bounds the length of a chunk.
const MAX_GAP_BYTES: usize = 256;

/// A passage of a source text.
///
/// Chunks of a text come in its order. Each begins and ends at a character boundary, is not empty,
/// holds at least one wordpiece and at most [`MAX_CHUNK_TOKENS`], and ends at a paragraph, sentence,
/// line or word border, the best to be found in its second half; inside a word only if a single
/// word fills half a chunk. Every wordpiece of the text lies in at least one chunk, and at most
/// [`OVERLAP_TOKENS`] of them are shared by two neighbours. A chunk is at most 64 kB long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Unicode scalar values before the first of the chunk.
    pub start_char: usize,
    /// Unicode scalar values before the end of the chunk.
    pub end_char: usize,
    /// UTF-8 bytes before the chunk.
    pub start_byte: usize,
    /// UTF-8 bytes before the end of the chunk.
    pub end_byte: usize,
    /// Wordpieces in the chunk, without special tokens. Stretches that the tokenizer cannot read
    /// count as one for each 64 bytes.
    pub tokens: usize,
}

/// The quality of a cut, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Border {
    /// Both sides come from one character. Never cut.
    Character,
    /// Two pieces of a word.
    Inside,
    /// No space between, but no word either: before a comma, between two ideographs.
    Joint,
    Word,
    Line,
    Sentence,
    Paragraph,
    /// More than [`MAX_GAP_BYTES`] without a piece. Always cut.
    Gap,
}

/// A stretch of the text that counts as one token.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: usize,
    end: usize,
    /// Of a cut right before this piece.
    border: Border,
}

/// Where a token begins and ends, in bytes, and the number of the word it is part of.
type Token = (usize, usize, Option<u32>);

/// Turns a window of text into its tokens, in order.
trait Split {
    type Error;
    fn split(&self, window: &str) -> Result<Vec<Token>, Self::Error>;
}

impl Split for Tokenizer {
    type Error = EncoderError;

    fn split(&self, window: &str) -> Result<Vec<Token>, EncoderError> {
        let encoding = self.encode(window, false).map_err(|_| EncoderError::Text)?;
        let words = encoding.get_word_ids();
        let offsets = encoding.get_offsets().iter();
        Ok(offsets.zip(words).map(|(&(start, end), &word)| (start, end, word)).collect())
    }
}

/// Four letters or digits of a word, or one other character, for a token.
struct Approximation;

/// Letters to a token. Byte-pair vocabularies of English average a little more than four.
const APPROXIMATE_LETTERS: usize = 4;

/// From here on, scripts that need about a token for each character: the ideographs of East Asia
/// and everything after them.
const FIRST_IDEOGRAPH: char = '\u{2e80}';

impl Split for Approximation {
    type Error = Infallible;

    fn split(&self, window: &str) -> Result<Vec<Token>, Infallible> {
        let mut tokens: Vec<Token> = Vec::new();
        let (mut word, mut letters, mut before) = (0, 0, ' ');
        for (start, c) in window.char_indices() {
            let end = start + c.len_utf8();
            let in_word = |c: char| c.is_alphanumeric() && c < FIRST_IDEOGRAPH;
            match tokens.last_mut() {
                _ if c.is_whitespace() || is_invisible(c) => {}
                Some(token) if in_word(c) && in_word(before) => {
                    if letters < APPROXIMATE_LETTERS {
                        token.1 = end;
                        letters += 1;
                    } else {
                        tokens.push((start, end, Some(word)));
                        letters = 1;
                    }
                }
                _ => {
                    word += 1;
                    tokens.push((start, end, Some(word)));
                    letters = 1;
                }
            }
            before = c;
        }
        Ok(tokens)
    }
}

/// Control characters, zero-width marks and the byte-order mark: no text of their own.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}')
}

/// Cuts `text` as [`Encoder::chunk`](crate::Encoder::chunk) does, but without a model: for a model
/// elsewhere whose tokenizer is not at hand.
///
/// A token is taken to be up to four letters or digits of one word, or any other single character.
/// For English that overestimates, so the chunks come out somewhat shorter. For scripts far from
/// Latin it may be several times too low: a model that reads 2,048 tokens or more takes those, too.
#[must_use]
pub fn chunk_approximately(text: &str) -> Vec<Chunk> {
    let Ok(chunks) = chunk(&Approximation, text);
    chunks
}

/// Cuts `text` into chunks of the model's own wordpieces.
pub(crate) fn chunk_exactly(tokenizer: &Tokenizer, text: &str) -> Result<Vec<Chunk>, EncoderError> {
    chunk(tokenizer, text)
}

/// The pieces of a text, read ahead as far as needed.
struct Pieces<'a, S> {
    splitter: &'a S,
    text: &'a str,
    /// Bytes of `text` that have been tokenised.
    read: usize,
    /// Pieces that are not yet behind the start of the current chunk.
    ahead: VecDeque<Piece>,
    /// End of the last piece read and the number of its word within its window.
    last: Option<(usize, Option<u32>)>,
}

fn chunk<S: Split>(splitter: &S, text: &str) -> Result<Vec<Chunk>, S::Error> {
    let mut pieces = Pieces { splitter, text, read: 0, ahead: VecDeque::new(), last: None };
    let mut chunks = Vec::new();
    // The place up to which characters have been counted: in bytes, in characters.
    let mut counted = (0, 0);
    loop {
        // One more than fits, so that the border after a full chunk is known.
        pieces.read_ahead(MAX_CHUNK_TOKENS + 1)?;
        let Some(first) = pieces.ahead.front() else {
            return Ok(chunks);
        };
        let start_byte = first.start;
        let (tokens, next) = cut(&pieces.ahead);
        let end_byte = pieces.end_of(tokens);
        let start_char = counted.1 + text[counted.0..start_byte].chars().count();
        counted = (start_byte, start_char);
        chunks.push(Chunk {
            start_char,
            end_char: start_char + text[start_byte..end_byte].chars().count(),
            start_byte,
            end_byte,
            tokens,
        });
        pieces.ahead.drain(..next);
    }
}

impl<S: Split> Pieces<'_, S> {
    /// Reads windows until at least `wanted` pieces are ahead or the text is at its end.
    fn read_ahead(&mut self, wanted: usize) -> Result<(), S::Error> {
        while self.ahead.len() < wanted && self.read < self.text.len() {
            let start = self.read;
            self.read = self.window_end();
            let tokens = self.splitter.split(&self.text[start..self.read])?;
            // Word numbers begin anew in each window.
            self.last = self.last.map(|(end, _)| (end, None));
            for (token_start, token_end, word) in tokens {
                let token_start = self.text.floor_char_boundary(start + token_start);
                let token_end = self.text.ceil_char_boundary(start + token_end);
                self.push(token_start, token_end, word);
            }
        }
        Ok(())
    }

    /// After the last white space within reach, as a word must not be tokenised in two halves; or
    /// anywhere, if there is none.
    fn window_end(&self) -> usize {
        let limit = self.text.floor_char_boundary(self.read + WINDOW_BYTES);
        if limit == self.text.len() {
            return limit;
        }
        let window = &self.text[self.read..limit];
        window
            .char_indices()
            .rfind(|(_, c)| c.is_whitespace())
            .map_or(limit, |(index, c)| self.read + index + c.len_utf8())
    }

    fn push(&mut self, start: usize, end: usize, word: Option<u32>) {
        let border = match self.last {
            None => Border::Paragraph,
            Some((last, _)) if start < last => Border::Character,
            Some((last, of)) => self.border(last, start, of.is_some() && of == word),
        };
        // Ends never step back, so that `ahead` stays ordered whatever the tokenizer reports.
        let end = end.max(self.last.map_or(0, |(last, _)| last));
        self.last = Some((end, word));
        let mut piece = Piece { start, end, border };
        while piece.end - piece.start > MAX_PIECE_BYTES {
            let split = self.text.floor_char_boundary(piece.start + MAX_PIECE_BYTES);
            self.ahead.push_back(Piece { end: split, ..piece });
            piece.start = split;
            piece.border = Border::Inside;
        }
        self.ahead.push_back(piece);
    }

    /// The quality of a cut between a piece that ends at `end` and the next, that begins at `start`.
    fn border(&self, end: usize, start: usize, same_word: bool) -> Border {
        let gap = &self.text[end..start];
        if gap.len() > MAX_GAP_BYTES {
            return Border::Gap;
        }
        let spaced = gap.contains(char::is_whitespace);
        let lines = gap.matches('\n').count();
        // A form feed is how text extraction marks the end of a page.
        if lines > 1 || gap.contains('\u{c}') {
            Border::Paragraph
        } else if !same_word && self.ends_sentence(end, start, spaced) {
            Border::Sentence
        } else if lines == 1 {
            Border::Line
        } else if spaced {
            Border::Word
        } else if same_word {
            Border::Inside
        } else {
            Border::Joint
        }
    }

    /// Whether a sentence ends at `end`. A full stop before a small letter, or after up to three
    /// letters of which only the first is a capital ("Dr.", "J."), is taken for an abbreviation;
    /// ideographic stops need no space after them.
    fn ends_sentence(&self, end: usize, start: usize, spaced: bool) -> bool {
        let mark = self.text[..end]
            .chars()
            .rev()
            .take(4)
            .find(|c| !matches!(c, '"' | '\'' | ')' | ']' | '\u{201d}' | '\u{2019}' | '\u{bb}'));
        let small_follows = || {
            let next = self.text[start..].chars().next();
            next.is_some_and(char::is_lowercase)
        };
        let short_word = || {
            let before = self.text[..end].trim_end_matches('.').chars().rev();
            let word: Vec<char> = before.take(4).take_while(|c| c.is_alphabetic()).collect();
            match word.split_last() {
                Some((first, rest)) => rest.len() < 3 && first.is_uppercase() && !rest.iter().any(|c| c.is_uppercase()),
                None => false,
            }
        };
        match mark {
            Some('.') => spaced && !small_follows() && !short_word(),
            Some('\u{2026}') => spaced && !small_follows(),
            Some('!' | '?') => spaced,
            Some('\u{3002}' | '\u{ff01}' | '\u{ff1f}') => true,
            _ => false,
        }
    }

    /// Where a chunk of the next `tokens` pieces ends: with what clings to the last of them, such as
    /// a combining mark that the tokenizer drops, but without white space.
    fn end_of(&self, tokens: usize) -> usize {
        let last = self.ahead[tokens - 1].end;
        let next = self.ahead.get(tokens);
        let next = next.map_or(self.text.len(), |piece| piece.start).max(last);
        let gap = &self.text[last..next];
        if gap.len() > MAX_GAP_BYTES {
            return last;
        }
        last + gap.find(char::is_whitespace).unwrap_or(gap.len())
    }
}

/// How many of the pieces `ahead` the next chunk takes, and how many are behind the start of the
/// one after. There is at least one piece; both numbers are at least 1, so cutting always ends.
fn cut(ahead: &VecDeque<Piece>) -> (usize, usize) {
    let limit = ahead.len().min(MAX_CHUNK_TOKENS);
    if let Some(gap) = (1..limit).find(|index| ahead[*index].border == Border::Gap) {
        return (gap, gap);
    }
    if limit == ahead.len() {
        return (limit, limit);
    }
    let latest = |from: usize, border: Border| (from..=limit).rev().find(|index| ahead[*index].border >= border);
    let tokens = latest(limit * 3 / 5, Border::Paragraph)
        .or_else(|| latest(limit / 2, Border::Sentence))
        .or_else(|| latest(limit / 2, Border::Line))
        .or_else(|| latest(limit / 2, Border::Word))
        .or_else(|| latest(limit / 2, Border::Joint))
        .or_else(|| latest(1, Border::Joint))
        .or_else(|| latest(1, Border::Inside))
        .unwrap_or(limit);
    if ahead[tokens].border == Border::Gap {
        return (tokens, tokens);
    }
    // At most a quarter of the chunk: a short one, cut at a far border, must not be repeated whole.
    let overlap = OVERLAP_TOKENS.min(tokens / 4);
    let earliest =
        |until: usize, border: Border| (tokens - overlap..until).find(|index| ahead[*index].border >= border);
    let next = earliest(tokens - overlap / 2, Border::Sentence)
        .or_else(|| earliest(tokens - overlap / 2, Border::Line))
        .or_else(|| earliest(tokens, Border::Word))
        .or_else(|| earliest(tokens, Border::Joint))
        .unwrap_or(tokens);
    (tokens, next)
}
