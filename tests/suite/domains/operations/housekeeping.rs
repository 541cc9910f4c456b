//! What recurs by itself.

use std::sync::Arc;

use anamnesis::audit::Checkpoint;
use anamnesis::ids::{TypedId as _, UserId, new_id};
use anamnesis::jobs::Housekeeping;
use chrono::TimeDelta;

use crate::harness::TestApp;

#[tokio::test]
async fn each_part_is_done_when_it_is_due_and_not_before() {
    let app = TestApp::start().await;
    let mut keeping = Housekeeping::new(Arc::clone(&app.app));
    let first = keeping.turn().await.unwrap();
    assert!(first.sealed.is_some() && first.swept.is_some());
    app.advance(TimeDelta::seconds(29));
    assert_eq!(keeping.turn().await.unwrap(), anamnesis::jobs::Turn::default());
    app.advance(TimeDelta::seconds(1));
    let second = keeping.turn().await.unwrap();
    assert!(second.sealed.is_some() && second.swept.is_none());
    app.advance(TimeDelta::hours(1));
    assert!(keeping.turn().await.unwrap().swept.is_some());
}

#[tokio::test]
async fn heads_of_chains_are_kept_beside_the_files() {
    let app = TestApp::start().await;
    app.db_create_user().await;
    let mut keeping = Housekeeping::new(Arc::clone(&app.app));
    // Transactions of other tests in the cluster may hold sealing back.
    let head: Checkpoint = loop {
        let sealed = keeping.turn().await.unwrap().sealed.unwrap_or_default();
        if let Some(head) = sealed.into_iter().next() {
            break head;
        }
        app.advance(TimeDelta::seconds(30));
    };
    let path = app.storage.path().join(format!("audit/{}/{}.json", head.facility, head.block));
    let kept: Checkpoint = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(kept, head);
    kept.verify(&app.app.keyring.audit_public_keys()).unwrap();
}

#[tokio::test]
async fn results_of_mutations_are_forgotten_after_a_day() {
    let app = TestApp::start().await;
    let user = app.db_create_user().await;
    for (key, hours) in [("old", 25), ("fresh", 23)] {
        app.db_execute(&format!(
            "INSERT INTO idempotency_keys (facility_id, user_id, key, action, fingerprint, result, created_at) \
             VALUES ('{}', '{}', '{key}', 'test', '', '{{}}', '{}')",
            app.facility.uuid(),
            user.uuid(),
            (app.now() - TimeDelta::hours(hours)).to_rfc3339(),
        ))
        .await;
    }
    Housekeeping::new(Arc::clone(&app.app)).turn().await.unwrap();
    assert_eq!(app.db_value("SELECT string_agg(key, ',') FROM idempotency_keys").await, "fresh");
}

#[tokio::test]
async fn months_of_the_audit_log_are_made_ahead() {
    let app = TestApp::start().await;
    app.advance(TimeDelta::days(3650));
    Housekeeping::new(Arc::clone(&app.app)).turn().await.unwrap();
    // March 2036, and eleven months ahead at least.
    for month in ["2036_03", "2037_03"] {
        assert_eq!(app.db_value(&format!("SELECT to_regclass('audit_log_{month}') IS NOT NULL")).await, "t", "{month}");
    }
    let facility = app.facility;
    let id: anamnesis::ids::AuditEntryId = new_id();
    app.db_execute(&format!(
        "INSERT INTO audit_log (facility_id, id, recorded_at, actor_kind, action, outcome, purpose) \
         VALUES ('{}', '{}', '2036-04-01T00:00:00Z', 'system', 'test', 'success', 'operations')",
        facility.uuid(),
        id.uuid()
    ))
    .await;
    assert_eq!(
        app.db_value(&format!("SELECT tableoid::regclass FROM audit_log WHERE id = '{}'", id.uuid())).await,
        "audit_log_2036_04"
    );
}

/// A reset that ran out a day longer ago than it is kept.
async fn old_reset(app: &TestApp, user: UserId) {
    app.db_execute(&format!(
        "INSERT INTO password_resets (token_hash, user_id, created_at, expires_at) VALUES ('old', '{}', '{then}', '{then}')",
        user.uuid(),
        then = (app.now() - TimeDelta::days(8)).to_rfc3339(),
    ))
    .await;
}

#[tokio::test]
async fn what_identity_no_longer_needs_goes_with_the_sweep() {
    let app = TestApp::start().await;
    let mut keeping = Housekeeping::new(Arc::clone(&app.app));
    keeping.turn().await.unwrap();
    let user = app.db_create_user().await;
    old_reset(&app, user).await;
    let session = app.db_create_session(user).await;
    let then = (app.now() - TimeDelta::days(8)).to_rfc3339();
    app.db_execute(&format!(
        "UPDATE user_sessions SET expires_at = '{then}'; \
         INSERT INTO refresh_tokens (token_hash, session_id, created_at, expires_at) \
         VALUES ('old', '{}', '{then}', '{then}')",
        session.uuid()
    ))
    .await;
    assert_eq!(keeping.turn().await.unwrap().swept, None);
    app.advance(TimeDelta::hours(1));
    assert_eq!(keeping.turn().await.unwrap().swept, Some(2));
    let left = "SELECT (SELECT count(*) FROM password_resets) + (SELECT count(*) FROM refresh_tokens)";
    assert_eq!(app.db_value(left).await, "0");
}

#[tokio::test]
async fn a_part_that_fails_keeps_no_other_from_its_turn() {
    let app = TestApp::start().await;
    let user = app.db_create_user().await;
    for facility in [app.facility, app.other] {
        app.db_execute(&format!(
            "INSERT INTO idempotency_keys (facility_id, user_id, key, action, fingerprint, result, created_at) \
             VALUES ('{}', '{}', 'old', 'test', '', '{{}}', '{}')",
            facility.uuid(),
            user.uuid(),
            (app.now() - TimeDelta::hours(25)).to_rfc3339(),
        ))
        .await;
    }
    old_reset(&app, user).await;
    // The first part cannot do its work.
    app.db_execute("REVOKE DELETE ON password_resets FROM anamnesis_server").await;
    let turn = Housekeeping::new(Arc::clone(&app.app)).turn().await.unwrap();
    assert_eq!(turn.swept, Some(2));
    assert_eq!(app.db_value("SELECT count(*) FROM password_resets").await, "1");
    assert_eq!(app.db_value("SELECT count(*) FROM idempotency_keys").await, "0");
}
