//! Rotation and destruction of keys: every encrypted column of every table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anamnesis::access::Role;
use anamnesis::app::{App, Engines};
use anamnesis::crypto::{ColumnId, Keyring};
use anamnesis::domains::operations::keys::{self, Pace};
use anamnesis::error::Error;
use anamnesis::ids::{FacilityId, TypedId as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use uuid::Uuid;

use crate::harness::TestApp;

/// Nobody else works with the keys of these tests.
const AT_ONCE: Pace = Pace { platform: Duration::ZERO };

async fn rotate(app: &TestApp, facility: FacilityId) -> keys::Rotated {
    keys::rotate_data(&app.app, facility, AT_ONCE, &mut |_| {}).await.unwrap()
}

async fn catalogue(app: &TestApp) -> BTreeSet<(String, String)> {
    app.db_query(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
         AND NOT a.attisdropped WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
         AND col_description(c.oid, a.attnum) LIKE 'phi:%'",
    )
    .await
    .into_iter()
    .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
    .collect()
}

#[tokio::test]
async fn every_encrypted_column_of_the_catalogue_is_rotated() {
    let app = TestApp::start().await;
    let known: BTreeSet<(String, String)> =
        keys::sealed_columns().map(|(table, column)| (table.to_owned(), column.to_owned())).collect();
    assert_eq!(known, catalogue(&app).await);
}

/// Columns of a table: name, type, whether it must have a value.
async fn columns_of(app: &TestApp, table: &str) -> Vec<(String, String)> {
    app.db_query(&format!(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute \
         WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
    ))
    .await
    .into_iter()
    .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
    .collect()
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Tables that belong to no facility: what is encrypted there is so under the platform's key.
fn is_global(table: &str) -> bool {
    table == "users" || table == "user_totp"
}

/// The tables, and those their rows point at, directly or not.
async fn with_what_they_point_at(app: &TestApp, tables: &BTreeSet<String>) -> BTreeSet<String> {
    let names: Vec<String> = tables.iter().map(|table| format!("'{table}'::regclass")).collect();
    let query = format!(
        "WITH RECURSIVE reached AS (SELECT unnest(ARRAY[{}]::regclass[])::oid AS id UNION \
         SELECT c.confrelid FROM pg_constraint c JOIN reached r ON c.conrelid = r.id WHERE c.contype = 'f') \
         SELECT id::regclass FROM reached WHERE id <> 'facilities'::regclass",
        names.join(", ")
    );
    app.db_query(&query).await.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

/// Puts one row into each of the tables and of those they point at. All have the same id and point at each other:
/// PostgreSQL looks at the foreign keys of a row again when one transaction changes it twice, as a rotation does.
async fn fill_all(app: &TestApp, facility: FacilityId, tables: &BTreeSet<String>, row: Uuid) {
    for table in with_what_they_point_at(app, tables).await {
        let owner = if is_global(&table) { FacilityId::PLATFORM } else { facility };
        fill(app, owner, &table, row, row).await;
    }
}

/// Puts one row into a table with a value in every encrypted column, past all its rules but the types. It points at
/// the rows of another id.
async fn fill(app: &TestApp, facility: FacilityId, table: &str, row: Uuid, other: Uuid) {
    let keys = app.app.keys_of_facility(facility).await.unwrap();
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, kind) in columns_of(app, table).await {
        let value = if let Some(column) = name.strip_suffix("_ciphertext") {
            let id = ColumnId::new(leak(table), leak(column));
            let sealed = keys.fields.encrypt(id, row, format!("{table}.{column}").as_bytes()).unwrap();
            format!("decode('{}', 'base64')", STANDARD.encode(sealed))
        } else {
            match (name.as_str(), kind.as_str()) {
                ("facility_id", _) => format!("'{}'", facility.uuid()),
                ("id", "uuid") => format!("'{row}'"),
                (_, "uuid") => format!("'{other}'"),
                (_, "text") => "'other'".to_owned(),
                (_, "bytea") => "'\\x00'".to_owned(),
                (_, "jsonb") => "'{}'".to_owned(),
                (_, "boolean") => "false".to_owned(),
                (_, "date") => "'2026-03-09'".to_owned(),
                (_, "timestamp with time zone") => "'2026-03-09T14:00:00Z'".to_owned(),
                _ => "1".to_owned(),
            }
        };
        names.push(name);
        values.push(value);
    }
    let checks = app
        .db_query(&format!("SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'c'"))
        .await;
    let mut statement = "BEGIN; SET LOCAL session_replication_role = replica;".to_owned();
    for check in checks {
        statement += &format!("ALTER TABLE {table} DROP CONSTRAINT {};", check[0].as_deref().unwrap());
    }
    statement += &format!("INSERT INTO {table} ({}) VALUES ({}); COMMIT", names.join(", "), values.join(", "));
    app.db_execute(&statement).await;
}

/// What every encrypted column of a row says, by table and column.
async fn open(
    app: &TestApp,
    facility: FacilityId,
    tables: &BTreeSet<String>,
    row: Uuid,
) -> BTreeMap<String, (String, u32)> {
    let keys = app.app.keys_of_facility(facility).await.unwrap();
    let mut opened = BTreeMap::new();
    for (table, name) in catalogue(app).await.into_iter().filter(|(table, _)| tables.contains(table)) {
        let key = if table == "user_totp" { "user_id" } else { "id" };
        let value = app.db_value(&format!("SELECT encode({name}, 'hex') FROM {table} WHERE {key} = '{row}'")).await;
        let sealed: Vec<u8> =
            (0..value.len()).step_by(2).map(|at| u8::from_str_radix(&value[at..at + 2], 16).unwrap()).collect();
        let column = name.strip_suffix("_ciphertext").unwrap();
        let text = keys.fields.decrypt(ColumnId::new(leak(&table), leak(column)), row, &sealed).unwrap();
        let version = anamnesis::crypto::field::key_version_of(&sealed).unwrap();
        opened.insert(format!("{table}.{column}"), (String::from_utf8(text.reveal().clone()).unwrap(), version));
    }
    opened
}

async fn every_column_survives(facility: impl Fn(&TestApp) -> FacilityId, global: bool) {
    let app = TestApp::start().await;
    let facility = facility(&app);
    let tables: BTreeSet<String> =
        catalogue(&app).await.into_iter().map(|(table, _)| table).filter(|table| is_global(table) == global).collect();
    let row = Uuid::now_v7();
    fill_all(&app, facility, &tables, row).await;
    let before = open(&app, facility, &tables, row).await;
    assert!(before.iter().all(|(name, (text, version))| name == text && *version == 1), "{before:?}");
    let rotated = rotate(&app, facility).await;
    assert_eq!(rotated.version, 2);
    let after = open(&app, facility, &tables, row).await;
    assert_eq!(before.len(), after.len());
    assert!(after.iter().all(|(name, (text, version))| name == text && *version == 2), "{after:?}");
    assert_eq!(data_keys(&app, facility).await, "2active");
}

/// Versions of a facility's data key, with their states.
async fn data_keys(app: &TestApp, facility: FacilityId) -> String {
    app.db_value(&format!(
        "SELECT string_agg(version || state, ',') FROM facility_keys WHERE facility_id = '{}' AND purpose = 'data'",
        facility.uuid()
    ))
    .await
}

#[tokio::test]
async fn every_encrypted_column_of_a_facility_survives_a_rotation() {
    every_column_survives(|app| app.facility, false).await;
}

#[tokio::test]
async fn every_encrypted_column_of_a_login_survives_a_rotation() {
    every_column_survives(|_| FacilityId::PLATFORM, true).await;
}

#[tokio::test]
async fn tokens_of_queued_mail_survive_a_rotation() {
    let app = TestApp::start().await;
    let id = Uuid::now_v7();
    let payload = ColumnId::new("jobs", "payload");
    let keys = app.app.keys_of_facility(app.facility).await.unwrap();
    let token = "t".repeat(90);
    let sealed = STANDARD.encode(keys.fields.encrypt(payload, id, token.as_bytes()).unwrap());
    app.db_execute(&format!(
        "INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, max_attempts, created_at, updated_at) \
         VALUES ('{}', '{id}', 'mail.test', '{{\"token\": \"{sealed}\"}}', 'queued', now(), 8, now(), now())",
        app.facility.uuid()
    ))
    .await;
    rotate(&app, app.facility).await;
    let now = app.db_value(&format!("SELECT payload ->> 'token' FROM jobs WHERE id = '{id}'")).await;
    assert_ne!(now, sealed);
    let keys = app.app.keys_of_facility(app.facility).await.unwrap();
    let opened = keys.fields.decrypt(payload, id, &STANDARD.decode(now).unwrap()).unwrap();
    assert_eq!(opened.reveal(), token.as_bytes());
}

#[tokio::test]
async fn a_rotation_is_no_change_of_the_record_and_clients_notice_nothing() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let document = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) {
        patient { id familyName version updatedAt } } }";
    let input = json!({ "givenName": "Nora", "familyName": "Quill", "birthDate": "1984-02-29", "gender": "FEMALE" });
    let made = clerk.run(document, json!({ "input": input })).await.ok()["patientRegister"]["patient"].clone();
    app.advance(chrono::TimeDelta::minutes(5));
    rotate(&app, app.facility).await;
    rotate(&app, FacilityId::PLATFORM).await;
    let read = clerk
        .run("query($id: ID!) { patient(id: $id) { id familyName version updatedAt } }", json!({ "id": made["id"] }))
        .await
        .ok();
    assert_eq!(read["patient"], made);
    let again = rotate(&app, app.facility).await;
    assert_eq!(again.version, 3);
}

