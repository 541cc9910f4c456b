//! The `anamnesis` program: parses the command line and runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    anamnesis::cli::main()
}
