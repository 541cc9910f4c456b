//! What a benchmark stands on: a PostgreSQL of its own with the population in it, and the keys to read it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anamnesis::app::App;
use anamnesis::clock::Clock;
use anamnesis::config::{Config, Environment, Places};
use anamnesis::crypto::{Keyring, keyring};
use anamnesis::db::embedded::{DatabaseUrls, Embedded, EmbeddedOptions};
use anamnesis::db::migrate;
use anamnesis::provision;
use tokio_postgres::{Client, NoTls};

use crate::Result;
use crate::population::{self, Population, Sizes};

const DATABASE: &str = "anamnesis";
/// Where the embedded cluster leaves its process id.
const PID_FILE: &str = "pgdata/postmaster.pid";

/// A running database with its population.
pub struct Bed {
    pub embedded: Embedded,
    pub urls: DatabaseUrls,
    pub app: Arc<App>,
    pub population: Population,
    /// PostgreSQL's programs: `pgbench` is among them.
    pub programs: PathBuf,
    pub folder: Folder,
    pub model: PathBuf,
}

/// Where everything of a run is; removed in the end unless it is to be kept.
pub struct Folder {
    pub path: PathBuf,
    kept: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept && std::fs::remove_dir_all(&self.path).is_err() {
            println!("{} could not be removed", self.path.display());
        }
    }
}

impl Folder {
    fn of(keep: Option<PathBuf>, places: &Places) -> Result<Self> {
        let kept = keep.is_some();
        let own = places.cache.0.join("benches").join(std::process::id().to_string());
        let path = keep.unwrap_or(own);
        std::fs::create_dir_all(&path)?;
        Ok(Self { path: std::fs::canonicalize(path)?, kept })
    }

    pub fn keyring(&self) -> PathBuf {
        self.path.join("keyring.toml")
    }

    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    pub fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// What is in the database.
    fn marker(&self) -> PathBuf {
        self.path.join("population.json")
    }
}

impl Bed {
    /// Starts the database, and fills it unless it holds just this population.
    ///
    /// # Errors
    /// Whatever goes wrong.
    pub async fn start(keep: Option<PathBuf>, sizes: Sizes) -> Result<Self> {
        let places = Places::from_environment();
        let folder = Folder::of(keep, &places)?;
        let cache = places.cache.clone();
        let dist =
            tokio::task::spawn_blocking(move || provision::postgres(&cache, &mut provision::StderrReport::new()));
        let dist = dist.await??;
        let cache = places.cache.clone();
        let model = tokio::task::spawn_blocking(move || provision::model(&cache, &mut provision::StderrReport::new()));
        let model = model.await??;
        let programs = dist.bin.clone();
        let embedded = Embedded::start(EmbeddedOptions {
            dist,
            data_dir: folder.postgres(),
            runtime_dir: places.runtime.clone(),
            guard_program: std::env::current_exe()?,
            guard_args: vec!["postgres-guard".into()],
            max_connections: 200,
            fsync: true,
            settings: [("shared_buffers", "1GB"), ("max_wal_size", "4GB"), ("maintenance_work_mem", "512MB")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        })
        .await?;
        let known = std::fs::read_to_string(folder.marker()).ok().and_then(|text| Population::read(&text, sizes));
        let urls = match known {
            Some(_) => embedded.database(DATABASE),
            None => embedded.recreate_database(DATABASE).await?,
        };
        migrate::up(&urls.owner).await?;
        let app = app(&folder, &urls, &model)?;
        app.prepare().await?;
        let population = if let Some(population) = known {
            population
        } else {
            let population = population::fill(&app, &urls, sizes).await?;
            std::fs::write(folder.marker(), population.written())?;
            population
        };
        Ok(Self { embedded, urls, app, population, programs, folder, model })
    }

    /// The process id of the database server.
    ///
    /// # Errors
    /// When it does not run.
    pub fn postmaster(&self) -> Result<u32> {
        let text = std::fs::read_to_string(self.folder.postgres().join(PID_FILE))?;
        Ok(text.lines().next().ok_or("the database left no process id")?.trim().parse()?)
    }

    /// A connection past row-level security, for looking.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn superuser(&self) -> Result<Client> {
        connect(self.urls.superuser.reveal()).await
    }

    /// Stops the database.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(self) -> Result<()> {
        self.app.database.close();
        self.embedded.stop().await?;
        Ok(())
    }
}

/// A connection that drives itself.
///
/// # Errors
/// When the database refuses.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Production's settings, so that production's speed is measured; the rate limit alone is out of the way.
pub fn settings(folder: &Folder, database: &str, model: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("ANAMNESIS_ENVIRONMENT", "production".to_owned()),
        ("DATABASE_URL", database.to_owned()),
        ("ANAMNESIS_DATABASE_POOL", "16".to_owned()),
        ("ANAMNESIS_KEYRING", folder.keyring().display().to_string()),
        ("ANAMNESIS_STORAGE_URL", format!("file://{}", folder.files().display())),
        ("ANAMNESIS_MODEL_DIR", model.display().to_string()),
        ("ANAMNESIS_REQUESTS_PER_MINUTE", "100000000".to_owned()),
        ("ANAMNESIS_LOG_FILTER", "warn".to_owned()),
        ("ANAMNESIS_PUBLIC_URL", "https://127.0.0.1".to_owned()),
    ]
}

fn app(folder: &Folder, urls: &DatabaseUrls, model: &Path) -> Result<Arc<App>> {
    std::fs::create_dir_all(folder.files())?;
    if !folder.keyring().exists() {
        Keyring::generate(keyring::Environment::Production)?.save_new(&folder.keyring())?;
    }
    let settings = settings(folder, urls.server.reveal(), model);
    let config = Config::from_values(&settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())?;
    assert_eq!(config.environment, Environment::Production, "the settings say so");
    Ok(App::new(config, Keyring::load(&folder.keyring())?, Clock::System)?)
}
