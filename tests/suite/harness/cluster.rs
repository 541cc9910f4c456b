//! The cluster of the run: started once, stopped by its guard when this process ends, however it ends.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anamnesis::config::Secret;
use anamnesis::db::embedded::{Embedded, EmbeddedOptions};
use anamnesis::provision;

/// Two runs at once, as root or not, must not meet: everything of a run is below one folder of its own.
pub struct Cluster {
    embedded: Embedded,
    next: AtomicU32,
    admin: tokio::sync::Mutex<()>,
}

const TEMPLATE: &str = "anamnesis_template";

/// The runtime that outlives the tests; each test brings its own besides.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| std::thread::spawn(|| runtime().block_on(Cluster::start())).join().unwrap())
}
