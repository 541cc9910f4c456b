//! How the statements of search are planned for the unprivileged role, behind row-level security.

use std::time::Duration;

use anamnesis::db::CONNECTION_SETUP;
use anamnesis::domains::documents::search::{
    CORRECTIONS, LEXICAL, LEXICAL_ALL, LEXICAL_NARROW, SEMANTIC, SEMANTIC_ALL, SEMANTIC_NARROW,
};
use anamnesis::ids::{FacilityId, TypedId as _};

use crate::harness::{TestApp, query_text};

/// Documents and passages of the two facilities: one holds nineteen of twenty.
const LARGE: (u32, u32) = (300, 3800);
const SMALL: (u32, u32) = (20, 200);

/// Statistics of whole tables, taken once: samples, and autovacuum at a time of its own, would make plans a matter of
/// luck.
const SETTLED: &str = "DO $$ DECLARE one text; BEGIN \
    EXECUTE format('ALTER DATABASE %I SET default_statistics_target = 10000', current_database()); \
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP \
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', one); \
    END LOOP; END $$";

/// Rows as a loaded database has them; the values mean nothing, and are the same in every run: how rows lie by their ids
/// is among the statistics.
async fn load(app: &TestApp) {
    app.db_execute(SETTLED).await;
    let (large, small) = (app.facility.uuid(), app.other.uuid());
    let sizes = format!(
        "(VALUES ('{large}'::uuid, 'large', {}, {}), ('{small}'::uuid, 'small', {}, {})) AS sizes (f, who, docs, chunks)",
        LARGE.0, LARGE.1, SMALL.0, SMALL.1
    );
    for statement in [
        format!(
            "INSERT INTO documents (facility_id, id, origin, kind, title_ciphertext, mime_type, size_bytes, sha256, \
                 body_ciphertext, document_date, status, note_state, created_at, updated_at) \
                 SELECT f, md5('d' || who || n)::uuid, 'note', 'clinical_note', '', 'text/plain', 1, '', '', '2026-01-01', \
                 'ready', 'final', now(), now() FROM {sizes}, generate_series(0, docs - 1) n"
        ),
        format!(
            "INSERT INTO document_chunks (facility_id, id, document_id, position, start_char, end_char, term_count, \
                 text_ciphertext) SELECT f, md5('c' || who || n)::uuid, md5('d' || who || (n % docs))::uuid, n / docs, 0, 1, 40, '' \
                 FROM {sizes}, generate_series(0, chunks - 1) n"
        ),
        format!(
            "INSERT INTO chunk_embeddings (facility_id, model_id, chunk_id, document_id, embedding) \
                 SELECT f, (SELECT id FROM embedding_models), md5('c' || who || n)::uuid, md5('d' || who || (n % docs))::uuid, v \
                 FROM {sizes}, generate_series(0, chunks - 1) n JOIN (SELECT i, array_agg(random() - 0.5)::halfvec v \
                 FROM generate_series(0, 99) i, generate_series(1, 384) GROUP BY i) vectors ON i = n % 100"
        ),
        format!(
            "INSERT INTO chunk_terms (facility_id, term, chunk_id, document_id, frequency, term_count) \
                 SELECT f, ((n * 7 + k * k * 13) % (50 + k * 40)) + k * 100000, md5('c' || who || n)::uuid, \
                 md5('d' || who || (n % docs))::uuid, 1, 40 FROM {sizes}, generate_series(0, chunks - 1) n, generate_series(1, 40) k"
        ),
        format!(
            "INSERT INTO patients (facility_id, id, mrn_ciphertext, mrn_index, given_name_ciphertext, family_name_ciphertext, birth_date_ciphertext, \
                 gender, created_at, updated_at) SELECT f, md5('p' || who || n)::uuid, '', n, '', '', '', 'female', now(), now() \
                 FROM {sizes}, generate_series(0, docs / 10 - 1) n"
        ),
        format!(
            "INSERT INTO document_patients (facility_id, document_id, patient_id, linked_at) \
                 SELECT f, md5('d' || who || n)::uuid, md5('p' || who || (n / 10))::uuid, now() \
                 FROM {sizes}, generate_series(0, docs - 1) n"
        ),
        format!(
            "INSERT INTO lexeme_spellings (facility_id, variant, term) SELECT f, n, n / 8 + 100000 \
                 FROM {sizes}, generate_series(0, docs * 40) n"
        ),
        // The large one has cells, the small one is in none.
        format!(
            "UPDATE chunk_embeddings e SET cell = 1 + n % 250 FROM {sizes}, generate_series(0, chunks - 1) n \
                 WHERE who = 'large' AND e.facility_id = f AND e.chunk_id = md5('c' || who || n)::uuid"
        ),
        // A table of a row a facility is read whole while it fits one page.
        "INSERT INTO facilities (id, name, kind, time_zone, created_at, updated_at) \
             SELECT md5('f' || n)::uuid, 'Facility', 'clinic', 'UTC', now(), now() FROM generate_series(1, 2000) n"
            .to_owned(),
        "INSERT INTO search_statistics SELECT md5('f' || n)::uuid, 1, 1, 40 FROM generate_series(1, 2000) n".to_owned(),
        format!("INSERT INTO search_statistics SELECT f, docs, chunks, chunks * 40 FROM {sizes}"),
        format!(
            "INSERT INTO search_cells (facility_id, model_id, cell, generation, made_of, centre) \
                 SELECT f, (SELECT id FROM embedding_models), n, 1, 1, (SELECT embedding FROM chunk_embeddings LIMIT 1) \
                 FROM (SELECT f, generate_series(1, 250) AS n FROM {sizes} WHERE who = 'large' \
                     UNION ALL SELECT md5('f' || n)::uuid, 1 FROM generate_series(1, 2000) n) cells"
        ),
    ] {
        app.db_execute(&statement).await;
    }
    settle(app).await;
}

