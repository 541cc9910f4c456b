//! The model on this machine, over the `anamnesis-encoder` crate.
//!
//! Two operating-system threads of its own, so that the async runtime never computes: one for queries, one that
//! hands documents to the encoder's worker threads in batches. A query is computed on its own thread while a batch
//! of documents is under way, the scheduler sharing the cores between them; it never waits for the batch.
//!
//! The model is loaded at first use or by `warm()`. A failure to load is answered to whoever asked and tried again
//! at the next request, so that a model put in place later is found without a restart.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anamnesis_encoder::Encoder;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::cache::QueryCache;
use super::queue::Lane;
use super::{Chunk, EmbeddingError, ModelInfo, Priority, Provider};

/// The most queries in a batch. At about 3 ms each, one that just missed a batch waits for 0.1 s at worst.
const QUERY_BATCH: usize = 32;

/// The most queries that may wait: about three seconds of work. Beyond that, refusing is kinder than queueing.
const QUERY_CAPACITY: usize = 1024;

/// Passages in a batch, per worker thread: a batch takes about 0.2 s, and stopping or changing turns waits for no
/// more than one.
const DOCUMENT_BATCH_PER_THREAD: usize = 8;

/// The most passages that may wait, about 70 MB of text.
const DOCUMENT_CAPACITY: usize = 65_536;

/// Where the model is and what it must be.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// Its name in the registry, and the dimensions it must turn out to have.
    pub model: ModelInfo,
    /// The folder with `config.json`, `tokenizer.json` and `model.safetensors`, complete and verified.
    pub dir: PathBuf,
    /// Worker threads for documents; one for each core that this process may use is the usual choice.
    pub threads: NonZero<usize>,
}

/// What a lane needs of a model; the tests put something quicker in its place.
trait Engine: Send + Sync {
    fn dimensions(&self) -> usize;
    fn embed(&self, texts: &[&str], priority: Priority) -> Result<Vec<Vec<f32>>, EmbeddingError>;
    fn chunk(&self, text: &str) -> Result<Vec<Chunk>, EmbeddingError>;
}

impl Engine for Encoder {
    fn dimensions(&self) -> usize {
        self.dimensions()
    }

    fn embed(&self, texts: &[&str], priority: Priority) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        match priority {
            Priority::Query => self.embed_here(texts),
            Priority::Document => self.embed(texts),
        }
        .map_err(|_| EmbeddingError::Failed)
    }

    fn chunk(&self, text: &str) -> Result<Vec<Chunk>, EmbeddingError> {
        self.chunk(text).map_err(|_| EmbeddingError::Failed)
    }
}

type Load = Box<dyn Fn() -> Result<Arc<dyn Engine>, EmbeddingError> + Send + Sync>;

/// An engine that is loaded when it is first needed, by the thread that needs it.
struct Lazy {
    dimensions: usize,
    load: Load,
    loaded: Mutex<Option<Arc<dyn Engine>>>,
}

impl Lazy {
    /// Blocks while another thread loads.
    fn engine(&self) -> Result<Arc<dyn Engine>, EmbeddingError> {
        // Poisoned by a panic while loading: nothing was put in then.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*loaded {
            return Ok(Arc::clone(engine));
        }
        let engine = (self.load)()?;
        let (expected, found) = (self.dimensions, engine.dimensions());
        if found != expected {
            return Err(EmbeddingError::Dimensions { expected, found });
        }
        Ok(Arc::clone(loaded.insert(engine)))
    }
}

/// A model on this machine. Dropping it ends its threads after the batch under way.
pub struct LocalProvider {
    model: ModelInfo,
    cache: QueryCache,
    queries: Lane,
    documents: Lane,
    engine: Arc<Lazy>,
}

impl std::fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalProvider").field("model", &self.model).finish_non_exhaustive()
    }
}

impl LocalProvider {
    /// Starts the two threads. The model is not read yet.
    ///
    /// # Errors
    /// [`EmbeddingError::Model`] if the operating system starts no thread.
    pub fn new(settings: LocalSettings) -> Result<Self, EmbeddingError> {
        let LocalSettings { model, dir, threads } = settings;
        let load: Load = Box::new(move || {
            let encoder = Encoder::load_with_threads(&dir, threads);
            Ok(Arc::new(encoder.map_err(|error| EmbeddingError::Model(error.to_string()))?))
        });
        Self::start(model, threads, load)
    }

