//! Text to passages: cut to the size the model reads, each with its vector and its hashed lexemes. Touches the
//! database only for PostgreSQL's own lexer, and stores nothing.

use std::collections::HashMap;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;

use super::repository;
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::documents::lexemes::spellings;
use crate::embedding::{EmbeddingError, Priority, Provider};
use crate::error::Result;
use crate::extraction::{Page, TextBox};
use crate::ids::{ChunkId, TypedId as _, new_id};
use crate::phi::Phi;

const TEXT: ColumnId = ColumnId::new("document_chunks", "text");

/// Passages embedded at once: some seconds of work, after which a stopped job stops.
pub(super) const EMBED_BATCH: usize = 64;

/// A passage of a document.
#[derive(Debug)]
pub(super) struct Passage {
    /// From 1; `None` for text without pages.
    pub page: Option<i32>,
    /// In the text of the page, in Unicode scalar values.
    pub start_char: i32,
    pub end_char: i32,
    pub text: Phi<String>,
    /// Where it stands on the page, for text read from a picture.
    pub place: Option<TextBox>,
}

/// A hashed lexeme of a passage and how often it occurs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TermCount {
    pub term: i64,
    pub frequency: i16,
}

/// A spelling of a word and the lexeme of the word, both hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spelled {
    pub variant: i64,
    pub term: i64,
}

/// The hashed lexemes of passages.
#[derive(Debug, Default)]
pub(super) struct Lexemes {
    /// Of each passage, in their order.
    pub terms: Vec<Vec<TermCount>>,
    /// Of all of them, sorted.
    pub spelled: Vec<Spelled>,
}

/// A passage ready to be stored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub id: ChunkId,
    pub page: Option<i32>,
    pub start_char: i32,
    pub end_char: i32,
    pub text_ciphertext: Vec<u8>,
    /// Lexemes in the passage, repeated ones counted each time.
    pub term_count: i32,
    pub terms: Vec<TermCount>,
    pub vector: Vec<f32>,
    pub place: Option<TextBox>,
}

/// Cuts pages into passages, in reading order. A passage never spans two pages, so that it can be shown on one.
pub(super) async fn cut(provider: &dyn Provider, pages: Vec<Page>) -> Result<Vec<Passage>, EmbeddingError> {
    let mut passages = Vec::new();
    for page in pages {
        let number = page.number.and_then(|number| i32::try_from(number).ok());
        let text: Arc<str> = page.text.into();
        for chunk in provider.chunk(Arc::clone(&text)).await? {
            let Some(piece) = text.get(chunk.start_byte..chunk.end_byte) else { continue };
            passages.push(Passage {
                page: number,
                start_char: i32::try_from(chunk.start_char).unwrap_or(i32::MAX),
                end_char: i32::try_from(chunk.end_char).unwrap_or(i32::MAX),
                text: Phi::new(piece.to_owned()),
                place: place(&page.boxes, chunk.start_char, chunk.end_char),
            });
        }
    }
    Ok(passages)
}

/// The box round the lines that a stretch of text stands on.
fn place(boxes: &[TextBox], start_char: usize, end_char: usize) -> Option<TextBox> {
    let lines = boxes.iter().filter(|line| line.start_char < end_char && line.end_char > start_char);
    lines.copied().reduce(|all, line| TextBox {
        start_char: all.start_char.min(line.start_char),
        end_char: all.end_char.max(line.end_char),
        left: all.left.min(line.left),
        top: all.top.min(line.top),
        right: all.right.max(line.right),
        bottom: all.bottom.max(line.bottom),
    })
}

/// Vectors of texts in their order, a batch at a time.
pub(super) async fn embed(provider: &dyn Provider, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(EMBED_BATCH) {
        let batch = batch.iter().map(|text| (*text).to_owned()).collect();
        vectors.extend(provider.embed(batch, Priority::Document).await?);
    }
    Ok(vectors)
}

