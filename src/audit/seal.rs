//! Sealing: signs what was recorded into the chain of a facility, in the background.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::block::{self, Block, Checkpoint, NO_HASH, SealedRow};
use crate::app::App;
use crate::crypto::signing::SigningPurpose;
use crate::db::{Binding, Mode, Session, sql};
use crate::error::{Error, Result};
use crate::ids::{FacilityId, TypedId as _};

/// Rows of one block, unless one transaction wrote more: a block never divides a transaction.
const BLOCK_ROWS: i64 = 5_000;

#[derive(QueryableByName)]
struct Range {
    /// First transaction not to be sealed yet; all before it have ended.
    #[diesel(sql_type = Text)]
    to_transaction: String,
    #[diesel(sql_type = Integer)]
    epoch: i32,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// The rows that ended since the head of the chain: up to the oldest transaction still running, or to where a
/// full block ends.
const RANGE: &str = "\
    WITH horizon AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xid), \
    fresh AS (SELECT epoch FROM audit_log WHERE facility_id = $1 AND epoch >= $2 \
        AND (epoch > $2 OR transaction_id >= $3::text::xid8) \
        AND transaction_id < (SELECT xid FROM horizon) ORDER BY epoch LIMIT 1), \
    full_block AS (SELECT transaction_id AS xid FROM audit_log, fresh WHERE facility_id = $1 \
        AND audit_log.epoch = fresh.epoch AND (fresh.epoch > $2 OR transaction_id >= $3::text::xid8) \
        ORDER BY transaction_id OFFSET $4 LIMIT 1) \
    SELECT fresh.epoch, coalesce(nullif(least((SELECT xid FROM full_block), (SELECT xid FROM horizon)), \
        (SELECT min(transaction_id) FROM audit_log WHERE facility_id = $1 AND audit_log.epoch = fresh.epoch \
            AND (fresh.epoch > $2 OR transaction_id >= $3::text::xid8))), \
        (SELECT xid FROM horizon))::text AS to_transaction \
    FROM fresh";

/// Seals one block of a facility; `None` when there is nothing to seal or another process is at it.
///
/// # Errors
/// When the database fails or the key cannot sign.
pub async fn seal(app: &App, facility: FacilityId) -> Result<Option<Checkpoint>> {
    let now = app.clock.now();
    let session = Session::open(&app.database, Mode::Write, Binding::System { facility }, now).await?;
    let sealed = seal_in(app, facility, session.connection()?).await?;
    session.end(true).await?;
    match sealed {
        Some(block) => {
            app.metrics.chain(facility, block.number, block.sealed_at);
            Ok(Some(block.checkpoint(facility, app.keyring.audit_key())?))
        }
        None => Ok(None),
    }
}

/// The head of a facility's chain, signed anew; `None` when nothing of it is sealed yet.
///
/// # Errors
/// When the database fails or the key cannot sign.
pub async fn checkpoint(app: &App, facility: FacilityId) -> Result<Option<Checkpoint>> {
    let session = Session::open(&app.database, Mode::Read, Binding::System { facility }, app.clock.now()).await?;
    let head = block::head(session.connection()?, facility).await?;
    session.end(false).await?;
    Ok(head.map(|block| block.checkpoint(facility, app.keyring.audit_key())).transpose()?)
}

async fn seal_in(app: &App, facility: FacilityId, mut db: &AsyncPgConnection) -> Result<Option<Block>> {
    let lock: Locked = sql("SELECT pg_try_advisory_xact_lock(hashtextextended('audit ' || $1::text, 0)) AS locked")
        .bind::<SqlUuid, _>(facility)
        .get_result(&mut db)
        .await?;
    if !lock.locked {
        return Ok(None);
    }
    let head = block::head(db, facility).await?;
    if let Some(head) = &head {
        app.metrics.chain(facility, head.number, head.sealed_at);
    }
    let (epoch, from) = head.as_ref().map_or((0, "0"), |head| (head.epoch, head.to_transaction.as_str()));
    let mut range: Vec<Range> = sql(RANGE)
        .bind::<SqlUuid, _>(facility)
        .bind::<Integer, _>(epoch)
        .bind::<Text, _>(from)
        .bind::<BigInt, _>(BLOCK_ROWS)
        .load(&mut db)
        .await?;
    let Some(range) = range.pop() else { return Ok(None) };
    let from = if range.epoch == epoch { from.to_owned() } else { "0".to_owned() };
    let rows = block::rows(db, facility, range.epoch, &from, &range.to_transaction).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let block = assemble(app, facility, head.as_ref(), range, from, &rows)?;
    insert(db, facility, &block).await?;
    Ok(Some(block))
}

fn assemble(
    app: &App,
    facility: FacilityId,
    head: Option<&Block>,
    range: Range,
    from: String,
    rows: &[SealedRow],
) -> Result<Block> {
    let mut entries = Vec::with_capacity(rows.len() * block::ENTRY_BYTES);
    for row in rows {
        entries.extend_from_slice(row.id.as_bytes());
        entries.extend_from_slice(&row.hash());
    }
    let mut block = Block {
        number: head.map_or(1, |head| head.number + 1),
        epoch: range.epoch,
        from_transaction: from,
        to_transaction: range.to_transaction,
        row_count: i32::try_from(rows.len()).map_err(Error::internal)?,
        entries,
        previous_hash: head.map_or_else(|| NO_HASH.to_vec(), |head| head.hash.clone()),
        hash: Vec::new(),
        signature: String::new(),
        sealed_at: app.clock.now(),
    };
    block.hash = block.compute_hash(facility).to_vec();
    block.signature = app.keyring.audit_key().sign(SigningPurpose::AuditBlock, &block.hash)?.to_string();
    Ok(block)
}

async fn insert(mut db: &AsyncPgConnection, facility: FacilityId, block: &Block) -> Result<()> {
    sql("INSERT INTO audit_blocks (facility_id, number, epoch, from_transaction, to_transaction, row_count, entries, \
         previous_hash, hash, signature, sealed_at) \
         VALUES ($1, $2, $3, $4::text::xid8, $5::text::xid8, $6, $7, $8, $9, $10, $11)")
    .bind::<SqlUuid, _>(facility)
    .bind::<BigInt, _>(block.number)
    .bind::<Integer, _>(block.epoch)
    .bind::<Text, _>(&block.from_transaction)
    .bind::<Text, _>(&block.to_transaction)
    .bind::<Integer, _>(block.row_count)
    .bind::<Bytea, _>(&block.entries)
    .bind::<Bytea, _>(&block.previous_hash)
    .bind::<Bytea, _>(&block.hash)
    .bind::<Text, _>(&block.signature)
    .bind::<Timestamptz, _>(block.sealed_at)
    .execute(&mut db)
    .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct FacilityRow {
    #[diesel(sql_type = SqlUuid)]
    id: uuid::Uuid,
}

/// Every facility, the platform among them, for work that goes through all.
///
/// # Errors
/// When the database fails.
pub async fn facilities(app: &App) -> Result<Vec<FacilityId>> {
    let session = Session::open(&app.database, Mode::Read, Binding::Worker, app.clock.now()).await?;
    let rows: Vec<FacilityRow> = sql("SELECT id FROM facilities ORDER BY id").load(&mut session.connection()?).await?;
    session.end(false).await?;
    Ok(rows.into_iter().map(|row| FacilityId::from_uuid(row.id)).collect())
}

/// Seals everything that can be sealed, of every facility, and gives the new heads.
///
/// # Errors
/// When the database fails or the key cannot sign.
pub async fn seal_all(app: &App) -> Result<Vec<Checkpoint>> {
    let mut heads = Vec::new();
    for facility in facilities(app).await? {
        let mut last = None;
        while let Some(checkpoint) = seal(app, facility).await? {
            last = Some(checkpoint);
        }
        heads.extend(last);
    }
    app.metrics.sealed(app.clock.now());
    Ok(heads)
}
