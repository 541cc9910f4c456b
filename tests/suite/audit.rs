//! The audit chain against someone with the database's own powers.

use anamnesis::audit::{self, Checkpoint, Fault, Verified};
use anamnesis::ids::{FacilityId, TypedId as _};
use uuid::Uuid;

use crate::harness::TestApp;

/// Writes audit rows of the facility as a client's requests would.
async fn record(app: &TestApp, facility: FacilityId, rows: usize) {
    for _ in 0..rows {
        app.db_execute(&insert(app, facility, Uuid::now_v7(), "")).await;
    }
}

fn insert(app: &TestApp, facility: FacilityId, id: Uuid, transaction: &str) -> String {
    let (column, value) = if transaction.is_empty() {
        (String::new(), String::new())
    } else {
        (", transaction_id".to_owned(), format!(", {transaction}"))
    };
    format!(
        "INSERT INTO audit_log (facility_id, id, recorded_at, actor_kind, action, outcome, purpose{column}) \
         VALUES ('{}', '{id}', '{}', 'system', 'test.deed', 'success', 'operations'{value})",
        facility.uuid(),
        app.now().to_rfc3339(),
    )
}

async fn number(app: &TestApp, query: &str) -> i64 {
    app.db_value(query).await.parse().unwrap()
}

/// Seals until nothing of the facility is left. Transactions of other tests, in other databases of the same
/// cluster, hold sealing back for as long as they run.
async fn seal(app: &TestApp, facility: FacilityId) -> Checkpoint {
    let id = facility.uuid();
    let left = format!(
        "SELECT (SELECT count(*) FROM audit_log WHERE facility_id = '{id}') \
            - (SELECT coalesce(sum(row_count), 0) FROM audit_blocks WHERE facility_id = '{id}')"
    );
    while number(app, &left).await > 0 {
        audit::seal(&app.app, facility).await.unwrap();
    }
    audit::checkpoint(&app.app, facility).await.unwrap().unwrap()
}

async fn verify(app: &TestApp, checkpoints: &[Checkpoint]) -> Verified {
    audit::verify(&app.app, app.facility, checkpoints).await.unwrap()
}

/// An application with two sealed blocks of three rows, and the rows of the first in the order of their ids.
async fn sealed() -> (TestApp, Vec<Uuid>, Checkpoint) {
    let app = TestApp::start().await;
    record(&app, app.facility, 3).await;
    seal(&app, app.facility).await;
    let rows = app
        .db_query(&format!("SELECT id FROM audit_log WHERE facility_id = '{}' ORDER BY id", app.facility.uuid()))
        .await
        .into_iter()
        .map(|row| row[0].as_deref().unwrap().parse().unwrap())
        .collect();
    record(&app, app.facility, 3).await;
    let head = seal(&app, app.facility).await;
    let verified = verify(&app, &[head.clone()]).await;
    assert_eq!((verified.rows, verified.fault), (6, None));
    (app, rows, head)
}

/// Does what only a superuser can, past the triggers.
async fn tamper(app: &TestApp, statement: &str) {
    app.db_execute(&format!(
        "BEGIN; ALTER TABLE audit_log DISABLE TRIGGER ALL; ALTER TABLE audit_blocks DISABLE TRIGGER ALL; {statement}; \
         ALTER TABLE audit_log ENABLE TRIGGER ALL; ALTER TABLE audit_blocks ENABLE TRIGGER ALL; COMMIT"
    ))
    .await;
}

async fn block_of(app: &TestApp, row: Uuid) -> i64 {
    number(
        app,
        &format!(
            "SELECT number FROM audit_blocks b JOIN audit_log l ON l.facility_id = b.facility_id AND l.epoch = b.epoch \
             AND l.transaction_id >= b.from_transaction AND l.transaction_id < b.to_transaction WHERE l.id = '{row}'"
        ),
    )
    .await
}

#[tokio::test]
async fn an_edit_is_found() {
    let (app, rows, _) = sealed().await;
    let block = block_of(&app, rows[1]).await;
    tamper(&app, &format!("UPDATE audit_log SET outcome = 'denied' WHERE id = '{}'", rows[1])).await;
    assert_eq!(verify(&app, &[]).await.fault, Some(Fault::RowChanged { row: rows[1], block }));
}

#[tokio::test]
async fn a_row_removed_from_the_middle_is_found() {
    let (app, rows, _) = sealed().await;
    let block = block_of(&app, rows[1]).await;
    tamper(&app, &format!("DELETE FROM audit_log WHERE id = '{}'", rows[1])).await;
    assert_eq!(verify(&app, &[]).await.fault, Some(Fault::RowRemoved { row: rows[1], block }));
}

#[tokio::test]
async fn a_row_slipped_in_is_found() {
    let (app, rows, _) = sealed().await;
    let block = block_of(&app, rows[0]).await;
    let id = Uuid::now_v7();
    let transaction = format!("(SELECT transaction_id FROM audit_log WHERE id = '{}')", rows[0]);
    tamper(&app, &insert(&app, app.facility, id, &transaction)).await;
    assert_eq!(verify(&app, &[]).await.fault, Some(Fault::RowAdded { row: id, block }));
}

