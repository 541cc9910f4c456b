//! Measuring, on an embedded PostgreSQL of its own: nothing of a real facility is touched.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;

use super::Failure;
use super::demo::Database;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Environment, LogFormat, Places};
use crate::crypto::{Keyring, keyring};
use crate::db::migrate;
use crate::domains::documents::search::model::DocumentSearchMode;
use crate::eval::dataset::{Dataset, Half};
use crate::eval::scratch::Scratch;
use crate::eval::search::{self, Answer, Row};
use crate::provision;

#[derive(Debug, Subcommand)]
pub(super) enum EvalCommand {
    /// Rank a labelled set in every mode: nDCG@10, recall@10 and MRR, through the product's own search.
    Search {
        /// The set: JSON lines; `docs/search-quality.md` says how.
        #[arg(long)]
        dataset: PathBuf,
        /// Which queries: a set is tuned on one half and reported on the other.
        #[arg(long, value_enum, default_value_t)]
        half: Half,
        /// Keep the database in this folder, and use it again while the passages are the same.
        #[arg(long)]
        keep: Option<PathBuf>,
        /// Also write every ranking to this file: query, Q0, passage, rank, score, mode, as `trec_eval` reads it.
        #[arg(long)]
        rankings: Option<PathBuf>,
    },
}

pub(super) async fn run(config: Config, command: EvalCommand) -> Result<(), Failure> {
    let EvalCommand::Search { dataset, half, keep, rankings } = command;
    let set = Dataset::read(&dataset)?;
    println!("{} passages, {} queries", set.passages.len(), set.queries.len());
    let places = Places::from_environment();
    let own = places.cache.0.join("eval").join(std::process::id().to_string());
    let folder = Folder { path: keep.clone().unwrap_or(own), kept: keep.is_some() };
    std::fs::create_dir_all(&folder.path)?;
    let path = std::fs::canonicalize(&folder.path)?;
    let answers = measure(config, Places { data: path, ..places }, &set, half).await?;
    if let Some(file) = rankings {
        std::fs::write(file, trec(&answers))?;
    }
    print!("{}", table(&search::report(&answers)));
    Ok(())
}

/// Removed in the end unless it is to be kept.
struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept && std::fs::remove_dir_all(&self.path).is_err() {
            eprintln!("{} could not be removed", self.path.display());
        }
    }
}

async fn measure(mut config: Config, places: Places, set: &Dataset, half: Half) -> Result<Vec<Answer>, Failure> {
    config.environment = Environment::Development;
    config.log_format = LogFormat::Text;
    if config.log_filter == "info" {
        "warn".clone_into(&mut config.log_filter);
    }
    // Whatever database the settings name is not for this.
    (config.database_url, config.owner_database_url) = (None, None);
    let telemetry = crate::telemetry::start(&config)?;
    let cache = places.cache.clone();
    let model = tokio::task::spawn_blocking(move || provision::model(&cache, &mut provision::StderrReport::new()));
    config.model_dir = Some(model.await??);
    let database = Database::start(&config, &places).await?;
    let measured = within(config, &places, &database, set, half).await;
    database.stop().await?;
    telemetry.stop().await;
    measured
}

async fn within(
    mut config: Config,
    places: &Places,
    database: &Database,
    set: &Dataset,
    half: Half,
) -> Result<Vec<Answer>, Failure> {
    let (index, files) = (places.data.join("eval.json"), places.data.join("files"));
    let kept = Scratch::load(&index, set);
    if kept.is_none() {
        database.recreate().await?;
        if files.exists() {
            std::fs::remove_dir_all(&files)?;
        }
    }
    std::fs::create_dir_all(&files)?;
    migrate::up(&database.owner).await?;
    config.database_url = Some(database.server.clone());
    config.storage_url = format!("file://{}", files.display());
    let app = App::new(config, keyring(&places.data.join("keyring.toml"))?, Clock::System)?;
    app.prepare().await?;
    let scratch = match kept {
        Some(scratch) => scratch,
        None => fill(&app, set, &index).await?,
    };
    let ctx = scratch.physician(&app).await?;
    let mut modes = DocumentSearchMode::ALL.to_vec();
    if app.reranker.is_none() {
        modes.retain(|mode| *mode != DocumentSearchMode::Reranked);
    }
    let answers = search::run(&ctx, &scratch, set, half, &modes).await?;
    app.database.close();
    Ok(answers)
}

async fn fill(app: &Arc<App>, set: &Dataset, index: &Path) -> Result<Scratch, Failure> {
    let begun = std::time::Instant::now();
    let scratch = Scratch::fill(app, set).await?;
    println!("indexed in {:.0} s", begun.elapsed().as_secs_f32());
    scratch.save(index)?;
    Ok(scratch)
}

fn keyring(path: &Path) -> Result<Keyring, Failure> {
    if !path.exists() {
        Keyring::generate(keyring::Environment::Development)?.save_new(path)?;
    }
    Ok(Keyring::load(path)?)
}

fn trec(answers: &[Answer]) -> String {
    let mut lines = String::new();
    for answer in answers {
        for (rank, found) in answer.ranking.iter().enumerate() {
            // Writing to a string does not fail.
            let _ = writeln!(
                lines,
                "{} Q0 {} {} {:.6} {}",
                answer.query,
                found.passage,
                rank + 1,
                found.score,
                answer.mode.as_str()
            );
        }
    }
    lines
}

fn table(rows: &[Row]) -> String {
    let mut lines =
        String::from("| queries | | mode | nDCG@10 | recall@10 | MRR | p50 ms |\n|---|---|---|---|---|---|---|\n");
    for row in rows {
        let group = if row.group.is_empty() { "all" } else { row.group.as_str() };
        let _ = writeln!(
            lines,
            "| {group} | {} | {} | {:.3} | {:.3} | {:.3} | {:.1} |",
            row.queries,
            row.mode.as_str(),
            row.figures.ndcg,
            row.figures.recall,
            row.figures.reciprocal_rank,
            row.median.as_secs_f64() * 1000.0
        );
    }
    lines
}
