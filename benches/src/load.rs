//! What the API costs beside its limit: each operation over HTTP, and in the same run pgbench with the statements that
//! the server was heard to say for it, at the same number of connections. Rounds of the two take turns, and of the rounds
//! the median counts. Processor time is the system's own accounting: the figure to trust where machines are noisy.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anamnesis::ids::{FacilityId, PatientId, TypedId as _};
use serde_json::{Value, json};
use tokio_postgres::Client as Postgres;

use crate::Result;
use crate::bed::Bed;
use crate::client::{Answer, Client};
use crate::peer::Static;
use crate::population::{Corpus, PEOPLE_EMAIL, PEOPLE_PASSWORD, Sizes};
use crate::server::Server;
use crate::statistics::{median, milliseconds, percentile};
use crate::wire::{Tap, types};
use crate::{accounting, pgbench};

/// Different requests of each operation.
const VARIANTS: usize = 40;
const ROUNDS: usize = 3;
/// The facilities that are asked, beginning with the largest.
const ASKED: usize = 20;

const PATIENT_FIELDS: &str = "id mrn givenName familyName birthDate phone gender status version";

/// How an operation is measured.
struct Operation {
    name: &'static str,
    document: String,
    variants: Vec<(FacilityId, Value)>,
    /// Whether the same statements can be said again: what writes cannot.
    repeatable: bool,
}

/// One side at one number of connections.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Milliseconds of processor time a request.
    server_cpu: f64,
    database_cpu: f64,
}

/// What an operation says to the database.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    statements: usize,
    round_trips: u64,
    bytes: u64,
    answer_bytes: usize,
}

/// How to run it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub sizes: Sizes,
    pub connections: Vec<usize>,
    /// Of each round.
    pub seconds: u64,
    pub keep: Option<PathBuf>,
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
    let operations = operations(bed, &postgres).await?;
    let mut heard = Vec::with_capacity(operations.len());
    {
        let tapped = Server::start(bed, &tap.url(bed.urls.server.reveal())).await?;
        for operation in &operations {
            heard.push(listen(bed, &tapped, &tap, &postgres, operation).await?);
        }
    }
    let server = Server::start(bed, bed.urls.server.reveal()).await?;
    let rest = accounting::resident(server.pid()?)?;
    println!("\n{} patients, {} visits, {} passages in {} facilities, made in {:.0} s\n", plan.sizes.patients,
        plan.sizes.visits, plan.sizes.passages, plan.sizes.facilities, bed.population.seconds);
    println!(
        "| operation | connections | per second | p50 ms | p99 ms | CPU ms: server | database | pgbench: per second | \
         p50 ms | CPU ms | ratio of throughput | of CPU | statements | round trips | bytes: database | answer |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for (operation, (heard, scripts)) in operations.iter().zip(&heard) {
        for connections in &plan.connections {
            let (mut own, mut limit) = (Vec::new(), Vec::new());
            drive(bed, &server, operation, *connections, 1).await?;
            for _ in 0..ROUNDS {
                own.push(drive(bed, &server, operation, *connections, plan.seconds).await?);
                if operation.repeatable && !scripts.is_empty() {
                    let run = pgbench::run(bed, scripts, *connections, plan.seconds).await?;
                    limit.push(Side {
                        per_second: run.per_second,
                        p50: milliseconds(run.p50),
                        p99: milliseconds(run.p99),
                        server_cpu: milliseconds(run.client_cpu),
                        database_cpu: milliseconds(run.database_cpu),
                    });
                }
            }
            print(operation.name, *connections, *heard, middle(&own), (!limit.is_empty()).then(|| middle(&limit)));
        }
    }
    floor(plan).await?;
    println!("\nmemory of the server: {} MiB at rest, {} MiB after", rest >> 20, accounting::resident(server.pid()?)? >> 20);
    Ok(())
}

/// The least there is to HTTP: a handler with a fixed body.
async fn floor(plan: &Plan) -> Result<()> {
    let peer = Static::start().await?;
    for connections in &plan.connections {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let before = accounting::of_process(peer.pid()?)?;
            let (times, _) = fire(&peer.url, *connections, plan.seconds).await?;
            let cpu = accounting::of_process(peer.pid()?)?.saturating_sub(before);
            rounds.push(side(times, plan.seconds, cpu, Duration::ZERO));
        }
        print("(axum, a fixed body)", *connections, Heard::default(), middle(&rounds), None);
    }
    Ok(())
}

