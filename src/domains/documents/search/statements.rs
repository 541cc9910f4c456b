//! The statements of the rankings, in one shape: the index of the facility is read alone in its subquery (`OFFSET 0` keeps
//! the planner from driving it by documents one by one, which is slow for all but a few), then held against the
//! documents that may be and shall be found, then ordered and cut. `IS TRUE` keeps that a look-up in a hash table made
//! once: behind row-level security the planner expects a row or two and would look up each passage's document by itself.
//! Equality on uuid, smallint, integer and bigint is leak-proof, so all of these are index conditions under row-level
//! security; a plan test holds it.
//!
//! Each comes in three forms. Where a patient, a visit or a document is named, the documents are few and their passages
//! are looked up. Where every document that may be seen is wanted, the policies of the passages say which, and documents
//! are not read. Else the wanted documents are read once.
//!
//! A large facility has cells (`src/domains/documents/processing/cells`), and of these the nearest are read, with cell 0,
//! where everything is that has none: the facility without cells is in cell 0 as a whole, and searched exactly.
//! ADR 17 says why; what the numbers below find is held by a test and told in `docs/performance.md`.

/// Documents that shall be found. `$1` facility, `$3` kinds, `$4` and `$5` days, `$6` authors, `$7` patient, `$8`
/// languages, `$9` the one document, `$10` the one left out, `$11` whether labelled Part 2, `$12` visit.
macro_rules! wanted {
    ($columns:literal, $which:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM documents d WHERE d.facility_id = $1 AND ",
            $which,
            " AND d.kind = ANY ($3::text[]) \
               AND ($4::date IS NULL OR d.document_date >= $4::date) AND ($5::date IS NULL OR d.document_date <= $5::date) \
               AND (cardinality($6::uuid[]) = 0 OR d.author_id = ANY ($6::uuid[])) \
               AND (cardinality($8::text[]) = 0 OR d.language = ANY ($8::text[])) \
               AND ($10::uuid IS NULL OR d.id <> $10::uuid) \
               AND (NOT $11::bool OR d.part2) AND ($12::uuid IS NULL OR d.visit_id = $12::uuid)"
        )
    };
}

/// No patient, no visit and no document is named.
macro_rules! wanted_anywhere {
    ($columns:literal) => {
        wanted!($columns, "$7::uuid IS NULL AND $9::uuid IS NULL AND $12::uuid IS NULL")
    };
}

/// A patient, a visit or a document is named, or several of them: the documents are looked up by their ids.
macro_rules! wanted_here {
    ($columns:literal) => {
        wanted!(
            $columns,
            "d.id = ANY (CASE WHEN $7::uuid IS NOT NULL THEN ARRAY(SELECT p.document_id \
               FROM document_patients p WHERE p.facility_id = $1 AND p.patient_id = $7::uuid) \
               WHEN $12::uuid IS NOT NULL THEN ARRAY(SELECT o.id FROM documents o \
               WHERE o.facility_id = $1 AND o.visit_id = $12::uuid) ELSE ARRAY[$9::uuid] END) \
             AND ($9::uuid IS NULL OR d.id = $9::uuid)"
        )
    };
}

/// The nearest passages out of some rows. `$13` the vector, `$14` how many.
macro_rules! semantic {
    ($rows:expr, $where:expr) => {
        concat!(
            "SELECT e.chunk_id, e.document_id, 1 - (e.embedding <=> (SELECT $13::halfvec)) AS score FROM ",
            $rows,
            $where,
            " ORDER BY score DESC, e.chunk_id LIMIT $14"
        )
    };
}

/// The cells to look into: the nearest quarter of each generation, 48 at least: a query is a question, its words are few, and
/// what answers it lies around it in many directions. Where a part of the passages is wanted alone, as many more as that part
/// is smaller, so that as many wanted ones lie in them.
macro_rules! probed {
    ($share:literal) => {
        concat!(
            "probed AS MATERIALIZED (SELECT array_append(coalesce(array_agg(c.cell), '{}'), 0) AS cells FROM ( \
                 SELECT n.cell, count(*) OVER (PARTITION BY n.generation) AS among, \
                     row_number() OVER (PARTITION BY n.generation ORDER BY n.distance) AS place \
                 FROM (SELECT s.cell, s.generation, s.centre <=> (SELECT $13::halfvec) AS distance FROM search_cells s \
                     WHERE s.facility_id = $1 AND s.model_id = $2 OFFSET 0) n) c \
             WHERE c.place <= greatest(48, c.among / 4) / ",
            $share,
            ") "
        )
    };
}

