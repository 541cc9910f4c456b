//! Sessions: begun by a sign-in, kept alive by refresh tokens that are good once, ended by their owner.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Actor, Bearer, Once, RequestContext, Subject, Tx};
use crate::crypto::token::{Token, TokenHash};
use crate::domains::identity::model::{
    AccessToken, NewRefreshToken, NewSession, Refusal, RevokedReason, Tokens, UserSession,
};
use crate::domains::identity::policy;
use crate::domains::identity::repository::sessions;
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, SessionId, TypedId as _, UserId, new_id};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// A session just begun or renewed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Started {
    pub user: UserId,
    pub session: SessionId,
    pub refresh_expires_at: DateTime<Utc>,
}

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Rotation {
    Renewed {
        started: Started,
        facility: FacilityId,
    },
    /// It was used before: its session is ended.
    Reused,
}

/// User and session of whoever is signed in.
fn actor(ctx: &RequestContext) -> Result<(UserId, SessionId)> {
    match ctx.parts().actor {
        Actor::User { user, session } => Ok((user, session)),
        Actor::Anonymous | Actor::System { .. } => Err(Error::Unauthenticated),
    }
}

fn idle(ctx: &RequestContext) -> TimeDelta {
    TimeDelta::days(i64::from(ctx.app().config.session_idle_days))
}

/// An access token, signed now.
pub(super) fn sign(
    ctx: &RequestContext,
    user: UserId,
    session: SessionId,
    facility: FacilityId,
) -> Result<AccessToken> {
    let (tokens, now) = (&ctx.app().tokens, ctx.now());
    let token = tokens.issue(Bearer { user, session, facility }, now)?;
    Ok(AccessToken { token: Phi::new(token), expires_at: now + tokens.lifetime() })
}

/// An access token of the present session for another facility, or for none
/// ([`FacilityId::PLATFORM`]). Whether the user works there is the caller's to know.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is signed in.
pub fn access_token(ctx: &RequestContext, facility: FacilityId) -> Result<AccessToken> {
    let (user, session) = actor(ctx)?;
    sign(ctx, user, session, facility)
}

/// Keeps the facility the present session works in, so that its next access token is for the same one.
/// [`FacilityId::PLATFORM`] stands for none.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is signed in; a fault.
pub async fn remember_facility(tx: &Tx, facility: FacilityId) -> Result<()> {
    let (_, session) = actor(tx.ctx())?;
    sessions::remember_facility(tx.db()?, session, (facility != FacilityId::PLATFORM).then_some(facility)).await
}

/// Begins a session in the transaction of a sign-in.
pub(super) async fn start(
    tx: &Tx,
    user: UserId,
    device: Option<String>,
    second_factor: bool,
    refresh: &TokenHash,
) -> Result<Started> {
    let (ctx, now) = (tx.ctx(), tx.ctx().now());
    let session: SessionId = new_id();
    let expires_at = now + TimeDelta::days(i64::from(ctx.app().config.session_days));
    let new = NewSession {
        id: session,
        user_id: user,
        device,
        ip_address: ctx.parts().ip_address.clone(),
        second_factor,
        created_at: now,
        last_refreshed_at: now,
        expires_at,
    };
    sessions::insert(tx.db()?, new).await?;
    let refresh_expires_at = issue_refresh(tx, session, refresh, expires_at).await?;
    Ok(Started { user, session, refresh_expires_at })
}

async fn issue_refresh(
    tx: &Tx,
    session: SessionId,
    hash: &TokenHash,
    session_expires_at: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let now = tx.ctx().now();
    let expires_at = session_expires_at.min(now + idle(tx.ctx()));
    let new =
        NewRefreshToken { token_hash: hash.as_bytes().to_vec(), session_id: session, created_at: now, expires_at };
    sessions::insert_token(tx.db()?, new).await?;
    Ok(expires_at)
}

/// Exchanges a refresh token for the next one and an access token, for the facility last chosen if the user
/// still works there.
///
/// # Errors
/// Refused as [`Refusal::InvalidToken`] whatever is wrong. A token used before ends its session: one of the
/// two who used it is a thief, and it cannot be told which.
pub async fn refresh(ctx: &RequestContext, token: &Phi<String>) -> Result<Tokens, Stop<Refusal>> {
    let ctx = &ctx.as_anonymous();
    let hash = TokenHash::of_token(token.reveal_str());
    let next = Token::generate()?;
    let next_hash = next.hash();
    let rotation = ctx.write(&policy::TOKEN_REFRESH).run(|tx| async move { rotate(tx, hash, next_hash).await }).await?;
    match rotation {
        Rotation::Renewed { started, facility } => Ok(Tokens {
            access: sign(ctx, started.user, started.session, facility)?,
            refresh: next,
            refresh_expires_at: started.refresh_expires_at,
        }),
        Rotation::Reused => Err(not_valid()),
    }
}

fn not_valid() -> Stop<Refusal> {
    Stop::refuse(Refusal::InvalidToken, &["input", "refreshToken"], "the refresh token is not valid; sign in again")
}

