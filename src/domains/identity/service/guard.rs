//! What stands between an attempt and its outcome: back-off, and proving again who is there.
//!
//! An attempt is looked at in two steps. First, without a lock: is it blocked already, and is the password
//! right? Then, in the transaction that records the outcome, with the counts held: a flood of attempts sent at
//! once is counted one by one, and those that find the account blocked by then are not looked at.

use futures::try_join;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Action, RequestContext, Subject, Tx};
use crate::domains::identity::model::{CredentialsRow, Refusal, UserStatus};
use crate::domains::identity::repository::throttles::{self, States};
use crate::domains::identity::repository::{accounts, second_factor};
use crate::domains::identity::throttle::{self, Kind, State};
use crate::error::{Error, Result, Stop};
use crate::ids::UserId;
use crate::phi::Phi;

/// Why an attempt failed. It is the result of a transaction that commits, since the failure must be counted
/// although the attempt is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Denied {
    /// Not looked at; seconds until the next one is.
    Blocked { seconds: u32 },
    /// Account or password is wrong.
    Wrong,
    /// The one-time code or recovery code is wrong.
    WrongCode,
}

impl Denied {
    /// The refusal, about a field of the input for a password or code given by someone signed in.
    pub(super) fn stop(self, password_field: &[&'static str], code_field: &[&'static str]) -> Stop<Refusal> {
        match self {
            Self::Blocked { seconds } => Stop::refuse(
                Refusal::TryLater { seconds },
                &[],
                format!("too many attempts have failed; try again in {seconds} s"),
            ),
            Self::Wrong if password_field.is_empty() => {
                Stop::refuse(Refusal::InvalidCredentials, &[], "e-mail address or password is wrong")
            }
            Self::Wrong => Stop::refuse(Refusal::InvalidCredentials, password_field, "the password is wrong"),
            Self::WrongCode => Stop::refuse(Refusal::InvalidCode, code_field, "the code is wrong or was used before"),
        }
    }

    /// Why, for the audit log.
    const fn reason(self) -> &'static str {
        match self {
            Self::Blocked { .. } => "blocked",
            Self::Wrong => "credentials",
            Self::WrongCode => "code",
        }
    }

    /// Puts the failed attempt on record; the account is named when it is known.
    pub(super) fn record(self, tx: &Tx, user: Option<UserId>) {
        let subject = user.map(Subject::of).unwrap_or_default();
        tx.audit_refused(subject, json!({ "because": self.reason() }));
    }
}

/// The counts that apply to an attempt.
#[derive(Debug)]
pub(super) struct Guard {
    subjects: Vec<throttle::Subject>,
}

impl Guard {
    /// A sign-in: counted for the account tried and for the client's address.
    pub(super) fn of_sign_in(ctx: &RequestContext, email_index: i64) -> Self {
        let address = ctx.parts().ip_address.as_deref();
        let address = address.and_then(|address| throttle::Subject::address(&ctx.app().lookup, address));
        Self { subjects: std::iter::once(throttle::Subject::account(email_index)).chain(address).collect() }
    }

    /// Something only the account counts for.
    pub(super) fn of_account(email_index: i64) -> Self {
        Self { subjects: vec![throttle::Subject::account(email_index)] }
    }

    /// A reset asked for.
    pub(super) fn of_reset(email_index: i64) -> Self {
        Self { subjects: vec![throttle::Subject::reset(email_index)] }
    }

    /// Everything counted for an account.
    pub(super) async fn forget(db: &diesel_async::AsyncPgConnection, email_index: i64) -> Result<()> {
        throttles::clear(db, &[throttle::Subject::account(email_index), throttle::Subject::reset(email_index)]).await
    }

    /// Seconds until an attempt is looked at, without holding the counts.
    pub(super) async fn blocked_for(
        &self,
        ctx: &RequestContext,
        db: &diesel_async::AsyncPgConnection,
    ) -> Result<Option<u32>> {
        let states = throttles::read(db, &self.subjects).await?;
        let now = ctx.now();
        Ok(states.values().filter_map(|state| state.blocked_for(now)).max())
    }

    /// Holds the counts until the end of the transaction.
    pub(super) async fn hold<'a>(&'a self, tx: &'a Tx) -> Result<Held<'a>> {
        let now = tx.ctx().now();
        let states = throttles::lock(tx.db()?, &self.subjects, now).await?;
        Ok(Held { guard: self, tx, states })
    }
}

