//! The write door: one audited transaction, replayed when its idempotency key comes again.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::sql_types::{Bool, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::RunQueryDsl as _;
use futures::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{RequestContext, Tx};
use crate::access::{Action, Once, Subject};
use crate::audit::{Entry, Outcome};
use crate::db::{Mode, Session, sql};
use crate::error::{Error, Result, Stop};
use crate::events;
use crate::ids::FacilityId;

/// A write about to run.
#[must_use = "nothing is written until run"]
pub struct Write {
    pub(super) ctx: RequestContext,
    pub(super) action: &'static Action,
    pub(super) once: Option<Once>,
}

#[derive(QueryableByName)]
struct Remembered {
    #[diesel(sql_type = Bool)]
    same: bool,
    #[diesel(sql_type = Nullable<Jsonb>)]
    result: Option<Value>,
}

impl Write {
    /// Replays the stored result when the same key was used before.
    pub fn once(mut self, once: Option<Once>) -> Self {
        self.once = once;
        self
    }

    /// Runs the work in one transaction: authorized first, audited, committed when it returns `Ok`. What it
    /// returns is stored for replay, so it returns ids, never records. A read session open before is ended.
    ///
    /// # Errors
    /// What the work says, or a denial or fault; then nothing was written but the audit of the attempt.
    ///
    /// What comes back is boxed, so that a resolver's future does not hold all that its write does: types that deep
    /// cost the compiler minutes.
    pub fn run<'w, T, R, F, W>(self, work: F) -> BoxFuture<'w, Result<T, Stop<R>>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'w,
        R: Send + 'w,
        F: FnOnce(Tx) -> W + Send + 'w,
        W: Future<Output = Result<T, Stop<R>>> + Send + 'w,
    {
        self.transact(move |tx| work(tx).boxed()).boxed()
    }