/// Vacuums until every page is known to be visible to all. A transaction of the server that is open just then holds some
/// back, and an index-only scan looks dearer for it.
async fn settle(app: &TestApp) {
    const HELD_BACK: &str = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
        AND relallvisible < relpages";
    for _ in 0..50 {
        app.db_execute("VACUUM ANALYZE").await;
        if app.db_value(HELD_BACK).await == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("some pages stay held back");
}

/// The plan of a prepared statement, a line for each node or condition.
async fn plan(
    app: &TestApp,
    facility: FacilityId,
    types: &str,
    statement: &str,
    arguments: &str,
    generic: bool,
) -> Vec<String> {
    let mode = if generic { "force_generic_plan" } else { "force_custom_plan" };
    let script = format!(
        "{CONNECTION_SETUP}; SET plan_cache_mode = {mode}; PREPARE planned ({types}) AS {statement}; BEGIN; \
         SELECT bind_system('system', '{0}', now()); EXPLAIN (COSTS OFF) EXECUTE planned ('{0}', {arguments}); COMMIT",
        facility.uuid()
    );
    let rows = query_text(&app.database.server_url, &script).await;
    // The first row is what binding answers.
    rows.into_iter().skip(1).map(|row| row[0].clone().unwrap()).collect()
}

/// Both tables are reached by an index whose conditions are the tenant and what is looked for.
fn assert_indexed(plan: &[String], table: &str, index: &str, second: &str) {
    assert_read(plan, table, &[(index, second)]);
}

/// The same of a table that is read more than once: each time by one of these indexes, under its condition.
fn assert_read(plan: &[String], table: &str, by: &[(&str, &str)]) {
    let text = plan.join("\n");
    let scans: Vec<usize> = (0..plan.len()).filter(|line| plan[*line].contains(&format!(" on {table}"))).collect();
    assert_eq!(scans.len(), by.len(), "{text}");
    for (index, second) in by {
        let scan = scans.iter().find(|scan| plan[**scan].contains(&format!("using {index} ")));
        let scan = *scan.unwrap_or_else(|| panic!("{table} is not read by {index}:\n{text}"));
        assert!(plan[scan].contains("Index"), "{text}");
        let condition = plan[scan..].iter().find(|line| line.contains("Index Cond:")).unwrap();
        assert!(condition.contains("facility_id =") && condition.contains(second), "{text}");
    }
}

pub const SEMANTIC_TYPES: &str =
    "uuid, smallint, text[], date, date, uuid[], uuid, text[], uuid, uuid, bool, uuid, halfvec, bigint";
const LEXICAL_TYPES: &str =
    "uuid, bigint[], text[], date, date, uuid[], uuid, text[], uuid, uuid, bool, uuid, float8[], bool[], int[], bigint";
const CORRECTIONS_TYPES: &str = "uuid, bigint[], bigint[], bigint[]";

/// Arguments after the facility, as a search gives them.
struct Arguments {
    semantic: String,
    narrow: String,
    lexical: String,
    lexical_narrow: String,
    corrections: String,
}

async fn arguments(app: &TestApp, facility: FacilityId) -> Arguments {
    let model = app.db_value("SELECT id FROM embedding_models").await;
    let vector = app.db_value("SELECT embedding FROM chunk_embeddings LIMIT 1").await;
    let patient = app
        .db_value(&format!(
            "SELECT patient_id FROM document_patients WHERE facility_id = '{}' LIMIT 1",
            facility.uuid()
        ))
        .await;
    let wanted =
        |patient: &str| format!("'{{clinical_note}}', NULL, NULL, '{{}}', {patient}, '{{}}', NULL, NULL, false, NULL");
    let lexical = |wanted: &str| {
        format!("'{{100005, 200010, 300030}}', {wanted}, '{{1, 1, 0.7}}', '{{t, t, f}}', '{{0, 1, 1}}', 100")
    };
    Arguments {
        semantic: format!("{model}, {}, '{vector}', 100", wanted("NULL")),
        narrow: format!("{model}, {}, '{vector}', 100", wanted(&format!("'{patient}'"))),
        lexical: lexical(&wanted("NULL")),
        lexical_narrow: lexical(&wanted(&format!("'{patient}'"))),
        corrections: "'{7, 8}', '{1, 1, 1, 2, 2}', '{11, 12, 13, 14, 15}'".to_owned(),
    }
}

#[tokio::test]
async fn every_ranking_reads_the_index_of_its_facility() {
    let app = TestApp::start().await;
    load(&app).await;
    for facility in [app.facility, app.other] {
        let given = arguments(&app, facility).await;
        for generic in [false, true] {
            let semantic = plan(&app, facility, SEMANTIC_TYPES, SEMANTIC, &given.semantic, generic).await;
            let by_cell = "chunk_embeddings_facility_id_model_id_cell_idx";
            assert_indexed(&semantic, "chunk_embeddings", by_cell, "cell = ANY");
            let all = plan(&app, facility, SEMANTIC_TYPES, SEMANTIC_ALL, &given.semantic, generic).await;
            assert_indexed(&all, "chunk_embeddings", by_cell, "cell = ANY");
            let all = plan(&app, facility, LEXICAL_TYPES, LEXICAL_ALL, &given.lexical, generic).await;
            assert_indexed(&all, "chunk_terms", "chunk_terms_pkey", "term = ANY");
            assert!(!all.iter().any(|line| line.contains(" on documents")), "{}", all.join("\n"));
            // Of a patient's documents, and nothing else of the facility.
            let narrow = plan(&app, facility, SEMANTIC_TYPES, SEMANTIC_NARROW, &given.narrow, generic).await;
            let by_document = "chunk_embeddings_facility_id_document_id_idx";
            assert_indexed(&narrow, "chunk_embeddings", by_document, "document_id = ANY");
            let lexical = plan(&app, facility, LEXICAL_TYPES, LEXICAL, &given.lexical, generic).await;
            assert_indexed(&lexical, "chunk_terms", "chunk_terms_pkey", "term = ANY");
            let of_patient = plan(&app, facility, LEXICAL_TYPES, LEXICAL_NARROW, &given.lexical_narrow, generic).await;
            let postings = ("chunk_terms_facility_id_document_id_term_idx", "(document_id = w.id) AND (term = ANY");
            assert_read(&of_patient, "chunk_terms", &[postings, ("chunk_terms_pkey", "(term = a")]);
            for narrow in [&narrow, &of_patient] {
                assert_indexed(narrow, "documents d", "documents_pkey", "id = ANY");
                let by_patient = |line: &&String| {
                    line.contains("Index Cond:") && line.contains("facility_id =") && line.contains("patient_id =")
                };
                assert!(narrow.iter().any(|line| by_patient(&line)), "{}", narrow.join("\n"));
            }
            let corrections = plan(&app, facility, CORRECTIONS_TYPES, CORRECTIONS, &given.corrections, generic).await;
            assert_indexed(&corrections, "lexeme_spellings", "lexeme_spellings_pkey", "variant =");
        }
    }
}

/// What is read, by which index, under which conditions: the shape of the plans is committed, and so a change of it
/// is seen in review.
#[tokio::test]
async fn the_plans_are_as_committed() {
    let app = TestApp::start().await;
    load(&app).await;
    let given = arguments(&app, app.facility).await;
    let mut text = String::from("# Plans of the statements of search, for any facility, as the unprivileged role.\n");
    for (name, types, statement, arguments) in [
        ("SEMANTIC", SEMANTIC_TYPES, SEMANTIC, &given.semantic),
        ("SEMANTIC_ALL", SEMANTIC_TYPES, SEMANTIC_ALL, &given.semantic),
        ("SEMANTIC_NARROW", SEMANTIC_TYPES, SEMANTIC_NARROW, &given.narrow),
        ("LEXICAL", LEXICAL_TYPES, LEXICAL, &given.lexical),
        ("LEXICAL_ALL", LEXICAL_TYPES, LEXICAL_ALL, &given.lexical),
        ("LEXICAL_NARROW", LEXICAL_TYPES, LEXICAL_NARROW, &given.lexical_narrow),
        ("CORRECTIONS", CORRECTIONS_TYPES, CORRECTIONS, &given.corrections),
    ] {
        let plan = plan(&app, app.facility, types, statement, arguments, true).await;
        for line in &plan {
            // A table of tenants is never read whole: whoever reads it whole reads everyone's rows.
            assert!(!line.contains("Seq Scan"), "{name} reads a whole table:\n{}", plan.join("\n"));
        }
        let conditions: Vec<&String> = plan.iter().filter(|line| line.contains("Index Cond:")).collect();
        assert!(conditions.iter().all(|line| line.contains("facility_id")), "{name}:\n{}", plan.join("\n"));
        text.push_str(&format!("\n{name}\n{}\n", plan.join("\n")));
    }
    crate::contracts::compare_or_update("tests/suite/domains/documents/search_plan.txt", &text);
}
