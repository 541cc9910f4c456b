//! The session: one transaction on one connection, bound to an actor and a tenant in the round trip of
//! its BEGIN. The two doors to it, read and write, are methods of `access::RequestContext`.
//!
//! A connection is lent to a request, for one transaction after another: whoever still holds on to a transaction
//! that has ended keeps the connection from others, but not from the request's own next transaction. A request
//! can therefore never wait for a connection that it has itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use uuid::Uuid;

use super::{Database, Sql, sql};
use crate::error::{Error, Result};
use crate::ids::{FacilityId, MemberId, SessionId, TypedId as _, UserId};
use crate::telemetry::TRACE;

/// To whom and to which tenant a transaction is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A signed-in user; in facility zero, about themself or as a platform administrator.
    User { facility: FacilityId, user: UserId, session: SessionId },
    /// Before anyone is signed in: logins are looked up, no tenant is bound but the platform.
    Identity,
    /// The server or an operator, in one facility.
    System { facility: FacilityId },
    /// The job queue across facilities, and nothing else.
    Worker,
}

/// Which charts the actor may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientScope {
    All,
    /// Only those a care relationship or an emergency access opens.
    Own,
    /// Only those the user of the portal is linked to, and of these only what the portal shows.
    Linked,
    None,
}

/// What the database said of the actor when the session was bound.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Words of `access::Role`, or of `access::PlatformRole` in facility zero.
    pub roles: Vec<String>,
    pub patient_scope: PatientScope,
    /// Raised when the keys of the facility change.
    pub key_epoch: i32,
    pub member: Option<MemberId>,
}

#[derive(QueryableByName)]
struct BoundRow {
    #[diesel(sql_type = Array<Text>)]
    roles: Vec<String>,
    #[diesel(sql_type = Text)]
    patient_scope: String,
    #[diesel(sql_type = Nullable<Integer>)]
    key_epoch: Option<i32>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    member_id: Option<Uuid>,
}

/// Read-only and of one snapshot, or read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Binding {
    /// What kind of actor it is, for a trace: never who.
    const fn scope(self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Identity => "identity",
            Self::System { .. } => "system",
            Self::Worker => "worker",
        }
    }
}

/// A connection out of the pool. It goes back when nobody holds it any more, or is closed then, where a
/// transaction on it has not ended in order.
pub(crate) struct Lent {
    connection: Option<Object<AsyncPgConnection>>,
    /// No transaction is open on it.
    at_rest: AtomicBool,
}

impl Lent {
    fn of(connection: Object<AsyncPgConnection>) -> Arc<Self> {
        Arc::new(Self { connection: Some(connection), at_rest: AtomicBool::new(true) })
    }

    /// Takes it for a transaction; `false` when it has one.
    fn claim(&self) -> bool {
        self.at_rest.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !*self.at_rest.get_mut()
        {
            // Out of the pool, then closed: the server rolls back.
            drop(Object::take(connection));
        }
    }
}

/// A bound transaction. Dropped without `end`, it has its connection closed: a request that is
/// cancelled half-way can leave nothing behind.
pub struct Session {
    lent: Arc<Lent>,
    bound: Bound,
    ended: AtomicBool,
    /// Lasts as long as the transaction.
    span: tracing::Span,
}

impl Session {
    /// Takes a connection, begins and binds, in one round trip.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the session or membership has ended, [`Error::Unavailable`] when
    /// there is no connection to be had.
    pub(crate) async fn open(database: &Database, mode: Mode, binding: Binding, now: DateTime<Utc>) -> Result<Self> {
        Self::open_on(&Weak::new(), database, mode, binding, now).await
    }

