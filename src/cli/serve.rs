//! Serving, working and migrating against a database of the operator's.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::crypto::Keyring;
use crate::db::migrate as migrations;
use crate::domains::patients::icd10;
use crate::jobs::{Housekeeping, Worker};

fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let path =
        config.keyring.as_deref().ok_or("ANAMNESIS_KEYRING is not set: make a key ring with `anamnesis keys init`")?;
    Ok(Keyring::load(Path::new(path))?)
}

pub(super) async fn app(config: Config) -> Result<Arc<App>, Failure> {
    crate::telemetry::start(&config)?;
    let keyring = keyring(&config)?;
    let app = App::new(config, keyring, Clock::System)?;
    app.prepare().await?;
    Ok(app)
}

/// Serves until SIGINT or SIGTERM.
pub(super) async fn serve(config: Config, with_worker: bool) -> Result<(), Failure> {
    let listen = config.listen;
    let app = app(config).await?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}; choose another with ANAMNESIS_LISTEN"))?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    run(app, listener, stop, with_worker).await
}

/// Serves on a listener, with a worker beside it.
pub(super) async fn run(
    app: Arc<App>,
    listener: TcpListener,
    stop: CancellationToken,
    with_worker: bool,
) -> Result<(), Failure> {
    let worker = with_worker.then(|| {
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
    app.database.close();
    Ok(())
}

/// Does jobs until SIGINT or SIGTERM.
pub(super) async fn work(config: Config) -> Result<(), Failure> {
    let app = app(config).await?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let worker = Worker::new(Arc::clone(&app), crate::domains::job_handlers(&app));
    tokio::join!(worker.run(stop.clone()), Housekeeping::new(Arc::clone(&app)).run(stop));
    app.database.close();
    Ok(())
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
