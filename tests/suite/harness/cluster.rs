//! The cluster of the run: started once, stopped by its guard when this process ends, however it ends.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anamnesis::config::Places;
use anamnesis::db::embedded::{Embedded, EmbeddedOptions, OWNER};
use anamnesis::provision;
use tokio::sync::Mutex;

/// A PostgreSQL of this run alone, with the migrated template in it.
pub struct Cluster {
    embedded: Embedded,
    programs: PathBuf,
    next: AtomicU32,
    // Cloning locks the template: one at a time.
    admin: Mutex<()>,
}

const TEMPLATE: &str = "anamnesis_template";

/// The runtime that outlives the tests; each test brings its own besides.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

/// The cluster, started by whichever test comes first.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| std::thread::spawn(|| runtime().block_on(Cluster::start())).join().unwrap())
}

/// The program under test.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_anamnesis"))
}

/// Runs statements as the superuser, outside any transaction.
pub async fn execute(url: &str, statements: &[&str]) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    for statement in statements {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    drop(client);
    driving.await.unwrap().unwrap();
}

/// Clusters of runs that are over. A run's own guard has stopped its server; the files are ours to remove.
fn remove_leftovers(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let pid =
            entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(rustix::process::Pid::from_raw);
        if pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Cluster {
    async fn start() -> Self {
        // Every test has a server, its clients and their connections in this one process.
        rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let places = Places::from_environment();
        let root = places.cache.0.join("tests");
        remove_leftovers(&root);
        let cache = places.cache.clone();
        let dist =
            tokio::task::spawn_blocking(move || provision::postgres(&cache, &mut provision::StderrReport::default()))
                .await
                .unwrap()
                .unwrap_or_else(|error| panic!("{error}"));
        let programs = dist.bin.clone();
        let embedded = Embedded::start(EmbeddedOptions {
            dist,
            data_dir: root.join(std::process::id().to_string()),
            runtime_dir: places.runtime,
            guard_program: program(),
            guard_args: vec!["postgres-guard".into()],
            max_connections: 500,
            fsync: false,
            settings: Vec::new(),
        })
        .await
        .unwrap_or_else(|error| panic!("{error}"));
        let template = embedded.recreate_database(TEMPLATE).await.unwrap();
        anamnesis::db::migrate::up(&template.owner).await.unwrap();
        Self { embedded, programs, next: AtomicU32::new(0), admin: Mutex::new(()) }
    }

    /// A program of the cluster's PostgreSQL.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A database of the test's own, cloned from the template with its grants and policies.
    pub async fn database(&self) -> TestDatabase {
        let name = format!("t{}", self.next.fetch_add(1, Ordering::SeqCst));
        let _one_at_a_time = self.admin.lock().await;
        execute(
            self.embedded.database("postgres").superuser.reveal(),
            &[&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER} STRATEGY file_copy")],
        )
        .await;
        let urls = self.embedded.database(&name);
        TestDatabase {
            server_url: urls.server.reveal().to_owned(),
            owner_url: urls.owner.reveal().to_owned(),
            superuser_url: urls.superuser.reveal().to_owned(),
        }
    }
}

/// Ways into one test's database.
pub struct TestDatabase {
    /// As the server logs in: owns nothing, bypasses nothing.
    pub server_url: String,
    pub owner_url: String,
    /// For what only an attacker with the disk could do.
    pub superuser_url: String,
}
