//! What the process shares: settings, clock, database, keys. Built once by the command line or a test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::access::AccessTokens;
use crate::antivirus::Scanner;
use crate::clock::Clock;
use crate::config::{Config, Environment, find_program};
use crate::crypto::blind_index::IndexKey;
use crate::crypto::signed_url::LinkKey;
use crate::crypto::{FacilityKeys, KeyStore, Keyring, keyring};
use crate::db::{Binding, Database, DatabaseOptions, Mode, Session};
use crate::domains::documents::processing;
use crate::domains::identity::Passwords;
use crate::embedding::{EmbeddingError, Models};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::extraction::{Extractor, Limits, OcrLimits, Recognizer};
use crate::graphql::persisted::Persisted;
use crate::ids::FacilityId;
use crate::jobs::Jobs;
use crate::language_model::{HttpLanguageModel, LanguageModel};
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::reranking::{HttpReranker, Reranker};
use crate::storage::Storage;
use crate::whatsapp::{CloudApi, Messenger};

/// The shared parts of the process.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub database: Database,
    pub keyring: Arc<Keyring>,
    pub keys: KeyStore,
    /// Blind indexes of what belongs to no facility.
    pub lookup: IndexKey,
    pub tokens: AccessTokens,
    /// Makes and checks links to files.
    pub links: LinkKey,
    pub storage: Storage,
    /// Text to vectors.
    pub models: Models,
    /// Files to text.
    pub extractor: Extractor,
    /// Text in pictures; `None` where tesseract is not installed.
    pub recognizer: Option<Recognizer>,
    /// Viruses; `None` where no scanner is configured.
    pub scanner: Option<Scanner>,
    /// Puts passages in order, where one is configured.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Words answers, where one is configured.
    pub language_model: Option<Arc<dyn LanguageModel>>,
    /// Takes what is sent to people outside, where a facility has set it up.
    pub messenger: Arc<dyn Messenger>,
    pub persisted: Persisted,
    pub passwords: Passwords,
    pub jobs: Jobs,
    pub events: Events,
    pub metrics: Metrics,
    pub mailer: Mailer,
}

/// The heavy machinery: models, and the program that reads files.
#[derive(Debug, Clone)]
pub struct Engines {
    pub models: Models,
    pub extractor: Extractor,
}

impl Engines {
    /// What the settings name; files are read by this program itself, in a child process.
    ///
    /// # Errors
    /// When the settings make no sense, or this program cannot be found.
    pub fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            models: Models::of(config).map_err(|error: EmbeddingError| Error::internal(error))?,
            extractor: Extractor {
                program: std::env::current_exe().map_err(Error::internal)?,
                limits: Limits {
                    memory_bytes: config.extraction_memory_mib.saturating_mul(1024 * 1024),
                    wall: Duration::from_secs(config.extraction_seconds),
                    ..Limits::default()
                },
            },
        })
    }
}

/// What reads pictures, where the program it needs is there.
#[must_use]
pub fn recognizer(config: &Config, extractor: &Extractor) -> Option<Recognizer> {
    let found = |set: &Option<PathBuf>, name| match set {
        Some(program) => Some(program.clone()).filter(|program| program.is_file()),
        None => find_program(name),
    };
    Some(Recognizer {
        program: extractor.program.clone(),
        tesseract: found(&config.tesseract, "tesseract")?,
        pdftoppm: found(&config.pdftoppm, "pdftoppm"),
        languages: config.ocr_languages.0.clone(),
        limits: OcrLimits::default(),
    })
}

impl App {
    /// Puts the parts together; connects to nothing yet.
    ///
    /// # Errors
    /// When a part cannot be built, or production is given development keys.
    pub fn new(config: Config, keyring: Keyring, clock: Clock) -> Result<Arc<Self>> {
        let engines = Engines::of(&config)?;
        Self::with_engines(config, keyring, clock, engines)
    }

    /// The same with engines other than the settings name, as tests need them.
    ///
    /// # Errors
    /// As [`App::new`].
    pub fn with_engines(config: Config, keyring: Keyring, clock: Clock, engines: Engines) -> Result<Arc<Self>> {
        if config.environment == Environment::Production {
            keyring.require(keyring::Environment::Production)?;
        }
        let url = config.database_url.clone().ok_or_else(|| Error::internal("DATABASE_URL is not set"))?;
        let database = Database::new(&DatabaseOptions {
            url,
            pool_size: config.database_pool,
            wait: Duration::from_secs(config.database_wait_seconds),
        })?;
        let allowed =
            config.allowed_operations.as_deref().map(Persisted::read_allowed).transpose().map_err(Error::internal)?;
        let keyring = Arc::new(keyring);
        let reranker = HttpReranker::of(&config).map_err(Error::internal)?;
        let language_model = HttpLanguageModel::of(&config).map_err(Error::internal)?;
        let messenger = CloudApi::new(&config.whatsapp_endpoint).map_err(Error::internal)?;
        Ok(Arc::new(Self {
            tokens: AccessTokens::new(&keyring, TimeDelta::minutes(i64::from(config.access_token_minutes))),
            persisted: Persisted::new(allowed),
            keys: KeyStore::new(&keyring, config.keyring.clone()),
            lookup: keyring.lookup_key()?,
            links: keyring.link_key()?,
            storage: Storage::open(&config)?,
            models: engines.models,
            recognizer: recognizer(&config, &engines.extractor),
            scanner: config.clamd_url.clone().map(Scanner::new),
            extractor: engines.extractor,
            reranker: reranker.map(|reranker| Arc::new(reranker) as Arc<dyn Reranker>),
            language_model: language_model.map(|model| Arc::new(model) as Arc<dyn LanguageModel>),
            messenger: Arc::new(messenger),
            passwords: Passwords::default(),
            keyring,
            metrics: Metrics::new(database.pool_use()),
            mailer: Mailer::of(&config).map_err(Error::internal)?,
            database,
            clock,
            jobs: Jobs::default(),
            events: Events::default(),
            config,
        }))
    }

    /// Makes what every request relies on and a fresh database lacks: the platform's keys, the embedding
    /// model in its registry.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses.
    pub async fn prepare(self: &Arc<Self>) -> Result<()> {
        self.ensure_keys(FacilityId::PLATFORM).await?;
        processing::models::register(self).await
    }

    /// Makes the keys of a facility unless it has some.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses.
    pub async fn ensure_keys(&self, facility: FacilityId) -> Result<()> {
        let now = self.clock.now();
        let session = Session::open(&self.database, Mode::Write, Binding::System { facility }, now).await?;
        self.keys.ensure(facility, now, session.connection()?).await?;
        session.end(true).await
    }

    /// The keys of a facility, outside any request.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has none; a fault when they do not unwrap, or the database cannot be reached.
    pub async fn keys_of_facility(&self, facility: FacilityId) -> Result<Arc<FacilityKeys>> {
        let session = Session::open(&self.database, Mode::Read, Binding::System { facility }, self.clock.now()).await?;
        let keys = self.keys.of(facility, session.bound().key_epoch, session.connection()?).await?;
        session.end(false).await?;
        Ok(keys)
    }

    /// Whether the keys of a facility can be unwrapped.
    ///
    /// # Errors
    /// As [`App::keys_of_facility`].
    pub async fn keys_work(&self, facility: FacilityId) -> Result<()> {
        self.keys_of_facility(facility).await.map(|_| ())
    }
}