    fn start(model: ModelInfo, threads: NonZero<usize>, load: Load) -> Result<Self, EmbeddingError> {
        let engine = Arc::new(Lazy { dimensions: model.dimensions, load, loaded: Mutex::new(None) });
        let lane = |name, batch, capacity, priority| {
            let engine = Arc::clone(&engine);
            let work = Box::new(move |texts: &[&str]| engine.engine()?.embed(texts, priority));
            Lane::start(name, batch, capacity, work).map_err(|error| EmbeddingError::Model(error.to_string()))
        };
        Ok(Self {
            cache: QueryCache::new(&model.name),
            queries: lane("embed-queries", QUERY_BATCH, QUERY_CAPACITY, Priority::Query)?,
            documents: lane(
                "embed-documents",
                threads.get().saturating_mul(DOCUMENT_BATCH_PER_THREAD),
                DOCUMENT_CAPACITY,
                Priority::Document,
            )?,
            model,
            engine,
        })
    }

    /// Runs `work` with the engine on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Engine) -> Result<T, EmbeddingError> + Send + 'static,
    ) -> Result<T, EmbeddingError> {
        let engine = Arc::clone(&self.engine);
        let work =
            move || catch_unwind(AssertUnwindSafe(|| work(&*engine.engine()?))).unwrap_or(Err(EmbeddingError::Failed));
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(EmbeddingError::Stopped))
    }
}

impl Provider for LocalProvider {
    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn embed(&self, texts: Vec<String>, priority: Priority) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbeddingError>> {
        match priority {
            Priority::Query => self.cache.complete(texts, |texts| self.queries.embed(texts)).boxed(),
            Priority::Document => self.documents.embed(texts).boxed(),
        }
    }

