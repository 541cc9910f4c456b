//! What the process counts of itself, for Prometheus.
//!
//! Invariants: the value of a label is a `&'static str`, so nothing that comes with a request or out of the
//! database can become one: no tenant, no person, no name a client gave. Counts belong to one [`App`], not to the
//! process. What others know anyway (the pool, the queue) is asked when the numbers are read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::ids::FacilityId;
use crate::jobs;

/// Names and values of labels.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Media type of what [`render`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a look-up by id to what is stopped by the clock.
fn seconds() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// A job reads files and asks models: minutes are not unusual.
fn long_seconds() -> Histogram {
    Histogram::new([0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0])
}

fn statements() -> Histogram {
    Histogram::new([0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0])
}

/// How the pool is used; counted by the pool itself.
#[derive(Debug, Clone)]
pub struct PoolUse {
    /// Seconds until a connection was had.
    pub waits: Histogram,
    /// Requests for a connection that got none.
    pub refused: Counter,
}

impl Default for PoolUse {
    fn default() -> Self {
        Self { waits: seconds(), refused: Counter::default() }
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    Done,
    Retried,
    Dead,
    /// Another worker has it by now.
    Lost,
}

impl JobEnd {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Lost => "lost",
        }
    }
}

/// The counts of one server.
pub struct Metrics {
    registry: Registry,
    http: Family<Labels<2>, Counter>,
    operations: Histograms<2>,
    statements: Histograms<1>,
    jobs: Family<Labels<2>, Counter>,
    job_seconds: Histograms<1>,
    documents: Family<Labels<1>, Counter>,
    mails: Family<Labels<1>, Counter>,
    rate_limited: Family<Labels<1>, Counter>,
    whatsapp: Family<Labels<1>, Counter>,
    connections: Family<Labels<1>, Gauge>,
    /// Number and time of the last block of each chain, as far as this node has seen.
    chains: Mutex<BTreeMap<FacilityId, (i64, DateTime<Utc>)>>,
    sealing: Mutex<Option<DateTime<Utc>>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    #[must_use]
    pub fn new(pool: &PoolUse) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("anamnesis"),
            http: Family::default(),
            operations: Family::new_with_constructor(seconds),
            statements: Family::new_with_constructor(statements),
            jobs: Family::default(),
            job_seconds: Family::new_with_constructor(long_seconds),
            documents: Family::default(),
            mails: Family::default(),
            rate_limited: Family::default(),
            whatsapp: Family::default(),
            connections: Family::default(),
            chains: Mutex::default(),
            sealing: Mutex::default(),
        };
        metrics.registered(pool)
    }

    fn registered(mut self, pool: &PoolUse) -> Self {
        let registry = &mut self.registry;
        registry.register("http_requests", "HTTP requests by route and class of status", self.http.clone());
        registry.register(
            "graphql_operation_seconds",
            "Time of GraphQL operations by type and outcome",
            self.operations.clone(),
        );
        registry.register(
            "graphql_operation_statements",
            "SQL statements of a GraphQL operation, transaction control included, by type",
            self.statements.clone(),
        );
        registry.register("database_pool_wait_seconds", "Time until a connection was had", pool.waits.clone());
        registry.register("database_pool_refused", "Requests that got no connection", pool.refused.clone());
        registry.register("jobs", "Ends of jobs by kind and outcome", self.jobs.clone());
        registry.register("job_seconds", "Time of jobs by kind", self.job_seconds.clone());
        registry.register("documents", "Documents that came to a status", self.documents.clone());
        registry.register("mails", "Mails by outcome", self.mails.clone());
        registry.register("subscribers", "Open connections of subscribers by transport", self.connections.clone());
        registry.register(
            "whatsapp",
            "What came from and went to WhatsApp, by what became of it",
            self.whatsapp.clone(),
        );
        registry.register("rate_limited", "Requests refused for their rate, by surface", self.rate_limited.clone());
        self
    }

    /// Counts an answer. `route` is the pattern, not the path.
    pub fn request(&self, route: &'static str, status: u16) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.http.get_or_create(&[("route", route), ("status", class)]).inc();
    }

    /// Counts a GraphQL operation.
    pub fn operation(&self, kind: &'static str, outcome: &'static str, took: Duration, statements: u64) {
        self.operations.get_or_create(&[("type", kind), ("outcome", outcome)]).observe(took.as_secs_f64());
        let statements = u32::try_from(statements).unwrap_or(u32::MAX);
        self.statements.get_or_create(&[("type", kind)]).observe(f64::from(statements));
    }

    /// Counts the end of a job.
    pub fn job(&self, kind: &'static str, end: JobEnd, took: Duration) {
        self.jobs.get_or_create(&[("kind", kind), ("outcome", end.word())]).inc();
        self.job_seconds.get_or_create(&[("kind", kind)]).observe(took.as_secs_f64());
    }

    /// Counts a document that has come to a status.
    pub fn document(&self, status: &'static str) {
        self.documents.get_or_create(&[("status", status)]).inc();
    }

    /// Counts a mail.
    pub fn mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts what came from or went to WhatsApp.
    pub fn whatsapp(&self, outcome: &'static str) {
        self.whatsapp.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a request refused for its rate.
    pub fn rate_limited(&self, surface: &'static str) {
        self.rate_limited.get_or_create(&[("surface", surface)]).inc();
    }

    /// Counts connections of subscribers that open, or close.
    pub fn connected(&self, transport: &'static str, change: i64) {
        self.connections.get_or_create(&[("transport", transport)]).inc_by(change);
    }

    /// Notes the head of a chain of the audit log.
    pub fn chain(&self, facility: FacilityId, block: i64, sealed_at: DateTime<Utc>) {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner).insert(facility, (block, sealed_at));
    }

    /// Notes that every chain was looked at.
    pub fn sealed(&self, now: DateTime<Utc>) {
        *self.sealing.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

/// Everything counted, and everything asked now, as text for Prometheus.
///
/// # Errors
/// When it cannot be written, which a `String` never refuses.
pub async fn render(app: &App) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, &app.metrics.registry)?;
    let mut asked = Registry::with_prefix("anamnesis");
    pool(app, &mut asked);
    audit(app, &mut asked);
    queue(app, &mut asked).await;
    encode_registry(&mut text, &asked)?;
    encode_eof(&mut text)?;
    Ok(text)
}

