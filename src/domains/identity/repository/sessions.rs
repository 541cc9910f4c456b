//! SQL of sessions and their refresh tokens.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, dsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::crypto::token::TokenHash;
use crate::db::schema::{refresh_tokens, user_sessions};
use crate::db::sql;
use crate::domains::identity::model::{NewRefreshToken, NewSession, RevokedReason, UserSession, UserStatus};
use crate::error::Result;
use crate::ids::{FacilityId, SessionId, TypedId as _, UserId};
use crate::pagination::PageRequest;

pub(in crate::domains::identity) async fn insert(mut db: &AsyncPgConnection, session: NewSession) -> Result<()> {
    diesel::insert_into(user_sessions::table).values(session).execute(&mut db).await?;
    Ok(())
}

pub(in crate::domains::identity) async fn insert_token(
    mut db: &AsyncPgConnection,
    token: NewRefreshToken,
) -> Result<()> {
    diesel::insert_into(refresh_tokens::table).values(token).execute(&mut db).await?;
    Ok(())
}

pub(in crate::domains::identity) async fn find(
    mut db: &AsyncPgConnection,
    id: SessionId,
) -> Result<Option<UserSession>> {
    Ok(user_sessions::table.find(id).select(UserSession::as_select()).first(&mut db).await.optional()?)
}

