//! SQL of back-off.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, QueryDsl as _};
use diesel::sql_types::{Array, Bytea, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::sign_in_throttles as throttles;
use crate::db::sql;
use crate::domains::identity::throttle::{State, Subject};
use crate::error::Result;

type Row = (Vec<u8>, i32, DateTime<Utc>, Option<DateTime<Utc>>);

/// States by subject hash; a subject without a row has none.
pub(in crate::domains::identity) type States = HashMap<Vec<u8>, State>;

fn states(rows: Vec<Row>) -> States {
    rows.into_iter()
        .map(|(hash, failures, last_failed_at, blocked_until)| {
            (hash, State { failures, last_failed_at, blocked_until })
        })
        .collect()
}

fn hashes(subjects: &[Subject]) -> Vec<&[u8]> {
    subjects.iter().map(|subject| subject.hash.as_slice()).collect()
}

pub(in crate::domains::identity) async fn read(mut db: &AsyncPgConnection, subjects: &[Subject]) -> Result<States> {
    let rows: Vec<Row> = throttles::table
        .filter(throttles::subject_hash.eq_any(hashes(subjects)))
        .select((throttles::subject_hash, throttles::failures, throttles::last_failed_at, throttles::blocked_until))
        .load(&mut db)
        .await?;
    Ok(states(rows))
}

/// The same, held until the end of the transaction: attempts on one subject are counted one after another.
pub(in crate::domains::identity) async fn lock(
    mut db: &AsyncPgConnection,
    subjects: &[Subject],
    now: DateTime<Utc>,
) -> Result<States> {
    // A row to hold must be there first. In the order of the keys, so that two attempts cannot wait for each other.
    sql("INSERT INTO sign_in_throttles (subject_hash, failures, last_failed_at) \
         SELECT subject, 0, $2 FROM unnest($1) AS subject ORDER BY subject ON CONFLICT (subject_hash) DO NOTHING")
    .bind::<Array<Bytea>, _>(hashes(subjects))
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    let rows: Vec<Row> = throttles::table
        .filter(throttles::subject_hash.eq_any(hashes(subjects)))
        .order(throttles::subject_hash)
        .select((throttles::subject_hash, throttles::failures, throttles::last_failed_at, throttles::blocked_until))
        .for_update()
        .load(&mut db)
        .await?;
    Ok(states(rows))
}

pub(in crate::domains::identity) async fn store(
    mut db: &AsyncPgConnection,
    subject: &Subject,
    state: &State,
) -> Result<()> {
    diesel::update(throttles::table.find(&subject.hash))
        .set((
            throttles::failures.eq(state.failures),
            throttles::last_failed_at.eq(state.last_failed_at),
            throttles::blocked_until.eq(state.blocked_until),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Forgets subjects altogether.
pub(in crate::domains::identity) async fn clear(mut db: &AsyncPgConnection, subjects: &[Subject]) -> Result<()> {
    diesel::delete(throttles::table.filter(throttles::subject_hash.eq_any(hashes(subjects)))).execute(&mut db).await?;
    Ok(())
}

/// Forgets what was last counted before an instant.
pub(in crate::domains::identity) async fn clear_before(
    mut db: &AsyncPgConnection,
    before: DateTime<Utc>,
) -> Result<usize> {
    Ok(diesel::delete(throttles::table.filter(throttles::last_failed_at.lt(before))).execute(&mut db).await?)
}
