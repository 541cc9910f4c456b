//! The demo: everything on this machine with one command, on the embedded PostgreSQL and the local model.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Failure, serve};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Environment, LogFormat, Places, Secret};
use crate::crypto::{Keyring, keyring};
use crate::db::embedded::{Embedded, EmbeddedOptions};
use crate::db::migrate;
use crate::demo;
use crate::jobs::Worker;
use crate::provision;

const DATABASE: &str = "anamnesis";
/// Connections of the embedded server: the pool, the worker and a few for looking.
const CONNECTIONS: u32 = 50;

/// Sets everything up, loads the demo data the first time, serves until Ctrl-C.
pub(super) async fn demo(mut config: Config) -> Result<(), Failure> {
    let started = Instant::now();
    config.environment = Environment::Development;
    config.log_format = LogFormat::Text;
    if config.log_filter == "info" {
        "warn".clone_into(&mut config.log_filter);
    }
    let telemetry = crate::telemetry::start(&config)?;
    // Taken first: whoever finds the port in use should not wait for a database.
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        format!("cannot listen on {}: {error}; choose another with ANAMNESIS_LISTEN", config.listen)
    })?;
    let places = Places::from_environment();
    let cache = places.cache.clone();
    let model = tokio::task::spawn_blocking(move || provision::model(&cache, &mut provision::StderrReport::new()));
    config.model_dir = Some(model.await??);
    let mut database = Database::start(&config, &places).await?;
    let app = prepare(&mut config, &places, &mut database).await?;
    welcome(&app, started);
    let stop = CancellationToken::new();
    tokio::spawn(serve::stop_on_signal(stop.clone()));
    let served = tokio::select! {
        served = serve::run(app, listener, stop, true) => served,
        failure = database.ended() => Err(failure),
    };
    println!("stopping");
    database.stop().await?;
    telemetry.stop().await;
    served
}

/// The database of the demo: one of the operator's, or the embedded one.
pub(super) struct Database {
    embedded: Option<Embedded>,
    pub(super) server: Secret,
    pub(super) owner: Secret,
}

impl Database {
    pub(super) async fn start(config: &Config, places: &Places) -> Result<Self, Failure> {
        if let Some(server) = config.database_url.clone() {
            let owner =
                config.owner_database_url.clone().ok_or("DATABASE_URL is set: set ANAMNESIS_OWNER_DATABASE_URL too")?;
            return Ok(Self { embedded: None, server, owner });
        }
        let cache = places.cache.clone();
        let fetched =
            tokio::task::spawn_blocking(move || provision::postgres(&cache, &mut provision::StderrReport::new()));
        let embedded = Embedded::start(EmbeddedOptions {
            dist: fetched.await??,
            data_dir: places.data.join("postgres"),
            runtime_dir: places.runtime.clone(),
            guard_program: std::env::current_exe()?,
            guard_args: vec!["postgres-guard".into()],
            max_connections: CONNECTIONS,
            fsync: true,
            settings: Vec::new(),
        })
        .await?;
        let urls = embedded.database(DATABASE);
        Ok(Self { server: urls.server, owner: urls.owner, embedded: Some(embedded) })
    }

    /// Makes the embedded database anew: the first time, and when loading the demo was interrupted.
    pub(super) async fn recreate(&self) -> Result<(), Failure> {
        if let Some(embedded) = &self.embedded {
            embedded.recreate_database(DATABASE).await?;
        }
        Ok(())
    }

    /// Resolves when the embedded server ends by itself; never for an operator's.
    async fn ended(&mut self) -> Failure {
        match &mut self.embedded {
            Some(embedded) => embedded.ended().await.into(),
            None => std::future::pending().await,
        }
    }

    pub(super) async fn stop(self) -> Result<(), Failure> {
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

async fn prepare(config: &mut Config, places: &Places, database: &mut Database) -> Result<Arc<App>, Failure> {
    let loaded = places.data.join("demo.loaded");
    let first = !loaded.exists();
    let files = places.data.join("files");
    if first && database.embedded.is_some() {
        if files.exists() {
            std::fs::remove_dir_all(&files)?;
        }
        database.recreate().await?;
    }
    std::fs::create_dir_all(&files)?;
    migrate::up(&database.owner).await?;
    config.database_url = Some(database.server.clone());
    config.storage_url = format!("file://{}", files.display());
    if config.smtp_url.is_none() {
        config.mail_folder.get_or_insert_with(|| places.data.join("mail"));
    }
    let app = App::new(config.clone(), keyring(&places.data.join("keyring.toml"))?, Clock::System)?;
    app.prepare().await?;
    if first {
        println!("loading the demo data; this happens once");
        serve::load_reference_data(&database.owner).await?;
        demo::load(&app, |step| println!("  {step}")).await?;
        // Whoever tries the examples at once should find what they ask for.
        println!("  reading the documents, so that search finds them");
        Worker::new(Arc::clone(&app), crate::domains::job_handlers(&app)).drain().await?;
        std::fs::write(&loaded, "")?;
    }
    Ok(app)
}

/// The demo's own key ring: made once, refused by production.
fn keyring(path: &Path) -> Result<Keyring, Failure> {
    if !path.exists() {
        Keyring::generate(keyring::Environment::Development)?.save_new(path)?;
    }
    Ok(Keyring::load(path)?)
}

fn welcome(app: &App, started: Instant) {
    let url = format!("http://{}", app.config.listen);
    let mail = app.mailer.folder().map(|folder| format!("  mail        {}\n", folder.display())).unwrap_or_default();
    println!(
        "\nAnamnesis is ready after {:.1} s.\n\n  playground  {url}/\n  API         {url}/graphql\n{mail}\n\
         Everyone's password is: {}\n{}\n{}\nStop with Ctrl-C.",
        started.elapsed().as_secs_f32(),
        demo::PASSWORD,
        include_str!("../../demo/sign-ins.txt"),
        include_str!("../../demo/examples.txt"),
    );
}