fn whole(value: impl TryInto<i64>) -> ConstGauge<i64> {
    ConstGauge::new(value.try_into().unwrap_or(i64::MAX))
}

/// A gauge for each value of one label.
fn by(label: &'static str, values: &[(&'static str, i64)]) -> Family<Labels<1>, Gauge> {
    let family = Family::<Labels<1>, Gauge>::default();
    for (value, number) in values {
        family.get_or_create(&[(label, *value)]).set(*number);
    }
    family
}

fn pool(app: &App, asked: &mut Registry) {
    let status = app.database.pool_state();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let in_use = status.size.saturating_sub(status.available);
    let states = [("in_use", count(in_use)), ("idle", count(status.available))];
    asked.register("database_connections", "Connections of the pool by state", by("state", &states));
    asked.register("database_connections_max", "Connections the pool may have", whole(status.max_size));
    asked.register("database_pool_waiting", "Requests that wait for a connection", whole(status.waiting));
    let sent = ConstCounter::new(app.database.statements());
    asked.register("database_statements", "SQL statements, transaction control included", sent);
}

/// Seconds since an instant, by the clock of the server.
fn age(app: &App, then: DateTime<Utc>) -> ConstGauge<i64> {
    ConstGauge::new((app.clock.now() - then).num_seconds().max(0))
}

fn audit(app: &App, asked: &mut Registry) {
    let metrics = &app.metrics;
    let (blocks, newest) = {
        let chains = metrics.chains.lock().unwrap_or_else(PoisonError::into_inner);
        (chains.values().map(|chain| chain.0).sum::<i64>(), chains.values().map(|chain| chain.1).max())
    };
    asked.register("audit_blocks", "Blocks of all chains of the audit log", whole(blocks));
    if let Some(newest) = newest {
        asked.register("audit_last_block_age_seconds", "Age of the newest block of any chain", age(app, newest));
    }
    if let Some(sealed) = *metrics.sealing.lock().unwrap_or_else(PoisonError::into_inner) {
        asked.register(
            "audit_last_sealing_age_seconds",
            "Time since this node last looked at every chain",
            age(app, sealed),
        );
    }
}

async fn queue(app: &App, asked: &mut Registry) {
    let depth = jobs::depth(app).await;
    asked.register("database_up", "Whether the database answered", whole(i64::from(depth.is_ok())));
    // Without an answer there are no numbers, rather than zeros.
    let Ok(depth) = depth else { return };
    let states = [("queued", depth.queued), ("running", depth.running), ("dead", depth.dead)];
    asked.register("jobs_waiting", "Jobs in the queue by state", by("state", &states));
    let oldest = depth.oldest_due.map_or_else(|| whole(0), |due| age(app, due));
    asked.register("jobs_oldest_due_seconds", "How long the oldest job that is due has waited", oldest);
}
