//! Signing in: the password, and the code where the second factor is on.
//!
//! No step tells whether an account exists: an unknown one is looked up, hashed against, counted, blocked and
//! answered like a known one with a wrong password.

use chrono::TimeDelta;
use futures::try_join;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::email_index;
use super::guard::{Denied, Guard, account_and_factor, unchanged};
use super::second_factor::{Proved, prove};
use super::sessions::{self, Started};
use crate::access::{RequestContext, Subject, Tx};
use crate::crypto::token::{Token, TokenHash};
use crate::domains::identity::HashedPassword;
use crate::domains::identity::model::{
    AnswerChallenge, GivenProof, Proof, Refusal, SignIn, SignedIn, Tokens, UserStatus,
};
use crate::domains::identity::repository::{accounts, second_factor as factors};
use crate::domains::identity::{policy, validation};
use crate::error::{Result, Stop};
use crate::ids::{FacilityId, TypedId as _, UserId};

/// How long a code may be owed.
const CHALLENGE_MINUTES: i64 = 5;
/// Wrong codes after which the password is asked for again.
const CHALLENGE_ATTEMPTS: i32 = 5;

/// How a first step ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Passed {
    In(Started),
    Challenge,
}

/// A first step about to be settled.
struct Attempt {
    guard: Guard,
    /// The account, when there is one.
    user: Option<UserId>,
    /// The hash the password was checked against.
    hash: Option<String>,
    /// Whether the password was right; `None` when it was not looked at.
    right: Option<bool>,
    /// The same password, hashed with today's parameters.
    rehashed: Option<HashedPassword>,
    device: Option<String>,
    refresh: TokenHash,
    challenge: TokenHash,
}

/// Signs in by password.
///
/// # Errors
/// Refused as [`Refusal::InvalidCredentials`] whatever is wrong, or [`Refusal::TryLater`].
pub async fn sign_in(ctx: &RequestContext, input: SignIn) -> Result<SignedIn, Stop<Refusal>> {
    // Whoever asks, and with whatever token: a sign-in begins anew.
    let ctx = &ctx.as_anonymous();
    let index = email_index(ctx, &input.email);
    let guard = Guard::of_sign_in(ctx, index);
    let (account, blocked) = {
        let read = ctx.read(&policy::SIGN_IN).await?;
        let db = read.db()?;
        try_join!(accounts::credentials_by_email(db, index), guard.blocked_for(ctx, db))?
    };
    // The read ended and let go: no connection is held while the password is hashed.
    ctx.finish().await?;
    let (user, hash) = account.map_or((None, None), |account| (Some(account.id), account.password_hash));
    let passwords = &ctx.app().passwords;
    let (mut right, mut rehashed) = (None, None);
    if blocked.is_none() {
        let checked = passwords.check(&input.password, hash.as_deref()).await?;
        right = Some(checked.right);
        if checked.right && checked.outdated {
            rehashed = Some(passwords.hash(&input.password).await?);
        }
    }
    let (refresh, challenge) = (Token::generate()?, Token::generate()?);
    let device = validation::device(input.device.as_deref(), ctx.parts().user_agent.as_deref());
    let (refresh_hash, challenge_hash) = (refresh.hash(), challenge.hash());
    let attempt =
        Attempt { guard, user, hash, right, rehashed, device, refresh: refresh_hash, challenge: challenge_hash };
    let outcome = ctx.write(&policy::SIGN_IN).run(|tx| settle(tx, attempt)).await?;
    match outcome {
        Ok(Passed::In(started)) => Ok(SignedIn::Tokens(tokens(ctx, started, refresh)?)),
        Ok(Passed::Challenge) => Ok(SignedIn::Challenge(challenge)),
        Err(denied) => Err(denied.stop(&[], &[])),
    }
}

