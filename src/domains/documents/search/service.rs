//! Searching.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::asked::{Asked, Terms};
use super::fusion::{Candidate, Fused, Weights, fuse};
use super::model::{DocumentSearchMode, Facets, Filter, Found, Hit, Search};
use super::{highlight, negation, repository, rerank};
use crate::access::{Read, RequestContext, Subject};
use crate::db::PatientScope;
use crate::domains::documents::model::DocumentKind;
use crate::domains::documents::policy;
use crate::domains::documents::processing;
use crate::embedding::Priority;
use crate::error::{Error, Result};
use crate::ids::{ChunkId, DocumentId, TypedId as _};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Longest query, in characters: about what the model reads.
pub const MAX_QUERY_CHARS: usize = 1000;

/// Passages that answer a query, best first.
///
/// # Errors
/// [`Error::BadInput`] for an empty or too long query, a cursor of another search, or a mode that needs a reranker where
/// there is none; [`Error::Unavailable`] when the
/// model cannot be asked; a denial, or a fault.
pub async fn search(ctx: &RequestContext, search: &Search, page: PageRequest<ChunkId>) -> Result<Found> {
    let read = ctx.read(&policy::SEARCH).await?;
    let query = normalised(&search.query)?;
    let kinds = kinds(&read, &search.filter);
    let everything = sees_everything(&read, &kinds) && search.filter.is_empty();
    let filter = &search.filter;
    let wanted = repository::Wanted { facility: ctx.facility(), kinds: &kinds, filter, except: None, everything };
    // Stems are wanted in every mode, for highlights.
    let mut asked = Asked::new(query.reveal_str());
    let meant = async {
        let wanted = search.mode != DocumentSearchMode::Lexical && !kinds.is_empty();
        if wanted { Ok(Some(meaning(&read, &query).await?)) } else { Ok(None) }
    };
    let (lexed, typed, meant) = futures::try_join!(
        repository::lexemes(read.db()?, asked.texts(query.reveal_str())),
        repository::words(read.db()?, query.reveal_str()),
        meant
    )?;
    asked.lexed(lexed);
    asked.typed(typed);
    let ranked =
        if kinds.is_empty() { Ranked::default() } else { rank(&read, search.mode, meant, &asked, &wanted).await? };
    let mut fused = ranked.fused;
    let reranked = match search.mode {
        DocumentSearchMode::Reranked => rerank::rerank(&read, &query, &mut fused).await?,
        _ => false,
    };
    let documents = distinct(&fused);
    let cut = page_of(fused, page)?;
    let looked_for = LookedFor { lexemes: asked.lexemes(), terms: ranked.corrected };
    let hits = show(&read, &cut.rows, &looked_for).await?;
    note(ctx, &search.filter, json!({ "mode": search.mode.as_str() }), &hits);
    Ok(Found { page: Page { rows: hits, has_next: cut.has_next }, documents, reranked })
}

/// What a query asks for by its words and what they may also be called, for those who find other texts by the same terms.
///
/// # Errors
/// A fault.
pub async fn terms_of(read: &Read, query: &Phi<String>) -> Result<Terms> {
    let mut asked = Asked::new(query.reveal_str());
    asked.lexed(repository::lexemes(read.db()?, asked.texts(query.reveal_str())).await?);
    Ok(asked.terms(&read.keys().await?.index, &[], &[]))
}

/// Passages of other documents that say most nearly what one says, best first.
///
/// # Errors
/// [`Error::NotFound`] for a passage that is gone or may not be read; a denial, or a fault.
pub async fn similar(ctx: &RequestContext, passage: ChunkId, filter: &Filter, first: i64) -> Result<Vec<Hit>> {
    let read = ctx.read(&policy::SEARCH).await?;
    let db = read.db()?;
    let model = processing::models::serving(db).await?;
    let readable: Vec<&'static str> = policy::readable_kinds(&read).iter().map(|kind| kind.as_str()).collect();
    let found = repository::vector_of(db, ctx.facility(), model.id, passage, &readable).await?;
    let (document, vector) = found.ok_or(Error::NotFound)?;
    let kinds = kinds(&read, filter);
    let (facility, except) = (ctx.facility(), Some(document));
    let wanted = repository::Wanted { facility, kinds: &kinds, filter, except, everything: false };
    let near = if kinds.is_empty() { Vec::new() } else { repository::nearest(db, &wanted, model.id, vector).await? };
    let mut ranked = fuse(Weights::of(DocumentSearchMode::Semantic, 0), &near, &[]);
    ranked.truncate(usize::try_from(first).unwrap_or(usize::MAX));
    let hits = show(&read, &ranked, &LookedFor::default()).await?;
    note(ctx, filter, json!({ "like": passage.uuid() }), &hits);
    Ok(hits)
}