    fn chunk(&self, text: Arc<str>) -> BoxFuture<'_, Result<Vec<Chunk>, EmbeddingError>> {
        self.blocking(move |engine| engine.chunk(&text)).boxed()
    }

    fn warm(&self) -> BoxFuture<'_, Result<(), EmbeddingError>> {
        self.blocking(|_| Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Vectors that tell the text's length. Documents wait for a message, so that a test decides when they are done.
    struct Fake {
        texts: Arc<AtomicUsize>,
        documents: Mutex<mpsc::Receiver<()>>,
    }

    impl Engine for Fake {
        fn dimensions(&self) -> usize {
            2
        }

        fn embed(&self, texts: &[&str], priority: Priority) -> Result<Vec<Vec<f32>>, EmbeddingError> {
            if priority == Priority::Document {
                self.documents.lock().unwrap().recv().unwrap();
            }
            self.texts.fetch_add(texts.len(), Ordering::SeqCst);
            Ok(texts.iter().map(|text| vec![f32::from(u8::try_from(text.len()).unwrap()), 0.0]).collect())
        }

        fn chunk(&self, text: &str) -> Result<Vec<Chunk>, EmbeddingError> {
            assert!(text != "panic");
            Ok(anamnesis_encoder::chunk_approximately(text))
        }
    }

    struct Setup {
        provider: LocalProvider,
        texts: Arc<AtomicUsize>,
        loads: Arc<AtomicUsize>,
        /// Lets one batch of documents through.
        go: mpsc::Sender<()>,
    }

    /// A provider over a fake model of two dimensions whose first `failures` loads fail.
    fn provider(dimensions: usize, failures: usize) -> Setup {
        let (go, documents) = mpsc::channel();
        let (texts, loads) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, loading, documents) = (Arc::clone(&texts), Arc::clone(&loads), Mutex::new(Some(documents)));
        let load: Load = Box::new(move || {
            if loading.fetch_add(1, Ordering::SeqCst) < failures {
                return Err(EmbeddingError::Model("cannot read model.safetensors".into()));
            }
            let documents = Mutex::new(documents.lock().unwrap().take().unwrap());
            Ok(Arc::new(Fake { texts: Arc::clone(&counted), documents }))
        });
        let model = ModelInfo { name: "fake".into(), dimensions };
        Setup { provider: LocalProvider::start(model, NonZero::<usize>::MIN, load).unwrap(), texts, loads, go }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_query_is_answered_while_documents_are_under_way() {
        let Setup { provider, go, .. } = provider(2, 0);
        let mut documents = provider.embed(owned(&["a long document"]), Priority::Document);
        assert!(futures::poll!(&mut documents).is_pending());
        let query = provider.embed(owned(&["pain"]), Priority::Query).await;
        assert_eq!(query, Ok(vec![vec![4.0, 0.0]]));
        assert!(futures::poll!(&mut documents).is_pending());
        go.send(()).unwrap();
        assert_eq!(documents.await, Ok(vec![vec![15.0, 0.0]]));
    }

    #[tokio::test]
    async fn a_query_is_computed_once_and_a_document_every_time() {
        let Setup { provider, texts, go, .. } = provider(2, 0);
        for query in [&["pain"][..], &["pain", "sleep"], &["sleep"]] {
            provider.embed(owned(query), Priority::Query).await.unwrap();
        }
        assert_eq!(texts.load(Ordering::SeqCst), 2);
        for _ in 0..2 {
            go.send(()).unwrap();
            provider.embed(owned(&["pain"]), Priority::Document).await.unwrap();
        }
        assert_eq!(texts.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn the_model_is_loaded_at_first_use_and_once() {
        let Setup { provider, loads, .. } = provider(2, 0);
        assert_eq!((provider.model().dimensions, loads.load(Ordering::SeqCst)), (2, 0));
        provider.warm().await.unwrap();
        provider.embed(owned(&["a"]), Priority::Query).await.unwrap();
        provider.chunk("some text".into()).await.unwrap();
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_model_put_in_place_later_is_found() {
        let Setup { provider, .. } = provider(2, 2);
        let missing = Err(EmbeddingError::Model("cannot read model.safetensors".into()));
        assert_eq!(provider.warm().await, missing);
        assert_eq!(provider.embed(owned(&["a"]), Priority::Query).await.map(drop), missing);
        assert_eq!(provider.embed(owned(&["a"]), Priority::Query).await, Ok(vec![vec![1.0, 0.0]]));
    }

    #[tokio::test]
    async fn a_model_of_other_dimensions_is_refused() {
        let Setup { provider, .. } = provider(384, 0);
        assert_eq!(provider.warm().await, Err(EmbeddingError::Dimensions { expected: 384, found: 2 }));
    }

    #[tokio::test]
    async fn a_panic_while_chunking_is_an_error() {
        let Setup { provider, .. } = provider(2, 0);
        assert_eq!(provider.chunk("panic".into()).await, Err(EmbeddingError::Failed));
        assert_eq!(provider.chunk("no panic".into()).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_missing_folder_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let model = ModelInfo { name: "all-MiniLM-L6-v2".into(), dimensions: 384 };
        let settings = LocalSettings { model, dir: dir.path().into(), threads: NonZero::<usize>::MIN };
        let error = LocalProvider::new(settings).unwrap().warm().await.unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().contains("config.json"), "{error}");
    }

    #[tokio::test]
    async fn dropping_the_provider_drops_the_model() {
        struct Witness(#[expect(dead_code, reason = "its drop is what counts")] mpsc::Sender<()>);
        impl Engine for Witness {
            fn dimensions(&self) -> usize {
                2
            }
            fn embed(&self, texts: &[&str], _: Priority) -> Result<Vec<Vec<f32>>, EmbeddingError> {
                Ok(vec![vec![1.0, 0.0]; texts.len()])
            }
            fn chunk(&self, _: &str) -> Result<Vec<Chunk>, EmbeddingError> {
                Ok(Vec::new())
            }
        }
        let (alive, gone) = mpsc::channel();
        let load: Load = Box::new(move || Ok(Arc::new(Witness(alive.clone()))));
        let model = ModelInfo { name: "fake".into(), dimensions: 2 };
        let provider = LocalProvider::start(model, NonZero::<usize>::MIN, load).unwrap();
        provider.embed(owned(&["a"]), Priority::Query).await.unwrap();
        provider.embed(owned(&["a"]), Priority::Document).await.unwrap();
        drop(provider);
        // Both threads and the loader hold the sender; the channel closes when all are gone.
        assert_eq!(gone.recv_timeout(Duration::from_secs(10)), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
