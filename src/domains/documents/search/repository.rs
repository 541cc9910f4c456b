//! SQL of search; the rankings themselves stand in `statements`.

use chrono::NaiveDate;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Date, Double, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::asked::{Correction, Lexed, Terms};
use super::fusion::Candidate;
use super::model::{Facets, Filter, Place};
use super::statements;
use crate::db::{Sql, sql};
use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::domains::documents::processing::models::MAX_COVERED_DIMENSIONS;
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::ids::{ChunkId, DocumentId, FacilityId, PatientId};

/// Candidates of each ranking: fused, at most twice as many can be paged through.
const CANDIDATES: i64 = 100;

/// What a document must be to be found.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub facility: FacilityId,
    /// Never empty.
    pub kinds: &'a [&'static str],
    pub filter: &'a Filter,
    /// Left out: what is like a passage is not looked for in its own document.
    pub except: Option<DocumentId>,
    /// Whether that is everything the actor may see: nothing is filtered, and every chart and kind of a record is open.
    pub everything: bool,
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
    /// Left, upper, right and lower edge; empty for text that was not read from a picture.
    #[diesel(sql_type = Array<SmallInt>)]
    pub edges: Vec<i16>,
}

impl PassageRow {
    /// Where it stands on its page.
    pub(super) fn place(&self) -> Option<Place> {
        let [left, top, right, bottom] = *self.edges.as_slice() else { return None };
        Some(Place { left, top, right, bottom })
    }
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
    let rows: Vec<CorrectionRow> = sql(statements::CORRECTIONS)
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
    let statement = match (wanted.everything, covered) {
        _ if wanted.is_narrow() => statements::SEMANTIC_NARROW,
        (true, true) => statements::SEMANTIC_ALL,
        (true, false) => statements::SEMANTIC_ALL_WIDE,
        (false, true) => statements::SEMANTIC,
        (false, false) => statements::SEMANTIC_WIDE,
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
    let statement = match wanted.everything {
        _ if wanted.is_narrow() => statements::LEXICAL_NARROW,
        true => statements::LEXICAL_ALL,
        false => statements::LEXICAL,
    };
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
         coalesce((SELECT d.part2 FROM documents d WHERE d.facility_id = $1 AND d.id = c.document_id), true) AS part2, \
         CASE WHEN c.box_left IS NULL THEN '{}' ELSE ARRAY[c.box_left, c.box_top, c.box_right, c.box_bottom] END AS edges \
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