async fn operations(bed: &Bed, postgres: &Postgres) -> Result<Vec<Operation>> {
    let facilities: Vec<FacilityId> =
        bed.population.facilities.iter().take(ASKED).map(|facility| facility.id).collect();
    let facility = |number: usize| facilities[number % facilities.len()];
    let mut patients = Vec::with_capacity(VARIANTS);
    for number in 0..VARIANTS {
        let row = postgres
            .query_one(
                "SELECT id FROM patients WHERE facility_id = $1 ORDER BY id OFFSET $2 LIMIT 1",
                &[&facility(number).uuid(), &i64::try_from(number * 3 % 50)?],
            )
            .await?;
        patients.push(PatientId::from_uuid(row.get(0)).encode());
    }
    let each = |variables: &dyn Fn(usize) -> Value| -> Vec<(FacilityId, Value)> {
        (0..VARIANTS).map(|number| (facility(number), variables(number))).collect()
    };
    let names = ["Garcia", "Kowalski", "Nguyen", "Patel", "Rossi", "Schmidt", "Silva", "Young"];
    let queries = Corpus::queries(VARIANTS)?;
    let read = |name, document: String, variants| Operation { name, document, variants, repeatable: true };
    Ok(vec![
        read("constant field", "{ __typename }".to_owned(), each(&|_| json!({}))),
        read(
            "patient by id",
            format!("query($id: ID!) {{ patient(id: $id) {{ {PATIENT_FIELDS} }} }}"),
            each(&|number| json!({ "id": patients[number] })),
        ),
        read(
            "20 patients by keyset",
            format!("query($after: String) {{ patients(first: 20, after: $after) {{ nodes {{ {PATIENT_FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"),
            each(&|number| json!({ "after": patients[number] })),
        ),
        read(
            "20 patients nested",
            "query($after: String) { patients(first: 20, after: $after) { nodes { id givenName familyName \
             contacts { id name phone } visits(first: 3) { nodes { id visitedAt department reason } } \
             documents(first: 3) { nodes { id title kind documentDate } } } } }"
                .to_owned(),
            each(&|number| json!({ "after": patients[number] })),
        ),
        read(
            "patient search by name",
            format!("query($name: String!) {{ patientSearch(input: {{ name: $name }}, first: 20) {{ {PATIENT_SEARCH} }} }}"),
            each(&|number| json!({ "name": names[number % names.len()] })),
        ),
        read(
            "document search, hybrid",
            "query($query: String!) { documentSearch(query: $query, first: 10) { edges { node { score passage { text } document { id title } } } } }"
                .to_owned(),
            each(&|number| json!({ "query": queries[number % queries.len()] })),
        ),
        Operation {
            name: "register a patient",
            document: "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id mrn } userErrors { code } } }"
                .to_owned(),
            variants: each(&|number| {
                json!({ "input": { "givenName": "Nora", "familyName": names[number % names.len()], "birthDate": "1990-05-17",
                    "gender": "FEMALE", "phone": format!("617-555-{number:04}"), "acceptDuplicates": true } })
            }),
            repeatable: false,
        },
        Operation {
            name: "sign in",
            document: "mutation($email: String!, $password: String!) { signIn(input: { email: $email, password: $password }) { tokens { accessToken } userErrors { code } } }"
                .to_owned(),
            variants: vec![(facilities[0], json!({ "email": PEOPLE_EMAIL, "password": PEOPLE_PASSWORD }))],
            repeatable: false,
        },
    ])
}

const PATIENT_SEARCH: &str = "nodes { patient { id givenName familyName birthDate } }";

/// What an operation says to the database, and the scripts that say the same.
async fn listen(
    bed: &Bed,
    tapped: &Server,
    tap: &Tap,
    postgres: &Postgres,
    operation: &Operation,
) -> Result<(Heard, Vec<String>)> {
    let types = types(postgres).await?;
    let mut scripts = Vec::with_capacity(operation.variants.len());
    let mut heard = Heard::default();
    for (facility, variables) in &operation.variants {
        let client = Client::of(bed, &tapped.base, *facility)?;
        // Prepared, and with keys and vectors at hand, as after the first minutes of a day.
        client.run(&operation.document, variables).await?;
        let _ = tap.take();
        let Answer { bytes, .. } = client.run(&operation.document, variables).await?;
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

/// Asks an operation over some connections for some seconds.
async fn drive(bed: &Bed, server: &Server, operation: &Operation, connections: usize, seconds: u64) -> Result<Side> {
    let turn = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut of_all = Vec::with_capacity(operation.variants.len());
        let one = Client::connection();
        for (facility, variables) in &operation.variants {
            let client = Client::on(one.clone(), bed, &server.base, *facility)?;
            of_all.push(client.prepared(&operation.document, variables));
        }
        clients.push(of_all);
    }
    let (server_before, database_before) =
        (accounting::of_process(server.pid()?)?, accounting::of_family(bed.postmaster()?)?);
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
    let server_cpu = accounting::of_process(server.pid()?)?.saturating_sub(server_before);
    let database_cpu = accounting::of_family(bed.postmaster()?)?.saturating_sub(database_before);
    Ok(side(times, seconds, server_cpu, database_cpu))
}

/// Gets an address over some connections for some seconds.
async fn fire(url: &str, connections: usize, seconds: u64) -> Result<(Vec<Duration>, usize)> {
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
    let count = times.len();
    Ok((times, count))
}

#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
fn side(mut times: Vec<Duration>, seconds: u64, server_cpu: Duration, database_cpu: Duration) -> Side {
    times.sort_unstable();
    let count = times.len().max(1) as f64;
    Side {
        per_second: times.len() as f64 / seconds as f64,
        p50: milliseconds(percentile(&times, 0.5)),
        p99: milliseconds(percentile(&times, 0.99)),
        server_cpu: milliseconds(server_cpu) / count,
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
        server_cpu: of(|side| side.server_cpu),
        database_cpu: of(|side| side.database_cpu),
    }
}

fn print(name: &str, connections: usize, heard: Heard, own: Side, limit: Option<Side>) {
    let cpu = |side: Side| side.server_cpu + side.database_cpu;
    let beside = limit.map_or_else(
        || " | | | | ".to_owned(),
        |limit| {
            format!(
                "{:.0} | {:.2} | {:.2} | {:.2} | {:.1}",
                limit.per_second,
                limit.p50,
                cpu(limit),
                own.per_second / limit.per_second.max(f64::MIN_POSITIVE),
                cpu(own) / cpu(limit).max(f64::MIN_POSITIVE)
            )
        },
    );
    println!(
        "| {name} | {connections} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {beside} | {} | {} | {} | {} |",
        own.per_second, own.p50, own.p99, own.server_cpu, own.database_cpu, heard.statements, heard.round_trips,
        heard.bytes, heard.answer_bytes
    );
}
