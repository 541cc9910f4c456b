//! SQL of one-time codes, recovery codes and sign-ins that wait for one.

use chrono::{DateTime, Utc};
use diesel::dsl;
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::crypto::token::TokenHash;
use crate::db::schema::{sign_in_challenges as challenges, user_recovery_codes as codes, user_totp};
use crate::domains::identity::model::TotpRow;
use crate::error::Result;
use crate::ids::UserId;

/// Whether the second factor is on.
pub(in crate::domains::identity) async fn is_on(mut db: &AsyncPgConnection, user: UserId) -> Result<bool> {
    let confirmed = user_totp::table.find(user).filter(user_totp::confirmed_at.is_not_null());
    Ok(diesel::select(dsl::exists(confirmed)).get_result(&mut db).await?)
}

/// The second factor, held until the end of the transaction: one code is not accepted twice at once.
pub(in crate::domains::identity) async fn hold(mut db: &AsyncPgConnection, user: UserId) -> Result<Option<TotpRow>> {
    Ok(user_totp::table.find(user).select(TotpRow::as_select()).for_update().first(&mut db).await.optional()?)
}

/// Begins enrolment, in place of one that was begun before.
pub(in crate::domains::identity) async fn begin(
    mut db: &AsyncPgConnection,
    user: UserId,
    secret_ciphertext: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::delete(user_totp::table.find(user)).execute(&mut db).await?;
    diesel::insert_into(user_totp::table)
        .values((
            user_totp::user_id.eq(user),
            user_totp::secret_ciphertext.eq(secret_ciphertext),
            user_totp::created_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::identity) async fn confirm(
    mut db: &AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(user_totp::table.find(user)).set(user_totp::confirmed_at.eq(now)).execute(&mut db).await?;
    Ok(())
}

pub(in crate::domains::identity) async fn accept_step(
    mut db: &AsyncPgConnection,
    user: UserId,
    step: i64,
) -> Result<()> {
    diesel::update(user_totp::table.find(user)).set(user_totp::last_used_step.eq(step)).execute(&mut db).await?;
    Ok(())
}

/// Turns the second factor off: secret and recovery codes are gone.
pub(in crate::domains::identity) async fn remove(mut db: &AsyncPgConnection, user: UserId) -> Result<()> {
    diesel::delete(codes::table.filter(codes::user_id.eq(user))).execute(&mut db).await?;
    diesel::delete(user_totp::table.find(user)).execute(&mut db).await?;
    Ok(())
}

/// Puts new recovery codes in place of those there were.
pub(in crate::domains::identity) async fn replace_recovery_codes(
    mut db: &AsyncPgConnection,
    user: UserId,
    hashes: &[TokenHash],
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::delete(codes::table.filter(codes::user_id.eq(user))).execute(&mut db).await?;
    let rows: Vec<_> = hashes
        .iter()
        .map(|hash| (codes::user_id.eq(user), codes::code_hash.eq(hash.as_bytes().to_vec()), codes::created_at.eq(now)))
        .collect();
    diesel::insert_into(codes::table).values(rows).execute(&mut db).await?;
    Ok(())
}

/// Uses a recovery code up; `false` when it is none of the user's or was used before.
pub(in crate::domains::identity) async fn use_recovery_code(
    mut db: &AsyncPgConnection,
    user: UserId,
    hash: &TokenHash,
    now: DateTime<Utc>,
) -> Result<bool> {
    let target = codes::table.find((user, hash.as_bytes().as_slice())).filter(codes::used_at.is_null());
    Ok(diesel::update(target).set(codes::used_at.eq(now)).execute(&mut db).await? == 1)
}

pub(in crate::domains::identity) async fn recovery_codes_left(mut db: &AsyncPgConnection, user: UserId) -> Result<i64> {
    Ok(codes::table
        .filter(codes::user_id.eq(user))
        .filter(codes::used_at.is_null())
        .count()
        .get_result(&mut db)
        .await?)
}

/// A sign-in that waits for its code.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::identity) struct Challenge {
    pub attempts: i32,
    pub expires_at: DateTime<Utc>,
    pub used: bool,
}

pub(in crate::domains::identity) async fn insert_challenge(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
    user: UserId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(challenges::table)
        .values((
            challenges::token_hash.eq(hash.as_bytes().as_slice()),
            challenges::user_id.eq(user),
            challenges::created_at.eq(now),
            challenges::expires_at.eq(expires_at),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Who a challenge belongs to, without holding it.
pub(in crate::domains::identity) async fn challenged_user(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
) -> Result<Option<UserId>> {
    Ok(challenges::table
        .find(hash.as_bytes().as_slice())
        .select(challenges::user_id)
        .first(&mut db)
        .await
        .optional()?)
}

/// A challenge, held until the end of the transaction.
pub(in crate::domains::identity) async fn hold_challenge(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
) -> Result<Option<Challenge>> {
    type Row = (i32, DateTime<Utc>, Option<DateTime<Utc>>);
    let row: Option<Row> = challenges::table
        .find(hash.as_bytes().as_slice())
        .select((challenges::attempts, challenges::expires_at, challenges::used_at))
        .for_update()
        .first(&mut db)
        .await
        .optional()?;
    Ok(row.map(|(attempts, expires_at, used_at)| Challenge { attempts, expires_at, used: used_at.is_some() }))
}

pub(in crate::domains::identity) async fn fail_challenge(mut db: &AsyncPgConnection, hash: &TokenHash) -> Result<()> {
    diesel::update(challenges::table.find(hash.as_bytes().as_slice()))
        .set(challenges::attempts.eq(challenges::attempts + 1))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::identity) async fn pass_challenge(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(challenges::table.find(hash.as_bytes().as_slice()))
        .set(challenges::used_at.eq(now))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Ends the challenges of a user, so that an old password opens nothing after it was changed.
pub(in crate::domains::identity) async fn drop_challenges(mut db: &AsyncPgConnection, user: UserId) -> Result<()> {
    diesel::delete(challenges::table.filter(challenges::user_id.eq(user))).execute(&mut db).await?;
    Ok(())
}

pub(in crate::domains::identity) async fn delete_challenges_before(
    mut db: &AsyncPgConnection,
    before: DateTime<Utc>,
) -> Result<usize> {
    Ok(diesel::delete(challenges::table.filter(challenges::expires_at.lt(before))).execute(&mut db).await?)
}