async fn settle(tx: Tx, attempt: Attempt) -> Result<Result<Passed, Denied>, Stop<Refusal>> {
    let held = attempt.guard.hold(&tx).await?;
    if let Some(denied) = held.blocked().or(attempt.right.is_none().then_some(Denied::Blocked { seconds: 1 })) {
        denied.record(&tx, attempt.user);
        return Ok(Err(denied));
    }
    let account = match (attempt.right, attempt.user) {
        (Some(true), Some(user)) => unchanged(&tx, user, attempt.hash.as_deref()).await?,
        _ => None,
    };
    let Some(account) = account else {
        held.failed().await?;
        Denied::Wrong.record(&tx, attempt.user);
        return Ok(Err(Denied::Wrong));
    };
    let (db, now) = (tx.db()?, tx.ctx().now());
    if factors::is_on(db, account.id).await? {
        let expires_at = now + TimeDelta::minutes(CHALLENGE_MINUTES);
        factors::insert_challenge(db, &attempt.challenge, account.id, now, expires_at).await?;
        tx.audit(Subject::of(account.id), json!({ "step": "password" }));
        return Ok(Ok(Passed::Challenge));
    }
    held.passed().await?;
    let rehashed = attempt.rehashed.as_ref().map(HashedPassword::as_str);
    accounts::signed_in(db, account.id, rehashed, now).await?;
    let started = sessions::start(&tx, account.id, attempt.device, false, &attempt.refresh).await?;
    tx.audit(Subject::of(account.id), json!({ "session": started.session.uuid(), "secondFactor": false }));
    Ok(Ok(Passed::In(started)))
}

/// Signs in by the code that is owed after the password.
///
/// # Errors
/// Refused when the challenge is unknown, used or expired, when the code is wrong, or too often so.
pub async fn answer_challenge(ctx: &RequestContext, input: AnswerChallenge) -> Result<Tokens, Stop<Refusal>> {
    let ctx = &ctx.as_anonymous();
    let hash = TokenHash::of_token(input.challenge_token.reveal_str());
    let device = validation::device(input.device.as_deref(), ctx.parts().user_agent.as_deref());
    let refresh = Token::generate()?;
    let refresh_hash = refresh.hash();
    let (code_field, proof) = (input.proof.field(), input.proof);
    let outcome = ctx
        .write(&policy::SIGN_IN)
        .run(|tx| async move { settle_challenge(tx, hash, proof, device, refresh_hash).await })
        .await?;
    match outcome {
        Ok(started) => Ok(tokens(ctx, started, refresh)?),
        Err(denied) => Err(denied.stop(&[], code_field)),
    }
}

async fn settle_challenge(
    tx: Tx,
    hash: TokenHash,
    proof: GivenProof,
    device: Option<String>,
    refresh: TokenHash,
) -> Result<Result<Started, Denied>, Stop<Refusal>> {
    let spent = || {
        Stop::refuse(
            Refusal::InvalidToken,
            &["input", "challengeToken"],
            "the sign-in has expired; begin again with the password",
        )
    };
    let (db, now, proof) = (tx.db()?, tx.ctx().now(), proof.read()?);
    let user = factors::challenged_user(db, &hash).await?.ok_or_else(spent)?;
    let (account, on) = account_and_factor(&tx, user).await?;
    let account = account.filter(|account| on && account.status == UserStatus::Active).ok_or_else(spent)?;
    let guard = Guard::of_sign_in(tx.ctx(), account.email_index);
    let held = guard.hold(&tx).await?;
    let open = factors::hold_challenge(db, &hash).await?.is_some_and(|challenge| {
        !challenge.used && challenge.expires_at > now && challenge.attempts < CHALLENGE_ATTEMPTS
    });
    if !open {
        return Err(spent());
    }
    if let Some(denied) = held.blocked() {
        denied.record(&tx, Some(user));
        return Ok(Err(denied));
    }
    let by_code = matches!(proof, Proof::Code(_));
    match prove(&tx, user, &proof).await? {
        Proved::Yes => {}
        Proved::No | Proved::Off => {
            factors::fail_challenge(db, &hash).await?;
            held.failed().await?;
            Denied::WrongCode.record(&tx, Some(user));
            return Ok(Err(Denied::WrongCode));
        }
    }
    factors::pass_challenge(db, &hash, now).await?;
    held.passed().await?;
    accounts::signed_in(db, user, None, now).await?;
    let started = sessions::start(&tx, user, device, true, &refresh).await?;
    tx.audit(
        Subject::of(user),
        json!({ "session": started.session.uuid(), "secondFactor": true, "recoveryCode": !by_code }),
    );
    Ok(Ok(started))
}

fn tokens(ctx: &RequestContext, started: Started, refresh: Token) -> Result<Tokens> {
    let access = sessions::sign(ctx, started.user, started.session, FacilityId::PLATFORM)?;
    Ok(Tokens { access, refresh, refresh_expires_at: started.refresh_expires_at })
}