    /// The same on the connection of an earlier transaction where somebody still holds that, and it has ended.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub(crate) async fn open_on(
        lent: &Weak<Lent>,
        database: &Database,
        mode: Mode,
        binding: Binding,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let held = lent.upgrade().filter(|lent| lent.claim());
        let lent = if let Some(held) = held {
            held
        } else {
            let fresh = Lent::of(database.connection().await?);
            fresh.claim();
            fresh
        };
        Self::begin(lent, mode, binding, now).await
    }

    async fn begin(lent: Arc<Lent>, mode: Mode, binding: Binding, now: DateTime<Utc>) -> Result<Self> {
        let unbound = Bound { roles: Vec::new(), patient_scope: PatientScope::None, key_epoch: 0, member: None };
        let scope = binding.scope();
        let span =
            tracing::info_span!(target: TRACE, "transaction", mode = mode.word(), scope, end = tracing::field::Empty);
        // Made before anything is sent, so that a cancellation from here on discards the connection.
        let mut session = Self { lent, bound: unbound, ended: AtomicBool::new(false), span };
        let begin = match mode {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Write => "BEGIN",
        };
        let outcome = {
            let mut first = session.connection()?;
            let mut second = first;
            // Pipelined: BEGIN is on the wire before the binding statement is looked at.
            futures::join!(first.batch_execute(begin), bind(binding, now).get_result::<BoundRow>(&mut second))
        };
        match outcome {
            (Ok(()), Ok(row)) => {
                session.bound = Bound {
                    roles: row.roles,
                    patient_scope: match row.patient_scope.as_str() {
                        "all" => PatientScope::All,
                        "own" => PatientScope::Own,
                        "linked" => PatientScope::Linked,
                        _ => PatientScope::None,
                    },
                    key_epoch: row.key_epoch.unwrap_or(0),
                    member: row.member_id.map(MemberId::from_uuid),
                };
                Ok(session)
            }
            (Err(error), _) => Err(error.into()),
            (Ok(()), Err(error)) => {
                session.end(false).await?;
                Err(error.into())
            }
        }
    }

    /// The connection, for statements of this transaction; several futures on it are pipelined.
    ///
    /// # Errors
    /// [`Error::Internal`] when the session has ended.
    pub(crate) fn connection(&self) -> Result<&AsyncPgConnection> {
        match &self.lent.connection {
            Some(connection) if !self.has_ended() => Ok(connection),
            _ => Err(Error::internal("the database session has ended")),
        }
    }

    fn has_ended(&self) -> bool {
        // Spelt out: diesel's own `load` is in scope for every type.
        AtomicBool::load(&self.ended, Ordering::Acquire)
    }

    /// What the database said of the actor.
    #[must_use]
    pub const fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Commits or rolls back. The connection goes back to the pool when nobody holds the session any more.
    ///
    /// # Errors
    /// When the database refuses the commit; then nothing was written.
    pub(crate) async fn end(&self, commit: bool) -> Result<()> {
        let mut connection = self.connection()?;
        connection.batch_execute(if commit { "COMMIT" } else { "ROLLBACK" }).await?;
        self.set_ended(if commit { "commit" } else { "rollback" });
        Ok(())
    }

    /// Commits and, once that is done, tells every node what the payload says: in one round trip, but not in the
    /// transaction, since PostgreSQL lets only one transaction that notifies commit at a time. Should the process end
    /// in between, other nodes look by themselves.
    ///
    /// # Errors
    /// When the database refuses the commit; then nothing was written.
    pub(crate) async fn commit_and_tell(&self, channel: &str, payload: &str) -> Result<()> {
        let mut first = self.connection()?;
        let mut second = first;
        let (committed, told) =
            futures::join!(first.batch_execute("COMMIT"), super::say(channel, payload).execute(&mut second));
        committed?;
        self.set_ended("commit");
        if told.is_err() {
            tracing::warn!("other nodes were not told of an event; they look by themselves");
        }
        Ok(())
    }

    /// The transaction is over; another may begin on the connection.
    fn set_ended(&self, how: &'static str) {
        self.span.record("end", how);
        self.ended.store(true, Ordering::Release);
        self.lent.at_rest.store(true, Ordering::Release);
    }

    /// The connection, for a next transaction of the same request.
    pub(crate) fn lent(&self) -> Weak<Lent> {
        Arc::downgrade(&self.lent)
    }

    /// Ends the transaction and writes audit rows by one statement of its own, in one round trip.
    ///
    /// # Errors
    /// When either fails: what was read must not be shown unrecorded.
    pub(crate) async fn end_and_record(&self, facility: FacilityId, rows: serde_json::Value) -> Result<()> {
        let mut first = self.connection()?;
        let mut second = first;
        let (ended, recorded) =
            futures::join!(first.batch_execute("ROLLBACK"), record(facility, rows).execute(&mut second));
        ended?;
        recorded?;
        self.set_ended("rollback");
        Ok(())
    }

    /// Moves the tenant of an identity transaction into a facility it has just looked up, for an
    /// invitation or a new facility. Not for requests of users, which are bound once.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn enter(&self, facility: FacilityId, now: DateTime<Utc>) -> Result<Bound> {
        let mut connection = self.connection()?;
        let row: BoundRow = bind(Binding::System { facility }, now).get_result(&mut connection).await?;
        Ok(Bound { key_epoch: row.key_epoch.unwrap_or(0), ..self.bound.clone() })
    }
}

fn bind(binding: Binding, now: DateTime<Utc>) -> Sql<'static> {
    match binding {
        Binding::User { facility, user, session } => {
            sql("SELECT roles, patient_scope, key_epoch, member_id FROM bind_user($1, $2, $3, $4)")
                .bind::<SqlUuid, _>(facility)
                .bind::<SqlUuid, _>(user)
                .bind::<SqlUuid, _>(session)
                .bind::<Timestamptz, _>(now)
        }
        Binding::Identity => bind_system("identity", FacilityId::PLATFORM, now),
        Binding::System { facility } => bind_system("system", facility, now),
        Binding::Worker => bind_system("worker", FacilityId::PLATFORM, now),
    }
}

fn bind_system(scope: &'static str, facility: FacilityId, now: DateTime<Utc>) -> Sql<'static> {
    sql("SELECT roles, patient_scope, key_epoch, member_id FROM bind_system($1, $2, $3)")
        .bind::<Text, _>(scope)
        .bind::<SqlUuid, _>(facility)
        .bind::<Timestamptz, _>(now)
}

/// The statement that writes audit rows, bound to their facility by itself.
pub(crate) fn record(facility: FacilityId, rows: serde_json::Value) -> Sql<'static> {
    sql("SELECT record_audit($1, $2)").bind::<SqlUuid, _>(facility).bind::<Jsonb, _>(rows)
}
