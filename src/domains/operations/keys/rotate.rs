//! Rotation of a data key, in steps: the new key is made known, then used, then everything is re-encrypted,
//! then the old one is removed. Between steps whoever may still work with the keys of before is waited for.
//! And wrapping under a new master key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::columns::{self, SealedColumn};
use super::write;
use crate::access::{RequestContext, Subject, Tx};
use crate::app::App;
use crate::crypto::FacilityKeys;
use crate::db::sql;
use crate::domains::operations::policy;
use crate::error::{Error, Result};
use crate::ids::FacilityId;

/// Values re-encrypted in one transaction.
const BATCH: i64 = 200;
/// How often open transactions are looked at while they are waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The server ends a transaction long before so many looks: then something else holds one open.
const LOOKS: u32 = 600;

/// How long other nodes may work with keys they have read.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// They keep the platform's keys for a while without looking.
    pub platform: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { platform: crate::crypto::PLATFORM_KEPT + Duration::from_secs(1) }
    }
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// The version everything is encrypted under now.
    pub version: i32,
    /// Values re-encrypted by this run.
    pub values: u64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    state: String,
}

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// No rotation is under way.
    Settled,
    /// The next version is known and not used.
    Published { next: i32 },
    /// The active version is new, an older one is still needed to read.
    Activated { active: i32 },
}

/// Rotates the data key of a facility, or goes on with a rotation that was broken off. The server keeps running.
///
/// # Errors
/// [`Error::NotFound`] for a facility without keys; a fault. Nothing is lost then: run it again.
pub async fn rotate_data(
    app: &Arc<App>,
    facility: FacilityId,
    pace: Pace,
    report: &mut (dyn FnMut(String) + Send),
) -> Result<Rotated> {
    let ctx = RequestContext::system(Arc::clone(app), facility, "keys rotate-data");
    covers_the_catalogue(&ctx).await?;
    let mut stage = write(&ctx, &policy::KEYS_ROTATE, publish).await?;
    if let Stage::Published { next } = stage {
        report(format!("version {next} is known; waiting for work that does not know it"));
        settle(&ctx, pace).await?;
        stage = write(&ctx, &policy::KEYS_ROTATE, |tx| activate(tx, next)).await?;
    }
    let Stage::Activated { active } = stage else { return Err(Error::internal("a rotation that did not begin")) };
    report(format!("version {active} encrypts; waiting for work that encrypts under the one before"));
    settle(&ctx, pace).await?;
    let mut at = Place::default();
    loop {
        at = write(&ctx, &policy::KEYS_ROTATE, |tx| batch(tx, at)).await?;
        if at.done {
            break;
        }
        report(format!("{} values re-encrypted", at.values));
    }
    write(&ctx, &policy::KEYS_ROTATE, |tx| remove_older(tx, active)).await?;
    app.keys.forget();
    Ok(Rotated { version: active, values: at.values })
}

