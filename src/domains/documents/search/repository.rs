//! SQL of search.
//!
//! The rankings are statements of one shape: the index of the facility is read as a whole, alone in its subquery
//! (`OFFSET 0` keeps the planner from driving it by documents one by one, which is slow for all but a few), then held
//! against the documents that may be and shall be found, then ordered and cut. `IS TRUE` keeps that a look-up in a
//! hash table made once: behind row-level security the planner expects a row or two and would look up each passage's
//! document by itself. Equality on uuid, smallint and
//! bigint is leak-proof, so all of these are index conditions under row-level security; a plan test holds it.

use chrono::NaiveDate;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Date, Double, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::asked::{Correction, Lexed, Terms};
use super::fusion::Candidate;
use super::model::{Facets, Filter};
use crate::db::{Sql, sql};
use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::ids::{ChunkId, DocumentId, FacilityId, PatientId};

/// Candidates of each ranking: fused, at most twice as many can be paged through.
const CANDIDATES: i64 = 100;

/// The widest vectors that the covering index holds; wider rows do not fit an index page.
const MAX_COVERED_DIMENSIONS: i16 = 1024;

/// Documents that shall be found. `$1` facility, `$3` kinds, `$4` and `$5` days, `$6` authors, `$7` patient, `$8`
/// languages, `$9` the one document, `$10` the one left out, `$11` whether labelled Part 2, `$12` visit.
macro_rules! wanted {
    ($which:literal) => {
        concat!(
            "(SELECT d.id FROM documents d WHERE d.facility_id = $1 AND ",
            $which,
            " AND d.kind = ANY ($3::text[]) \
               AND ($4::date IS NULL OR d.document_date >= $4::date) AND ($5::date IS NULL OR d.document_date <= $5::date) \
               AND (cardinality($6::uuid[]) = 0 OR d.author_id = ANY ($6::uuid[])) \
               AND (cardinality($8::text[]) = 0 OR d.language = ANY ($8::text[])) \
               AND ($10::uuid IS NULL OR d.id <> $10::uuid) \
               AND (NOT $11::bool OR d.part2) AND ($12::uuid IS NULL OR d.visit_id = $12::uuid))"
        )
    };
}

/// No patient, no visit and no document is named.
macro_rules! wanted_anywhere {
    () => {
        wanted!("$7::uuid IS NULL AND $9::uuid IS NULL AND $12::uuid IS NULL")
    };
}

/// A patient, a visit or a document is named, or several of them: the documents are looked up by their ids.
macro_rules! wanted_here {
    () => {
        wanted!(
            "d.id = ANY (CASE WHEN $7::uuid IS NOT NULL THEN ARRAY(SELECT p.document_id \
               FROM document_patients p WHERE p.facility_id = $1 AND p.patient_id = $7::uuid) \
               WHEN $12::uuid IS NOT NULL THEN ARRAY(SELECT o.id FROM documents o \
               WHERE o.facility_id = $1 AND o.visit_id = $12::uuid) ELSE ARRAY[$9::uuid] END) \
             AND ($9::uuid IS NULL OR d.id = $9::uuid)"
        )
    };
}

macro_rules! semantic {
    ($rows:expr, $wanted:expr) => {
        concat!(
            "SELECT e.chunk_id, e.document_id, 1 - (e.embedding <=> (SELECT $13::halfvec)) AS score FROM ",
            $rows,
            $wanted,
            " ORDER BY score DESC, e.chunk_id LIMIT $14"
        )
    };
}

/// The index of the facility read as a whole, held against the wanted documents.
macro_rules! broad {
    ($covered:literal) => {
        semantic!(
            concat!(
                "(SELECT chunk_id, document_id, embedding FROM chunk_embeddings WHERE facility_id = $1 AND model_id = $2 ",
                $covered,
                " OFFSET 0) e"
            ),
            concat!(" WHERE (e.document_id IN ", wanted_anywhere!(), ") IS TRUE")
        )
    };
}

/// Nearest passages by cosine distance, exact within the facility.
pub const SEMANTIC: &str = broad!("AND vector_dims(embedding) <= 1024");
const SEMANTIC_WIDE: &str = broad!("");

/// The same where few documents are wanted, those of a patient, of a visit or one alone: their passages are looked up, and no
/// other row of the facility is read.
pub const SEMANTIC_NARROW: &str = semantic!(
    "chunk_embeddings e",
    concat!(" WHERE e.facility_id = $1 AND e.document_id = ANY (ARRAY", wanted_here!(), ") AND e.model_id = $2")
);

