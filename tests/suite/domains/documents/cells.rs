//! Search of a large facility by cells: what it finds beside the exact answer, and what is written while cells are made.

use std::collections::HashSet;
use std::sync::Arc;

use anamnesis::access::Role;
use anamnesis::db::CONNECTION_SETUP;
use anamnesis::domains::documents::processing;
use anamnesis::domains::documents::search::{SEMANTIC, SEMANTIC_ALL};
use anamnesis::ids::TypedId as _;
use anamnesis::jobs::Housekeeping;
use serde_json::json;
use tokio_postgres::NoTls;

use super::search::{found, write_note};
use super::search_plan::SEMANTIC_TYPES;
use crate::harness::{TestApp, engines, query_text};

const FROM: usize = 3000;

async fn start() -> TestApp {
    engines::provide_model().await;
    TestApp::start_with(&[("ANAMNESIS_SEARCH_CELLS_FROM", &FROM.to_string())]).await
}

/// Passages of ten to a document around sixty directions; written past the product, as an import does.
async fn import(app: &TestApp, from: usize, to: usize) {
    let facility = app.facility.uuid();
    let statements = format!(
        "SELECT setseed(0.25);
         CREATE TEMP TABLE centres AS SELECT g, array_agg(random() - 0.5 ORDER BY i) v
             FROM generate_series(0, 59) g, generate_series(1, 384) i GROUP BY g;
         SELECT setseed({from} / 1000000.0);
         INSERT INTO documents (facility_id, id, origin, kind, title_ciphertext, mime_type, size_bytes, sha256, \
             body_ciphertext, document_date, status, note_state, chunk_count, created_at, updated_at) \
             SELECT '{facility}', md5('d' || n)::uuid, 'note', 'clinical_note', '', 'text/plain', 1, '', '', \
             '2026-01-01'::date + n % 20, 'ready', 'final', 10, now(), now() FROM generate_series({from} / 10, {to} / 10 - 1) n;
         INSERT INTO document_chunks (facility_id, id, document_id, position, start_char, end_char, term_count, \
             text_ciphertext) SELECT '{facility}', md5('c' || n)::uuid, md5('d' || n / 10)::uuid, n % 10, 0, 1, 40, '' \
             FROM generate_series({from}, {to} - 1) n;
         INSERT INTO chunk_embeddings (facility_id, model_id, chunk_id, document_id, embedding) \
             SELECT '{facility}', (SELECT id FROM embedding_models WHERE state = 'serving'), md5('c' || n)::uuid, \
             md5('d' || n / 10)::uuid, l2_normalize((SELECT array_agg((x) \
             + 0.8 * (random() - 0.5)) FROM unnest(v) x)::halfvec) \
             FROM generate_series({from}, {to} - 1) n JOIN centres ON g = (n * 7919) % 60;
         INSERT INTO search_statistics (facility_id, documents, chunks, terms) \
             VALUES ('{facility}', {to} / 10, {to}, {to} * 40) ON CONFLICT (facility_id) DO UPDATE SET chunks = excluded.chunks;
         ANALYZE chunk_embeddings"
    );
    app.db_execute(&statements).await;
}

