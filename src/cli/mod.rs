//! The command line: one binary, many roles. The only place that prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its user")]

mod audit;
mod demo;
mod doctor;
mod documents;
mod eval;
mod keys;
mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::extraction::{ChildArguments, OcrArguments};
use crate::ids::{FacilityId, TypedId as _};

/// Clinical records for many facilities over one GraphQL API.
#[derive(Debug, Parser)]
#[command(name = "anamnesis", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up and run everything on this machine: embedded PostgreSQL, local model, demo data.
    Demo,
    /// Serve the API against `DATABASE_URL`; runs a worker too unless told not to.
    ///
    /// Needs a key ring (`keys init`), a migrated database (`migrate`) and the embedding model (`fetch-model`, or
    /// an endpoint by `ANAMNESIS_EMBEDDING_URL`): it fetches nothing by itself.
    Serve {
        /// Serve only; run `anamnesis work` elsewhere.
        #[arg(long)]
        no_worker: bool,
    },
    /// Do background jobs against `DATABASE_URL`; needs what `serve` needs.
    Work,
    /// Fetch the pinned embedding model into the cache folder, its checksum verified; prints the folder.
    FetchModel,
    /// Bring the database up to this version, as the owner of the schema (`ANAMNESIS_OWNER_DATABASE_URL`).
    Migrate,
    /// Print the GraphQL schema.
    Schema,
    /// Holds the embedded PostgreSQL and stops it when the program that started it ends.
    #[command(hide = true)]
    PostgresGuard {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Reads one file's text under limits of its own; started by the worker.
    #[command(hide = true)]
    ExtractChild(ChildArguments),
    /// Limits itself and becomes a tool that reads pictures; started by the worker.
    #[command(hide = true)]
    OcrChild(OcrArguments),
    /// Make, rotate or destroy keys.
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Verify the audit log, or take checkpoints of it.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Verify signed notes without a server.
    Documents {
        #[command(subcommand)]
        command: documents::DocumentsCommand,
    },
    /// Measure the quality of search on a labelled set.
    Eval {
        #[command(subcommand)]
        command: eval::EvalCommand,
    },
    /// Look at everything the server relies on; says what to do about what is wrong.
    Doctor,
}

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let command = match Cli::parse().command {
        Command::PostgresGuard { arguments } => return crate::db::embedded::guard::run(arguments),
        Command::ExtractChild(arguments) => return crate::extraction::run_child(&arguments),
        Command::OcrChild(arguments) => return crate::extraction::run_ocr_child(&arguments),
        command => command,
    };
    // A login shell gives 1,024, a limit kept for programs that still use `select(2)`; the hard limit is what the
    // administrator means, and every idle subscriber needs one.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        eprintln!("warning: the limit of open files stays as it is: {error}");
    }
    // With two providers compiled in, each would otherwise refuse to choose at its first use.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: TLS was set up twice");
        return ExitCode::FAILURE;
    }
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                eprintln!("  because: {source}");
                cause = source.source();
            }
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn run(command: Command) -> Result<(), Failure> {
    match command {
        // Answered before anything is set up.
        Command::PostgresGuard { .. } | Command::ExtractChild(_) | Command::OcrChild(_) => Ok(()),
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            Ok(())
        }
        Command::Keys { command } => keys::run(command),
        Command::Documents { command } => documents::run(command),
        Command::Audit { command } => block_on(audit::run(Config::from_environment()?, command)),
        Command::Eval { command } => block_on(eval::run(Config::from_environment()?, command)),
        Command::Doctor => block_on(doctor::run(Config::from_environment()?)),
        Command::Demo => block_on(demo::demo(Config::from_environment()?)),
        Command::Serve { no_worker } => block_on(serve::serve(Config::from_environment()?, !no_worker)),
        Command::FetchModel => block_on(serve::fetch_model()),
        Command::Work => block_on(serve::work(Config::from_environment()?)),
        Command::Migrate => block_on(serve::migrate(Config::from_environment()?)),
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// A facility by its opaque id or its UUID.
fn facility_of(text: &str) -> Result<FacilityId, Failure> {
    match (FacilityId::decode(text), text.parse()) {
        (Ok(id), _) => Ok(id),
        (Err(_), Ok(uuid)) => Ok(FacilityId::from_uuid(uuid)),
        (Err(error), Err(_)) => Err(format!("--facility: {error}").into()),
    }
}
