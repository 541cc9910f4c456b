//! SQL of search.
//!
//! Both rankings are statements of one shape: the index of the facility is read as a whole, alone in its subquery
//! (`OFFSET 0` keeps the planner from driving it by documents one by one, which is slow for all but a few), then held
//! against the documents that may be and shall be found, then ordered and cut. `IS TRUE` keeps that a look-up in a
//! hash table made once: behind row-level security the planner expects a row or two and would look up each passage's
//! document by itself. Equality on uuid, smallint and
//! bigint is leak-proof, so both are index conditions under row-level security; a plan test holds it.

use std::collections::HashSet;

use chrono::NaiveDate;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bytea, Date, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::{Sql, sql};
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::ids::{ChunkId, DocumentId, FacilityId, PatientId, UserId};

/// Candidates of each ranking: fused, at most twice as many can be paged through.
const CANDIDATES: i64 = 100;

/// The widest vectors that the covering index holds; wider rows do not fit an index page.
const MAX_COVERED_DIMENSIONS: i16 = 1024;

/// Documents that shall be found. `$1` facility, `$3` kinds, `$4` and `$5` days, `$6` authors, `$7` patient.
macro_rules! wanted {
    () => {
        "(SELECT d.id FROM documents d WHERE d.facility_id = $1 AND d.kind = ANY ($3::text[]) \
           AND ($4::date IS NULL OR d.document_date >= $4::date) AND ($5::date IS NULL OR d.document_date <= $5::date) \
           AND (cardinality($6::uuid[]) = 0 OR d.author_id = ANY ($6::uuid[])) \
           AND ($7::uuid IS NULL OR EXISTS (SELECT FROM document_patients p \
             WHERE p.facility_id = $1 AND p.document_id = d.id AND p.patient_id = $7::uuid)))"
    };
}

macro_rules! semantic {
    ($covered:literal) => {
        concat!(
            "SELECT e.chunk_id FROM (SELECT chunk_id, document_id, embedding FROM chunk_embeddings \
             WHERE facility_id = $1 AND model_id = $2 ",
            $covered,
            " OFFSET 0) e WHERE (e.document_id IN ",
            wanted!(),
            ") IS TRUE ORDER BY e.embedding <=> (SELECT $8::halfvec), e.chunk_id LIMIT $9"
        )
    };
}

/// Nearest passages by cosine distance, exact within the facility.
pub const SEMANTIC: &str = semantic!("AND vector_dims(embedding) <= 1024");
const SEMANTIC_WIDE: &str = semantic!("");

/// Best passages by BM25 (Robertson and Zaragoza, 2009) with k1 = 1.2 and b = 0.75, the idf of Lucene, which is
/// never negative. Document frequencies count what the actor may see.
pub const LEXICAL: &str = concat!(
    "WITH hits AS MATERIALIZED ( \
         SELECT term, chunk_id, document_id, frequency, term_count FROM chunk_terms \
         WHERE facility_id = $1 AND term = ANY ($2::bigint[])), \
     spread AS (SELECT term, count(*)::float8 AS passages FROM hits GROUP BY term), \
     sizes AS MATERIALIZED (SELECT greatest(chunks, 1)::float8 AS passages, \
         greatest(terms::float8 / greatest(chunks, 1), 1) AS length FROM search_statistics WHERE facility_id = $1) \
     SELECT h.chunk_id FROM hits h JOIN spread USING (term) CROSS JOIN sizes \
     WHERE (h.document_id IN ",
    wanted!(),
    ") IS TRUE GROUP BY h.chunk_id \
     ORDER BY sum(ln(1 + (greatest(sizes.passages, spread.passages) - spread.passages + 0.5) / (spread.passages + 0.5)) \
         * h.frequency * 2.2 / (h.frequency + 1.2 * (0.25 + 0.75 * h.term_count / sizes.length))) DESC, h.chunk_id \
     LIMIT $8"
);

/// What a document must be to be found.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub facility: FacilityId,
    /// Never empty.
    pub kinds: &'a [&'static str],
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub authors: &'a [UserId],
    pub patient: Option<PatientId>,
}