/// Rotates until the report of a step, and is killed there.
async fn killed_at_step(app: &TestApp, step: u32) {
    let (app, facility) = (app.app.clone(), app.facility);
    let broken = tokio::spawn(async move {
        let mut steps = 0;
        let mut report = |_: String| {
            steps += 1;
            assert!(steps < step, "killed");
        };
        keys::rotate_data(&app, facility, AT_ONCE, &mut report).await
    });
    assert!(broken.await.is_err_and(|error| error.is_panic()));
}

#[tokio::test]
async fn a_rotation_that_was_broken_off_goes_on() {
    // After the new key was made known; after it came into use; after a first batch of values.
    for (step, done) in [(1, 0), (2, 0), (3, 200)] {
        let app = TestApp::start().await;
        let tables = BTreeSet::from(["patient_contacts".to_owned()]);
        let first = Uuid::now_v7();
        fill_all(&app, app.facility, &tables, first).await;
        let mut rows = vec![first];
        // More values than one transaction re-encrypts.
        while rows.len() * 3 <= 200 {
            let row = Uuid::now_v7();
            fill(&app, app.facility, "patient_contacts", row, first).await;
            rows.push(row);
        }
        let columns = |table: &str| keys::sealed_columns().filter(|(of, _)| *of == table).count();
        let reached = with_what_they_point_at(&app, &tables).await;
        let parents: usize = reached
            .iter()
            .filter(|table| !is_global(table) && !tables.contains(*table))
            .map(|table| columns(table))
            .sum();
        let values = rows.len() * columns("patient_contacts") + parents;

        killed_at_step(&app, step).await;
        let mut under_new = 0;
        for row in &rows {
            let found = open(&app, app.facility, &tables, *row).await;
            assert!(found.iter().all(|(name, (text, _))| name == text), "step {step}: {found:?}");
            under_new += found.values().filter(|(_, version)| *version == 2).count();
        }
        assert!(under_new <= done && (done == 0 || under_new > 0), "step {step}: {under_new} under the new key");

        let rotated = rotate(&app, app.facility).await;
        assert_eq!((rotated.version, rotated.values), (2, u64::try_from(values - done).unwrap()), "step {step}");
        for row in &rows {
            let found = open(&app, app.facility, &tables, *row).await;
            assert!(found.iter().all(|(name, (text, version))| name == text && *version == 2), "{found:?}");
        }
        assert_eq!(data_keys(&app, app.facility).await, "2active");
    }
}

