//! How the two statements of search are planned for the unprivileged role, behind row-level security.

use anamnesis::db::CONNECTION_SETUP;
use anamnesis::domains::documents::search::{LEXICAL, SEMANTIC};
use anamnesis::ids::{FacilityId, TypedId as _};

use crate::harness::{TestApp, query_text};

/// Documents and passages of the two facilities: one holds nineteen of twenty.
const LARGE: (u32, u32) = (300, 3800);
const SMALL: (u32, u32) = (20, 200);

/// Rows as a loaded database has them; the values mean nothing.
async fn load(app: &TestApp) {
    let (large, small) = (app.facility.uuid(), app.other.uuid());
    let sizes = format!(
        "(VALUES ('{large}'::uuid, {}, {}), ('{small}'::uuid, {}, {})) AS sizes (f, docs, chunks)",
        LARGE.0, LARGE.1, SMALL.0, SMALL.1
    );
    for statement in [
        format!(
            "INSERT INTO documents (facility_id, id, origin, kind, title_ciphertext, mime_type, size_bytes, sha256, \
                 body_ciphertext, document_date, status, note_state, created_at, updated_at) \
                 SELECT f, md5('d' || f || n)::uuid, 'note', 'clinical_note', '', 'text/plain', 1, '', '', '2026-01-01', \
                 'ready', 'final', now(), now() FROM {sizes}, generate_series(0, docs - 1) n"
        ),
        format!(
            "INSERT INTO document_chunks (facility_id, id, document_id, position, start_char, end_char, term_count, \
                 text_ciphertext) SELECT f, md5('c' || f || n)::uuid, md5('d' || f || (n % docs))::uuid, n / docs, 0, 1, 40, '' \
                 FROM {sizes}, generate_series(0, chunks - 1) n"
        ),
        format!(
            "INSERT INTO chunk_embeddings (facility_id, model_id, chunk_id, document_id, embedding) \
                 SELECT f, (SELECT id FROM embedding_models), md5('c' || f || n)::uuid, md5('d' || f || (n % docs))::uuid, v \
                 FROM {sizes}, generate_series(0, chunks - 1) n JOIN (SELECT i, array_agg(random() - 0.5)::halfvec v \
                 FROM generate_series(0, 99) i, generate_series(1, 384) GROUP BY i) vectors ON i = n % 100"
        ),
        format!(
            "INSERT INTO chunk_terms (facility_id, term, chunk_id, document_id, frequency, term_count) \
                 SELECT f, ((n * 7 + k * k * 13) % (50 + k * 40)) + k * 100000, md5('c' || f || n)::uuid, \
                 md5('d' || f || (n % docs))::uuid, 1, 40 FROM {sizes}, generate_series(0, chunks - 1) n, generate_series(1, 40) k"
        ),
        format!("INSERT INTO search_statistics SELECT f, chunks, chunks * 40 FROM {sizes}"),
        "VACUUM ANALYZE".to_owned(),
    ] {
        app.db_execute(&statement).await;
    }
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
         SELECT bind_system('system', '{0}', now()); EXPLAIN EXECUTE planned ('{0}', {arguments}); COMMIT",
        facility.uuid()
    );
    let rows = query_text(&app.database.server_url, &script).await;
    // The first row is what binding answers.
    rows.into_iter().skip(1).map(|row| row[0].clone().unwrap()).collect()
}

/// Both tables are reached by an index whose conditions are the tenant and what is looked for.
fn assert_indexed(plan: &[String], table: &str, index: &str, second: &str) {
    let text = plan.join("\n");
    let scans: Vec<usize> = (0..plan.len()).filter(|line| plan[*line].contains(&format!(" on {table}"))).collect();
    assert_eq!(scans.len(), 1, "{text}");
    let scan = &plan[scans[0]];
    assert!(scan.contains("Index") && scan.contains(&format!("using {index}")), "{text}");
    let condition = plan[scans[0]..].iter().find(|line| line.contains("Index Cond:")).unwrap();
    assert!(condition.contains("facility_id =") && condition.contains(second), "{text}");
}

#[tokio::test]
async fn both_rankings_read_the_index_of_their_facility() {
    let app = TestApp::start().await;
    load(&app).await;
    let model = app.db_value("SELECT id FROM embedding_models").await;
    let vector = app.db_value("SELECT embedding FROM chunk_embeddings LIMIT 1").await;
    let wanted = "'{clinical_note}', NULL, NULL, '{}', NULL";
    for facility in [app.facility, app.other] {
        for generic in [false, true] {
            let types = "uuid, smallint, text[], date, date, uuid[], uuid, halfvec, bigint";
            let arguments = format!("{model}, {wanted}, '{vector}', 100");
            let semantic = plan(&app, facility, types, SEMANTIC, &arguments, generic).await;
            assert_indexed(&semantic, "chunk_embeddings", "chunk_embeddings_facility_id_model_id_idx", "model_id =");
            let types = "uuid, bigint[], text[], date, date, uuid[], uuid, bigint";
            let arguments = format!("'{{100005, 200010, 300030}}', {wanted}, 100");
            let lexical = plan(&app, facility, types, LEXICAL, &arguments, generic).await;
            assert_indexed(&lexical, "chunk_terms", "chunk_terms_pkey", "term = ANY");
        }
    }
}
