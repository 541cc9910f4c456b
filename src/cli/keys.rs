//! Making, rotating and destroying keys.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};

use super::{Failure, block_on, facility_of};
use crate::app::App;
use crate::audit;
use crate::config::Config;
use crate::crypto::keyring::{Environment, KeyList};
use crate::crypto::{CryptoError, Keyring};
use crate::domains::operations::keys::{self, Pace};
use crate::error::Error;

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
    /// Re-encrypt facilities under new data keys, while the server runs. May be broken off and run again.
    RotateData {
        /// One facility; all, and the platform, when left out.
        #[arg(long)]
        facility: Option<String>,
    },
    /// Make a new master key and wrap the keys of all facilities under it, while the server runs.
    RotateMaster,
    /// Make a new key for access tokens.
    RotateToken,
    /// Make a new key for blocks of the audit log.
    RotateAudit,
    /// Destroy the keys of a facility: nothing of it can ever be read again.
    Shred {
        #[arg(long)]
        facility: String,
        /// The name of the facility, exactly.
        #[arg(long, value_name = "NAME")]
        yes_destroy: String,
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
        KeysCommand::RotateData { facility } => block_on(rotate_data(Config::from_environment()?, facility)),
        KeysCommand::RotateMaster => rotate_master(Config::from_environment()?),
        KeysCommand::RotateToken => rotate_ring(&Config::from_environment()?, KeyList::Token),
        KeysCommand::RotateAudit => rotate_ring(&Config::from_environment()?, KeyList::Audit),
        KeysCommand::Shred { facility, yes_destroy } => {
            block_on(shred(Config::from_environment()?, facility, yes_destroy))
        }
    }
}

fn change_ring(
    config: &Config,
    change: impl FnOnce(&mut Keyring) -> Result<(), CryptoError>,
) -> Result<PathBuf, Failure> {
    let path = config.keyring.clone().ok_or("ANAMNESIS_KEYRING is not set")?;
    Keyring::update(&path, change)?;
    Ok(path)
}

fn rotate_ring(config: &Config, list: KeyList) -> Result<(), Failure> {
    let path = change_ring(config, |ring| match list {
        KeyList::Token => ring.rotate_token(),
        KeyList::Audit => ring.rotate_audit(),
        KeyList::Master => ring.rotate_master(),
    })?;
    println!("{} has a new {} key; what the one before signed stays valid", path.display(), list.as_str());
    println!(
        "start every server anew now: until then each signs with the key it knows, and those not started anew \
        do not know the new one"
    );
    Ok(())
}

fn rotate_master(config: Config) -> Result<(), Failure> {
    // A rotation that was broken off is finished under the key it made, not begun again.
    let path = config.keyring.clone().ok_or("ANAMNESIS_KEYRING is not set")?;
    let unfinished = block_on_value(any_under_a_retired_key(config.clone()))?;
    if unfinished {
        println!("finishing the rotation that was broken off");
    } else {
        change_ring(&config, Keyring::rotate_master)?;
        println!("{} has a new master key; keep a new copy where the database is not", path.display());
    }
    block_on(async {
        let app = super::serve::app_of_command(config).await?;
        let mut wrapped = 0;
        for facility in audit::facilities(&app).await? {
            wrapped += keys::rewrap(&app, facility).await?;
        }
        app.database.close();
        println!("{wrapped} keys are wrapped under it; the one before stays in the ring for copies of the database");
        Ok(())
    })
}

fn block_on_value<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut value = None;
    block_on(async {
        value = Some(work.await?);
        Ok(())
    })?;
    value.ok_or_else(|| "nothing was answered".into())
}

async fn any_under_a_retired_key(config: Config) -> Result<bool, Failure> {
    let app = super::serve::app_of_command(config).await?;
    let mut any = false;
    for facility in audit::facilities(&app).await? {
        any |= keys::under_retired_master(&app, facility).await?;
    }
    app.database.close();
    Ok(any)
}

async fn rotate_data(config: Config, facility: Option<String>) -> Result<(), Failure> {
    let app: Arc<App> = super::serve::app_of_command(config).await?;
    let facilities = match &facility {
        Some(text) => vec![facility_of(text)?],
        None => audit::facilities(&app).await?,
    };
    for facility in facilities {
        let mut report = |line: String| println!("{facility}: {line}");
        match keys::rotate_data(&app, facility, Pace::default(), &mut report).await {
            Ok(done) => {
                println!("{facility}: all is under version {}; {} values re-encrypted", done.version, done.values);
            }
            // Its keys were destroyed: there is nothing to rotate.
            Err(Error::NotFound) => println!("{facility}: has no keys"),
            Err(error) => return Err(error.into()),
        }
    }
    app.database.close();
    Ok(())
}

async fn shred(config: Config, facility: String, name: String) -> Result<(), Failure> {
    let app = super::serve::app_of_command(config).await?;
    let facility = facility_of(&facility)?;
    let destroyed = keys::shred(&app, facility, &name).await?;
    app.database.close();
    println!("{facility}: {destroyed} keys destroyed; destroy the copies of the database from before as well");
    Ok(())
}