/// The share of the ten nearest that a statement finds; `days` narrows to documents of so many days. A query is a passage, or
/// a direction by chance that is near to none.
async fn recall(app: &TestApp, statement: &str, days: i32, queries: &[(usize, bool)]) -> f64 {
    let facility = app.facility.uuid();
    let model = app.db_value("SELECT id FROM embedding_models WHERE state = 'serving'").await;
    let until = format!("2026-01-{days:02}");
    let (mut right, mut all) = (0, 0);
    for (query, of_passages) in queries {
        let passage = format!("SELECT embedding FROM chunk_embeddings WHERE chunk_id = md5('c{query}')::uuid");
        let elsewhere = format!(
            "SELECT setseed({query} / 100000.0); \
             SELECT l2_normalize(array_agg(random() - 0.5)::halfvec) FROM generate_series(1, 384)"
        );
        let vector = last(app, if *of_passages { &passage } else { &elsewhere }).await;
        let exact = app
            .db_query(&format!(
                "SELECT chunk_id FROM chunk_embeddings JOIN documents d ON d.id = document_id WHERE model_id = {model} \
                 AND chunk_embeddings.facility_id = '{facility}' AND document_date <= '{until}' \
                 ORDER BY embedding <=> '{vector}', chunk_id LIMIT 10"
            ))
            .await;
        let script = format!(
            "{CONNECTION_SETUP}; PREPARE ranked ({SEMANTIC_TYPES}) AS {statement}; BEGIN; \
             SELECT bind_system('system', '{facility}', now()); \
             EXECUTE ranked ('{facility}', {model}, '{{clinical_note}}', NULL, '{until}', '{{}}', NULL, '{{}}', NULL, NULL, \
                 false, NULL, '{vector}', 10); COMMIT"
        );
        // The first row is what binding answers.
        let found = query_text(&app.database.server_url, &script).await;
        let found: HashSet<_> = found.into_iter().skip(1).map(|row| row[0].clone()).collect();
        assert_eq!((exact.len(), found.len()), (10, 10));
        right += exact.iter().filter(|row| found.contains(&row[0])).count();
        all += 10;
    }
    f64::from(u32::try_from(right).unwrap()) / f64::from(all)
}

/// The one value of the last of some statements.
async fn last(app: &TestApp, statements: &str) -> String {
    app.db_query(statements).await.pop().unwrap()[0].clone().unwrap()
}

async fn assert_found(app: &TestApp, passages: usize) {
    let near: Vec<(usize, bool)> = (0..passages).step_by(passages / 40).map(|place| (place, true)).collect();
    let off: Vec<(usize, bool)> = (0..20).map(|number| (number, false)).collect();
    for (statement, days) in [(SEMANTIC_ALL, 31), (SEMANTIC, 31), (SEMANTIC, 2)] {
        let found = recall(app, statement, days, &near).await;
        assert!(found >= 0.99, "{found} of {days} days");
        // Nothing lies near these; what is nearest lies anywhere.
        let found = recall(app, statement, days, &off).await;
        assert!(found >= 0.9, "{found} of {days} days, off any topic");
    }
}

async fn generations(app: &TestApp) -> String {
    let query = "SELECT string_agg(generation || ':' || cells || ':' || made_of, ' ' ORDER BY generation) FROM \
         (SELECT generation, count(*) AS cells, max(made_of) AS made_of FROM search_cells GROUP BY generation) g";
    app.db_value(query).await
}

const STRAYS: &str = "SELECT count(*) FROM chunk_embeddings e WHERE NOT EXISTS (SELECT FROM search_cells s \
    WHERE s.facility_id = e.facility_id AND s.model_id = e.model_id AND s.cell = e.cell \
    AND s.generation = (SELECT max(generation) FROM search_cells))";