/// Of what kinds and months documents found are.
///
/// # Errors
/// A denial, or a fault.
pub async fn facets(ctx: &RequestContext, documents: &[DocumentId]) -> Result<Facets> {
    let read = ctx.read(&policy::SEARCH).await?;
    repository::facets(read.db()?, ctx.facility(), documents).await
}

/// Kinds that are asked for and may be read.
fn kinds(read: &Read, filter: &Filter) -> Vec<&'static str> {
    let readable = policy::readable_kinds(read).iter();
    let asked = readable.filter(|kind| filter.kinds.is_empty() || filter.kinds.contains(kind));
    asked.map(|kind| kind.as_str()).collect()
}

/// Whether what the database lets the actor see of passages is all they may find: no chart is shut, no kind left out.
fn sees_everything(read: &Read, kinds: &[&'static str]) -> bool {
    read.patient_scope() == PatientScope::All && policy::OF_RECORD.iter().all(|kind| kinds.contains(&kind.as_str()))
}

/// A query as it is searched for.
fn normalised(query: &Phi<String>) -> Result<Phi<String>> {
    let query = query.trimmed();
    if query.is_blank() || query.length_chars() > MAX_QUERY_CHARS || query.reveal_str().contains('\0') {
        return Err(Error::bad_input(format!("`query` must be 1 to {MAX_QUERY_CHARS} characters of text")));
    }
    Ok(query)
}

/// What a search ranked.
#[derive(Default)]
struct Ranked {
    fused: Vec<Fused>,
    /// Terms that stand for mistyped words.
    corrected: HashSet<i64>,
}

/// Both rankings as the mode asks for them, pipelined on the one connection, and fused.
async fn rank(
    read: &Read,
    mode: DocumentSearchMode,
    meant: Option<Meaning>,
    asked: &Asked,
    wanted: &repository::Wanted<'_>,
) -> Result<Ranked> {
    let by_words = mode != DocumentSearchMode::Semantic;
    let semantic = async {
        match meant {
            Some(Meaning { model, vector }) => repository::nearest(read.db()?, wanted, model, vector).await,
            None => Ok(Vec::new()),
        }
    };
    let lexical = async {
        if by_words && !asked.is_empty() { by_lexemes(read, asked, wanted).await } else { Ok(Worded::default()) }
    };
    let (semantic, lexical) = futures::join!(semantic, lexical);
    let (semantic, lexical) = (semantic?, lexical?);
    Ok(Ranked {
        fused: fuse(Weights::of(mode, asked.own()), &semantic, &lexical.candidates),
        corrected: lexical.corrected,
    })
}

/// What a query means to the model that serves.
struct Meaning {
    model: i16,
    vector: Vec<f32>,
}

async fn meaning(read: &Read, query: &Phi<String>) -> Result<Meaning> {
    let model = processing::models::serving(read.db()?).await?;
    let provider = processing::models::provider(read.ctx().app(), &model)?;
    let vectors = provider.embed(vec![query.reveal().clone()], Priority::Query).await;
    let vector = vectors.map_err(|error| Error::Unavailable(error.into()))?.pop();
    let vector = vector.ok_or_else(|| Error::internal("the embedding model gave no vector"))?;
    Ok(Meaning { model: model.id, vector })
}

/// A ranking by words.
#[derive(Default)]
struct Worded {
    candidates: Vec<Candidate>,
    corrected: HashSet<i64>,
}

async fn by_lexemes(read: &Read, asked: &Asked, wanted: &repository::Wanted<'_>) -> Result<Worded> {
    let (db, keys) = (read.db()?, read.keys().await?);
    let (unsure, spelled) = asked.unsure(&keys.index);
    // Seldom is a word mistyped: what was typed is looked up beside the question whether it is, in one round trip.
    let typed = repository::best_by_words(db, wanted, asked.terms(&keys.index, &unsure, &[]));
    let corrections = repository::corrections(db, wanted.facility, &unsure, &spelled);
    let (typed, corrections) = futures::try_join!(typed, corrections)?;
    if corrections.is_empty() {
        return Ok(Worded { candidates: typed, corrected: HashSet::new() });
    }
    let terms: Terms = asked.terms(&keys.index, &unsure, &corrections);
    let corrected = corrections.iter().map(|correction| correction.term).collect();
    Ok(Worded { candidates: repository::best_by_words(db, wanted, terms).await?, corrected })
}

/// Documents of a ranking, each once.
fn distinct(ranked: &[Fused]) -> Vec<DocumentId> {
    let mut seen = HashSet::new();
    ranked.iter().map(|entry| entry.document).filter(|document| seen.insert(*document)).collect()
}

/// The page after the cursor.
fn page_of(ranked: Vec<Fused>, page: PageRequest<ChunkId>) -> Result<Page<Fused>> {
    let start = match page.after {
        None => 0,
        Some(after) => {
            let place = ranked.iter().position(|entry| entry.chunk == after);
            place.ok_or_else(|| Error::bad_input("`after` is not a cursor of this search; begin anew"))? + 1
        }
    };
    let most = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    Ok(page.cut(ranked.into_iter().skip(start).take(most).collect()))
}

/// What is marked in passages.
#[derive(Default)]
struct LookedFor {
    lexemes: Vec<String>,
    /// Those of which only the hash is known.
    terms: HashSet<i64>,
}

/// Passages of a page, decrypted, with their highlights; each is noted as read.
async fn show(read: &Read, page: &[Fused], looked_for: &LookedFor) -> Result<Vec<Hit>> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<ChunkId> = page.iter().map(|entry| entry.chunk).collect();
    let rows = repository::passages(read.db()?, read.ctx().facility(), &ids).await?;
    let keys = read.keys().await?;
    let mut opened = HashMap::with_capacity(rows.len());
    for row in rows {
        let subject = Subject::of(row.id);
        if row.patient_ids.is_empty() {
            read.ctx().note_read(subject);
        }
        row.patient_ids.iter().for_each(|patient| read.ctx().note_read(subject.in_record_of(*patient)));
        let text = processing::open_text(&keys, row.id, &row.text_ciphertext)?;
        opened.insert(row.id, (row, text));
    }
    let matching = matching(read, looked_for, opened.values().map(|(_, text)| text.reveal_str())).await?;
    let hits = page.iter().filter_map(|entry| {
        let (row, text) = opened.remove(&entry.chunk)?;
        let stretches = highlight::stretches(text.reveal_str(), &matching);
        Some(Hit {
            chunk: row.id,
            document: row.document_id,
            score: entry.score,
            semantic_rank: entry.semantic_rank,
            lexical_rank: entry.lexical_rank,
            highlights: negation::mark(text.reveal_str(), stretches),
            text,
            page: row.page,
            position: row.position,
            start_char: row.start_char,
            end_char: row.end_char,
            place: row.place(),
            part2: row.part2,
            patients: row.patient_ids,
        })
    });
    Ok(hits.collect())
}

