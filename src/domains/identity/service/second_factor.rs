//! The second factor: turning it on, proving it, turning it off.

use serde_json::json;

use super::guard::{Denied, Reauthentication};
use crate::access::{Action, Once, RequestContext, Subject, Tx};
use crate::crypto::token::{RecoveryCode, TokenHash};
use crate::domains::identity::model::{GivenProof, Proof, Refusal};
use crate::domains::identity::repository::{accounts, second_factor as factors};
use crate::domains::identity::second_factor::{self, Enrolment};
use crate::domains::identity::{policy, sealing};
use crate::error::{Error, Result, Stop};
use crate::ids::UserId;
use crate::phi::Phi;

const PASSWORD: &[&str] = &["input", "password"];
const CODE: &[&str] = &["input", "code"];

/// What a proof was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proved {
    Yes,
    No,
    /// There is no second factor to prove.
    Off,
}

/// Checks a code and uses it up.
pub(super) async fn prove(tx: &Tx, user: UserId, proof: &Proof) -> Result<Proved> {
    let (db, now) = (tx.db()?, tx.ctx().now());
    let Some(factor) = factors::hold(db, user).await?.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(Proved::Off);
    };
    let right = match proof {
        Proof::Code(code) => {
            let secret = sealing::open_secret(&*tx.platform_keys().await?, user, &factor.secret_ciphertext)?;
            match second_factor::accepted_step(&secret, code.reveal_str(), factor.last_used_step, now)? {
                Some(step) => {
                    factors::accept_step(db, user, step).await?;
                    true
                }
                None => false,
            }
        }
        Proof::RecoveryCode(typed) => match RecoveryCode::parse(typed.reveal_str()) {
            Some(code) => factors::use_recovery_code(db, user, &code.hash(), now).await?,
            None => false,
        },
    };
    Ok(if right { Proved::Yes } else { Proved::No })
}

fn is_on() -> Stop<Refusal> {
    Stop::refuse(Refusal::SecondFactorOn, &[], "the second factor is on already")
}

fn is_off() -> Stop<Refusal> {
    Stop::refuse(Refusal::SecondFactorOff, &[], "the second factor is not on")
}

/// Begins to turn the second factor on: makes a secret, in place of one that was never confirmed.
///
/// # Errors
/// Refused when the password is wrong or it is on already.
pub async fn enrol_second_factor(ctx: &RequestContext, password: &Phi<String>) -> Result<Enrolment, Stop<Refusal>> {
    let again = Reauthentication::begin(ctx, &policy::SECOND_FACTOR_ENABLE, password).await?;
    let secret = second_factor::new_secret()?;
    let (user, kept) = (again.user, secret.clone());
    let outcome: Result<(), Denied> = ctx
        .write(&policy::SECOND_FACTOR_ENABLE)
        .run(|tx| async move {
            let held = match again.settle(&tx).await? {
                Ok(held) => held,
                Err(denied) => return Ok(Err(denied)),
            };
            let db = tx.db()?;
            if factors::hold(db, user).await?.is_some_and(|factor| factor.confirmed_at.is_some()) {
                return Err(is_on());
            }
            held.passed().await?;
            let sealed = sealing::seal_secret(&*tx.platform_keys().await?, user, &kept)?;
            factors::begin(db, user, sealed, tx.ctx().now()).await?;
            tx.audit(Subject::of(user), json!({ "step": "enrolled" }));
            Ok(Ok(()))
        })
        .await?;
    outcome.map_err(|denied| denied.stop(PASSWORD, CODE))?;
    let read = ctx.read(&policy::VIEWER).await?;
    let row = accounts::find(read.db()?, user).await?.ok_or(Error::NotFound)?;
    let owner = sealing::open_owner(&*read.platform_keys().await?, &row)?;
    Ok(second_factor::enrolment(&secret, &owner.email)?)
}

