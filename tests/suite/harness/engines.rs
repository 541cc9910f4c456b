//! The model, loaded once for all tests that need it, and the program that reads files.

use std::path::PathBuf;
use std::sync::OnceLock;

use anamnesis::app::Engines;
use anamnesis::config::{Config, Places};
use anamnesis::embedding::{LOCAL_MODEL, Models};
use anamnesis::extraction::Limits;
use anamnesis::provision;

use super::cluster;

/// The local model, shared: loading it costs more than most tests.
pub fn models() -> Models {
    static MODELS: OnceLock<Models> = OnceLock::new();
    MODELS.get_or_init(|| Models::local(model_dir())).clone()
}

/// Where the local model lies.
pub fn model_dir() -> PathBuf {
    Places::from_environment().cache.0.join("models").join(LOCAL_MODEL)
}

/// Fetches the model unless it is in the cache.
pub async fn provide_model() {
    static PROVIDED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let fetch = || async {
        let cache = Places::from_environment().cache;
        let fetched =
            tokio::task::spawn_blocking(move || provision::model(&cache, &mut provision::StderrReport::default()));
        fetched.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    };
    PROVIDED.get_or_init(fetch).await;
}

/// What a server under test runs on.
pub fn of(config: &Config) -> Engines {
    let models = if config.embedding_url.is_some() { Models::of(config).unwrap() } else { models() };
    let extractor = anamnesis::extraction::Extractor { program: cluster::program(), limits: Limits::default() };
    Engines { models, extractor }
}
