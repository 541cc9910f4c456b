//! SQL of password resets.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _};
use diesel::sql_types::{Bytea, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::crypto::token::TokenHash;
use crate::db::schema::password_resets as resets;
use crate::db::sql;
use crate::error::Result;
use crate::ids::UserId;

/// A reset asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::identity) struct Reset {
    pub user: UserId,
    pub expires_at: DateTime<Utc>,
    pub used: bool,
}

impl Reset {
    /// Whether it can still be used.
    pub(in crate::domains::identity) fn is_open(&self, now: DateTime<Utc>) -> bool {
        !self.used && self.expires_at > now
    }
}

type Row = (UserId, DateTime<Utc>, Option<DateTime<Utc>>);

fn reset((user, expires_at, used_at): Row) -> Reset {
    Reset { user, expires_at, used: used_at.is_some() }
}

/// Keeps a reset of an account in use. For nobody, the same statement keeps nothing.
pub(in crate::domains::identity) async fn insert(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
    user: Option<UserId>,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO password_resets (token_hash, user_id, created_at, expires_at) \
         SELECT $1, u.id, $3, $4 FROM users u WHERE u.id = $2 AND u.status = 'active'")
    .bind::<Bytea, _>(hash.as_bytes().as_slice())
    .bind::<Nullable<SqlUuid>, _>(user)
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(expires_at)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(in crate::domains::identity) async fn find(mut db: &AsyncPgConnection, hash: &TokenHash) -> Result<Option<Reset>> {
    let row: Option<Row> = resets::table
        .find(hash.as_bytes().as_slice())
        .select((resets::user_id, resets::expires_at, resets::used_at))
        .first(&mut db)
        .await
        .optional()?;
    Ok(row.map(reset))
}

/// The same, held until the end of the transaction.
pub(in crate::domains::identity) async fn hold(mut db: &AsyncPgConnection, hash: &TokenHash) -> Result<Option<Reset>> {
    let row: Option<Row> = resets::table
        .find(hash.as_bytes().as_slice())
        .select((resets::user_id, resets::expires_at, resets::used_at))
        .for_update()
        .first(&mut db)
        .await
        .optional()?;
    Ok(row.map(reset))
}

/// Ends every reset of a user: the one used, and those asked for beside it.
pub(in crate::domains::identity) async fn close_all(
    mut db: &AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(resets::table.filter(resets::user_id.eq(user)).filter(resets::used_at.is_null()))
        .set(resets::used_at.eq(now))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::identity) async fn delete_before(
    mut db: &AsyncPgConnection,
    before: DateTime<Utc>,
) -> Result<usize> {
    Ok(diesel::delete(resets::table.filter(resets::expires_at.lt(before))).execute(&mut db).await?)
}