    async fn transact<'w, T, R>(self, work: impl FnOnce(Tx) -> BoxFuture<'w, Result<T, Stop<R>>>) -> Result<T, Stop<R>>
    where
        T: Serialize + DeserializeOwned,
    {
        let ctx = &self.ctx;
        let session = match self.begin().await {
            Ok(session) => Arc::new(session),
            Err(error) => {
                let error = ctx.denied(self.action, error);
                // At once: not every context a write is run by is finished by somebody.
                ctx.finish().await?;
                return Err(error.into());
            }
        };
        let tx = Tx { ctx: ctx.clone(), session, entries: Arc::default(), events: Arc::default(), action: self.action };
        if let Err(error) = ctx.authorize(self.action, tx.session.bound()) {
            return self.give_up(&tx, Outcome::Denied, Stop::Error(error)).await;
        }
        match self.replayed::<T>(&tx).await {
            Ok(None) => {}
            Ok(Some(result)) => {
                tx.session.end(false).await?;
                return Ok(result);
            }
            Err(error) => return self.give_up(&tx, Outcome::Refused, Stop::Error(error)).await,
        }
        match work(tx.clone()).await {
            Ok(result) => match self.commit(&tx, &result).await {
                Ok(()) => Ok(result),
                Err(error) => self.give_up(&tx, Outcome::Failed, Stop::Error(error)).await,
            },
            Err(stop) => {
                let outcome = match &stop {
                    Stop::Refused(_) | Stop::Error(Error::BadInput(_) | Error::NotFound | Error::Limit(_)) => {
                        Outcome::Refused
                    }
                    Stop::Error(Error::Forbidden(_) | Error::Unauthenticated) => Outcome::Denied,
                    Stop::Error(_) => Outcome::Failed,
                };
                self.give_up(&tx, outcome, stop).await
            }
        }
    }

    /// Opens the transaction.
    async fn begin(&self) -> Result<Session> {
        let ctx = &self.ctx;
        ctx.precheck(self.action)?;
        // What was read so far is recorded and its snapshot given up before anything changes.
        ctx.finish().await?;
        ctx.begin(&mut *ctx.inner.session.lock().await, Mode::Write, ctx.binding()).await
    }

    /// Claims the idempotency key. A second request with the same key waits here for the first to end.
    async fn replayed<T: DeserializeOwned>(&self, tx: &Tx) -> Result<Option<T>> {
        let Some(once) = &self.once else { return Ok(None) };
        once.check()?;
        let user = self.ctx.user()?;
        let facility = self.ctx.facility();
        let mut connection = tx.session.connection()?;
        let claimed = sql("INSERT INTO idempotency_keys (facility_id, user_id, key, action, fingerprint, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (facility_id, user_id, key) DO NOTHING")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(user)
        .bind::<Text, _>(&once.key)
        .bind::<Text, _>(self.action.name)
        .bind::<Bytea, _>(once.fingerprint.as_slice())
        .bind::<Timestamptz, _>(self.ctx.now())
        .execute(&mut connection)
        .await?;
        if claimed == 1 {
            return Ok(None);
        }
        let remembered: Option<Remembered> = sql("SELECT action = $4 AND fingerprint = $5 AS same, result \
             FROM idempotency_keys WHERE facility_id = $1 AND user_id = $2 AND key = $3")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(user)
        .bind::<Text, _>(&once.key)
        .bind::<Text, _>(self.action.name)
        .bind::<Bytea, _>(once.fingerprint.as_slice())
        .get_result(&mut connection)
        .await
        .optional()?;
        match remembered {
            Some(Remembered { same: true, result: Some(result) }) => Ok(Some(serde_json::from_value(result)?)),
            Some(Remembered { same: false, .. }) => {
                Err(Error::bad_input("`idempotencyKey` was used before with another input"))
            }
            _ => Err(Error::internal("an idempotency key without a result")),
        }
    }

    async fn commit<T: Serialize>(&self, tx: &Tx, result: &T) -> Result<()> {
        let mut entries: BTreeMap<FacilityId, Vec<Entry>> = BTreeMap::new();
        for (facility, entry) in tx.take_entries() {
            entries.entry(facility).or_default().push(entry);
        }
        let own = entries.remove(&self.ctx.facility()).unwrap_or_else(|| vec![self.entry(Outcome::Success)]);
        let mut connection = tx.session.connection()?;
        // The log binds the transaction to the tenant it writes to. The context's own comes last: the
        // idempotency key stands there, and so do the events.
        for (facility, entries) in entries {
            crate::db::record(facility, self.ctx.audit_rows(&entries)).execute(&mut connection).await?;
        }
        let (user, key, stored) = match &self.once {
            Some(once) => (Some(self.ctx.user()?), Some(once.key.as_str()), Some(serde_json::to_value(result)?)),
            None => (None, None, None),
        };
        let events = tx.take_events();
        sql("SELECT complete_write($1, $2, $3, $4, $5, $6)")
            .bind::<SqlUuid, _>(self.ctx.facility())
            .bind::<Jsonb, _>(self.ctx.audit_rows(&own))
            .bind::<Nullable<SqlUuid>, _>(user)
            .bind::<Nullable<Text>, _>(key)
            .bind::<Nullable<Jsonb>, _>(stored)
            .bind::<Jsonb, _>(serde_json::to_value(&events)?)
            .execute(&mut connection)
            .await?;
        if events.is_empty() {
            tx.session.end(true).await?;
        } else {
            tx.session.commit_and_tell(events::CHANNEL, &events::news(self.ctx.facility())?).await?;
            self.ctx.app().events.wake(self.ctx.facility());
        }
        self.ctx.app().jobs.wake();
        Ok(())
    }

    fn entry(&self, outcome: Outcome) -> Entry {
        Entry { action: self.action.name, outcome, subject: Subject::default(), detail: json!({}) }
    }

    /// Rolls back and records the attempt.
    async fn give_up<T, R>(&self, tx: &Tx, outcome: Outcome, stop: Stop<R>) -> Result<T, Stop<R>> {
        let (mut facility, mut entry) = (self.ctx.facility(), self.entry(outcome));
        if let Some((tried_in, tried)) = tx.take_entries().into_iter().next() {
            facility = tried_in;
            entry.subject = tried.subject;
        }
        tx.session.end_and_record(facility, self.ctx.audit_rows(&[entry])).await?;
        Err(stop)
    }
}