/// Counts held by a transaction.
pub(super) struct Held<'a> {
    guard: &'a Guard,
    tx: &'a Tx,
    states: States,
}

impl Held<'_> {
    /// Whether the attempt is not to be looked at.
    pub(super) fn blocked(&self) -> Option<Denied> {
        let now = self.tx.ctx().now();
        let seconds = self.states.values().filter_map(|state| state.blocked_for(now)).max()?;
        Some(Denied::Blocked { seconds })
    }

    fn state(&self, subject: &throttle::Subject) -> State {
        self.states.get(&subject.hash).copied().unwrap_or_else(|| State::none(self.tx.ctx().now()))
    }

    /// Counts a failure; says how many there are now of the first subject.
    pub(super) async fn failed(&self) -> Result<State> {
        let now = self.tx.ctx().now();
        let mut first = None;
        for subject in &self.guard.subjects {
            let state = self.state(subject).failed(subject.kind, now);
            throttles::store(self.tx.db()?, subject, &state).await?;
            first.get_or_insert(state);
        }
        first.ok_or_else(|| Error::internal("a guard without a subject"))
    }

    /// Forgets the failures of the account. Those of the address stay: whoever has one account of their own
    /// could otherwise try others for ever.
    pub(super) async fn passed(&self) -> Result<()> {
        let over: Vec<throttle::Subject> = self
            .guard
            .subjects
            .iter()
            .filter(|subject| subject.kind == Kind::Account || self.state(subject).failures == 0)
            .cloned()
            .collect();
        throttles::clear(self.tx.db()?, &over).await
    }
}

/// A user proving again, by their password, who they are.
pub(super) struct Reauthentication {
    pub user: UserId,
    account: CredentialsRow,
    guard: Guard,
    /// `None` when it was not looked at.
    right: Option<bool>,
}

impl Reauthentication {
    /// Checks the password, with no connection held meanwhile.
    pub(super) async fn begin(ctx: &RequestContext, action: &'static Action, password: &Phi<String>) -> Result<Self> {
        let (user, account, guard, blocked) = {
            let read = ctx.read(action).await?;
            let user = ctx.user()?;
            let account = accounts::credentials(read.db()?, user).await?.ok_or(Error::Unauthenticated)?;
            let guard = Guard::of_account(account.email_index);
            let blocked = guard.blocked_for(ctx, read.db()?).await?;
            (user, account, guard, blocked)
        };
        ctx.finish().await?;
        let right = match blocked {
            Some(_) => None,
            None => Some(ctx.app().passwords.check(password, account.password_hash.as_deref()).await?.right),
        };
        Ok(Self { user, account, guard, right })
    }

    /// Whether the password was right, as far as the first look went.
    pub(super) fn is_right(&self) -> bool {
        self.right == Some(true)
    }

    /// Holds the counts and settles the outcome. The account is held too, so that the password checked is the
    /// one it still has.
    pub(super) async fn settle<'a>(&'a self, tx: &'a Tx) -> Result<Result<Held<'a>, Denied>> {
        let held = self.guard.hold(tx).await?;
        if let Some(denied) = held.blocked().or(self.right.is_none().then_some(Denied::Blocked { seconds: 1 })) {
            denied.record(tx, Some(self.user));
            return Ok(Err(denied));
        }
        let still =
            if self.is_right() { unchanged(tx, self.user, self.account.password_hash.as_deref()).await? } else { None };
        if still.is_none() {
            held.failed().await?;
            Denied::Wrong.record(tx, Some(self.user));
            return Ok(Err(Denied::Wrong));
        }
        Ok(Ok(held))
    }
}

/// The account, held, when it is in use and its password is still the one that was checked.
pub(super) async fn unchanged(tx: &Tx, user: UserId, checked: Option<&str>) -> Result<Option<CredentialsRow>> {
    let account = accounts::lock_credentials(tx.db()?, user).await?;
    Ok(account.filter(|account| account.status == UserStatus::Active && account.password_hash.as_deref() == checked))
}

/// What a guard and the second factor need to know of an account, in one round trip.
pub(super) async fn account_and_factor(tx: &Tx, user: UserId) -> Result<(Option<CredentialsRow>, bool)> {
    let db = tx.db()?;
    try_join!(accounts::credentials(db, user), second_factor::is_on(db, user))
}