/// The hashed lexemes of each passage, in their order, and the spellings of all.
pub(super) async fn terms(db: &AsyncPgConnection, keys: &FacilityKeys, passages: &[Passage]) -> Result<Lexemes> {
    let texts: Vec<&str> = passages.iter().map(|passage| passage.text.reveal_str()).collect();
    let (lexemes, words) = futures::try_join!(repository::lexemes(db, texts.clone()), repository::words(db, texts))?;
    let mut counted: Vec<HashMap<i64, i32>> = passages.iter().map(|_| HashMap::new()).collect();
    for found in lexemes {
        if let Some(of_passage) = usize::try_from(found.position).ok().and_then(|position| counted.get_mut(position)) {
            // Two lexemes of one hash count as one: the key of a term is its hash.
            *of_passage.entry(keys.index.lexeme(&found.lexeme)).or_default() += found.frequency;
        }
    }
    let sorted = counted.into_iter().map(|of_passage| {
        let mut terms: Vec<TermCount> = of_passage
            .into_iter()
            .map(|(term, frequency)| TermCount { term, frequency: i16::try_from(frequency).unwrap_or(i16::MAX) })
            .collect();
        terms.sort_unstable_by_key(|found| found.term);
        terms
    });
    Ok(Lexemes { terms: sorted.collect(), spelled: spelled(keys, &words) })
}

/// The hashed lexemes of texts, in their order, each with how often it occurs.
pub(super) async fn terms_of(
    db: &AsyncPgConnection,
    keys: &FacilityKeys,
    texts: &[&str],
) -> Result<Vec<Vec<(i64, i16)>>> {
    let mut counted: Vec<HashMap<i64, i32>> = texts.iter().map(|_| HashMap::new()).collect();
    for found in repository::lexemes(db, texts.to_vec()).await? {
        if let Some(of_text) = usize::try_from(found.position).ok().and_then(|position| counted.get_mut(position)) {
            *of_text.entry(keys.index.lexeme(&found.lexeme)).or_default() += found.frequency;
        }
    }
    let narrowed = |(term, count): (i64, i32)| (term, i16::try_from(count).unwrap_or(i16::MAX));
    Ok(counted.into_iter().map(|of_text| of_text.into_iter().map(narrowed).collect()).collect())
}

/// The spellings of words, hashed; sorted, as they are written.
fn spelled(keys: &FacilityKeys, words: &[repository::WordRow]) -> Vec<Spelled> {
    let mut spelled: Vec<Spelled> = words
        .iter()
        .flat_map(|found| {
            let term = keys.index.lexeme(&found.lexeme);
            spellings(&found.word).into_iter().map(move |spelling| (spelling, term))
        })
        .map(|(spelling, term)| Spelled { variant: keys.index.spelling(&spelling), term })
        .collect();
    spelled.sort_unstable();
    spelled.dedup();
    spelled
}

/// Puts passages, lexemes and vectors together, the text encrypted.
pub(super) fn prepare(
    keys: &FacilityKeys,
    passages: Vec<Passage>,
    terms: Vec<Vec<TermCount>>,
    vectors: Vec<Vec<f32>>,
) -> Result<Vec<Prepared>> {
    let parts = passages.into_iter().zip(terms).zip(vectors);
    parts
        .map(|((passage, terms), vector)| {
            let id: ChunkId = new_id();
            Ok(Prepared {
                id,
                page: passage.page,
                start_char: passage.start_char,
                end_char: passage.end_char,
                text_ciphertext: keys.fields.encrypt_text(TEXT, id.uuid(), &passage.text)?,
                term_count: terms.iter().map(|found| i32::from(found.frequency)).sum(),
                terms,
                vector,
                place: passage.place,
            })
        })
        .collect()
}

/// The text of a stored passage.
///
/// # Errors
/// When it was changed, or its key is gone.
pub(in crate::domains::documents) fn open_text(keys: &FacilityKeys, id: ChunkId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(TEXT, id.uuid(), sealed)?)
}
