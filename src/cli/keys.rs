//! Making and changing the key ring.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::Failure;
use crate::crypto::Keyring;
use crate::crypto::keyring::Environment;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum For {
    Development,
    Production,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a new key ring file, readable by its owner alone.
    Init {
        /// Where; must not exist.
        path: PathBuf,
        /// Production servers refuse a development ring.
        #[arg(long, value_enum, default_value = "production")]
        environment: For,
    },
}

pub(super) fn run(command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Init { path, environment } => {
            let environment = match environment {
                For::Development => Environment::Development,
                For::Production => Environment::Production,
            };
            Keyring::generate(environment)?.save_new(&path)?;
            println!("made {}; keep a copy where the database is not", path.display());
            Ok(())
        }
    }
}