async fn stage(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<Stage> {
    // Held until the end of the transaction: two rotations of a facility come one after the other.
    sql("SELECT id FROM facilities WHERE id = $1 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(facility)
        .execute(&mut db)
        .await?;
    let versions: Vec<Version> = sql("SELECT version, state FROM facility_keys \
         WHERE facility_id = $1 AND purpose = 'data' ORDER BY version DESC")
    .bind::<SqlUuid, _>(facility)
    .load(&mut db)
    .await?;
    let active = versions.iter().find(|key| key.state == "active").ok_or(Error::NotFound)?.version;
    Ok(match versions.iter().map(|key| key.version).max() {
        Some(next) if next > active => Stage::Published { next },
        _ if versions.len() > 1 => Stage::Activated { active },
        _ => Stage::Settled,
    })
}

/// Makes the next version, unless one is on its way.
async fn publish(tx: Tx) -> Result<Stage> {
    let (ctx, db) = (tx.ctx(), tx.db()?);
    let facility = ctx.facility();
    let found = stage(db, facility).await?;
    tx.audit(Subject::of(facility), json!({ "step": "begin", "resumed": found != Stage::Settled }));
    if found != Stage::Settled {
        return Ok(found);
    }
    let next = ctx.app().keys.add_data_key(facility, ctx.now(), db).await?;
    raise_epoch(db, facility).await?;
    Ok(Stage::Published { next })
}

async fn activate(tx: Tx, next: i32) -> Result<Stage> {
    let facility = tx.ctx().facility();
    let db = tx.db()?;
    if (stage(db, facility).await?) != (Stage::Published { next }) {
        return Err(Error::internal("another rotation of the facility is under way"));
    }
    let mut connection = db;
    for (old, new) in [("active", "retiring"), ("retiring", "active")] {
        sql("UPDATE facility_keys SET state = $4 \
             WHERE facility_id = $1 AND purpose = 'data' AND state = $3 AND (version = $2) = ($4 = 'active')")
        .bind::<SqlUuid, _>(facility)
        .bind::<Integer, _>(next)
        .bind::<Text, _>(old)
        .bind::<Text, _>(new)
        .execute(&mut connection)
        .await?;
    }
    raise_epoch(db, facility).await?;
    tx.audit(Subject::of(facility), json!({ "step": "activate", "version": next }));
    Ok(Stage::Activated { active: next })
}

/// Every node reads the keys anew at its next request.
async fn raise_epoch(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<()> {
    sql("UPDATE facilities SET key_epoch = key_epoch + 1 WHERE id = $1")
        .bind::<SqlUuid, _>(facility)
        .execute(&mut db)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Open {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    open: i64,
}

/// Waits until no transaction is open that began before now, by the database's clock, and for the platform until
/// no node works with keys it kept.
async fn settle(ctx: &RequestContext, pace: Pace) -> Result<()> {
    let app = ctx.app();
    app.keys.forget();
    if ctx.facility() == FacilityId::PLATFORM {
        tokio::time::sleep(pace.platform).await;
    }
    let mut since: Option<DateTime<Utc>> = None;
    for _ in 0..LOOKS {
        let read = ctx.read(&policy::KEYS_ROTATE).await?;
        let found: Open = sql("SELECT clock_timestamp() AS now, count(*) AS open FROM pg_stat_activity \
             WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() \
             AND xact_start <= coalesce($1, clock_timestamp())")
        .bind::<diesel::sql_types::Nullable<Timestamptz>, _>(since)
        .get_result(&mut read.db()?)
        .await?;
        drop(read);
        ctx.finish().await?;
        if found.open == 0 {
            return Ok(());
        }
        since = since.or(Some(found.now));
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(Error::Unavailable("a transaction from before the change of keys is still open".into()))
}

/// How far re-encryption is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Place {
    column: usize,
    /// The last row of the column done.
    after: Uuid,
    values: u64,
    done: bool,
}

#[derive(QueryableByName)]
struct SealedValue {
    #[diesel(sql_type = SqlUuid)]
    row_id: Uuid,
    #[diesel(sql_type = Bytea)]
    sealed: Vec<u8>,
}

/// One transaction: goes on until a batch is full or nothing is left.
async fn batch(tx: Tx, mut at: Place) -> Result<Place> {
    let (facility, keys) = (tx.ctx().facility(), tx.keys().await?);
    // A new ciphertext is not a change of the record.
    sql("SELECT set_config('app.rekeying', 'on', true)").execute(&mut tx.db()?).await?;
    let before = at.values;
    let mut room = BATCH;
    while room > 0 {
        let Some(column) = columns::ALL.get(at.column) else {
            at.done = true;
            break;
        };
        let values = under_older(tx.db()?, column, facility, &keys, at.after, room).await?;
        let found = i64::try_from(values.len()).map_err(Error::internal)?;
        if let Some(last) = values.last() {
            at.after = last.row_id;
            at.values += u64::try_from(found).unwrap_or(0);
            rewrite(tx.db()?, column, facility, &keys, values).await?;
        }
        if found < room {
            at = Place { column: at.column + 1, after: Uuid::nil(), ..at };
        }
        room -= found;
    }
    tx.audit(Subject::of(facility), json!({ "step": "reencrypt", "values": at.values - before }));
    Ok(at)
}

/// Values of a column that are not under the active version.
async fn under_older(
    mut db: &AsyncPgConnection,
    column: &SealedColumn,
    facility: FacilityId,
    keys: &FacilityKeys,
    after: Uuid,
    most: i64,
) -> Result<Vec<SealedValue>> {
    if column.global && facility != FacilityId::PLATFORM {
        return Ok(Vec::new());
    }
    Ok(sql(column.select)
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(after)
        .bind::<Bytea, _>(keys.fields.active_version().to_be_bytes().to_vec())
        .bind::<BigInt, _>(most)
        .load(&mut db)
        .await?)
}

async fn rewrite(
    mut db: &AsyncPgConnection,
    column: &SealedColumn,
    facility: FacilityId,
    keys: &FacilityKeys,
    values: Vec<SealedValue>,
) -> Result<()> {
    let (mut rows, mut fresh) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
    for value in values {
        if let Some(sealed) = keys.fields.reencrypt(column.id, value.row_id, &value.sealed)? {
            rows.push(value.row_id);
            fresh.push(sealed);
        }
    }
    sql(column.update)
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<SqlUuid>, _>(rows)
        .bind::<Array<Bytea>, _>(fresh)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Removes the versions before, once nothing is under them.
async fn remove_older(tx: Tx, active: i32) -> Result<u64> {
    let (facility, db) = (tx.ctx().facility(), tx.db()?);
    if (stage(db, facility).await?) != (Stage::Activated { active }) {
        return Err(Error::internal("another rotation of the facility is under way"));
    }
    let keys = tx.keys().await?;
    for column in columns::ALL {
        if !under_older(db, column, facility, &keys, Uuid::nil(), 1).await?.is_empty() {
            return Err(Error::internal("values were written under the key before while it was rotated"));
        }
    }
    let mut connection = db;
    let removed = sql("DELETE FROM facility_keys WHERE facility_id = $1 AND purpose = 'data' AND version < $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<Integer, _>(active)
        .execute(&mut connection)
        .await?;
    raise_epoch(db, facility).await?;
    tx.audit(Subject::of(facility), json!({ "step": "finish", "version": active }));
    u64::try_from(removed).map_err(Error::internal)
}

#[derive(QueryableByName)]
struct CatalogueColumn {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

/// A column that the list lacks would be unreadable once the old key is gone.
async fn covers_the_catalogue(ctx: &RequestContext) -> Result<()> {
    let read = ctx.read(&policy::KEYS_ROTATE).await?;
    let found: Vec<CatalogueColumn> = sql("SELECT c.relname::text AS table_name, a.attname::text AS column_name \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname LIKE '%\\_ciphertext'")
    .load(&mut read.db()?)
    .await?;
    drop(read);
    ctx.finish().await?;
    let known: BTreeSet<_> = columns::sealed_columns().collect();
    match found.iter().find(|column| !known.contains(&(column.table_name.as_str(), column.column_name.as_str()))) {
        None => Ok(()),
        Some(column) => Err(Error::internal(format!(
            "{}.{} is encrypted and this version does not know how to rotate it",
            column.table_name, column.column_name
        ))),
    }
}

/// Wraps the keys of a facility under the active master key; gives how many were wrapped anew.
///
/// # Errors
/// A fault.
pub async fn rewrap(app: &Arc<App>, facility: FacilityId) -> Result<usize> {
    let ctx = RequestContext::system(Arc::clone(app), facility, "keys rotate-master");
    write(&ctx, &policy::KEYS_REWRAP, |tx| async move {
        let wrapped = tx.ctx().app().keys.rewrap(facility, tx.db()?).await?;
        tx.audit(Subject::of(facility), json!({ "keys": wrapped }));
        Ok(wrapped)
    })
    .await
}

/// Whether keys of a facility are wrapped under a master key that is no longer the active one.
///
/// # Errors
/// A fault.
pub async fn under_retired_master(app: &Arc<App>, facility: FacilityId) -> Result<bool> {
    let ctx = RequestContext::system(Arc::clone(app), facility, "keys rotate-master");
    let read = ctx.read(&policy::KEYS_REWRAP).await?;
    let found = sql("SELECT version FROM facility_keys WHERE facility_id = $1 AND master_key_id <> $2 LIMIT 1")
        .bind::<SqlUuid, _>(facility)
        .bind::<Text, _>(app.keys.active_master())
        .execute(&mut read.db()?)
        .await?;
    drop(read);
    ctx.finish().await?;
    Ok(found > 0)
}