/// Words of passages that are looked for.
async fn matching(read: &Read, looked_for: &LookedFor, texts: impl Iterator<Item = &str>) -> Result<HashSet<String>> {
    if looked_for.lexemes.is_empty() && looked_for.terms.is_empty() {
        return Ok(HashSet::new());
    }
    let by_hash = !looked_for.terms.is_empty();
    let words = highlight::distinct(texts);
    let keys = read.keys().await?;
    let found = repository::matching_words(read.db()?, words, &looked_for.lexemes, by_hash).await?;
    let asked: HashSet<&str> = looked_for.lexemes.iter().map(String::as_str).collect();
    let is_meant =
        |lexeme: &str| asked.contains(lexeme) || (by_hash && looked_for.terms.contains(&keys.index.lexeme(lexeme)));
    Ok(found.into_iter().filter(|(_, lexeme)| is_meant(lexeme)).map(|(word, _)| word).collect())
}

/// Records the search: how, where and what came of it. Never the query.
fn note(ctx: &RequestContext, filter: &Filter, mut detail: Value, hits: &[Hit]) {
    let subject = Subject { kind: None, id: None, patient: filter.patient };
    if let Some(detail) = detail.as_object_mut() {
        let kinds: Vec<&str> = filter.kinds.iter().map(|kind: &DocumentKind| kind.as_str()).collect();
        detail.insert("kinds".to_owned(), json!(kinds));
        detail.insert("dated".to_owned(), json!(filter.from.is_some() || filter.to.is_some()));
        detail.insert("authors".to_owned(), json!(filter.authors));
        detail.insert("labels".to_owned(), json!(filter.labels));
        detail.insert("visit".to_owned(), json!(filter.visit));
        detail.insert("document".to_owned(), json!(filter.document));
        let results: Vec<_> = hits.iter().map(|hit| hit.chunk.uuid()).collect();
        detail.insert("results".to_owned(), json!(results));
    }
    ctx.note(&policy::SEARCH, subject, detail);
}