macro_rules! lexical {
    ($wanted:expr) => {
        concat!(
            "WITH asked AS MATERIALIZED (SELECT * FROM unnest($2::bigint[], $13::float8[], $14::bool[], $15::int[]) \
                 AS a (term, weight, own, meaning)), \
             hits AS MATERIALIZED ( \
                 SELECT term, chunk_id, document_id, frequency, term_count FROM chunk_terms \
                 WHERE facility_id = $1 AND term = ANY ($2::bigint[])), \
             spread AS (SELECT term, count(*)::float8 AS passages FROM hits GROUP BY term), \
             sizes AS MATERIALIZED (SELECT coalesce(max(greatest(chunks, 1)), 1)::float8 AS passages, \
                 coalesce(max(greatest(terms::float8 / greatest(chunks, 1), 1)), 1) AS length \
                 FROM search_statistics WHERE facility_id = $1), \
             rare AS MATERIALIZED (SELECT a.*, sizes.length, ln(1 + (greatest(sizes.passages, coalesce(s.passages, 0)) \
                     - coalesce(s.passages, 0) + 0.5) / (coalesce(s.passages, 0) + 0.5)) AS idf \
                 FROM asked a CROSS JOIN sizes LEFT JOIN spread s USING (term)), \
             valued AS MATERIALIZED (SELECT r.term, r.own, r.length, 2.2 * r.weight * CASE WHEN r.own THEN r.idf ELSE least(r.idf, \
                     (SELECT avg(o.idf) FROM rare o WHERE o.own AND o.meaning = r.meaning)) END AS value FROM rare r) \
             SELECT h.chunk_id, h.document_id, least(1, sum(v.value * h.frequency \
                     / (h.frequency + 1.2 * (0.25 + 0.75 * h.term_count / v.length))) \
                 / (SELECT greatest(sum(value) FILTER (WHERE own), 1e-9) FROM valued)) AS score \
             FROM hits h JOIN valued v USING (term) \
             WHERE (h.document_id IN ",
            $wanted,
            ") IS TRUE GROUP BY h.chunk_id, h.document_id ORDER BY score DESC, h.chunk_id LIMIT $16"
        )
    };
}

/// Best passages by BM25 (Robertson and Zaragoza, 2009) with k1 = 1.2 and b = 0.75, the idf of Lucene, which is
/// never negative. Document frequencies count what the actor may see. `$13` weighs the terms, `$14` says which are the
/// query's own: the score is the share of what a passage could reach that has all of these. `$15` says which terms stand
/// for the same: a synonym is not worth more than the word itself for being rarer.
pub const LEXICAL: &str = lexical!(wanted_anywhere!());
/// The same where a patient, a visit or a document is named.
pub const LEXICAL_NARROW: &str = lexical!(wanted_here!());

/// Lexemes of words one slip away from a word that nothing has. `$2` the lexemes in question, `$3` and `$4` what such a
/// word is spelled like, by place in `$2`. How many passages have one is counted as far as it tells likely from unlikely.
pub const CORRECTIONS: &str = "WITH unknown AS MATERIALIZED ( \
         SELECT u.place FROM unnest($2::bigint[]) WITH ORDINALITY AS u (term, place) WHERE NOT EXISTS ( \
             SELECT FROM chunk_terms t WHERE t.facility_id = $1 AND t.term = u.term)), \
     near AS MATERIALIZED ( \
         SELECT DISTINCT q.place, s.term FROM unnest($3::bigint[], $4::bigint[]) AS q (place, variant) \
         JOIN lexeme_spellings s ON s.facility_id = $1 AND s.variant = q.variant \
         WHERE q.place IN (SELECT place FROM unknown)) \
     SELECT n.place, n.term, c.passages FROM near n, LATERAL (SELECT count(*) AS passages FROM ( \
         SELECT FROM chunk_terms t WHERE t.facility_id = $1 AND t.term = n.term LIMIT 1000) l) c \
     WHERE c.passages > 0 ORDER BY n.place, c.passages DESC, n.term LIMIT 100";

/// What a document must be to be found.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub facility: FacilityId,
    /// Never empty.
    pub kinds: &'a [&'static str],
    pub filter: &'a Filter,
    /// Left out: what is like a passage is not looked for in its own document.
    pub except: Option<DocumentId>,
}

