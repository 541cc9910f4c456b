//! Verifying the audit log, and taking checkpoints of it to keep elsewhere.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use super::{Failure, facility_of};
use crate::app::App;
use crate::audit::{self, Checkpoint};
use crate::config::Config;
use crate::ids::FacilityId;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Compare the audit log with its chain of signed blocks; fails when something was changed or removed.
    Verify {
        /// One facility; all when left out.
        #[arg(long)]
        facility: Option<String>,
        /// Files of checkpoints, kept where the database's administrator cannot reach.
        #[arg(long = "checkpoint", num_args = 1..)]
        checkpoints: Vec<PathBuf>,
    },
    /// Seal what was recorded, and write down the head of each chain, signed.
    Checkpoint {
        /// Where; to the terminal when left out.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

pub(super) async fn run(config: Config, command: AuditCommand) -> Result<(), Failure> {
    let app = super::serve::app_of_command(config).await?;
    let done = match command {
        AuditCommand::Verify { facility, checkpoints } => verify(&app, facility.as_deref(), &checkpoints).await,
        AuditCommand::Checkpoint { out } => checkpoint(&app, out).await,
    };
    app.database.close();
    done
}

async fn facilities(app: &App, wanted: Option<&str>) -> Result<Vec<FacilityId>, Failure> {
    match wanted {
        Some(text) => Ok(vec![facility_of(text)?]),
        None => Ok(audit::facilities(app).await?),
    }
}

async fn verify(app: &Arc<App>, facility: Option<&str>, files: &[PathBuf]) -> Result<(), Failure> {
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        // A list as the command writes it, or one as the worker keeps it beside the files.
        let one = serde_json::from_str(&text).map(|one| vec![one]);
        let found: Vec<Checkpoint> = one
            .or_else(|_| serde_json::from_str(&text))
            .map_err(|_| format!("{} holds no checkpoints", file.display()))?;
        checkpoints.extend(found);
    }
    let mut faults = 0;
    for facility in facilities(app, facility).await? {
        let verified = audit::verify(app, facility, &checkpoints).await?;
        let (blocks, rows) = (verified.blocks, verified.rows);
        match verified.fault {
            None => println!("OK    {facility}: {blocks} blocks, {rows} rows"),
            Some(fault) => {
                faults += 1;
                println!("FAULT {facility}: {fault} ({blocks} blocks and {rows} rows before it hold)");
            }
        }
    }
    if faults == 0 { Ok(()) } else { Err(format!("{faults} of the audit logs are not whole").into()) }
}

async fn checkpoint(app: &Arc<App>, out: Option<PathBuf>) -> Result<(), Failure> {
    audit::seal_all(app).await?;
    let mut heads = Vec::new();
    for facility in audit::facilities(app).await? {
        heads.extend(audit::checkpoint(app, facility).await?);
    }
    let text = serde_json::to_string_pretty(&heads)?;
    match out {
        None => println!("{text}"),
        Some(path) => {
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("wrote {} checkpoints to {}; keep it where the database is not", heads.len(), path.display());
        }
    }
    Ok(())
}
