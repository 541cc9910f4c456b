//! SQL of processing. Rows go in as arrays: a statement for each table, however long the document.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::cells;
use super::passages::{Prepared, Spelled};
use crate::db::schema::documents;
use crate::db::sql;
use crate::domains::documents::model::{DocumentStatus, FileRow, NoteRow};
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::extraction::TextBox;
use crate::ids::{ChunkId, DocumentId, FacilityId};

/// Passages, or terms, sent in one statement.
const PASSAGES_AT_ONCE: usize = 500;
const TERMS_AT_ONCE: usize = 20_000;
/// Vectors removed in one transaction.
const VECTORS_AT_ONCE: i64 = 5_000;

/// A lexeme in one of the texts asked for.
/// A word of a text.
#[derive(QueryableByName)]
pub(super) struct WordRow {
    #[diesel(sql_type = Text)]
    pub word: String,
    #[diesel(sql_type = Text)]
    pub lexeme: String,
}

#[derive(QueryableByName)]
pub(super) struct LexemeRow {
    /// Which text, from 0.
    #[diesel(sql_type = BigInt)]
    pub position: i64,
    #[diesel(sql_type = Text)]
    pub lexeme: String,
    #[diesel(sql_type = Integer)]
    pub frequency: i32,
}

/// A passage without a vector of some model.
#[derive(QueryableByName)]
pub(super) struct LackingRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: ChunkId,
    #[diesel(sql_type = Bytea)]
    pub text_ciphertext: Vec<u8>,
}

#[derive(QueryableByName)]
struct Sizes {
    #[diesel(sql_type = BigInt)]
    chunks: i64,
    #[diesel(sql_type = BigInt)]
    terms: i64,
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Bytea)]
    sha256: Vec<u8>,
}

#[derive(QueryableByName)]
struct Lacks {
    #[diesel(sql_type = Bool)]
    lacks: bool,
}