/// Turns the second factor on by a first code, and gives recovery codes.
///
/// # Errors
/// Refused when the code is wrong, enrolment has not begun, or it is on already.
pub async fn confirm_second_factor(
    ctx: &RequestContext,
    code: &Phi<String>,
) -> Result<Vec<RecoveryCode>, Stop<Refusal>> {
    let (codes, hashes) = new_recovery_codes()?;
    let code = code.clone();
    ctx.write(&policy::SECOND_FACTOR_ENABLE)
        .run(|tx| async move {
            let user = tx.ctx().user()?;
            let (db, now) = (tx.db()?, tx.ctx().now());
            let factor = factors::hold(db, user).await?.ok_or_else(is_off)?;
            if factor.confirmed_at.is_some() {
                return Err(is_on());
            }
            let secret = sealing::open_secret(&*tx.platform_keys().await?, user, &factor.secret_ciphertext)?;
            let step = second_factor::accepted_step(&secret, code.reveal_str(), factor.last_used_step, now)?
                .ok_or_else(|| Denied::WrongCode.stop(PASSWORD, CODE))?;
            factors::accept_step(db, user, step).await?;
            factors::confirm(db, user, now).await?;
            factors::replace_recovery_codes(db, user, &hashes, now).await?;
            tx.audit(Subject::of(user), json!({ "step": "confirmed" }));
            Ok(())
        })
        .await?;
    Ok(codes)
}

/// Turns the second factor off.
///
/// # Errors
/// Refused when the password or the code is wrong, or it is not on.
pub async fn disable_second_factor(
    ctx: &RequestContext,
    password: &Phi<String>,
    proof: GivenProof,
    once: Option<Once>,
) -> Result<UserId, Stop<Refusal>> {
    let field = proof.field();
    let outcome = with_both(ctx, &policy::SECOND_FACTOR_DISABLE, password, proof, once, Work::TurnOff).await?;
    outcome.map_err(|denied| denied.stop(PASSWORD, field))
}

/// Gives new recovery codes in place of the old ones.
///
/// # Errors
/// Refused when the password or the code is wrong, or the second factor is not on.
pub async fn renew_recovery_codes(
    ctx: &RequestContext,
    password: &Phi<String>,
    proof: GivenProof,
) -> Result<Vec<RecoveryCode>, Stop<Refusal>> {
    let field = proof.field();
    let (codes, hashes) = new_recovery_codes()?;
    let outcome = with_both(ctx, &policy::RECOVERY_CODES, password, proof, None, Work::NewCodes(hashes)).await?;
    outcome.map_err(|denied| denied.stop(PASSWORD, field))?;
    Ok(codes)
}

/// What is done once password and code are proved.
enum Work {
    TurnOff,
    NewCodes(Vec<TokenHash>),
}

/// Does something that needs the password and the second factor. A wrong code counts like a wrong password.
async fn with_both(
    ctx: &RequestContext,
    action: &'static Action,
    password: &Phi<String>,
    proof: GivenProof,
    once: Option<Once>,
    work: Work,
) -> Result<Result<UserId, Denied>, Stop<Refusal>> {
    let again = Reauthentication::begin(ctx, action, password).await?;
    let user = again.user;
    ctx.write(action)
        .once(once)
        .run(|tx| async move {
            let proof = proof.read()?;
            let held = match again.settle(&tx).await? {
                Ok(held) => held,
                Err(denied) => return Ok(Err(denied)),
            };
            match prove(&tx, user, &proof).await? {
                Proved::Yes => {}
                Proved::Off => return Err(is_off()),
                Proved::No => {
                    held.failed().await?;
                    Denied::WrongCode.record(&tx, Some(user));
                    return Ok(Err(Denied::WrongCode));
                }
            }
            held.passed().await?;
            let db = tx.db()?;
            match work {
                Work::TurnOff => factors::remove(db, user).await?,
                Work::NewCodes(hashes) => factors::replace_recovery_codes(db, user, &hashes, tx.ctx().now()).await?,
            }
            tx.audit(Subject::of(user), json!({}));
            Ok(Ok(user))
        })
        .await
}

fn new_recovery_codes() -> Result<(Vec<RecoveryCode>, Vec<TokenHash>)> {
    let codes = RecoveryCode::generate_set()?;
    let hashes = codes.iter().map(RecoveryCode::hash).collect();
    Ok((codes, hashes))
}
