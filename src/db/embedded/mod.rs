//! The embedded PostgreSQL: a cluster of our own for whoever sets no `DATABASE_URL`.
//!
//! Invariants: never as root; never a listening port, only a socket in a folder closed to others;
//! writes are durable unless a test says otherwise; the server never outlives this process by more
//! than its shutdown, however this process ends (`guard`); a crash leaves nothing that blocks the next
//! start (`recovery`).
//!
//! Not here: the choice between this and `DATABASE_URL`, migrations, pools. Nothing of the
//! environment is read. The server's log holds its own messages only: errors of sessions, statements
//! and parameters, which could carry patient data, go to the client and nowhere else.

mod account;
mod cluster;
mod database;
mod error;
pub mod guard;
mod recovery;
mod self_test;
mod socket;

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

pub use error::EmbeddedError;

use crate::provision::{PostgresDist, place};
use cluster::Cluster;
pub use cluster::SUPERUSER;
pub use database::{DatabaseUrls, OWNER};
use guard::Plan;
use self_test::Verdict;

/// Where root keeps the data: its home is closed to the account that runs the server.
const ROOT_DATA: &str = "/var/lib/anamnesis";
/// A server that recovers from a crash says so and may take long; one that says nothing may not.
const SILENCE_MAX: Duration = Duration::from_mins(1);
const RECOVERY_MAX: Duration = Duration::from_mins(15);
/// Recovery of a cluster in which little was written.
const RESTART_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(15);
/// Above the guard's own patience with its server.
const STOP_MAX: Duration = Duration::from_secs(90);
/// Children of a killed server leave at once when they notice; until then a new one is refused.
const SURVIVORS_MAX: Duration = Duration::from_secs(30);
/// How the log tells of a killed child.
const CHILD_CRASHED: &str = "was terminated by signal";
const SURVIVORS: &str = "pre-existing shared memory block";

/// The folder for the product's data: `anamnesis` below `xdg_data_home` where that is an absolute path,
/// else below `~/.local/share`. As root, a place that an unprivileged account cannot reach gives way to
/// `/var/lib/anamnesis`. The cluster wants a folder of its own below it.
#[must_use]
pub fn default_data_root(home: &Path, xdg_data_home: Option<&Path>) -> PathBuf {
    let preferred = xdg_data_home
        .filter(|path| path.is_absolute())
        .map_or_else(|| home.join(".local/share"), Path::to_owned)
        .join("anamnesis");
    place::choose(preferred, Path::new(ROOT_DATA))
}

/// What to start.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The server's programs.
    pub dist: PostgresDist,
    /// A folder for the cluster alone; created when missing. As root, its parents must let an
    /// unprivileged account pass.
    pub data_dir: PathBuf,
    /// The user's runtime folder (`XDG_RUNTIME_DIR`), used for the socket when `data_dir` is too long.
    pub runtime_dir: Option<PathBuf>,
    /// The program that runs [`guard::run`].
    pub guard_program: PathBuf,
    /// What makes it do so, such as the name of a subcommand.
    pub guard_args: Vec<OsString>,
    /// PostgreSQL's `max_connections`.
    pub max_connections: u32,
    /// Whether writes survive a power cut. Only tests may say no.
    pub fsync: bool,
    /// Further settings by name; those this module depends on cannot be overridden.
    pub settings: Vec<(String, String)>,
}

/// A running server. Dropping it begins the shutdown as [`stop`](Self::stop) does, without waiting.
#[derive(Debug)]
pub struct Embedded {
    cluster: Cluster,
    socket_dir: PathBuf,
    guard: Child,
    /// The guard shuts the server down when this closes.
    lifeline: Option<ChildStdin>,
    log_start: u64,
}