impl<'a> Wanted<'a> {
    /// `$3` to `$7`.
    fn bind(&self, statement: Sql<'a>) -> Sql<'a> {
        statement
            .bind::<Array<Text>, _>(self.kinds)
            .bind::<Nullable<Date>, _>(self.from)
            .bind::<Nullable<Date>, _>(self.to)
            .bind::<Array<SqlUuid>, _>(self.authors)
            .bind::<Nullable<SqlUuid>, _>(self.patient)
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    chunk_id: ChunkId,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

/// A passage to be shown.
#[derive(QueryableByName)]
pub(super) struct PassageRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: ChunkId,
    #[diesel(sql_type = SqlUuid)]
    pub document_id: DocumentId,
    #[diesel(sql_type = Integer)]
    pub position: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    pub page: Option<i32>,
    #[diesel(sql_type = Integer)]
    pub start_char: i32,
    #[diesel(sql_type = Integer)]
    pub end_char: i32,
    #[diesel(sql_type = Bytea)]
    pub text_ciphertext: Vec<u8>,
    /// Those whose charts the actor may open.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub patient_ids: Vec<PatientId>,
}

/// The lexemes of a query.
pub(super) async fn query_lexemes(mut db: &AsyncPgConnection, query: &str) -> Result<Vec<String>> {
    let rows: Vec<Word> = sql("SELECT lexeme AS word FROM unnest(to_tsvector('english', $1::text))")
        .bind::<Text, _>(query)
        .load(&mut db)
        .await?;
    Ok(rows.into_iter().map(|row| row.word).collect())
}

pub(super) async fn nearest(
    mut db: &AsyncPgConnection,
    wanted: &Wanted<'_>,
    model: i16,
    vector: Vec<f32>,
) -> Result<Vec<ChunkId>> {
    let covered = i16::try_from(vector.len()).is_ok_and(|dimensions| dimensions <= MAX_COVERED_DIMENSIONS);
    let statement = sql(if covered { SEMANTIC } else { SEMANTIC_WIDE })
        .bind::<SqlUuid, _>(wanted.facility)
        .bind::<SmallInt, _>(model);
    let rows: Vec<Found> =
        wanted.bind(statement).bind::<Halfvec, _>(HalfVec(vector)).bind::<BigInt, _>(CANDIDATES).load(&mut db).await?;
    Ok(rows.into_iter().map(|row| row.chunk_id).collect())
}

pub(super) async fn best_by_words(
    mut db: &AsyncPgConnection,
    wanted: &Wanted<'_>,
    terms: Vec<i64>,
) -> Result<Vec<ChunkId>> {
    let statement = sql(LEXICAL).bind::<SqlUuid, _>(wanted.facility).bind::<Array<BigInt>, _>(terms);
    let rows: Vec<Found> = wanted.bind(statement).bind::<BigInt, _>(CANDIDATES).load(&mut db).await?;
    Ok(rows.into_iter().map(|row| row.chunk_id).collect())
}

pub(super) async fn passages(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[ChunkId],
) -> Result<Vec<PassageRow>> {
    Ok(sql("SELECT c.id, c.document_id, c.position, c.page, c.start_char, c.end_char, c.text_ciphertext, \
         ARRAY(SELECT p.patient_id FROM document_patients p \
             WHERE p.facility_id = $1 AND p.document_id = c.document_id ORDER BY p.patient_id) AS patient_ids \
         FROM document_chunks c WHERE c.facility_id = $1 AND c.id = ANY ($2::uuid[])")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(ids)
    .load(&mut db)
    .await?)
}

/// Those of the words that have one of the lexemes.
pub(super) async fn matching_words(
    mut db: &AsyncPgConnection,
    words: Vec<String>,
    lexemes: &[String],
) -> Result<HashSet<String>> {
    let rows: Vec<Word> = sql("SELECT DISTINCT w.word FROM unnest($1::text[]) AS w (word), \
         LATERAL unnest(to_tsvector('english', w.word)) AS l WHERE l.lexeme = ANY ($2::text[])")
    .bind::<Array<Text>, _>(words)
    .bind::<Array<Text>, _>(lexemes)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| row.word).collect())
}