/// One of those that [`list_page`] lists.
pub(in crate::domains::identity) async fn find_running(
    mut db: &AsyncPgConnection,
    user: UserId,
    id: SessionId,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<UserSession>> {
    let running = user_sessions::table
        .find(id)
        .filter(user_sessions::user_id.eq(user))
        .filter(user_sessions::revoked_at.is_null())
        .filter(user_sessions::expires_at.gt(now))
        .filter(user_sessions::last_refreshed_at.gt(idle_since));
    Ok(running.select(UserSession::as_select()).first(&mut db).await.optional()?)
}

/// Sessions of a user that still run: not ended, not run out, refreshed since `idle_since`. Newest first.
pub(in crate::domains::identity) async fn list_page(
    mut db: &AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
    page: PageRequest<SessionId>,
) -> Result<Vec<UserSession>> {
    let listed = user_sessions::table
        .filter(user_sessions::user_id.eq(user))
        .filter(user_sessions::revoked_at.is_null())
        .filter(user_sessions::expires_at.gt(now))
        .filter(user_sessions::last_refreshed_at.gt(idle_since))
        .order(user_sessions::id.desc())
        .limit(page.limit())
        .select(UserSession::as_select());
    Ok(match page.after {
        Some(after) => listed.filter(user_sessions::id.lt(after)).load(&mut db).await?,
        None => listed.load(&mut db).await?,
    })
}

/// How many [`list_page`] would list.
pub(in crate::domains::identity) async fn count(
    mut db: &AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<i64> {
    Ok(user_sessions::table
        .filter(user_sessions::user_id.eq(user))
        .filter(user_sessions::revoked_at.is_null())
        .filter(user_sessions::expires_at.gt(now))
        .filter(user_sessions::last_refreshed_at.gt(idle_since))
        .count()
        .get_result(&mut db)
        .await?)
}

/// Ends one session of a user; `false` when it has ended before or is none of theirs.
pub(in crate::domains::identity) async fn revoke(
    mut db: &AsyncPgConnection,
    user: UserId,
    session: SessionId,
    reason: RevokedReason,
    now: DateTime<Utc>,
) -> Result<bool> {
    let target = user_sessions::table
        .find(session)
        .filter(user_sessions::user_id.eq(user))
        .filter(user_sessions::revoked_at.is_null());
    let touched = diesel::update(target)
        .set((user_sessions::revoked_at.eq(now), user_sessions::revoked_reason.eq(reason.as_str())))
        .execute(&mut db)
        .await?;
    Ok(touched == 1)
}

/// Ends every session of a user but one, and says how many.
pub(in crate::domains::identity) async fn revoke_others(
    mut db: &AsyncPgConnection,
    user: UserId,
    but: Option<SessionId>,
    reason: RevokedReason,
    now: DateTime<Utc>,
) -> Result<usize> {
    // No session has the nil id.
    let but = but.unwrap_or_else(|| SessionId::from_uuid(Uuid::nil()));
    let target = user_sessions::table
        .filter(user_sessions::user_id.eq(user))
        .filter(user_sessions::id.ne(but))
        .filter(user_sessions::revoked_at.is_null());
    Ok(diesel::update(target)
        .set((user_sessions::revoked_at.eq(now), user_sessions::revoked_reason.eq(reason.as_str())))
        .execute(&mut db)
        .await?)
}

/// Whether a session is the user's, ended or not.
pub(in crate::domains::identity) async fn exists(
    mut db: &AsyncPgConnection,
    user: UserId,
    session: SessionId,
) -> Result<bool> {
    let target = user_sessions::table.find(session).filter(user_sessions::user_id.eq(user));
    Ok(diesel::select(dsl::exists(target)).get_result(&mut db).await?)
}

/// The facility a session was last used in.
pub(in crate::domains::identity) async fn remember_facility(
    mut db: &AsyncPgConnection,
    session: SessionId,
    facility: Option<FacilityId>,
) -> Result<()> {
    diesel::update(user_sessions::table.find(session))
        .set(user_sessions::chosen_facility_id.eq(facility))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// A refresh token with what decides over it, held until the end of the transaction.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::identity) struct Held {
    pub session: SessionId,
    pub user: UserId,
    pub used: bool,
    /// Whether the session and its account may still be used.
    pub alive: bool,
    pub expires_at: DateTime<Utc>,
    pub session_expires_at: DateTime<Utc>,
    pub facility: Option<FacilityId>,
}

#[derive(QueryableByName)]
struct HeldRow {
    #[diesel(sql_type = SqlUuid)]
    session_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    user_id: Uuid,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    used_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    session_expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    chosen_facility_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    status: String,
}

/// Finds and holds a refresh token: a second use at the same time waits here, and then sees that it was used.
pub(in crate::domains::identity) async fn hold_token(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
) -> Result<Option<Held>> {
    let row: Option<HeldRow> = sql("SELECT t.session_id, s.user_id, t.used_at, s.revoked_at, t.expires_at, \
             s.expires_at AS session_expires_at, s.chosen_facility_id, u.status \
         FROM refresh_tokens t JOIN user_sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id \
         WHERE t.token_hash = $1 FOR UPDATE OF t, s")
    .bind::<Bytea, _>(hash.as_bytes().as_slice())
    .get_result(&mut db)
    .await
    .optional()?;
    Ok(row.map(|row| Held {
        session: SessionId::from_uuid(row.session_id),
        user: UserId::from_uuid(row.user_id),
        used: row.used_at.is_some(),
        alive: row.revoked_at.is_none() && row.status == UserStatus::Active.as_str(),
        expires_at: row.expires_at,
        session_expires_at: row.session_expires_at,
        facility: row.chosen_facility_id.map(FacilityId::from_uuid),
    }))
}

/// Marks a held token as used and its session as refreshed.
pub(in crate::domains::identity) async fn use_token(
    mut db: &AsyncPgConnection,
    hash: &TokenHash,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(refresh_tokens::table.find(hash.as_bytes().as_slice()))
        .set(refresh_tokens::used_at.eq(now))
        .execute(&mut db)
        .await?;
    diesel::update(user_sessions::table.find(session))
        .set(user_sessions::last_refreshed_at.eq(now))
        .execute(&mut db)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Holds {
    #[diesel(sql_type = Bool)]
    holds: bool,
}

/// Whether a session was begun with a second factor that is still on.
pub(in crate::domains::identity) async fn passed_second_factor(
    mut db: &AsyncPgConnection,
    user: UserId,
    session: SessionId,
) -> Result<bool> {
    let asked: Holds = sql("SELECT passed_second_factor($1, $2) AS holds")
        .bind::<SqlUuid, _>(user)
        .bind::<SqlUuid, _>(session)
        .get_result(&mut db)
        .await?;
    Ok(asked.holds)
}

/// Whether a user may work in the facility the transaction has entered: what `bind_user` will ask of the token.
pub(in crate::domains::identity) async fn works_in(
    mut db: &AsyncPgConnection,
    user: UserId,
    session: SessionId,
    facility: FacilityId,
) -> Result<bool> {
    let asked: Holds = sql("SELECT EXISTS ( \
             SELECT FROM facility_members m JOIN facilities f ON f.id = m.facility_id \
             WHERE m.facility_id = $1 AND m.user_id = $2 AND m.status = 'active' AND f.status = 'active' \
               AND (NOT coalesce((f.settings ->> 'requireSecondFactor')::boolean, false) OR passed_second_factor($2, $3)) \
         ) AS holds")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(user)
        .bind::<SqlUuid, _>(session)
        .get_result(&mut db)
        .await?;
    Ok(asked.holds)
}

/// Deletes refresh tokens that ran out, except those that still tell of reuse in a session that runs.
pub(in crate::domains::identity) async fn delete_tokens_before(
    mut db: &AsyncPgConnection,
    before: DateTime<Utc>,
) -> Result<usize> {
    Ok(sql("DELETE FROM refresh_tokens t USING user_sessions s \
         WHERE s.id = t.session_id AND (s.expires_at < $1 OR s.revoked_at < $1)")
    .bind::<Timestamptz, _>(before)
    .execute(&mut db)
    .await?)
}
