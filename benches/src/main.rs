//! Measuring Anamnesis. Every figure is taken beside its limit in the same run, on a fresh PostgreSQL with a population
//! that is the same every time, with row-level security, encryption and audit on. `benches/README.md` says how to read it.
#![expect(clippy::print_stdout, reason = "a command line speaks to its user")]

mod accounting;
mod bed;
mod client;
mod listen;
mod load;
mod peer;
mod pgbench;
mod population;
mod search;
mod server;
mod statistics;
mod wire;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use load::Plan;
use population::Sizes;

/// Whatever goes wrong ends the run: a benchmark has no user to be kind to.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Anamnesis against its limits, side by side in one run.
#[derive(Debug, Parser)]
#[command(name = "benches", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Search over many tenants: recall against the exact answer, and time beside pgbench with the same SQL.
    Search {
        /// Passages over all facilities.
        #[arg(long, default_value_t = 100_000)]
        passages: usize,
        /// Facilities; their sizes follow Zipf's law.
        #[arg(long, default_value_t = 200)]
        facilities: usize,
        /// Queries to ask in each place.
        #[arg(long, default_value_t = 40)]
        queries: usize,
        /// Keep the database in this folder, and use it again for the same sizes.
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// What listening costs: memory of each silent subscriber, and how long a message takes to arrive.
    Listen {
        /// Subscribers who hear nothing.
        #[arg(long, default_value_t = 2000)]
        idle: usize,
        /// Subscribers who hear every message.
        #[arg(long, default_value_t = 200)]
        active: usize,
        /// Messages to send.
        #[arg(long, default_value_t = 200)]
        messages: usize,
        /// Keep the database in this folder, and use it again.
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// What the API costs beside pgbench with the same SQL.
    Load {
        /// How much of the whole population: 200 facilities with 200,000 patients, 600,000 visits, 100,000 passages and
        /// 100,000 messages.
        #[arg(long, default_value_t = 1.0)]
        scale: f64,
        /// Connections at once.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
        connections: Vec<usize>,
        /// Seconds of each round.
        #[arg(long, default_value_t = 4)]
        seconds: u64,
        /// Keep the database in this folder, and use it again for the same sizes.
        #[arg(long)]
        keep: Option<PathBuf>,
        /// Only operations whose name holds this.
        #[arg(long)]
        only: Option<String>,
    },
}

/// What the server under test and the embedded PostgreSQL start of themselves.
const OF_THE_SERVER: &[&str] = &["serve", "postgres-guard", "extract-child"];

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| OF_THE_SERVER.contains(&first.as_str())) {
        return anamnesis::cli::main();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let mut arguments = std::env::args().skip(1);
    let outcome = if arguments.next().is_some_and(|first| first == peer::fixed::STATIC) {
        runtime.block_on(peer::fixed::serve(&arguments.next().unwrap_or_default()))
    } else {
        runtime.block_on(run(Cli::parse().bench))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.as_ref()),
    }
}

async fn run(bench: Bench) -> Result<()> {
    match bench {
        Bench::Search { passages, facilities, queries, keep } => search::run(passages, facilities, queries, keep).await,
        Bench::Listen { idle, active, messages, keep } => listen::run(idle, active, messages, keep).await,
        Bench::Load { scale, connections, seconds, keep, only } => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "sizes"
            )]
            let share = |whole: usize| (whole as f64 * scale) as usize;
            let sizes = Sizes {
                facilities: 200,
                patients: share(200_000),
                visits: share(600_000),
                passages: share(100_000),
                messages: share(100_000),
            };
            load::run(Plan { sizes, connections, seconds, keep, only }).await
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command line speaks to its user")]
fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        eprintln!("  because: {source}");
        cause = source.source();
    }
    ExitCode::FAILURE
}
