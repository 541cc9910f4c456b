//! The models of a process: the configured one, and the local one where the registry still has it serving.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::http::{HttpProvider, HttpSettings};
use super::local::{LocalProvider, LocalSettings};
use super::{EmbeddingError, ModelInfo, Provider};
use crate::config::{Config, Places};

/// The name of the local model, in the registry and in the cache folder.
pub const LOCAL_MODEL: &str = "all-MiniLM-L6-v2";
/// The length of its vectors.
const LOCAL_DIMENSIONS: usize = 384;

/// The models this process can ask. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    configured: Option<Arc<dyn Provider>>,
    local: Arc<Local>,
}

/// The local model, started when it is first asked for: a process with another model may never need it.
struct Local {
    info: ModelInfo,
    dir: PathBuf,
    started: OnceLock<Arc<dyn Provider>>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models").field("configured", self.configured()).finish_non_exhaustive()
    }
}

impl Models {
    /// The models the settings name. Nothing is loaded or sent yet.
    ///
    /// # Errors
    /// [`EmbeddingError::Settings`].
    pub fn of(config: &Config) -> Result<Self, EmbeddingError> {
        let dir = config
            .model_dir
            .clone()
            .unwrap_or_else(|| Places::from_environment().cache.0.join("models").join(LOCAL_MODEL));
        let local = Self::local(dir);
        let (Some(url), Some(name), Some(dimensions)) =
            (&config.embedding_url, &config.embedding_model, config.embedding_dimensions)
        else {
            return Ok(local);
        };
        if name == LOCAL_MODEL {
            return Err(EmbeddingError::Settings("ANAMNESIS_EMBEDDING_MODEL is the name of the local model"));
        }
        let mut settings = HttpSettings::new(url.as_str(), ModelInfo { name: name.clone(), dimensions });
        settings.api_key.clone_from(&config.embedding_api_key);
        Ok(local.with_configured(Arc::new(HttpProvider::new(settings)?)))
    }

    /// The local model alone, in this folder.
    #[must_use]
    pub fn local(dir: PathBuf) -> Self {
        let info = ModelInfo { name: LOCAL_MODEL.to_owned(), dimensions: LOCAL_DIMENSIONS };
        Self { configured: None, local: Arc::new(Local { info, dir, started: OnceLock::new() }) }
    }

    /// The same with another model configured.
    #[must_use]
    pub fn with_configured(mut self, provider: Arc<dyn Provider>) -> Self {
        self.configured = Some(provider);
        self
    }

    /// What the settings want search to run on.
    #[must_use]
    pub fn configured(&self) -> &ModelInfo {
        self.configured.as_ref().map_or(&self.local.info, |provider| provider.model())
    }

    /// The model of this name; `None` when this process cannot ask it.
    ///
    /// # Errors
    /// [`EmbeddingError::Model`] when the local model cannot be started.
    pub fn named(&self, name: &str) -> Result<Option<Arc<dyn Provider>>, EmbeddingError> {
        match &self.configured {
            Some(provider) if provider.model().name == name => Ok(Some(Arc::clone(provider))),
            _ if name == self.local.info.name => self.local.provider().map(Some),
            _ => Ok(None),
        }
    }
}

impl Local {
    fn provider(&self) -> Result<Arc<dyn Provider>, EmbeddingError> {
        if let Some(started) = self.started.get() {
            return Ok(Arc::clone(started));
        }
        let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let provider = LocalProvider::new(LocalSettings { model: self.info.clone(), dir: self.dir.clone(), threads })?;
        // Whoever was first wins; the other's threads end with it.
        Ok(Arc::clone(self.started.get_or_init(|| Arc::new(provider))))
    }
}
