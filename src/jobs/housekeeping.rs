//! What recurs by itself: sealing the audit log, and sweeping up what has run out.
//!
//! Every node runs it; an advisory lock lets one at a time do each part, and doing a part twice does no harm.
//! Due by the server's clock. A part that fails is logged and tried again at its next turn.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Bool, Timestamptz};
use diesel_async::RunQueryDsl as _;
use tokio_util::sync::CancellationToken;

use crate::access::RequestContext;
use crate::app::App;
use crate::audit::{self, Checkpoint};
use crate::db::{Binding, Mode, Session, sql};
use crate::domains::{chat, documents, identity, operations};
use crate::error::{Error, Result, Stop};
use crate::events;
use crate::ids::FacilityId;

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a recorded row may stay unsealed.
const SEAL_SECONDS: i64 = 30;
const SWEEP_MINUTES: i64 = 60;

/// When each part was last done by this node.
#[derive(Debug)]
pub struct Housekeeping {
    app: Arc<App>,
    sealed_at: Option<DateTime<Utc>>,
    swept_at: Option<DateTime<Utc>>,
}

/// What one turn did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// The new heads of the chains that grew; `None` when sealing was not due.
    pub sealed: Option<Vec<Checkpoint>>,
    /// Rows and files swept; `None` when sweeping was not due, or another node is at it.
    pub swept: Option<usize>,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

impl Housekeeping {
    #[must_use]
    pub const fn new(app: Arc<App>) -> Self {
        Self { app, sealed_at: None, swept_at: None }
    }

    /// Goes on until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.turn().await {
                tracing::warn!(code = error.code(), "housekeeping failed and is tried again at its next turn");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// A fault of the part that failed; the next turn tries the others.
    pub async fn turn(&mut self) -> Result<Turn> {
        let now = self.app.clock.now();
        let mut turn = Turn::default();
        if due(self.sealed_at, now, TimeDelta::seconds(SEAL_SECONDS)) {
            self.sealed_at = Some(now);
            // Sealing has a lock for each chain.
            let heads = audit::seal_all(&self.app).await?;
            for head in &heads {
                self.keep(head).await?;
            }
            turn.sealed = Some(heads);
        }
        if due(self.swept_at, now, TimeDelta::minutes(SWEEP_MINUTES)) {
            self.swept_at = Some(now);
            turn.swept = self.sweep(now).await?;
        }
        Ok(turn)
    }

    /// Puts the head of a chain where the database's administrator cannot reach: against it, a tail that was cut
    /// off shows.
    async fn keep(&self, head: &Checkpoint) -> Result<()> {
        let name = format!("audit/{}/{}.json", head.facility, head.block);
        Ok(self.app.storage.put_record(&name, serde_json::to_string_pretty(head)?).await?)
    }

    /// Holds the lock in a transaction of its own while the parts run in theirs.
    async fn sweep(&self, now: DateTime<Utc>) -> Result<Option<usize>> {
        let held = Session::open(&self.app.database, Mode::Write, Binding::Worker, now).await?;
        let lock: Locked = sql("SELECT pg_try_advisory_xact_lock(hashtextextended('housekeeping', 0)) AS locked")
            .get_result(&mut held.connection()?)
            .await?;
        let swept = if lock.locked { Some(self.sweep_locked(now).await?) } else { None };
        held.end(false).await?;
        Ok(swept)
    }

    async fn sweep_locked(&self, now: DateTime<Utc>) -> Result<usize> {
        self.ensure_partitions(now).await?;
        let platform = RequestContext::system(Arc::clone(&self.app), FacilityId::PLATFORM, "housekeeping");
        let mut swept = part("identity", identity::service::sweep(&platform).await.map_err(fault));
        for facility in audit::facilities(&self.app).await? {
            let ctx = RequestContext::system(Arc::clone(&self.app), facility, "housekeeping");
            swept += part("operations", operations::service::sweep(&ctx).await.map_err(fault));
            swept += part("events", events::sweep(&ctx).await.map_err(fault));
            if facility == FacilityId::PLATFORM {
                // Nobody is in care there, and nobody talks about anybody.
                continue;
            }
            swept += part("chat", chat::keeping::sweep(&ctx).await);
            swept += part("documents", documents::service::sweep_orphans(&ctx).await);
            // Nothing is swept by these.
            part("search", documents::service::look_after_search(&ctx).await);
            part("messages", chat::search::renew(&ctx).await);
        }
        Ok(swept)
    }

    /// Months of the audit log, from the last to a year ahead.
    async fn ensure_partitions(&self, now: DateTime<Utc>) -> Result<()> {
        let session = Session::open(&self.app.database, Mode::Write, Binding::Worker, now).await?;
        sql("SELECT audit_log_ensure_partitions((($1 AT TIME ZONE 'UTC') - interval '1 month')::date, 14)")
            .bind::<Timestamptz, _>(now)
            .execute(&mut session.connection()?)
            .await?;
        session.end(true).await
    }
}

/// What a part swept. One that fails keeps no other from its turn.
fn part(kind: &'static str, swept: Result<usize>) -> usize {
    swept.unwrap_or_else(|error| {
        tracing::warn!(kind, code = error.code(), "a part of the sweep failed and is tried again at its next turn");
        0
    })
}

fn due(last: Option<DateTime<Utc>>, now: DateTime<Utc>, every: TimeDelta) -> bool {
    last.is_none_or(|last| now - last >= every)
}

fn fault<R>(stop: Stop<R>) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("housekeeping was refused by a rule"),
    }
}