/// What the index has of the facility in these cells.
macro_rules! in_cells {
    ($width:literal) => {
        concat!(
            "(SELECT chunk_id, document_id, embedding FROM chunk_embeddings WHERE facility_id = $1 AND model_id = $2 \
             AND cell = ANY ((SELECT p.cells FROM probed p)::int[]) AND vector_dims(embedding) ",
            $width,
            " OFFSET 0) e"
        )
    };
}

/// Everything the actor may see.
macro_rules! every {
    ($width:literal) => {
        concat!("WITH ", probed!("1.0"), semantic!(in_cells!($width), ""))
    };
}

/// What the filter leaves.
macro_rules! broad {
    ($width:literal) => {
        concat!(
            "WITH wanted AS MATERIALIZED (",
            wanted_anywhere!("d.id, d.chunk_count"),
            "), ",
            "share AS MATERIALIZED (SELECT greatest(least(sum(w.chunk_count)::float8 / greatest(( \
                 SELECT s.chunks FROM search_statistics s WHERE s.facility_id = $1), 1), 1), 1e-6) AS share FROM wanted w), ",
            probed!("(SELECT s.share FROM share s)"),
            semantic!(in_cells!($width), " WHERE (e.document_id IN (SELECT w.id FROM wanted w)) IS TRUE")
        )
    };
}

/// Nearest passages by cosine distance, of all the actor may see.
pub const SEMANTIC_ALL: &str = every!("<= 1024");
pub(super) const SEMANTIC_ALL_WIDE: &str = every!("> 1024");
/// The same of the documents a filter leaves.
pub const SEMANTIC: &str = broad!("<= 1024");
pub(super) const SEMANTIC_WIDE: &str = broad!("> 1024");

/// The same where few documents are wanted, those of a patient, of a visit or one alone: their passages are looked up, and
/// no other row of the facility is read.
pub const SEMANTIC_NARROW: &str = semantic!(
    "chunk_embeddings e",
    concat!(
        " WHERE e.facility_id = $1 AND e.document_id = ANY (ARRAY(",
        wanted_here!("d.id"),
        ")) AND e.model_id = $2"
    )
);

/// All postings of the terms, and how many passages have each.
macro_rules! everywhere {
    () => {
        "hits AS MATERIALIZED ( \
             SELECT term, chunk_id, document_id, frequency, term_count FROM chunk_terms \
             WHERE facility_id = $1 AND term = ANY ($2::bigint[])), \
         spread AS (SELECT term, count(*)::float8 AS passages FROM hits GROUP BY term), "
    };
}

/// The postings in few documents, and how many passages of the facility have each term: counted to two thousand, which
/// takes no longer in a large facility than in a small one, and beyond that as many of all as of these.
macro_rules! in_few {
    () => {
        concat!(
            "wanted AS MATERIALIZED (",
            wanted_here!("d.id, d.chunk_count"),
            "), hits AS MATERIALIZED (SELECT p.* FROM wanted w CROSS JOIN LATERAL ( \
                 SELECT term, chunk_id, document_id, frequency, term_count FROM chunk_terms \
                 WHERE facility_id = $1 AND document_id = w.id AND term = ANY ($2::bigint[]) OFFSET 0) p), \
             here AS (SELECT term, count(*)::float8 AS passages FROM hits GROUP BY term), \
             spread AS (SELECT a.term, CASE WHEN c.passages < 2000 THEN c.passages \
                     ELSE greatest(c.passages, coalesce(h.passages, 0) * sizes.passages \
                         / (SELECT greatest(sum(w.chunk_count), 1) FROM wanted w)) END AS passages \
                 FROM asked a CROSS JOIN sizes CROSS JOIN LATERAL (SELECT count(*)::float8 AS passages FROM ( \
                     SELECT FROM chunk_terms t WHERE t.facility_id = $1 AND t.term = a.term LIMIT 2000) l) c \
                 LEFT JOIN here h ON h.term = a.term), "
        )
    };
}