impl Embedded {
    /// Starts the server and waits until it answers; initialises the data folder the first time.
    ///
    /// # Errors
    /// Any [`EmbeddedError`]; its message says what to do. Nothing is left running then.
    pub async fn start(options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        check_settings(&options.settings)?;
        let cluster = Cluster::open(&options.data_dir, &options.dist).await?;
        let untested = !self_test::passed_before(&options.dist);
        if untested {
            check_runs(&options.dist, &cluster).await?;
        }
        cluster.ensure_initialised(&options.dist, options.fsync).await?;
        let socket_dir = socket::folder(&cluster.data_dir, options.runtime_dir.as_deref(), &cluster.account)?;
        recovery::clear_leftovers(&cluster, &socket_dir).await?;

        let (log, log_start) = cluster.open_log()?;
        let (guard, lifeline) = spawn_guard(&options, &cluster, &socket_dir, &log)?;
        let mut embedded = Self { cluster, socket_dir, guard, lifeline: Some(lifeline), log_start };
        let client = embedded.wait_until_ready(&options, &log).await?;
        if untested {
            embedded.test_vectors(&client).await?;
            self_test::remember(&options.dist);
        }
        Ok(embedded)
    }

    /// A connection string for tokio-postgres and libpq, such as
    /// `postgres://user@/database?host=%2Frun%2Fanamnesis`.
    #[must_use]
    pub fn url(&self, database: &str, user: &str) -> String {
        format!(
            "postgres://{}@/{}?host={}",
            percent_encoded(user),
            percent_encoded(database),
            percent_encoded(&self.socket_dir.to_string_lossy())
        )
    }

    /// The folder of the socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.cluster.log
    }

    /// The guard's process id while it runs.
    #[must_use]
    pub fn guard_id(&self) -> Option<u32> {
        self.guard.id()
    }

    /// Returns when the server or its guard ended without having been asked to, with the reason.
    /// May be dropped and called again.
    pub async fn ended(&mut self) -> EmbeddedError {
        self.guard.wait().await.ok();
        self.not_serving("ended unexpectedly")
    }

    /// Shuts the server down and waits for it.
    ///
    /// # Errors
    /// [`EmbeddedError::DoesNotStop`] when it does not end in time.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        self.close().await
    }

    async fn close(&mut self) -> Result<(), EmbeddedError> {
        drop(self.lifeline.take());
        if timeout(STOP_MAX, self.guard.wait()).await.is_err() {
            tracing::warn!("the guard of the embedded PostgreSQL does not end");
        }
        // Only when the guard was killed.
        recovery::stop_running(&self.cluster).await?;
        if !self.socket_dir.starts_with(&self.cluster.data_dir) {
            // Empty by now; it stays where it is not.
            std::fs::remove_dir(&self.socket_dir).ok();
        }
        Ok(())
    }

    /// Connects as soon as the server lets anyone in.
    async fn wait_until_ready(&mut self, options: &EmbeddedOptions, log: &File) -> Result<Client, EmbeddedError> {
        let start = Instant::now();
        let mut last_word = start;
        loop {
            if let Ok(Some(_)) = self.guard.try_wait() {
                if start.elapsed() < SURVIVORS_MAX && self.cluster.log_tail(self.log_start).contains(SURVIVORS) {
                    sleep(POLL).await;
                    self.log_start = log.metadata().map_or(self.log_start, |meta| meta.len());
                    let (guard, lifeline) = spawn_guard(options, &self.cluster, &self.socket_dir, log)?;
                    (self.guard, self.lifeline) = (guard, Some(lifeline));
                    continue;
                }
                return Err(self.not_serving("ended while starting"));
            }
            match connect(&self.socket_dir).await {
                Ok(client) => return Ok(client),
                // "Starting up", which includes recovery after a crash.
                Err(error) if error.code() == Some(&SqlState::CANNOT_CONNECT_NOW) => last_word = Instant::now(),
                Err(error) if error.as_db_error().is_some() => {
                    let fault = self.not_serving(&format!("refuses connections: {error}"));
                    self.close().await.ok();
                    return Err(fault);
                }
                Err(_) => {}
            }
            if last_word.elapsed() > SILENCE_MAX || start.elapsed() > RECOVERY_MAX {
                let fault = self.not_serving("does not answer");
                self.close().await.ok();
                return Err(fault);
            }
            sleep(POLL).await;
        }
    }

    async fn test_vectors(&mut self, client: &Client) -> Result<(), EmbeddedError> {
        let Err(verdict) = self_test::run(client).await else {
            return Ok(());
        };
        let error = match verdict {
            Verdict::Crashed => {
                self.wait_for_restart().await;
                EmbeddedError::SelfTestCrashed { tail: self.cluster.log_tail(self.log_start) }
            }
            Verdict::Failed(detail) => EmbeddedError::SelfTestFailed { detail },
        };
        self.close().await.ok();
        Err(error)
    }

    /// A server whose child crashed starts again within itself. PostgreSQL 18 can lose a shutdown that
    /// is asked for just then, and would be ended the hard way only after the guard's patience.
    async fn wait_for_restart(&mut self) {
        let patience = Instant::now() + RESTART_MAX;
        while Instant::now() < patience && matches!(self.guard.try_wait(), Ok(None)) {
            // Until the crash is noticed the server still lets people in.
            let noticed = self.cluster.log_tail(self.log_start).contains(CHILD_CRASHED);
            if noticed && connect(&self.socket_dir).await.is_ok() {
                return;
            }
            sleep(POLL).await;
        }
    }

    fn not_serving(&self, how: &str) -> EmbeddedError {
        EmbeddedError::NotServing {
            how: how.to_owned(),
            log: self.cluster.log.clone(),
            tail: self.cluster.log_tail(self.log_start),
        }
    }
}

