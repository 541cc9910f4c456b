//! The session: one transaction on one connection, bound to an actor and a tenant in the round trip of
//! its BEGIN. The two doors to it, read and write, are methods of `access::RequestContext`.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use uuid::Uuid;

use super::{Database, Sql, sql};
use crate::error::{Error, Result};
use crate::ids::{FacilityId, MemberId, SessionId, TypedId as _, UserId};

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

/// A bound transaction. Dropped without [`Session::end`], it closes its connection: a request that is
/// cancelled half-way can leave nothing behind.
pub struct Session {
    connection: Option<Object<AsyncPgConnection>>,
    bound: Bound,
    ended: AtomicBool,
}

impl Session {
    /// Takes a connection, begins and binds, in one round trip.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the session or membership has ended, [`Error::Unavailable`] when
    /// there is no connection to be had.
    pub(crate) async fn open(database: &Database, mode: Mode, binding: Binding, now: DateTime<Utc>) -> Result<Self> {
        Self::begin(database.connection().await?, mode, binding, now).await
    }

    async fn begin(
        connection: Object<AsyncPgConnection>,
        mode: Mode,
        binding: Binding,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let unbound = Bound { roles: Vec::new(), patient_scope: PatientScope::None, key_epoch: 0, member: None };
        // Made before anything is sent, so that a cancellation from here on discards the connection.
        let mut session = Self { connection: Some(connection), bound: unbound, ended: AtomicBool::new(false) };
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
        match &self.connection {
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

    /// Commits or rolls back. Afterwards the connection goes back to the pool.
    ///
    /// # Errors
    /// When the database refuses the commit; then nothing was written.
    pub(crate) async fn end(&self, commit: bool) -> Result<()> {
        let mut connection = self.connection()?;
        connection.batch_execute(if commit { "COMMIT" } else { "ROLLBACK" }).await?;
        self.ended.store(true, Ordering::Release);
        Ok(())
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
        self.ended.store(true, Ordering::Release);
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

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.has_ended()
        {
            // Out of the pool, then closed: the server rolls back.
            drop(Object::take(connection));
        }
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
