//! What the API costs beside its limit: each operation over HTTP, and in the same run pgbench with the statements that
//! the server was heard to say for it, at the same number of connections. Rounds of the two take turns, and of the rounds
//! the median counts. Processor time is the system's own accounting: the figure to trust where machines are noisy.

mod operations;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anamnesis::ids::FacilityId;
use serde_json::Value;
use tokio_postgres::Client as Postgres;

use crate::Result;
use crate::bed::Bed;
use crate::client::{Answer, Client, Prepared};
use crate::peer::fixed::Static;
use crate::peer::postgraphile::Postgraphile;
use crate::population::Sizes;
use crate::server::Server;
use crate::statistics::{median, milliseconds, percentile};
use crate::wire::{Tap, types};
use crate::{accounting, pgbench};
use operations::Operation;

const ROUNDS: usize = 3;
/// Until what a burst of work took may be given back.
const SETTLED: Duration = Duration::from_secs(5);

/// One side at one number of connections.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Milliseconds of processor time a request.
    own_cpu: f64,
    database_cpu: f64,
}

impl Side {
    fn cpu(self) -> f64 {
        self.own_cpu + self.database_cpu
    }
}

/// What an operation says to the database.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    statements: usize,
    round_trips: u64,
    bytes: u64,
    answer_bytes: usize,
}

/// What was measured of an operation at one number of connections.
struct Row {
    name: &'static str,
    connections: usize,
    heard: Heard,
    own: Side,
    limit: Option<Side>,
    peer: Option<Side>,
}

/// How to run it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub sizes: Sizes,
    pub connections: Vec<usize>,
    /// Of each round.
    pub seconds: u64,
    pub keep: Option<PathBuf>,
    /// Only operations whose name holds this.
    pub only: Option<String>,
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// Whatever goes wrong.
pub async fn run(plan: Plan) -> Result<()> {
    let bed = Bed::start(plan.keep.clone(), plan.sizes).await?;
    let measured = measure(&bed, &plan).await;
    bed.stop().await?;
    measured
}

