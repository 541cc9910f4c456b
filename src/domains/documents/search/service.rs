//! Searching.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::fusion::{Fused, fuse};
use super::model::{DocumentSearchMode, Hit, Search};
use super::{highlight, repository};
use crate::access::{Read, RequestContext, Subject};
use crate::domains::documents::model::DocumentKind;
use crate::domains::documents::policy;
use crate::domains::documents::processing;
use crate::embedding::Priority;
use crate::error::{Error, Result};
use crate::ids::{ChunkId, TypedId as _};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Longest query, in characters: about what the model reads.
pub const MAX_QUERY_CHARS: usize = 1000;

/// Passages that answer a query, best first.
///
/// # Errors
/// [`Error::BadInput`] for an empty or too long query or a cursor of another search; [`Error::Unavailable`] when the
/// model cannot be asked; a denial, or a fault.
pub async fn search(ctx: &RequestContext, search: &Search, page: PageRequest<ChunkId>) -> Result<Page<Hit>> {
    let read = ctx.read(&policy::SEARCH).await?;
    let query = normalised(&search.query)?;
    let kinds: Vec<&'static str> = policy::readable_kinds(&read)
        .iter()
        .filter(|kind| search.kinds.is_empty() || search.kinds.contains(kind))
        .map(|kind| kind.as_str())
        .collect();
    let wanted = repository::Wanted {
        facility: ctx.facility(),
        kinds: &kinds,
        from: search.from,
        to: search.to,
        authors: &search.authors,
        patient: search.patient,
    };
    // Stems are wanted in every mode, for highlights.
    let lexemes = repository::query_lexemes(read.db()?, query.reveal_str()).await?;
    let ranked =
        if kinds.is_empty() { Vec::new() } else { rank(&read, search.mode, &query, &lexemes, &wanted).await? };
    let cut = page_of(ranked, page)?;
    let hits = show(&read, &cut.rows, &lexemes).await?;
    note(ctx, search, &hits);
    Ok(Page { rows: hits, has_next: cut.has_next })
}

/// A query as it is searched for.
fn normalised(query: &Phi<String>) -> Result<Phi<String>> {
    let query = query.trimmed();
    if query.is_blank() || query.length_chars() > MAX_QUERY_CHARS || query.reveal_str().contains('\0') {
        return Err(Error::bad_input(format!("`query` must be 1 to {MAX_QUERY_CHARS} characters of text")));
    }
    Ok(query)
}

/// Both rankings as the mode asks for them, pipelined on the one connection, and fused.
async fn rank(
    read: &Read,
    mode: DocumentSearchMode,
    query: &Phi<String>,
    lexemes: &[String],
    wanted: &repository::Wanted<'_>,
) -> Result<Vec<Fused>> {
    let db = read.db()?;
    let (by_meaning, by_words) = match mode {
        DocumentSearchMode::Hybrid => (true, true),
        DocumentSearchMode::Semantic => (true, false),
        DocumentSearchMode::Lexical => (false, true),
    };
    let semantic = async {
        if !by_meaning {
            return Ok(Vec::new());
        }
        let model = processing::models::serving(db).await?;
        let provider = processing::models::provider(read.ctx().app(), &model)?;
        let vectors = provider.embed(vec![query.reveal().clone()], Priority::Query).await;
        let vector = vectors.map_err(|error| Error::Unavailable(error.into()))?.pop();
        let vector = vector.ok_or_else(|| Error::internal("the embedding model gave no vector"))?;
        repository::nearest(db, wanted, model.id, vector).await
    };
    let lexical = async {
        if !by_words || lexemes.is_empty() {
            return Ok(Vec::new());
        }
        let keys = read.keys().await?;
        let terms = lexemes.iter().map(|lexeme| keys.index.lexeme(lexeme)).collect();
        repository::best_by_words(db, wanted, terms).await
    };
    let (semantic, lexical) = futures::join!(semantic, lexical);
    Ok(fuse(&semantic?, &lexical?))
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

/// Passages of a page, decrypted, with their highlights; each is noted as read.
async fn show(read: &Read, page: &[Fused], lexemes: &[String]) -> Result<Vec<Hit>> {
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
    let matching = if lexemes.is_empty() {
        HashSet::new()
    } else {
        let words = highlight::distinct(opened.values().map(|(_, text)| text.reveal_str()));
        repository::matching_words(read.db()?, words, lexemes).await?
    };
    let hits = page.iter().filter_map(|entry| {
        let (row, text) = opened.remove(&entry.chunk)?;
        Some(Hit {
            chunk: row.id,
            document: row.document_id,
            score: entry.score,
            semantic_rank: entry.semantic_rank,
            lexical_rank: entry.lexical_rank,
            highlights: highlight::stretches(text.reveal_str(), &matching),
            text,
            page: row.page,
            position: row.position,
            start_char: row.start_char,
            end_char: row.end_char,
        })
    });
    Ok(hits.collect())
}

/// Records the search: how, where and what came of it. Never the query.
fn note(ctx: &RequestContext, search: &Search, hits: &[Hit]) {
    let subject = Subject { kind: None, id: None, patient: search.patient };
    let detail = json!({
        "mode": search.mode.as_str(),
        "kinds": search.kinds.iter().map(|kind: &DocumentKind| kind.as_str()).collect::<Vec<_>>(),
        "dated": search.from.is_some() || search.to.is_some(),
        "authors": search.authors,
        "results": hits.iter().map(|hit| hit.chunk.uuid()).collect::<Vec<_>>(),
    });
    ctx.note(&policy::SEARCH, subject, detail);
}