#[tokio::test]
async fn a_shredded_facility_is_gone_for_everybody() {
    let app = TestApp::start().await;
    let row = Uuid::now_v7();
    fill(&app, app.facility, "patient_contacts", row, row).await;
    let member = app.member(&[Role::Administrator]).await;
    let neighbour = app.member_of(app.other, &[Role::Administrator]).await;
    let wrong = keys::shred(&app.app, app.facility, "Lakeside").await;
    assert!(matches!(wrong, Err(Error::BadInput(_))));
    app.app.keys_work(app.facility).await.unwrap();
    assert_eq!(keys::shred(&app.app, app.facility, "Lakeside Clinic").await.unwrap(), 2);
    assert!(matches!(app.app.keys_work(app.facility).await, Err(Error::NotFound)));
    let answer = member.run("{ patients { nodes { id } } }", json!({})).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    neighbour.run("{ patients { nodes { id } } }", json!({})).await.ok();
    let facility = app.facility.uuid();
    assert_eq!(app.db_value(&format!("SELECT status FROM facilities WHERE id = '{facility}'")).await, "shredded");
    assert_eq!(
        app.db_value(
            "SELECT count(*) FROM audit_log WHERE action = 'operations.keys.shred' AND outcome = 'success' \
        AND facility_id = '00000000-0000-0000-0000-000000000000'"
        )
        .await,
        "1"
    );
    let rotation = keys::rotate_data(&app.app, app.facility, AT_ONCE, &mut |_| {}).await;
    assert!(matches!(rotation, Err(Error::NotFound)));
    assert!(matches!(keys::shred(&app.app, FacilityId::PLATFORM, "Platform").await, Err(Error::BadInput(_))));
}

/// Another process over the same database, with the key ring of a file.
fn process(app: &TestApp, ring: &std::path::Path) -> Arc<App> {
    let mut config = app.app.config.clone();
    config.keyring = Some(ring.to_owned());
    let engines = Engines { models: app.app.models.clone(), extractor: app.app.extractor.clone() };
    App::with_engines(config, Keyring::load(ring).unwrap(), app.app.clock.clone(), engines).unwrap()
}

#[tokio::test]
async fn a_new_master_key_is_known_to_servers_that_run() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let ring = folder.path().join("keyring.toml");
    app.app.keyring.save_new(&ring).unwrap();
    let running = process(&app, &ring);
    Keyring::update(&ring, Keyring::rotate_master).unwrap();
    let operator = process(&app, &ring);
    assert!(keys::under_retired_master(&operator, app.facility).await.unwrap());
    assert_eq!(keys::rewrap(&operator, app.facility).await.unwrap(), 2);
    assert!(!keys::under_retired_master(&operator, app.facility).await.unwrap());
    assert_eq!(keys::rewrap(&operator, app.facility).await.unwrap(), 0);
    // It was started with the ring of before, and has unwrapped nothing yet.
    running.keys_work(app.facility).await.unwrap();
    running.keys_work(app.other).await.unwrap();
}