#[tokio::test(flavor = "multi_thread")]
async fn a_facility_that_grows_large_is_divided_by_itself_and_still_finds_the_nearest() {
    let app = start().await;
    import(&app, 0, FROM - 10).await;
    let mut keeping = Housekeeping::new(Arc::clone(&app.app));
    keeping.turn().await.unwrap();
    app.work().await;
    assert_eq!(super::count(&app, "search_cells").await, "0");
    assert_found(&app, FROM - 10).await;

    // The ten passages that make it large.
    import(&app, FROM - 10, FROM).await;
    app.advance(chrono::TimeDelta::minutes(61));
    keeping.turn().await.unwrap();
    app.work().await;
    assert_eq!(generations(&app).await, "1:864:3000");
    assert_eq!(app.db_value(STRAYS).await, "0");
    assert_found(&app, FROM).await;

    // What is written afterwards goes into its cell, and is found; there is nothing more to divide.
    let physician = app.member(&[Role::Physician]).await;
    let ankle = write_note(&physician, "She twisted her ankle on the stairs.", json!({})).await;
    app.work().await;
    assert_eq!(app.db_value(STRAYS).await, "0");
    for more in [json!({ "mode": "SEMANTIC", "first": 1 }), json!({ "mode": "HYBRID", "first": 1, "to": "2027-01-01" })]
    {
        assert_eq!(found(&physician, "sprained ankle", more).await, [ankle.clone()]);
    }
    assert_eq!(generations(&app).await, "1:864:3000");
    // Nobody else's are touched, and another facility sees none of them.
    assert_eq!(
        app.db_value(&format!("SELECT count(*) FROM search_cells WHERE facility_id <> '{}'", app.facility.uuid()))
            .await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_cells_are_made_anew_is_found_all_along() {
    let app = start().await;
    import(&app, 0, FROM).await;
    let system = app.system(app.facility);
    processing::divide_now(&system).await.unwrap();
    assert_eq!(generations(&app).await, "1:864:3000");
    import(&app, FROM, 2 * FROM).await;
    // In none of the cells until they are made anew, and found.
    assert_found(&app, 2 * FROM).await;

    // A writer who chose a cell of the first generation and has not ended.
    let (writer, connection) = tokio_postgres::connect(&app.database.superuser_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let late = "UPDATE chunk_embeddings SET cell = 1 WHERE chunk_id = md5('c5')::uuid";
    let lock = format!(
        "BEGIN; SELECT pg_advisory_xact_lock_shared(hashtextextended('cells {} ' || id::text, 0)) FROM embedding_models",
        app.facility.uuid()
    );
    writer.batch_execute(&lock).await.unwrap();
    let dividing = tokio::spawn(async move { processing::divide_now(&system).await });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while app.db_value(waits).await != "1" {
        assert!(!dividing.is_finished());
    }
    // Both generations are there, and a search looks into both.
    assert_eq!(generations(&app).await, "1:864:3000 2:1232:6000");
    assert_found(&app, 2 * FROM).await;
    writer.batch_execute(late).await.unwrap();
    writer.batch_execute("COMMIT").await.unwrap();
    // It waits for writers ten seconds at most; then its job is tried again, as here.
    let _ = dividing.await.unwrap();
    processing::divide_now(&app.system(app.facility)).await.unwrap();
    assert_eq!(generations(&app).await, "2:1232:6000");
    assert_eq!(app.db_value(STRAYS).await, "0");
    assert_found(&app, 2 * FROM).await;

    // A job that was stopped on the way goes on where it was.
    app.db_execute("UPDATE chunk_embeddings SET cell = 0 WHERE chunk_id < '80000000-0000-0000-0000-000000000000'")
        .await;
    assert_found(&app, 2 * FROM).await;
    processing::divide_now(&app.system(app.facility)).await.unwrap();
    assert_eq!(app.db_value(STRAYS).await, "0");
    assert_eq!(generations(&app).await, "2:1232:6000");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_divide_at_once_make_one_division() {
    let app = start().await;
    import(&app, 0, FROM).await;
    let (one, other) = (app.system(app.facility), app.system(app.facility));
    let (one, other) = tokio::join!(processing::divide_now(&one), processing::divide_now(&other));
    one.and(other).unwrap();
    assert_eq!(generations(&app).await, "1:864:3000");
    assert_eq!(app.db_value(STRAYS).await, "0");
    assert_found(&app, FROM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_division_is_queued_while_one_is_at_work() {
    let app = start().await;
    import(&app, 0, FROM).await;
    app.db_execute(&format!(
        "INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, attempts, max_attempts, leased_until, \
         deduplication_key, created_at, updated_at) SELECT '{}', md5('j')::uuid, '{}', '{{}}', 'running', now(), 1, 8, \
         '2100-01-01', id::text, now(), now() FROM embedding_models WHERE state = 'serving'",
        app.facility.uuid(),
        processing::DIVIDE,
    ))
    .await;
    let physician = app.member(&[Role::Physician]).await;
    write_note(&physician, "She twisted her ankle on the stairs.", json!({})).await;
    app.work().await;
    assert_eq!(super::count(&app, "chunk_embeddings").await, (FROM + 1).to_string());
    assert_eq!(super::count(&app, "search_cells").await, "0");

    app.db_execute("DELETE FROM jobs WHERE leased_until = '2100-01-01'").await;
    write_note(&physician, "The ankle is no longer swollen.", json!({})).await;
    app.work().await;
    assert_eq!(generations(&app).await, "1:864:3002");
    assert_eq!(app.db_value(STRAYS).await, "0");
}
