//! Passwords: changed by their owner, or set anew by a mail.

use chrono::TimeDelta;
use serde_json::json;

use super::accounts::email_index;
use super::guard::{Denied, Guard, Reauthentication};
use crate::access::{Actor, Once, RequestContext, Subject, Tx};
use crate::crypto::token::{Token, TokenHash};
use crate::domains::identity::HashedPassword;
use crate::domains::identity::mail;
use crate::domains::identity::model::{Refusal, RevokedReason, UserStatus};
use crate::domains::identity::repository::{accounts, resets, second_factor as factors, sessions};
use crate::domains::identity::sealing::Owner;
use crate::domains::identity::{policy, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::UserId;
use crate::jobs;
use crate::phi::Phi;

/// How long a reset may be used.
pub(in crate::domains::identity) const RESET_MINUTES: i64 = 30;

/// Hashes the password of a new account, if it may be one. Before the transaction that makes the account:
/// hashing takes long. `field` is the input field a refusal is about.
///
/// # Errors
/// Refused as [`Refusal::WeakPassword`].
pub async fn prepare_password(
    ctx: &RequestContext,
    field: &'static str,
    password: &Phi<String>,
    email: &Phi<String>,
    display_name: &Phi<String>,
) -> Result<HashedPassword, Stop<Refusal>> {
    validation::password(field, password, &[email, display_name])?;
    Ok(ctx.app().passwords.hash(password).await?)
}

/// Changes one's own password and ends the other sessions.
///
/// # Errors
/// Refused when the present password is wrong or the new one is easy to guess.
pub async fn change_password(
    ctx: &RequestContext,
    current: &Phi<String>,
    new: &Phi<String>,
    once: Option<Once>,
) -> Result<UserId, Stop<Refusal>> {
    let (user, session, owner) = {
        let read = ctx.read(&policy::PASSWORD_CHANGE).await?;
        let Actor::User { user, session } = ctx.parts().actor else { return Err(Error::Unauthenticated.into()) };
        let row = accounts::find(read.db()?, user).await?.ok_or(Error::Unauthenticated)?;
        (user, session, sealing::open_owner(&*read.platform_keys().await?, &row)?)
    };
    let fit = if new == current {
        Err(Stop::refuse(Refusal::WeakPassword, &["input", "newPassword"], "is the password you have"))
    } else {
        validation::password("newPassword", new, &[&owner.email, &owner.display_name])
    };
    let again = Reauthentication::begin(ctx, &policy::PASSWORD_CHANGE, current).await?;
    let hashed = if fit.is_ok() && again.is_right() { Some(ctx.app().passwords.hash(new).await?) } else { None };
    let outcome: Result<(), Denied> = ctx
        .write(&policy::PASSWORD_CHANGE)
        .once(once)
        .run(|tx| async move {
            let held = match again.settle(&tx).await? {
                Ok(held) => held,
                Err(denied) => return Ok(Err(denied)),
            };
            // Said to whoever has the present password, and to nobody else.
            fit?;
            held.passed().await?;
            let hashed = hashed.ok_or_else(|| Error::internal("a right password without a new hash"))?;
            let (db, now) = (tx.db()?, tx.ctx().now());
            accounts::set_password(db, user, hashed.as_str(), now).await?;
            factors::drop_challenges(db, user).await?;
            let ended = sessions::revoke_others(db, user, Some(session), RevokedReason::PasswordChanged, now).await?;
            tx.audit(Subject::of(user), json!({ "sessionsEnded": ended }));
            Ok(Ok(()))
        })
        .await?;
    outcome.map_err(|denied| denied.stop(&["input", "currentPassword"], &[]))?;
    Ok(user)
}

/// Asks for a mail with which a new password can be set. Whether there is an account is not told: the same
/// statements run and the same job is queued; for nobody, the job sends nothing.
///
/// # Errors
/// A fault.
pub async fn request_password_reset(ctx: &RequestContext, email: &Phi<String>) -> Result<()> {
    let ctx = &ctx.as_anonymous();
    let index = email_index(ctx, email);
    let token = Token::generate()?;
    let outcome: Result<(), Stop<Refusal>> =
        ctx.write(&policy::PASSWORD_RESET_REQUEST).run(|tx| async move { request_reset(tx, index, token).await }).await;
    match outcome {
        Ok(()) | Err(Stop::Refused(_)) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    }
}

async fn request_reset(tx: Tx, email_index: i64, token: Token) -> Result<(), Stop<Refusal>> {
    let (db, now) = (tx.db()?, tx.ctx().now());
    let guard = Guard::of_reset(email_index);
    let asked = guard.hold(&tx).await?.failed().await?;
    let user = accounts::credentials_by_email(db, email_index).await?;
    let user = user.filter(|account| account.status == UserStatus::Active).map(|account| account.id);
    let subject = user.map(Subject::of).unwrap_or_default();
    if asked.blocked_until.is_some() {
        // Asked for too often: nobody's mailbox is flooded, and nobody is told.
        tx.audit_refused(subject, json!({ "because": "too_often" }));
        return Ok(());
    }
    resets::insert(db, &token.hash(), user, now, now + TimeDelta::minutes(RESET_MINUTES)).await?;
    let job = mail::password_reset_job(&*tx.platform_keys().await?, user, &token)?;
    jobs::enqueue(&tx, job).await?;
    tx.audit(subject, json!({}));
    Ok(())
}

/// Sets a new password by the token of a mail, ends every session and forgets failures.
///
/// # Errors
/// Refused when the token is unknown, used or expired, or the password is easy to guess; then the token can
/// still be used.
pub async fn reset_password(ctx: &RequestContext, token: &Phi<String>, new: &Phi<String>) -> Result<(), Stop<Refusal>> {
    let ctx = &ctx.as_anonymous();
    let hash = TokenHash::of_token(token.reveal_str());
    let owner = owner_of_reset(ctx, &hash).await?;
    // The read ended and let go: no connection is held while the password is hashed.
    ctx.finish().await?;
    let hashed = match owner {
        Some(owner) => Some(prepare_password(ctx, "newPassword", new, &owner.email, &owner.display_name).await),
        None => None,
    };
    ctx.write(&policy::PASSWORD_RESET).run(|tx| async move { set_anew(tx, hash, hashed).await }).await
}

/// Whose password a token may set; `None` when it may set nobody's.
async fn owner_of_reset(ctx: &RequestContext, hash: &TokenHash) -> Result<Option<Owner>> {
    let read = ctx.read(&policy::PASSWORD_RESET).await?;
    let Some(reset) = resets::find(read.db()?, hash).await?.filter(|reset| reset.is_open(ctx.now())) else {
        return Ok(None);
    };
    let row = accounts::find(read.db()?, reset.user).await?.ok_or_else(|| Error::internal("a reset of nobody"))?;
    Ok(Some(sealing::open_owner(&*read.platform_keys().await?, &row)?))
}

async fn set_anew(
    tx: Tx,
    hash: TokenHash,
    hashed: Option<Result<HashedPassword, Stop<Refusal>>>,
) -> Result<(), Stop<Refusal>> {
    let spent = || {
        Stop::refuse(Refusal::InvalidToken, &["input", "token"], "the link has expired or was used; ask for a new one")
    };
    let (db, now) = (tx.db()?, tx.ctx().now());
    let hashed = hashed.ok_or_else(spent)??;
    let reset = resets::hold(db, &hash).await?.filter(|reset| reset.is_open(now)).ok_or_else(spent)?;
    let account = accounts::lock_credentials(db, reset.user).await?;
    let account = account.filter(|account| account.status == UserStatus::Active).ok_or_else(spent)?;
    accounts::set_password(db, account.id, hashed.as_str(), now).await?;
    resets::close_all(db, account.id, now).await?;
    factors::drop_challenges(db, account.id).await?;
    Guard::forget(db, account.email_index).await?;
    let ended = sessions::revoke_others(db, account.id, None, RevokedReason::PasswordChanged, now).await?;
    tx.audit(Subject::of(account.id), json!({ "sessionsEnded": ended }));
    Ok(())
}
