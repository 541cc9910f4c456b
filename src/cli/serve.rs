//! Serving, working and migrating against a database of the operator's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Environment, Places, Secret};
use crate::crypto::Keyring;
use crate::db::migrate as migrations;
use crate::domains::patients::icd10;
use crate::jobs::{Housekeeping, Worker};
use crate::provision;

fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let path =
        config.keyring.as_deref().ok_or("ANAMNESIS_KEYRING is not set: make a key ring with `anamnesis keys init`")?;
    Ok(Keyring::load(Path::new(path))?)
}

/// The server of a command that ends by itself.
pub(super) async fn app_of_command(config: Config) -> Result<Arc<App>, Failure> {
    // Its last spans may be lost: nobody follows a command by its traces.
    drop(crate::telemetry::start(&config)?);
    app(config).await
}

async fn app(config: Config) -> Result<Arc<App>, Failure> {
    let keyring = keyring(&config)?;
    let app = App::new(config, keyring, Clock::System)?;
    app.prepare().await?;
    Ok(app)
}

/// Serves until SIGINT or SIGTERM.
pub(super) async fn serve(config: Config, with_worker: bool) -> Result<(), Failure> {
    let telemetry = crate::telemetry::start(&config)?;
    require_model(&config)?;
    let listen = config.listen;
    let app = app(config).await?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}; choose another with ANAMNESIS_LISTEN"))?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let served = run(app, listener, stop, with_worker).await;
    telemetry.stop().await;
    served
}

/// Serves on a listener, with a worker beside it.
pub(super) async fn run(
    app: Arc<App>,
    listener: TcpListener,
    stop: CancellationToken,
    with_worker: bool,
) -> Result<(), Failure> {
    let metrics = metrics(&app, &stop).await?;
    let worker = with_worker.then(|| {
        tokio::spawn(warn_of_mail(Arc::clone(&app)));
        let worker = Worker::new(Arc::clone(&app), crate::domains::job_handlers(&app));
        let stop = stop.clone();
        let housekeeping = Housekeeping::new(Arc::clone(&app)).run(stop.clone());
        tokio::spawn(async move { tokio::join!(worker.run(stop), housekeeping) })
    });
    crate::http::serve(Arc::clone(&app), listener, stop.clone()).await?;
    stop.cancel();
    if let Some(worker) = worker {
        worker.await?;
    }
    if let Some(metrics) = metrics {
        metrics.await??;
    }
    app.database.close();
    Ok(())
}

/// Does jobs until SIGINT or SIGTERM.
pub(super) async fn work(config: Config) -> Result<(), Failure> {
    let telemetry = crate::telemetry::start(&config)?;
    require_model(&config)?;
    let app = app(config).await?;
    tokio::spawn(warn_of_mail(Arc::clone(&app)));
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let metrics = metrics(&app, &stop).await?;
    let worker = Worker::new(Arc::clone(&app), crate::domains::job_handlers(&app));
    tokio::join!(worker.run(stop.clone()), Housekeeping::new(Arc::clone(&app)).run(stop));
    if let Some(metrics) = metrics {
        metrics.await??;
    }
    app.database.close();
    telemetry.stop().await;
    Ok(())
}

/// Says at the start that mail would wait, rather than with the first reset; nothing waits for the answer.
async fn warn_of_mail(app: Arc<App>) {
    if let Err(error) = app.mailer.check().await {
        tracing::warn!(code = error.code(), "mail does not get out; `anamnesis doctor` says what to do");
    }
}

/// Without the model of its settings a server finds nothing by meaning and a worker finishes no document: better
/// said at the start than by every document. A server never fetches it by itself.
fn require_model(config: &Config) -> Result<(), Failure> {
    if config.embedding_url.is_some() {
        return Ok(());
    }
    let folder = config.model_dir.clone().unwrap_or_else(|| provision::model_folder(&Places::from_environment().cache));
    // Whether the files are the pinned ones is for `doctor`: hashing them takes longer than starting.
    match provision::missing_of_model(&folder) {
        None => Ok(()),
        Some(file) => Err(format!(
            "the embedding model is not in {}: {file} is missing; fetch it with `anamnesis fetch-model`, name a \
             folder that has it with ANAMNESIS_MODEL_DIR, or an endpoint with ANAMNESIS_EMBEDDING_URL",
            folder.display()
        )
        .into()),
    }
}

/// Fetches the pinned model into the cache folder, and says where that is.
pub(super) async fn fetch_model() -> Result<(), Failure> {
    let cache = Places::from_environment().cache;
    let fetched = tokio::task::spawn_blocking(move || provision::model(&cache, &mut provision::StderrReport::new()));
    println!("{}", fetched.await??.display());
    Ok(())
}

/// Where /metrics is served in development when nothing is said.
const DEVELOPMENT_METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Starts to serve /metrics, where that is wanted.
async fn metrics(
    app: &Arc<App>,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<crate::error::Result<()>>>, Failure> {
    let listener = match (app.config.metrics_listen, app.config.environment) {
        (Some(listen), _) => TcpListener::bind(listen).await.map_err(|error| {
            format!("cannot listen on {listen}: {error}; choose another with ANAMNESIS_METRICS_LISTEN")
        })?,
        (None, Environment::Development) => {
            let Ok(listener) = TcpListener::bind(DEVELOPMENT_METRICS).await else {
                // A second server on this machine, most likely; nobody has asked for it.
                tracing::info!("/metrics is not served: its port is in use");
                return Ok(None);
            };
            listener
        }
        (None, Environment::Production) => return Ok(None),
    };
    Ok(Some(tokio::spawn(crate::http::serve_metrics(Arc::clone(app), listener, stop.clone()))))
}

/// Migrates as the owner.
pub(super) async fn migrate(config: Config) -> Result<(), Failure> {
    let owner = config.owner_database_url.ok_or("ANAMNESIS_OWNER_DATABASE_URL is not set")?;
    let done = migrations::up(&owner).await?;
    for version in &done.applied {
        println!("applied {version}");
    }
    load_reference_data(&owner).await?;
    println!("{}", if done.replaced { "functions and policies applied" } else { "functions and policies are current" });
    Ok(())
}

/// Loads the ICD-10-CM table that comes with the program; the same release loaded again changes nothing.
pub(super) async fn load_reference_data(owner: &Secret) -> Result<(), Failure> {
    let mut connection = crate::db::open(owner.reveal()).await?;
    let release = flate2::read::GzDecoder::new(crate::demo::icd10());
    let imported = icd10::import_icd10(&mut connection, release).await?;
    println!("  {} ICD-10-CM codes, {} new or changed", imported.codes, imported.changed);
    Ok(())
}

/// Cancels on the first SIGINT or SIGTERM.
pub(super) async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    stop.cancel();
}