async fn measure(bed: &Bed, plan: &Plan) -> Result<()> {
    let postgres = bed.superuser().await?;
    let tap = Tap::open(&bed.folder.path.join("tap"), bed.embedded.socket_dir())?;
    let mut operations = operations::all(bed, &postgres).await?;
    operations.retain(|operation| plan.only.as_ref().is_none_or(|only| operation.name.contains(only)));
    let mut heard = Vec::with_capacity(operations.len());
    {
        let tapped = Server::start(bed, &tap.url(bed.urls.server.reveal())).await?;
        for operation in &operations {
            heard.push(listen(bed, &tapped, &tap, &postgres, operation).await?);
        }
    }
    let peer = Postgraphile::start(bed).await?;
    let server = Server::start(bed, bed.urls.server.reveal()).await?;
    let (rest, mut most) = (accounting::resident(server.pid()?)?, 0);
    println!(
        "\n{} patients, {} visits, {} passages, {} messages in {} facilities, made in {:.0} s\n",
        plan.sizes.patients,
        plan.sizes.visits,
        plan.sizes.passages,
        plan.sizes.messages,
        plan.sizes.facilities,
        bed.population.seconds
    );
    println!(
        "| operation | connections | per second | p50 ms | p99 ms | CPU ms: server | database | statements | \
         round trips | bytes: database | answer |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut rows = Vec::new();
    for (operation, (heard, scripts)) in operations.iter().zip(&heard) {
        for connections in &plan.connections {
            let row = row(bed, &server, peer.as_ref(), plan, operation, scripts, *connections).await?;
            let row = Row { heard: *heard, ..row };
            println!("{}", row.measured());
            most = most.max(accounting::resident(server.pid()?)?);
            rows.push(row);
        }
    }
    for connections in &plan.connections {
        let row = floor(*connections, plan.seconds).await?;
        println!("{}", row.measured());
        rows.push(row);
    }
    tokio::time::sleep(SETTLED).await;
    println!(
        "\nmemory of the server: {} MiB at rest, {} MiB under load, {} MiB after\n",
        rest >> 20,
        most >> 20,
        accounting::resident(server.pid()?)? >> 20
    );
    println!(
        "| operation | connections | pgbench: per second | CPU ms | ratio of throughput | of CPU | \
         PostGraphile: per second | CPU ms | ratio of throughput | of CPU |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for row in &rows {
        println!("{}", row.compared(&rows));
    }
    Ok(())
}

/// One operation at one number of connections: the server, its limit and its peer in turn.
async fn row(
    bed: &Bed,
    server: &Server,
    peer: Option<&Postgraphile>,
    plan: &Plan,
    operation: &Operation,
    scripts: &[String],
    connections: usize,
) -> Result<Row> {
    let (mut own, mut limit, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let asked = operation.of_peer.as_ref().zip(peer);
    let of_server = |http: reqwest::Client, facility: FacilityId, variables: &Value| {
        let client = Client::on(http, bed, &server.base, facility)?;
        Ok(client.prepared(&operation.asked.document, variables))
    };
    let variants = &operation.asked.variants;
    drive(bed, server.pid()?, variants, &of_server, connections, 1).await?;
    if let Some((asked, peer)) = &asked {
        drive(bed, peer.pid()?, &asked.variants, &of_peer(&peer.url, &asked.document), connections, 1).await?;
    }
    for _ in 0..ROUNDS {
        own.push(drive(bed, server.pid()?, variants, &of_server, connections, plan.seconds).await?);
        if operation.repeatable && !scripts.is_empty() {
            let run = pgbench::run(bed, scripts, connections, plan.seconds).await?;
            limit.push(Side {
                per_second: run.per_second,
                p50: milliseconds(run.p50),
                p99: milliseconds(run.p99),
                own_cpu: milliseconds(run.client_cpu),
                database_cpu: milliseconds(run.database_cpu),
            });
        }
        if let Some((asked, peer)) = &asked {
            let requests = of_peer(&peer.url, &asked.document);
            beside.push(drive(bed, peer.pid()?, &asked.variants, &requests, connections, plan.seconds).await?);
        }
    }
    Ok(Row {
        name: operation.name,
        connections,
        heard: Heard::default(),
        own: middle(&own),
        limit: (!limit.is_empty()).then(|| middle(&limit)),
        peer: (!beside.is_empty()).then(|| middle(&beside)),
    })
}

fn of_peer(url: &str, document: &str) -> impl Fn(reqwest::Client, FacilityId, &Value) -> Result<Prepared> {
    move |http, facility, variables| Ok(Prepared::of_peer(http, url, facility, document, variables))
}

/// The least there is to HTTP: a handler with a fixed body.
async fn floor(connections: usize, seconds: u64) -> Result<Row> {
    let fixed = Static::start().await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let before = accounting::of_process(fixed.pid()?)?;
        let times = fire(&fixed.url, connections, seconds).await?;
        let cpu = accounting::of_process(fixed.pid()?)?.saturating_sub(before);
        rounds.push(side(times, seconds, cpu, Duration::ZERO));
    }
    let own = middle(&rounds);
    Ok(Row { name: FLOOR, connections, heard: Heard::default(), own, limit: None, peer: None })
}

const FLOOR: &str = "(axum, a fixed body)";

/// What an operation says to the database, and the scripts that say the same.
async fn listen(
    bed: &Bed,
    tapped: &Server,
    tap: &Tap,
    postgres: &Postgres,
    operation: &Operation,
) -> Result<(Heard, Vec<String>)> {
    let types = types(postgres).await?;
    let mut scripts = Vec::with_capacity(operation.asked.variants.len());
    let mut heard = Heard::default();
    for (facility, variables) in &operation.asked.variants {
        let client = Client::of(bed, &tapped.base, *facility)?;
        // Prepared, and with keys and vectors at hand, as after the first minutes of a day.
        client.run(&operation.asked.document, variables).await?;
        let _ = tap.take();
        let Answer { bytes, .. } = client.run(&operation.asked.document, variables).await?;
        let recording = tap.take();
        heard = Heard {
            statements: recording.statements(),
            round_trips: recording.round_trips,
            bytes: recording.bytes,
            answer_bytes: bytes,
        };
        if operation.repeatable && recording.statements() > 0 {
            scripts.push(recording.script(&types)?);
        }
    }
    Ok((heard, scripts))
}

/// Asks over some connections for some seconds.
async fn drive(
    bed: &Bed,
    pid: u32,
    variants: &[(FacilityId, Value)],
    request: &impl Fn(reqwest::Client, FacilityId, &Value) -> Result<Prepared>,
    connections: usize,
    seconds: u64,
) -> Result<Side> {
    let turn = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let one = Client::connection();
        let requests = variants.iter().map(|(facility, variables)| request(one.clone(), *facility, variables));
        clients.push(requests.collect::<Result<Vec<_>>>()?);
    }
    let (own_before, database_before) = (accounting::of_process(pid)?, accounting::of_family(bed.postmaster()?)?);
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|requests| {
            let turn = Arc::clone(&turn);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < end {
                    let request = &requests[turn.fetch_add(1, Ordering::Relaxed) % requests.len()];
                    times.push(request.send().await?);
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let own_cpu = accounting::of_process(pid)?.saturating_sub(own_before);
    let database_cpu = accounting::of_family(bed.postmaster()?)?.saturating_sub(database_before);
    Ok(side(times, seconds, own_cpu, database_cpu))
}

/// Gets an address over some connections for some seconds.
async fn fire(url: &str, connections: usize, seconds: u64) -> Result<Vec<Duration>> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (http, url) = (Client::connection(), url.to_owned());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < end {
                    let begun = Instant::now();
                    http.post(&url).body("{}").send().await?.bytes().await?;
                    times.push(begun.elapsed());
                }
                Ok::<_, reqwest::Error>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    Ok(times)
}

#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
fn side(mut times: Vec<Duration>, seconds: u64, own_cpu: Duration, database_cpu: Duration) -> Side {
    times.sort_unstable();
    let count = times.len().max(1) as f64;
    Side {
        per_second: times.len() as f64 / seconds as f64,
        p50: milliseconds(percentile(&times, 0.5)),
        p99: milliseconds(percentile(&times, 0.99)),
        own_cpu: milliseconds(own_cpu) / count,
        database_cpu: milliseconds(database_cpu) / count,
    }
}

/// Of rounds, the middle of each figure.
fn middle(rounds: &[Side]) -> Side {
    let of = |figure: fn(&Side) -> f64| median(rounds.iter().map(figure).collect());
    Side {
        per_second: of(|side| side.per_second),
        p50: of(|side| side.p50),
        p99: of(|side| side.p99),
        own_cpu: of(|side| side.own_cpu),
        database_cpu: of(|side| side.database_cpu),
    }
}

impl Row {
    /// What it costs.
    fn measured(&self) -> String {
        let (own, heard) = (self.own, self.heard);
        format!(
            "| {} | {} | {:.0} | {:.2} | {:.2} | {:.3} | {:.3} | {} | {} | {} | {} |",
            self.name,
            self.connections,
            own.per_second,
            own.p50,
            own.p99,
            own.own_cpu,
            own.database_cpu,
            heard.statements,
            heard.round_trips,
            heard.bytes,
            heard.answer_bytes
        )
    }

    /// The same beside its limit and its peer. The limit of what asks the database nothing is the floor.
    fn compared(&self, rows: &[Self]) -> String {
        let floor = || rows.iter().find(|row| row.name == FLOOR && row.connections == self.connections);
        let limit = self.limit.or_else(|| floor().filter(|_| self.heard.statements == 0).map(|row| row.own));
        let beside = |other: Option<Side>| {
            other.map_or_else(
                || " | | | ".to_owned(),
                |other| {
                    let throughput = self.own.per_second / other.per_second.max(f64::MIN_POSITIVE);
                    let cpu = self.own.cpu() / other.cpu().max(f64::MIN_POSITIVE);
                    format!("{:.0} | {:.3} | {throughput:.2} | {cpu:.2}", other.per_second, other.cpu())
                },
            )
        };
        format!("| {} | {} | {} | {} |", self.name, self.connections, beside(limit), beside(self.peer))
    }
}
