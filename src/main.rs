//! The `anamnesis` program: parses the command line and runs.

use std::process::ExitCode;

/// Gives back to the system what a burst of work took, and costs less than the system's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    anamnesis::cli::main()
}
