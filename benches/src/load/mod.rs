//! What the API costs beside its limit: each operation over HTTP, driven by wrk, and in the same run pgbench with the
//! statements that the server was heard to say for it, at the same number of connections. Rounds of the two take turns, and
//! of the rounds the median counts. Processor time is the system's own accounting: the figure to trust where machines are
//! noisy.

mod operations;

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Client as Postgres;

use crate::Result;
use crate::bed::Bed;
use crate::client::{Answer, Client};
use crate::peer::fixed::Static;
use crate::peer::postgraphile::Postgraphile;
use crate::population::Sizes;
use crate::server::Server;
use crate::statistics::{median, milliseconds};
use crate::wire::{Tap, types};
use crate::wrk::Request;
use crate::{accounting, pgbench, wrk};
use operations::{Asked, Operation};

const ROUNDS: usize = 3;
/// A round lasts until each connection was answered so often: what is under way in its end costs, and is not counted.
const TURNS: usize = 5;
/// Seconds after which it ends all the same.
const LONGEST: u64 = 16;
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
    wrk::present().await?;
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
        let row = floor(bed, *connections, plan.seconds).await?;
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
    let target = Target::server(bed, server, &operation.asked)?;
    let seconds = target.warm(bed, connections).await?.max(plan.seconds);
    let target_beside = match operation.of_peer.as_ref().zip(peer) {
        Some((asked, peer)) => Some(Target::peer(peer, asked)?),
        None => None,
    };
    if let Some(peer) = &target_beside {
        peer.warm(bed, connections).await?;
    }
    for _ in 0..ROUNDS {
        own.push(target.drive(bed, connections, seconds).await?);
        if operation.repeatable && !scripts.is_empty() {
            let run = pgbench::run(bed, scripts, connections, seconds).await?;
            limit.push(Side {
                per_second: run.per_second,
                p50: milliseconds(run.p50),
                p99: milliseconds(run.p99),
                own_cpu: milliseconds(run.client_cpu),
                database_cpu: milliseconds(run.database_cpu),
            });
        }
        if let Some(peer) = &target_beside {
            beside.push(peer.drive(bed, connections, seconds).await?);
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

/// Who is asked, and what.
struct Target<'a> {
    pid: u32,
    url: String,
    /// Made anew for each round: tokens live some minutes.
    requests: Box<dyn Fn() -> Result<Vec<Request>> + 'a>,
}

impl<'a> Target<'a> {
    fn server(bed: &'a Bed, server: &'a Server, asked: &'a Asked) -> Result<Self> {
        let requests = move || {
            let request = |(facility, variables): &_| {
                Ok(Client::of(bed, &server.base, *facility)?.request(&asked.document, variables))
            };
            asked.variants.iter().map(request).collect()
        };
        Ok(Self { pid: server.pid()?, url: format!("{}/graphql", server.base), requests: Box::new(requests) })
    }

    fn peer(peer: &'a Postgraphile, asked: &'a Asked) -> Result<Self> {
        let requests = move || {
            let request = |(facility, variables): &_| Postgraphile::request(*facility, &asked.document, variables);
            Ok(asked.variants.iter().map(request).collect())
        };
        Ok(Self { pid: peer.pid()?, url: peer.url.clone(), requests: Box::new(requests) })
    }

    /// Asks until each connection was answered some times; gives the seconds that it takes.
    async fn warm(&self, bed: &Bed, connections: usize) -> Result<u64> {
        let mut seconds = 1;
        loop {
            let requests = (self.requests)()?;
            let warm = wrk::run(&bed.folder.path, &self.url, &requests, connections, seconds).await?;
            if usize::try_from(warm.answered)? >= TURNS * connections || seconds == LONGEST {
                return Ok(seconds);
            }
            seconds *= 2;
        }
    }

    /// Asks over some connections for some seconds.
    async fn drive(&self, bed: &Bed, connections: usize, seconds: u64) -> Result<Side> {
        let requests = (self.requests)()?;
        let (own, database) = (accounting::of_process(self.pid)?, accounting::of_family(bed.postmaster()?)?);
        let run = wrk::run(&bed.folder.path, &self.url, &requests, connections, seconds).await?;
        let count = f64::from(run.answered.max(1));
        let own_cpu = accounting::of_process(self.pid)?.saturating_sub(own);
        let database_cpu = accounting::of_family(bed.postmaster()?)?.saturating_sub(database);
        Ok(Side {
            per_second: run.per_second,
            p50: milliseconds(run.p50),
            p99: milliseconds(run.p99),
            own_cpu: milliseconds(own_cpu) / count,
            database_cpu: milliseconds(database_cpu) / count,
        })
    }
}

/// The least there is to HTTP: a handler with a fixed body. It asks no database.
async fn floor(bed: &Bed, connections: usize, seconds: u64) -> Result<Row> {
    let fixed = Static::start().await?;
    let request = Request { identity: ("accept", "*/*".to_owned()), body: "{}".to_owned() };
    let requests = move || Ok(vec![request.clone()]);
    let target = Target { pid: fixed.pid()?, url: fixed.url.clone(), requests: Box::new(requests) };
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(Side { database_cpu: 0.0, ..target.drive(bed, connections, seconds).await? });
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
