//! Measuring Anamnesis. Every figure is taken beside its limit in the same run, on a fresh PostgreSQL with a population
//! that is the same every time, with row-level security, encryption and audit on. `benches/README.md` says how to read it.
#![expect(clippy::print_stdout, reason = "a command line speaks to its user")]

mod accounting;
mod bed;
mod client;
mod pgbench;
mod population;
mod search;
mod server;
mod statistics;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

/// What the server under test and the embedded PostgreSQL start of themselves.
const OF_THE_SERVER: &[&str] = &["serve", "postgres-guard", "extract-child"];

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| OF_THE_SERVER.contains(&first.as_str())) {
        return anamnesis::cli::main();
    }
    let Bench::Search { passages, facilities, queries, keep } = Cli::parse().bench;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(search::run(passages, facilities, queries, keep)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.as_ref()),
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
