//! The limit: pgbench, with statements that the server itself was heard to say.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::Result;
use crate::accounting;
use crate::bed::Bed;
use crate::statistics::percentile;

/// What the server sets on each of its connections.
const SETTINGS: &str = "-c random_page_cost=1.1 -c statement_timeout=30s";

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Processor time of a transaction: pgbench's own.
    pub client_cpu: Duration,
    /// And the database's.
    pub database_cpu: Duration,
}

/// Runs scripts in turn for some seconds.
///
/// # Errors
/// When pgbench cannot be run, or a statement fails.
pub async fn run(bed: &Bed, scripts: &[String], clients: usize, seconds: u64) -> Result<Outcome> {
    let folder = bed.folder.path.join("pgbench");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut files: Vec<PathBuf> = Vec::with_capacity(scripts.len());
    for (number, script) in scripts.iter().enumerate() {
        let file = folder.join(format!("{number}.sql"));
        std::fs::write(&file, script)?;
        files.push(file);
    }
    let (own, database) = (accounting::of_process(std::process::id())?, accounting::of_family(bed.postmaster()?)?);
    let output = Command::new(bed.programs.join("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--log", "--jobs=1"])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={seconds}"))
        .args(files.iter().map(|file| format!("--file={}", file.display())))
        .arg(bed.urls.server.reveal())
        .env("PGOPTIONS", SETTINGS)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mut times = times(&folder)?;
    times.sort_unstable();
    let count = u32::try_from(times.len().max(1))?;
    Ok(Outcome {
        per_second: f64::from(count) / Duration::from_secs(seconds).as_secs_f64(),
        p50: percentile(&times, 0.5),
        p99: percentile(&times, 0.99),
        client_cpu: accounting::of_process(std::process::id())?.saturating_sub(own) / count,
        database_cpu: accounting::of_family(bed.postmaster()?)?.saturating_sub(database) / count,
    })
}

/// How long each transaction took, of its log.
fn times(folder: &std::path::Path) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("pgbench_log") {
            let text = std::fs::read_to_string(entry.path())?;
            let third = |line: &str| line.split(' ').nth(2).and_then(|time| time.parse().ok());
            times.extend(text.lines().filter_map(third).map(Duration::from_micros));
        }
    }
    Ok(times)
}
