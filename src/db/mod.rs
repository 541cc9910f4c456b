//! The database: the pool, and the session that is the only way to it.
//!
//! Invariants: no connection leaves this module but inside a [`Session`], which is a transaction bound
//! to an actor and a tenant; a session that was not ended in order takes its connection down with it.

pub mod embedded;
mod joins;
pub mod migrate;
#[expect(clippy::doc_markdown, reason = "printed from the comments of the database")]
pub mod schema;
mod sql;
mod tenant;
pub mod xid8;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel::sql_types::Text;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use futures::FutureExt as _;

pub use sql::{Sql, sql};
pub use tenant::{Binding, Bound, PatientScope, Session};
pub(crate) use tenant::{Lent, Mode, record};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::metrics::PoolUse;

/// Settings of every connection. A statement, a lock or an idle transaction cannot hold on for ever. A page out of
/// order costs about as much as one in order, as it does on flash and in memory: without it a large facility's rows
/// are found by reading everyone's.
#[doc(hidden)]
pub const CONNECTION_SETUP: &str = "SET application_name = 'anamnesis'; SET statement_timeout = '30s'; \
     SET lock_timeout = '10s'; SET random_page_cost = 1.1; SET idle_in_transaction_session_timeout = '60s'";

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// `postgres://…`; holds a secret, never printed.
    pub url: crate::config::Secret,
    pub pool_size: usize,
    /// How long a request waits for a free connection.
    pub wait: Duration,
}

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool<AsyncPgConnection>,
    statements: Arc<AtomicU64>,
    pool_use: PoolUse,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("status", &self.pool.status()).finish_non_exhaustive()
    }
}

impl Database {
    /// Builds the pool; connects at first use.
    ///
    /// # Errors
    /// [`Error::Internal`] when the pool cannot be built.
    pub fn new(options: &DatabaseOptions) -> Result<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&statements);
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |url| connect(url.to_owned(), Arc::clone(&counter)).boxed());
        let manager = AsyncDieselConnectionManager::new_with_config(options.url.reveal(), config);
        let pool = Pool::builder(manager)
            .max_size(options.pool_size)
            .wait_timeout(Some(options.wait))
            .create_timeout(Some(options.wait))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { pool, statements, pool_use: PoolUse::default() })
    }

    async fn connection(&self) -> Result<Object<AsyncPgConnection>> {
        let asked = Instant::now();
        match self.pool.get().await {
            Ok(connection) => {
                self.pool_use.waits.observe(asked.elapsed().as_secs_f64());
                Ok(connection)
            }
            Err(error) => {
                self.pool_use.refused.inc();
                Err(Error::Unavailable(error.into()))
            }
        }
    }

    /// SQL statements sent since the start, transaction control included.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Connections of the pool: open and idle.
    #[must_use]
    pub fn pool_status(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.available)
    }

    /// The pool in numbers.
    pub(crate) fn pool_state(&self) -> deadpool::Status {
        self.pool.status()
    }

    /// What the pool counts.
    pub(crate) const fn pool_use(&self) -> &PoolUse {
        &self.pool_use
    }

    /// Closes the pool: waiting requests fail, connections end when given back.
    pub fn close(&self) {
        self.pool.close();
    }
}

async fn connect(url: String, statements: Arc<AtomicU64>) -> diesel::ConnectionResult<AsyncPgConnection> {
    let mut connection = open(&url).await?;
    connection.set_instrumentation(StatementCounter(statements));
    connection.batch_execute(CONNECTION_SETUP).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// One connection outside the pool, with TLS unless the server is reached over a local socket or the
/// URL says `sslmode=disable`.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub(crate) async fn open(url: &str) -> diesel::ConnectionResult<AsyncPgConnection> {
    let bad = |error: tokio_postgres::Error| diesel::ConnectionError::BadConnection(describe(&error));
    let config: tokio_postgres::Config = url.parse().map_err(bad)?;
    let local = config.get_hosts().iter().all(|host| matches!(host, tokio_postgres::config::Host::Unix(_)));
    if local || config.get_ssl_mode() == tokio_postgres::config::SslMode::Disable {
        return AsyncPgConnection::establish(url).await;
    }
    // Certificates of the system that cannot be read are left out; one that is missed fails the handshake.
    let (tls, _) = tokio_postgres_rustls::MakeRustlsConnect::with_native_certs()
        .map_err(|_| diesel::ConnectionError::BadConnection("no certificates of this system can be read".to_owned()))?;
    let (client, connection) = config.connect(tls).await.map_err(bad)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// A driver error with its cause: the driver's own text says only "db error".
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |cause| cause.message().to_owned())
}

/// Counts statements; looks at nothing else, since statements may carry PHI as parameters.
struct StatementCounter(Arc<AtomicU64>);

impl Instrumentation for StatementCounter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
            // Outside of what is being counted there is nobody to tell.
            let _ = COUNTED.try_with(|counted| counted.fetch_add(1, Ordering::Relaxed));
        }
    }
}

tokio::task_local! {
    /// Statements of the work being counted. For measuring alone: nothing is decided by it.
    static COUNTED: Arc<AtomicU64>;
}

/// Does some work in this task, counting the statements it sends in the counter given. One that is dropped midway
/// leaves its count there.
pub(crate) async fn counting<T>(counted: Arc<AtomicU64>, work: impl Future<Output = T>) -> T {
    COUNTED.scope(counted, work).await
}

impl Database {
    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self, now: chrono::DateTime<chrono::Utc>) -> Result<()> {
        let session = Session::open(self, Mode::Read, Binding::Worker, now).await?;
        session.end(false).await
    }
}

impl Database {
    /// Tells every node that listens. By itself: in the transaction of a write it would hold up other commits.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub(crate) async fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        let mut connection = self.connection().await?;
        diesel_async::RunQueryDsl::execute(say(channel, payload), &mut *connection).await?;
        Ok(())
    }

    /// One connection outside the pool, that keeps its session: past a pooler that does not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be reached.
    pub(crate) async fn session_connection(config: &Config) -> Result<AsyncPgConnection> {
        let url = config.session_database_url.as_ref().or(config.database_url.as_ref());
        let url = url.ok_or_else(|| Error::internal("DATABASE_URL is not set"))?;
        open(url.reveal()).await.map_err(|error| Error::Unavailable(error.into()))
    }
}

/// The statement that tells every node that listens.
pub(crate) fn say<'a>(channel: &'a str, payload: &'a str) -> Sql<'a> {
    sql("SELECT pg_notify($1, $2)").bind::<Text, _>(channel).bind::<Text, _>(payload)
}

/// Runs one statement as somebody else than the server: an operator setting a database up.
///
/// # Errors
/// When the database cannot be reached or refuses.
pub(crate) async fn execute_as(url: &crate::config::Secret, statement: &str) -> Result<()> {
    let mut connection = open(url.reveal()).await.map_err(|error| Error::Unavailable(error.into()))?;
    connection.batch_execute(statement).await?;
    Ok(())
}