#[tokio::test]
async fn two_rows_that_changed_places_are_found() {
    let (app, rows, _) = sealed().await;
    let block = block_of(&app, rows[0]).await;
    let (one, two) = (rows[0], rows[1]);
    // Each takes the transaction of the other: which came first is told otherwise now.
    tamper(
        &app,
        &format!(
            "UPDATE audit_log a SET transaction_id = b.transaction_id FROM audit_log b \
             WHERE (a.id = '{one}' AND b.id = '{two}') OR (a.id = '{two}' AND b.id = '{one}')"
        ),
    )
    .await;
    let fault = verify(&app, &[]).await.fault.unwrap();
    assert!(
        matches!(fault, Fault::RowChanged { row, block: found } if (row == one || row == two) && found == block)
            || matches!(fault, Fault::RowRemoved { row, .. } if row == one || row == two),
        "{fault}"
    );
}

#[tokio::test]
async fn a_changed_block_is_found() {
    let (app, _, head) = sealed().await;
    tamper(
        &app,
        &format!("UPDATE audit_blocks SET sealed_at = sealed_at + interval '1 day' WHERE number = {}", head.block),
    )
    .await;
    assert_eq!(verify(&app, &[]).await.fault, Some(Fault::BlockChanged { block: head.block }));
}

#[tokio::test]
async fn a_removed_block_is_found() {
    let (app, _, _) = sealed().await;
    tamper(&app, "DELETE FROM audit_blocks WHERE number = 1").await;
    assert_eq!(verify(&app, &[]).await.fault, Some(Fault::BlockRemoved { block: 1 }));
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_found_by_a_checkpoint_alone() {
    let (app, _, head) = sealed().await;
    let number = head.block;
    tamper(
        &app,
        &format!(
            "DELETE FROM audit_log WHERE facility_id = '{facility}' AND transaction_id >= \
             (SELECT from_transaction FROM audit_blocks WHERE facility_id = '{facility}' AND number = {number}); \
             DELETE FROM audit_blocks WHERE facility_id = '{facility}' AND number = {number}",
            facility = app.facility.uuid()
        ),
    )
    .await;
    assert_eq!(verify(&app, &[]).await.fault, None);
    let cut = Fault::TailCut { after_block: number - 1, missing_block: number, missing_row: head.last_row };
    assert_eq!(verify(&app, &[head]).await.fault, Some(cut));
}

#[tokio::test]
async fn a_checkpoint_of_somebody_elses_making_is_refused() {
    let (app, _, mut head) = sealed().await;
    head.block += 1;
    assert_eq!(verify(&app, &[head.clone()]).await.fault, Some(Fault::CheckpointUnsigned { block: head.block }));
}

#[tokio::test]
async fn writers_do_not_wait_for_sealing() {
    let app = TestApp::start().await;
    record(&app, app.facility, 1).await;
    // A sealer that has stopped in the middle of its work.
    let (mut sealer, connection) =
        tokio_postgres::connect(&app.database.superuser_url, tokio_postgres::NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    let held = sealer.transaction().await.unwrap();
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('audit {}', 0))", app.facility.uuid());
    held.batch_execute(&lock).await.unwrap();
    record(&app, app.facility, 2).await;
    assert_eq!(audit::seal(&app.app, app.facility).await.unwrap(), None);
    held.rollback().await.unwrap();
    drop(sealer);
    driving.await.unwrap().unwrap();
    seal(&app, app.facility).await;
    let verified = verify(&app, &[]).await;
    assert_eq!((verified.rows, verified.fault), (3, None));
}

#[tokio::test]
async fn a_transaction_that_writes_late_is_not_left_out() {
    let app = TestApp::start().await;
    record(&app, app.facility, 1).await;
    seal(&app, app.facility).await;
    let (mut late, connection) =
        tokio_postgres::connect(&app.database.superuser_url, tokio_postgres::NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    let open = late.transaction().await.unwrap();
    open.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
    // Later transactions, ended before it.
    record(&app, app.facility, 2).await;
    for _ in 0..3 {
        audit::seal(&app.app, app.facility).await.unwrap();
    }
    assert_eq!(verify(&app, &[]).await.rows, 1, "a row after a running transaction was sealed");
    let id = Uuid::now_v7();
    open.batch_execute(&insert(&app, app.facility, id, "")).await.unwrap();
    open.commit().await.unwrap();
    drop(late);
    driving.await.unwrap().unwrap();
    seal(&app, app.facility).await;
    let verified = verify(&app, &[]).await;
    assert_eq!((verified.rows, verified.fault), (4, None));
    tamper(&app, &format!("DELETE FROM audit_log WHERE id = '{id}'")).await;
    assert!(matches!(verify(&app, &[]).await.fault, Some(Fault::RowRemoved { row, .. }) if row == id));
}