impl<'a> Wanted<'a> {
    /// `$3` to `$12`.
    fn bind(&self, statement: Sql<'a>) -> Sql<'a> {
        statement
            .bind::<Array<Text>, _>(self.kinds)
            .bind::<Nullable<Date>, _>(self.filter.from)
            .bind::<Nullable<Date>, _>(self.filter.to)
            .bind::<Array<SqlUuid>, _>(self.filter.authors.as_slice())
            .bind::<Nullable<SqlUuid>, _>(self.filter.patient)
            .bind::<Array<Text>, _>(self.filter.languages.as_slice())
            .bind::<Nullable<SqlUuid>, _>(self.filter.document)
            .bind::<Nullable<SqlUuid>, _>(self.except)
            .bind::<Bool, _>(self.filter.labels.contains(&DocumentLabel::Part2))
            .bind::<Nullable<SqlUuid>, _>(self.filter.visit)
    }

    /// Whether it names a patient, a visit or a document, and so few passages.
    fn is_narrow(&self) -> bool {
        self.filter.patient.is_some() || self.filter.visit.is_some() || self.filter.document.is_some()
    }
}

#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(sql_type = SqlUuid)]
    chunk_id: ChunkId,
    #[diesel(sql_type = SqlUuid)]
    document_id: DocumentId,
    #[diesel(sql_type = Double)]
    score: f64,
}

impl From<FoundRow> for Candidate {
    fn from(row: FoundRow) -> Self {
        Self { chunk: row.chunk_id, document: row.document_id, score: row.score }
    }
}

#[derive(QueryableByName)]
struct LexedRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = Text)]
    lexeme: String,
}

#[derive(QueryableByName)]
struct CorrectionRow {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = BigInt)]
    term: i64,
    #[diesel(sql_type = BigInt)]
    passages: i64,
}

#[derive(QueryableByName)]
struct WordRow {
    #[diesel(sql_type = Text)]
    word: String,
    #[diesel(sql_type = Text)]
    lexeme: String,
}

#[derive(QueryableByName)]
struct VectorRow {
    #[diesel(sql_type = SqlUuid)]
    document_id: DocumentId,
    #[diesel(sql_type = Halfvec)]
    embedding: HalfVec,
}

#[derive(QueryableByName)]
struct FacetRow {
    #[diesel(sql_type = Nullable<Text>)]
    kind: Option<String>,
    #[diesel(sql_type = Nullable<Date>)]
    month: Option<NaiveDate>,
    #[diesel(sql_type = BigInt)]
    documents: i64,
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
    /// Whether its document is labelled 42 CFR Part 2.
    #[diesel(sql_type = Bool)]
    pub part2: bool,
}

/// The lexemes of texts by PostgreSQL's own parser and dictionaries; the texts pass through and stay nowhere.
pub(super) async fn lexemes(mut db: &AsyncPgConnection, texts: Vec<&str>) -> Result<Vec<Lexed>> {
    let rows: Vec<LexedRow> = sql("SELECT t.ordinality - 1 AS position, l.lexeme \
         FROM unnest($1::text[]) WITH ORDINALITY AS t (text, ordinality), \
         LATERAL unnest(to_tsvector('english', t.text)) AS l (lexeme, positions, weights)")
    .bind::<Array<Text>, _>(texts)
    .load(&mut db)
    .await?;
    let lexed = |row: LexedRow| Some(Lexed { text: usize::try_from(row.position).ok()?, lexeme: row.lexeme });
    Ok(rows.into_iter().filter_map(lexed).collect())
}

/// The words of a text with their lexemes, those of letters alone; stop words are left out.
pub(super) async fn words(mut db: &AsyncPgConnection, text: &str) -> Result<Vec<(String, String)>> {
    let rows: Vec<WordRow> = sql("SELECT DISTINCT lower(p.token) AS word, l.lexeme \
         FROM ts_parse('default', $1::text) p, LATERAL unnest(ts_lexize('english_stem', lower(p.token))) AS l (lexeme) \
         WHERE p.tokid IN (1, 2, 10, 11)")
    .bind::<Text, _>(text)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.word, row.lexeme)).collect())
}

/// What lexemes that nothing has may mean. `spelled` gives their spellings by place.
pub(super) async fn corrections(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    unsure: &[i64],
    spelled: &[(usize, i64)],
) -> Result<Vec<Correction>> {
    // PostgreSQL counts from 1.
    let places: Vec<i64> = spelled.iter().map(|(place, _)| i64::try_from(place + 1).unwrap_or(i64::MAX)).collect();
    let variants: Vec<i64> = spelled.iter().map(|(_, variant)| *variant).collect();
    let rows: Vec<CorrectionRow> = sql(CORRECTIONS)
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<BigInt>, _>(unsure)
        .bind::<Array<BigInt>, _>(places)
        .bind::<Array<BigInt>, _>(variants)
        .load(&mut db)
        .await?;
    let correction = |row: CorrectionRow| {
        let lexeme = usize::try_from(row.place - 1).ok()?;
        Some(Correction { lexeme, term: row.term, passages: row.passages })
    };
    Ok(rows.into_iter().filter_map(correction).collect())
}