async fn connect(socket_dir: &Path) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host_path(socket_dir).user(SUPERUSER).dbname("postgres").connect_timeout(Duration::from_secs(5));
    let (client, connection) = config.connect(NoTls).await?;
    // Ends with the client, or with the server; both are noticed elsewhere.
    tokio::spawn(connection);
    Ok(client)
}

/// Asks the server for its version, which fails where the system cannot load it at all.
async fn check_runs(dist: &PostgresDist, cluster: &Cluster) -> Result<(), EmbeddedError> {
    let mut command = Command::new(dist.bin.join("postgres"));
    command.arg("--version").current_dir("/").stdin(Stdio::null());
    guard::clean_environment(&mut command);
    cluster.account.apply(&mut command);
    let detail = match command.output().await {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    Err(EmbeddedError::CannotRun { detail })
}

fn spawn_guard(
    options: &EmbeddedOptions,
    cluster: &Cluster,
    socket_dir: &Path,
    log: &File,
) -> Result<(Child, ChildStdin), EmbeddedError> {
    let plan = Plan {
        lock: cluster.guard_lock.clone(),
        account: cluster.account.changes.then_some((cluster.account.uid, cluster.account.gid)),
        program: options.dist.bin.join("postgres"),
        args: server_args(options, &cluster.pgdata, socket_dir),
    };
    let spawn = || {
        let mut command = Command::new(&options.guard_program);
        command.args(&options.guard_args).args(plan.to_args());
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        // Out of the terminal's group: Ctrl-C is for this process, which then stops the server.
        command.process_group(0).current_dir("/");
        guard::clean_environment(&mut command);
        let mut guard = command.spawn()?;
        let lifeline = guard.stdin.take().ok_or_else(|| std::io::Error::other("the guard has no standard input"))?;
        Ok((guard, lifeline))
    };
    spawn().map_err(EmbeddedError::io("run", &options.guard_program))
}

/// The server's command line. The last mention of a setting counts, so ours come last.
fn server_args(options: &EmbeddedOptions, pgdata: &Path, socket_dir: &Path) -> Vec<OsString> {
    let on = if options.fsync { "on" } else { "off" };
    let ours = [
        ("max_connections", options.max_connections.to_string()),
        ("fsync", on.to_owned()),
        ("full_page_writes", on.to_owned()),
        ("synchronous_commit", on.to_owned()),
        ("listen_addresses", String::new()),
        ("port", "5432".to_owned()),
        ("unix_socket_directories", socket_dir.to_string_lossy().into_owned()),
        ("unix_socket_permissions", "0700".to_owned()),
        ("shared_preload_libraries", "pg_stat_statements".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("cluster_name", "anamnesis".to_owned()),
        // To the guard's log and nowhere else.
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
        // Errors of sessions, their details, statements and parameters may hold patient data. `log`
        // stands above `error`: start, stop, crashes and checkpoints are told, sessions' errors are not.
        ("log_min_messages", "log".to_owned()),
        ("log_min_error_statement", "panic".to_owned()),
        ("log_error_verbosity", "terse".to_owned()),
        ("log_statement", "none".to_owned()),
        ("log_min_duration_statement", "-1".to_owned()),
        ("log_min_duration_sample", "-1".to_owned()),
        ("log_transaction_sample_rate", "0".to_owned()),
        ("log_parameter_max_length_on_error", "0".to_owned()),
        ("log_temp_files", "-1".to_owned()),
        ("log_lock_waits", "off".to_owned()),
        ("log_autovacuum_min_duration", "-1".to_owned()),
    ];
    let mut args: Vec<OsString> = vec!["-D".into(), pgdata.into()];
    let theirs = options.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in theirs.chain(ours) {
        args.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    args
}

fn check_settings(settings: &[(String, String)]) -> Result<(), EmbeddedError> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    match settings.iter().find(|(name, _)| !is_name(name)) {
        Some((name, _)) => Err(EmbeddedError::Setting { name: name.clone() }),
        None => Ok(()),
    }
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%", &format!("{byte:02X}")]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(settings: &[(&str, &str)]) -> EmbeddedOptions {
        EmbeddedOptions {
            dist: PostgresDist {
                root: "/dist".into(),
                bin: "/dist/bin".into(),
                version: "18.6".to_owned(),
                major: 18,
                identity: "test".to_owned(),
            },
            data_dir: "/data".into(),
            runtime_dir: None,
            guard_program: "/guard".into(),
            guard_args: Vec::new(),
            max_connections: 20,
            fsync: true,
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn what_safety_rests_on_cannot_be_overridden() {
        let options = options(&[("listen_addresses", "*"), ("log_statement", "all"), ("work_mem", "8MB")]);
        let args = server_args(&options, Path::new("/data/pgdata"), Path::new("/data/run"));
        let last = |name: &str| {
            args.iter()
                .rev()
                .filter_map(|arg| arg.to_str()?.split_once('='))
                .find_map(|(found, value)| (found == name).then(|| value.to_owned()))
        };
        assert_eq!(last("listen_addresses").as_deref(), Some(""));
        assert_eq!(last("log_statement").as_deref(), Some("none"));
        assert_eq!(last("work_mem").as_deref(), Some("8MB"));
        assert_eq!(last("fsync").as_deref(), Some("on"));
    }

    #[test]
    fn a_setting_is_a_name_and_not_a_command_line() {
        let odd = [("-D".to_owned(), "/elsewhere".to_owned())];
        assert!(matches!(check_settings(&odd), Err(EmbeddedError::Setting { .. })));
        assert!(check_settings(&options(&[("pg_stat_statements.max", "100")]).settings).is_ok());
    }

    #[test]
    fn paths_and_names_survive_the_url() {
        let url = format!(
            "postgres://{}@/{}?host={}",
            percent_encoded("a b"),
            percent_encoded("x/é"),
            percent_encoded("/r-1/s")
        );
        let config: Config = url.parse().unwrap();
        assert_eq!(config.get_user(), Some("a b"));
        assert_eq!(config.get_dbname(), Some("x/é"));
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix("/r-1/s".into())]);
    }
}