macro_rules! lexical {
    ($found:expr, $where:expr) => {
        concat!(
            "WITH asked AS MATERIALIZED (SELECT * FROM unnest($2::bigint[], $13::float8[], $14::bool[], $15::int[]) \
                 AS a (term, weight, own, meaning)), \
             sizes AS MATERIALIZED (SELECT coalesce(max(greatest(chunks, 1)), 1)::float8 AS passages, \
                 coalesce(max(greatest(terms::float8 / greatest(chunks, 1), 1)), 1) AS length, \
                 coalesce(max(greatest(terms::float8 / greatest(documents, 1), 1)), 1) AS full_length \
                 FROM search_statistics WHERE facility_id = $1), ",
            $found,
            "rare AS MATERIALIZED (SELECT a.*, sizes.length, sizes.full_length, \
                     ln(1 + (greatest(sizes.passages, coalesce(s.passages, 0)) - coalesce(s.passages, 0) + 0.5) \
                         / (coalesce(s.passages, 0) + 0.5)) AS idf \
                 FROM asked a CROSS JOIN sizes LEFT JOIN spread s USING (term)), \
             valued AS MATERIALIZED (SELECT r.term, r.own, r.length, r.full_length, \
                     2.2 * r.weight * CASE WHEN r.own THEN r.idf ELSE least(r.idf, \
                     (SELECT avg(o.idf) FROM rare o WHERE o.own AND o.meaning = r.meaning)) END AS value FROM rare r), \
             best AS MATERIALIZED (SELECT h.chunk_id, h.document_id, sum(v.value * h.frequency \
                     / (h.frequency + 1.2 * (0.25 + 0.75 * h.term_count / v.length))) AS score \
                 FROM hits h JOIN valued v USING (term) ",
            $where,
            " GROUP BY h.chunk_id, h.document_id ORDER BY score DESC, h.chunk_id LIMIT $16), \
             told AS MATERIALIZED (SELECT p.document_id, p.term, sum(p.frequency)::float8 AS frequency, \
                     sum(sum(p.length)) OVER (PARTITION BY p.document_id) AS length \
                 FROM (SELECT document_id, term, frequency, \
                         term_count::float8 / count(*) OVER (PARTITION BY chunk_id) AS length FROM hits \
                     WHERE (document_id IN (SELECT b.document_id FROM best b)) IS TRUE) p GROUP BY p.document_id, p.term), \
             whole AS MATERIALIZED (SELECT t.document_id, sum(v.value * t.frequency \
                     / (t.frequency + 1.2 * (0.25 + 0.75 * t.length / v.full_length))) AS score \
                 FROM told t JOIN valued v USING (term) GROUP BY t.document_id) \
             SELECT b.chunk_id, b.document_id, least(1, \
                 b.score * (1 + d.score / max(b.score) OVER (PARTITION BY b.document_id)) / 2 \
                 / (SELECT greatest(sum(value) FILTER (WHERE own), 1e-9) FROM valued)) AS score \
             FROM best b JOIN whole d USING (document_id) ORDER BY score DESC, b.chunk_id"
        )
    };
}

/// Best passages by BM25 (Robertson and Zaragoza, 2009) with k1 = 1.2 and b = 0.75, the idf of Lucene, which is
/// never negative. Document frequencies count what the actor may see. `$13` weighs the terms, `$14` says which are the
/// query's own: the score is the share of what a passage could reach that has all of these. `$15` says which terms stand
/// for the same: a synonym is not worth more than the word itself for being rarer.
///
/// The words of a query may stand apart in a document, some in one passage and some in the next. So the score of a
/// document's best passage is half its own and half that of all its passages with any of the words, read as one; its
/// other passages keep their proportion to the best. The length of a passage is shared out among its postings, which so
/// add up to the length of the document without a join, as the planner, which knows nothing of these rows, joins badly.
pub const LEXICAL: &str =
    lexical!(everywhere!(), concat!("WHERE (h.document_id IN (", wanted_anywhere!("d.id"), ")) IS TRUE"));
/// The same of everything the actor may see.
pub const LEXICAL_ALL: &str = lexical!(everywhere!(), "");
/// The same where a patient, a visit or a document is named.
pub const LEXICAL_NARROW: &str = lexical!(in_few!(), "");

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