pub(super) async fn nearest(
    mut db: &AsyncPgConnection,
    wanted: &Wanted<'_>,
    model: i16,
    vector: Vec<f32>,
) -> Result<Vec<Candidate>> {
    let covered = i16::try_from(vector.len()).is_ok_and(|dimensions| dimensions <= MAX_COVERED_DIMENSIONS);
    let statement = if wanted.is_narrow() {
        SEMANTIC_NARROW
    } else if covered {
        SEMANTIC
    } else {
        SEMANTIC_WIDE
    };
    let statement = sql(statement).bind::<SqlUuid, _>(wanted.facility).bind::<SmallInt, _>(model);
    let rows: Vec<FoundRow> =
        wanted.bind(statement).bind::<Halfvec, _>(HalfVec(vector)).bind::<BigInt, _>(CANDIDATES).load(&mut db).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn best_by_words(
    mut db: &AsyncPgConnection,
    wanted: &Wanted<'_>,
    terms: Terms,
) -> Result<Vec<Candidate>> {
    let statement = if wanted.is_narrow() { LEXICAL_NARROW } else { LEXICAL };
    let statement = sql(statement).bind::<SqlUuid, _>(wanted.facility).bind::<Array<BigInt>, _>(terms.terms);
    let rows: Vec<FoundRow> = wanted
        .bind(statement)
        .bind::<Array<Double>, _>(terms.weights)
        .bind::<Array<Bool>, _>(terms.own)
        .bind::<Array<Integer>, _>(terms.groups)
        .bind::<BigInt, _>(CANDIDATES)
        .load(&mut db)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The vector of a passage under a model, and its document; `None` when the actor may not read it.
pub(super) async fn vector_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    chunk: ChunkId,
    kinds: &[&'static str],
) -> Result<Option<(DocumentId, Vec<f32>)>> {
    let row: Option<VectorRow> = sql("SELECT e.document_id, e.embedding FROM chunk_embeddings e \
         JOIN documents d ON d.facility_id = $1 AND d.id = e.document_id AND d.kind = ANY ($4::text[]) \
         WHERE e.facility_id = $1 AND e.chunk_id = $3 AND e.model_id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .bind::<SqlUuid, _>(chunk)
    .bind::<Array<Text>, _>(kinds)
    .get_result(&mut db)
    .await
    .optional()?;
    Ok(row.map(|row| (row.document_id, row.embedding.0)))
}

/// How many of the documents are of each kind and of each month.
pub(super) async fn facets(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    documents: &[DocumentId],
) -> Result<Facets> {
    let rows: Vec<FacetRow> = sql("SELECT d.kind, d.month, count(*) AS documents FROM ( \
             SELECT kind, date_trunc('month', document_date)::date AS month FROM documents \
             WHERE facility_id = $1 AND id = ANY ($2::uuid[])) d \
         GROUP BY GROUPING SETS ((d.kind), (d.month)) ORDER BY count(*) DESC, d.kind, d.month DESC")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(documents)
    .load(&mut db)
    .await?;
    let mut facets = Facets::default();
    for row in rows {
        match (row.kind.as_deref().and_then(DocumentKind::parse), row.month) {
            (Some(kind), _) => facets.kinds.push((kind, row.documents)),
            (None, Some(month)) => facets.months.push((month, row.documents)),
            (None, None) => {}
        }
    }
    facets.months.sort_unstable_by_key(|month| std::cmp::Reverse(month.0));
    Ok(facets)
}

pub(super) async fn passages(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[ChunkId],
) -> Result<Vec<PassageRow>> {
    Ok(sql("SELECT c.id, c.document_id, c.position, c.page, c.start_char, c.end_char, c.text_ciphertext, \
         ARRAY(SELECT p.patient_id FROM document_patients p \
             WHERE p.facility_id = $1 AND p.document_id = c.document_id ORDER BY p.patient_id) AS patient_ids, \
         coalesce((SELECT d.part2 FROM documents d WHERE d.facility_id = $1 AND d.id = c.document_id), true) AS part2 \
         FROM document_chunks c WHERE c.facility_id = $1 AND c.id = ANY ($2::uuid[])")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(ids)
    .load(&mut db)
    .await?)
}

/// Words with each of their lexemes, those alone that are given; with all of them where `all` says so, as where some
/// are known by their hash only.
pub(super) async fn matching_words(
    mut db: &AsyncPgConnection,
    words: Vec<String>,
    lexemes: &[String],
    all: bool,
) -> Result<Vec<(String, String)>> {
    let rows: Vec<WordRow> = sql("SELECT w.word, l.lexeme FROM unnest($1::text[]) AS w (word), \
         LATERAL unnest(to_tsvector('english', w.word)) AS l WHERE $3 OR l.lexeme = ANY ($2::text[])")
    .bind::<Array<Text>, _>(words)
    .bind::<Array<Text>, _>(lexemes)
    .bind::<Bool, _>(all)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.word, row.lexeme)).collect())
}