pub(super) async fn find_file(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
) -> Result<Option<FileRow>> {
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq(id))
        .select(FileRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn find_note(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
) -> Result<Option<NoteRow>> {
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq(id))
        .select(NoteRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// The words of texts with their lexemes, each once, those of letters alone; stop words are left out.
pub(super) async fn words(mut db: &AsyncPgConnection, texts: Vec<&str>) -> Result<Vec<WordRow>> {
    Ok(sql("SELECT DISTINCT lower(p.token) AS word, l.lexeme FROM unnest($1::text[]) AS t (text), \
         LATERAL ts_parse('default', t.text) p, LATERAL unnest(ts_lexize('english_stem', lower(p.token))) AS l (lexeme) \
         WHERE p.tokid IN (1, 2, 10, 11)")
    .bind::<Array<Text>, _>(texts)
    .load(&mut db)
    .await?)
}

/// Lexemes of texts by PostgreSQL's own parser and English dictionaries. The texts pass through and stay nowhere.
pub(super) async fn lexemes(mut db: &AsyncPgConnection, texts: Vec<&str>) -> Result<Vec<LexemeRow>> {
    Ok(sql("SELECT t.ordinality - 1 AS position, l.lexeme, cardinality(l.positions) AS frequency \
         FROM unnest($1::text[]) WITH ORDINALITY AS t (text, ordinality), \
         LATERAL unnest(to_tsvector('english', t.text)) AS l (lexeme, positions, weights)")
    .bind::<Array<Text>, _>(texts)
    .load(&mut db)
    .await?)
}

pub(super) async fn set_status(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    status: DocumentStatus,
    failure_code: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = sql("UPDATE documents SET status = $3, failure_code = $4, updated_at = $5 \
         WHERE facility_id = $1 AND id = $2 AND status <> 'quarantined'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(status)
    .bind::<Nullable<Text>, _>(failure_code)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(changed == 1)
}

/// Fails a document that has not got into search; `false` when it has, or is gone.
pub(super) async fn set_given_up(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    failure_code: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = sql("UPDATE documents SET status = 'failed', failure_code = $3, updated_at = $4 \
         WHERE facility_id = $1 AND id = $2 AND status NOT IN ('ready', 'ready_without_text', 'quarantined')")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(failure_code)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(changed == 1)
}

/// The file was scanned for viruses, and is clean.
pub(in crate::domains::documents) async fn set_scanned(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE documents SET scanned_at = $3 WHERE facility_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Checksum of the content as it is now, the row held until the transaction ends.
pub(super) async fn hold_content(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
) -> Result<Option<Vec<u8>>> {
    let held: Option<Held> = sql("SELECT sha256 FROM documents WHERE facility_id = $1 AND id = $2 FOR UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?;
    Ok(held.map(|held| held.sha256))
}

/// Replaces all that search reads of a document; vectors and terms of old passages go with them.
pub(super) async fn replace(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    model: i16,
    prepared: Vec<Prepared>,
    spelled: &[Spelled],
) -> Result<()> {
    let before: Sizes = sql("SELECT count(*) AS chunks, coalesce(sum(term_count), 0)::bigint AS terms \
         FROM document_chunks WHERE facility_id = $1 AND document_id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .get_result(&mut db)
    .await?;
    sql("DELETE FROM document_chunks WHERE facility_id = $1 AND document_id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .execute(&mut db)
        .await?;
    let documents = i64::from(!prepared.is_empty()) - i64::from(before.chunks > 0);
    let chunks = i64::try_from(prepared.len()).unwrap_or(i64::MAX) - before.chunks;
    let terms = prepared.iter().map(|passage| i64::from(passage.term_count)).sum::<i64>() - before.terms;
    insert_chunks(db, facility, id, &prepared).await?;
    insert_terms(db, facility, id, &prepared).await?;
    insert_vectors(db, facility, model, prepared.into_iter().map(|passage| (passage.id, passage.vector)).collect())
        .await?;
    insert_spellings(db, facility, spelled).await?;
    // Last, since every document of the facility waits for this row.
    sql("INSERT INTO search_statistics (facility_id, documents, chunks, terms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (facility_id) DO UPDATE SET documents = search_statistics.documents + excluded.documents, \
         chunks = search_statistics.chunks + excluded.chunks, terms = search_statistics.terms + excluded.terms")
    .bind::<SqlUuid, _>(facility)
    .bind::<BigInt, _>(documents)
    .bind::<BigInt, _>(chunks)
    .bind::<BigInt, _>(terms)
    .execute(&mut db)
    .await?;
    Ok(())
}

async fn insert_chunks(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    prepared: &[Prepared],
) -> Result<()> {
    for (index, batch) in prepared.chunks(PASSAGES_AT_ONCE).enumerate() {
        sql("INSERT INTO document_chunks (facility_id, id, document_id, position, page, start_char, end_char, \
             term_count, text_ciphertext, box_left, box_top, box_right, box_bottom) \
             SELECT $1, c.id, $2, $3 + c.ordinality - 1, c.page, c.start_char, c.end_char, c.term_count, c.text, \
             c.box_left, c.box_top, c.box_right, c.box_bottom \
             FROM unnest($4::uuid[], $5::int[], $6::int[], $7::int[], $8::int[], $9::bytea[], $10::smallint[], \
             $11::smallint[], $12::smallint[], $13::smallint[]) WITH ORDINALITY \
             AS c (id, page, start_char, end_char, term_count, text, box_left, box_top, box_right, box_bottom, ordinality)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<Integer, _>(i32::try_from(index * PASSAGES_AT_ONCE).unwrap_or(i32::MAX))
        .bind::<Array<SqlUuid>, _>(batch.iter().map(|passage| passage.id).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(batch.iter().map(|passage| passage.page).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(batch.iter().map(|passage| passage.start_char).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(batch.iter().map(|passage| passage.end_char).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(batch.iter().map(|passage| passage.term_count).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(batch.iter().map(|passage| passage.text_ciphertext.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SmallInt>>, _>(edges(batch, |place| place.left))
        .bind::<Array<Nullable<SmallInt>>, _>(edges(batch, |place| place.top))
        .bind::<Array<Nullable<SmallInt>>, _>(edges(batch, |place| place.right))
        .bind::<Array<Nullable<SmallInt>>, _>(edges(batch, |place| place.bottom))
        .execute(&mut db)
        .await?;
    }
    Ok(())
}

/// One edge of the place of each passage.
fn edges(batch: &[Prepared], edge: impl Fn(&TextBox) -> i16) -> Vec<Option<i16>> {
    batch.iter().map(|passage| passage.place.as_ref().map(&edge)).collect()
}

async fn insert_terms(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    prepared: &[Prepared],
) -> Result<()> {
    let rows: Vec<_> = prepared
        .iter()
        .flat_map(|passage| {
            let count = i16::try_from(passage.term_count).unwrap_or(i16::MAX);
            passage.terms.iter().map(move |found| (found.term, passage.id, found.frequency, count))
        })
        .collect();
    for batch in rows.chunks(TERMS_AT_ONCE) {
        sql("INSERT INTO chunk_terms (facility_id, term, chunk_id, document_id, frequency, term_count) \
             SELECT $1, t.term, t.chunk_id, $2, t.frequency, t.term_count \
             FROM unnest($3::bigint[], $4::uuid[], $5::smallint[], $6::smallint[]) AS t (term, chunk_id, frequency, term_count)")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(id)
            .bind::<Array<BigInt>, _>(batch.iter().map(|row| row.0).collect::<Vec<_>>())
            .bind::<Array<SqlUuid>, _>(batch.iter().map(|row| row.1).collect::<Vec<_>>())
            .bind::<Array<SmallInt>, _>(batch.iter().map(|row| row.2).collect::<Vec<_>>())
            .bind::<Array<SmallInt>, _>(batch.iter().map(|row| row.3).collect::<Vec<_>>())
            .execute(&mut db)
            .await?;
    }
    Ok(())
}

/// Adds spellings of words to those of the facility. They come sorted, so that two documents wait for each other in
/// one order. What is there already is not written again: after some hundred documents few lexemes are new.
async fn insert_spellings(mut db: &AsyncPgConnection, facility: FacilityId, spelled: &[Spelled]) -> Result<()> {
    for batch in spelled.chunks(TERMS_AT_ONCE) {
        sql("INSERT INTO lexeme_spellings (facility_id, variant, term) \
             SELECT $1, s.variant, s.term FROM unnest($2::bigint[], $3::bigint[]) AS s (variant, term) \
             ON CONFLICT DO NOTHING")
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<BigInt>, _>(batch.iter().map(|spelled| spelled.variant).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(batch.iter().map(|spelled| spelled.term).collect::<Vec<_>>())
        .execute(&mut db)
        .await?;
    }
    Ok(())
}

/// Adds vectors of a model to passages; of a passage that is gone, or has one, nothing.
pub(super) async fn insert_vectors(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    vectors: Vec<(ChunkId, Vec<f32>)>,
) -> Result<()> {
    let (ids, vectors): (Vec<_>, Vec<_>) = vectors.into_iter().map(|(id, vector)| (id, HalfVec(vector))).unzip();
    let cells = cells::assign(db, facility, model, &vectors).await?;
    let batches =
        ids.chunks(PASSAGES_AT_ONCE).zip(vectors.chunks(PASSAGES_AT_ONCE)).zip(cells.chunks(PASSAGES_AT_ONCE));
    for ((ids, vectors), cells) in batches {
        // Joined in one statement that holds the passages: a document may be processed anew meanwhile.
        sql("INSERT INTO chunk_embeddings (facility_id, model_id, chunk_id, document_id, embedding, cell) \
             SELECT $1, $2, c.id, c.document_id, v.embedding, v.cell \
             FROM unnest($3::uuid[], $4::halfvec[], $5::int[]) AS v (id, embedding, cell) \
             JOIN document_chunks c ON c.facility_id = $1 AND c.id = v.id FOR KEY SHARE OF c \
             ON CONFLICT DO NOTHING")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .bind::<Array<SqlUuid>, _>(ids.to_vec())
        .bind::<Array<Halfvec>, _>(vectors.to_vec())
        .bind::<Array<Integer>, _>(cells)
        .execute(&mut db)
        .await?;
    }
    Ok(())
}

/// What the text tells of its document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// `None` for text without pages.
    pub page_count: Option<i32>,
    /// A BCP 47 subtag; `None` when it cannot be told.
    pub language: Option<&'static str>,
}

/// The document can be found from now on.
pub(super) async fn set_ready(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    told: Told,
    chunk_count: i32,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE documents SET status = 'ready', failure_code = NULL, page_count = $3, chunk_count = $4, \
         ready_at = coalesce(ready_at, $5), updated_at = $5, language = $6 \
         WHERE facility_id = $1 AND id = $2 AND status <> 'quarantined'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Nullable<Integer>, _>(told.page_count)
    .bind::<Integer, _>(chunk_count)
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<Text>, _>(told.language)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Whether a passage of the facility has no vector of the model.
pub(super) async fn lacks_vectors(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<bool> {
    let row: Lacks = sql("SELECT EXISTS (SELECT FROM document_chunks c WHERE c.facility_id = $1 AND NOT EXISTS ( \
             SELECT FROM chunk_embeddings e WHERE e.facility_id = $1 AND e.chunk_id = c.id AND e.model_id = $2)) AS lacks")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .get_result(&mut db)
        .await?;
    Ok(row.lacks)
}

/// The next passages without a vector of the model, by id.
pub(super) async fn lacking(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    after: Option<ChunkId>,
    most: i64,
) -> Result<Vec<LackingRow>> {
    Ok(sql("SELECT c.id, c.text_ciphertext FROM document_chunks c \
         WHERE c.facility_id = $1 AND c.id > coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid) AND NOT EXISTS ( \
             SELECT FROM chunk_embeddings e WHERE e.facility_id = $1 AND e.chunk_id = c.id AND e.model_id = $2) \
         ORDER BY c.id LIMIT $4")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .bind::<Nullable<SqlUuid>, _>(after)
        .bind::<BigInt, _>(most)
        .load(&mut db)
        .await?)
}

/// Removes some vectors of a model; 0 when none is left.
pub(super) async fn drop_vectors(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<usize> {
    Ok(sql("DELETE FROM chunk_embeddings WHERE facility_id = $1 AND model_id = $2 AND chunk_id IN ( \
             SELECT chunk_id FROM chunk_embeddings WHERE facility_id = $1 AND model_id = $2 LIMIT $3)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .bind::<BigInt, _>(VECTORS_AT_ONCE)
    .execute(&mut db)
    .await?)
}