async fn rotate(tx: Tx, hash: TokenHash, next: TokenHash) -> Result<Rotation, Stop<Refusal>> {
    let (db, now) = (tx.db()?, tx.ctx().now());
    let held = sessions::hold_token(db, &hash).await?.ok_or_else(not_valid)?;
    if held.used && held.alive {
        sessions::revoke(db, held.user, held.session, RevokedReason::TokenReuse, now).await?;
        tx.audit_refused(Subject::of(held.session), json!({ "because": "token_reuse", "user": held.user.uuid() }));
        return Ok(Rotation::Reused);
    }
    if held.used || !held.alive || held.expires_at <= now || held.session_expires_at <= now {
        return Err(not_valid());
    }
    sessions::use_token(db, &hash, held.session, now).await?;
    let refresh_expires_at = issue_refresh(&tx, held.session, &next, held.session_expires_at).await?;
    tx.audit(Subject::of(held.session), json!({ "user": held.user.uuid() }));
    let started = Started { user: held.user, session: held.session, refresh_expires_at };
    let facility = match held.facility {
        // Last: from here on the transaction is bound to that facility.
        Some(facility) => {
            tx.enter(facility).await?;
            if sessions::works_in(db, held.user, held.session, facility).await? {
                facility
            } else {
                FacilityId::PLATFORM
            }
        }
        None => FacilityId::PLATFORM,
    };
    Ok(Rotation::Renewed { started, facility })
}

/// Ends the present session, or, when the access token has run out, the one a refresh token belongs to.
/// A session that has ended already is signed out too.
///
/// # Errors
/// A fault.
pub async fn sign_out(ctx: &RequestContext, refresh: Option<&Phi<String>>) -> Result<()> {
    let outcome: Result<(), Stop<Refusal>> = match ctx.parts().actor {
        Actor::User { user, session } => {
            ctx.write(&policy::SIGN_OUT)
                .run(|tx| async move {
                    sessions::revoke(tx.db()?, user, session, RevokedReason::SignedOut, tx.ctx().now()).await?;
                    tx.audit(Subject::of(session), json!({}));
                    Ok(())
                })
                .await
        }
        Actor::Anonymous | Actor::System { .. } => match refresh {
            None => Ok(()),
            Some(token) => {
                let hash = TokenHash::of_token(token.reveal_str());
                ctx.write(&policy::SIGN_OUT_BY_TOKEN).run(|tx| async move { end_by_token(tx, hash).await }).await
            }
        },
    };
    match outcome {
        Ok(()) | Err(Stop::Refused(_) | Stop::Error(Error::Unauthenticated)) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    }
}

async fn end_by_token(tx: Tx, hash: TokenHash) -> Result<(), Stop<Refusal>> {
    let db = tx.db()?;
    let held = sessions::hold_token(db, &hash).await?.ok_or_else(not_valid)?;
    sessions::revoke(db, held.user, held.session, RevokedReason::SignedOut, tx.ctx().now()).await?;
    tx.audit(Subject::of(held.session), json!({ "user": held.user.uuid() }));
    Ok(())
}

/// One's own sessions that still run, newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_sessions(ctx: &RequestContext, page: PageRequest<SessionId>) -> Result<Page<UserSession>> {
    let read = ctx.read(&policy::VIEWER).await?;
    let now = ctx.now();
    let rows = sessions::list_page(read.db()?, ctx.user()?, now, now - idle(ctx), page).await?;
    Ok(page.cut(rows))
}

/// One of one's own sessions that still runs.
///
/// # Errors
/// [`Error::NotFound`] when it has ended, or is not one's own.
pub async fn session(ctx: &RequestContext, id: SessionId) -> Result<UserSession> {
    let read = ctx.read(&policy::VIEWER).await?;
    let now = ctx.now();
    sessions::find_running(read.db()?, ctx.user()?, id, now, now - idle(ctx)).await?.ok_or(Error::NotFound)
}

/// How many [`list_sessions`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_sessions(ctx: &RequestContext) -> Result<i64> {
    let read = ctx.read(&policy::VIEWER).await?;
    let now = ctx.now();
    sessions::count(read.db()?, ctx.user()?, now, now - idle(ctx)).await
}

/// Ends one of one's own sessions; one that has ended already stays as it is.
///
/// # Errors
/// [`Error::NotFound`] when it is not one's own.
pub async fn revoke_session(
    ctx: &RequestContext,
    id: SessionId,
    once: Option<Once>,
) -> Result<SessionId, Stop<Refusal>> {
    ctx.write(&policy::SESSION_REVOKE)
        .once(once)
        .run(|tx| async move {
            let (user, db) = (tx.ctx().user()?, tx.db()?);
            let ended = sessions::revoke(db, user, id, RevokedReason::Revoked, tx.ctx().now()).await?;
            if !ended && !sessions::exists(db, user, id).await? {
                return Err(Error::NotFound.into());
            }
            tx.audit(Subject::of(id), json!({}));
            Ok(id)
        })
        .await
}

/// Ends every session of one's own but the present one, and says how many.
///
/// # Errors
/// A denial, or a fault.
pub async fn revoke_other_sessions(ctx: &RequestContext, once: Option<Once>) -> Result<usize, Stop<Refusal>> {
    ctx.write(&policy::SESSION_REVOKE)
        .once(once)
        .run(|tx| async move {
            let (user, session) = actor(tx.ctx())?;
            let ended =
                sessions::revoke_others(tx.db()?, user, Some(session), RevokedReason::Revoked, tx.ctx().now()).await?;
            tx.audit(Subject::of(user), json!({ "sessionsEnded": ended }));
            Ok(ended)
        })
        .await
}
