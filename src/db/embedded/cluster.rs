//! The data folder: its layout, who may use it, and its first initialisation.
//!
//! Invariants: one process owns the folder at a time (`owner.lock`), and a server may run in it only
//! while its guard holds `guard.lock`; a cluster appears by one rename, so a killed `initdb` leaves
//! nothing that looks like data; a folder that holds anything foreign is not touched.
//!
//! ```text
//! <data_dir>/pgdata/       the cluster, owned by the account that runs it
//! <data_dir>/run/          its socket, unless the path is too long
//! <data_dir>/server.log    what the server and its guard say; `server.log.1` the former one
//! <data_dir>/*.lock
//! ```

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::error::EmbeddedError;
use super::guard::clean_environment;
use crate::provision::PostgresDist;
use crate::provision::place::{barrier, create_folders};

/// The role that owns the cluster.
pub const SUPERUSER: &str = "postgres";
/// A server of a former start gets this long to finish its shutdown.
const FORMER_SHUTDOWN_MAX: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);
/// The log starts anew above this.
const LOG_BYTES_MAX: u64 = 8_000_000;
const TAIL_LINES: usize = 20;
const TAIL_BYTES_MAX: u64 = 16_384;
/// Everything that may lie in a data folder of ours.
const OURS: [&str; 7] = ["pgdata", "pgdata.new", "run", "server.log", "server.log.1", "owner.lock", "guard.lock"];

/// A data folder that this process owns until it is dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) data_dir: PathBuf,
    /// PostgreSQL's own data folder.
    pub(super) pgdata: PathBuf,
    pub(super) log: PathBuf,
    pub(super) guard_lock: PathBuf,
    pub(super) account: Account,
    _owner_lock: Lock,
}

/// A lock on a file, given back when dropped. Closing the file alone would not do: a child that another thread has
/// forked and that has not yet run its program holds the same open file for a moment.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // It is closed next, which gives it back as well.
        self.0.unlock().ok();
    }
}

impl Cluster {
    /// Takes the folder for this process, creating it when it is missing, and waits until the server of
    /// a former start has finished its shutdown.
    ///
    /// # Errors
    /// [`EmbeddedError::InUse`], [`EmbeddedError::DoesNotStop`], [`EmbeddedError::NotOurs`],
    /// [`EmbeddedError::WrongOwner`], [`EmbeddedError::Unreachable`], [`EmbeddedError::NoAccount`],
    /// [`EmbeddedError::Io`].
    pub(super) async fn open(data_dir: &Path, dist: &PostgresDist) -> Result<Self, EmbeddedError> {
        let data_dir = std::path::absolute(data_dir).map_err(EmbeddedError::io("resolve", data_dir))?;
        let account = Account::for_cluster(&data_dir.join("pgdata"))?;
        // Root's locks and log lie beside the cluster, out of the account's reach; it must pass through.
        let mode = if account.changes { 0o711 } else { 0o700 };
        create_folders(&data_dir, if account.changes { 0o755 } else { 0o700 })
            .map_err(EmbeddedError::io("create", &data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(EmbeddedError::io("resolve", &data_dir))?;
        check_ours(&data_dir)?;
        fs::set_permissions(&data_dir, Permissions::from_mode(mode))
            .map_err(EmbeddedError::io("change the mode of", &data_dir))?;
        for path in [&data_dir, &dist.bin] {
            check_reachable(path, &account)?;
        }

        let owner_lock = take_ownership(&data_dir)?;
        let cluster = Self {
            pgdata: data_dir.join("pgdata"),
            log: data_dir.join("server.log"),
            guard_lock: data_dir.join("guard.lock"),
            data_dir,
            account,
            _owner_lock: owner_lock,
        };
        cluster.wait_for_former_guard().await?;
        Ok(cluster)
    }

    /// Makes sure that there is a cluster of the right version, with `initdb` when there is none.
    ///
    /// # Errors
    /// [`EmbeddedError::OtherMajor`], [`EmbeddedError::NotOurs`], [`EmbeddedError::WrongOwner`],
    /// [`EmbeddedError::InitFailed`], [`EmbeddedError::Io`].
    pub(super) async fn ensure_initialised(&self, dist: &PostgresDist, fsync: bool) -> Result<(), EmbeddedError> {
        if !self.pgdata.exists() {
            return self.initialise(dist, fsync).await;
        }
        check_owner(&self.pgdata, self.account.uid, &self.account.name)?;
        let file = self.pgdata.join("PG_VERSION");
        let found = fs::read_to_string(&file).map_err(|error| EmbeddedError::NotOurs {
            data_dir: self.data_dir.clone(),
            detail: format!("{} cannot be read: {error}", file.display()),
        })?;
        if found.trim() == dist.major.to_string() {
            return Ok(());
        }
        Err(EmbeddedError::OtherMajor {
            data_dir: self.data_dir.clone(),
            found: found.trim().to_owned(),
            wanted: dist.major,
        })
    }

    async fn initialise(&self, dist: &PostgresDist, fsync: bool) -> Result<(), EmbeddedError> {
        let new = self.data_dir.join("pgdata.new");
        if new.exists() {
            fs::remove_dir_all(&new).map_err(EmbeddedError::io("remove", &new))?;
        }
        create_folders(&new, 0o700).map_err(EmbeddedError::io("create", &new))?;
        if self.account.changes {
            chown(&new, Some(self.account.uid), Some(self.account.gid))
                .map_err(EmbeddedError::io("change the owner of", &new))?;
        }
        let initdb = dist.bin.join("initdb");
        let mut command = Command::new(&initdb);
        command.arg("-D").arg(&new).args(["-U", SUPERUSER, "-E", "UTF8", "--no-instructions"]);
        // Trust holds for the socket only, and that lies in a folder closed to others.
        command.args(["--auth-local=trust", "--auth-host=reject"]);
        command.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]);
        command.args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"]);
        if !fsync {
            command.arg("--no-sync");
        }
        command.current_dir(&self.data_dir).stdin(Stdio::null()).kill_on_drop(true);
        clean_environment(&mut command);
        self.account.apply(&mut command);
        let output = command.output().await.map_err(EmbeddedError::io("run", &initdb))?;
        if !output.status.success() {
            return Err(EmbeddedError::InitFailed {
                data_dir: self.data_dir.clone(),
                detail: last_lines(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat())),
            });
        }
        fs::rename(&new, &self.pgdata)
            .and_then(|()| File::open(&self.data_dir)?.sync_all())
            .map_err(EmbeddedError::io("create", &self.pgdata))
    }

    /// Opens the log for appending, putting a long one aside, and gives the place where it now ends.
    ///
    /// # Errors
    /// [`EmbeddedError::Io`].
    pub(super) fn open_log(&self) -> Result<(File, u64), EmbeddedError> {
        if fs::metadata(&self.log).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
            let former = self.log.with_extension("log.1");
            fs::rename(&self.log, &former).map_err(EmbeddedError::io("rename", &self.log))?;
        }
        let open = || {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log)?;
            let end = file.metadata()?.len();
            Ok((file, end))
        };
        open().map_err(EmbeddedError::io("write", &self.log))
    }

    /// The last lines of the log after `start`.
    pub(super) fn log_tail(&self, start: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL_BYTES_MAX))))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(last_lines(&String::from_utf8_lossy(&bytes)))
        };
        read().unwrap_or_else(|error| format!("(it cannot be read: {error})"))
    }

    /// A guard whose parent died still shuts its server down; nothing is to be done but wait.
    async fn wait_for_former_guard(&self) -> Result<(), EmbeddedError> {
        let path = &self.guard_lock;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(EmbeddedError::io("write", path))?;
        let patience = Instant::now() + FORMER_SHUTDOWN_MAX;
        while file.try_lock().is_err() {
            if Instant::now() > patience {
                return Err(EmbeddedError::DoesNotStop {
                    data_dir: self.data_dir.clone(),
                    pid: fs::read_to_string(self.pgdata.join("postmaster.pid"))
                        .ok()
                        .and_then(|text| text.lines().next().map(str::to_owned))
                        .unwrap_or_else(|| "unknown".to_owned()),
                });
            }
            sleep(POLL).await;
        }
        // For the new guard.
        drop(Lock(file));
        Ok(())
    }
}

/// Refuses a folder that holds anything this module did not put there, or that another user made.
fn check_ours(data_dir: &Path) -> Result<(), EmbeddedError> {
    let own = rustix::process::geteuid().as_raw();
    check_owner(data_dir, own, &format!("user id {own}"))?;
    let entries = fs::read_dir(data_dir).map_err(EmbeddedError::io("list", data_dir))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            return Err(EmbeddedError::NotOurs {
                data_dir: data_dir.to_owned(),
                detail: format!("it contains {}", name.display()),
            });
        }
    }
    Ok(())
}

fn check_owner(path: &Path, wanted: u32, name: &str) -> Result<(), EmbeddedError> {
    let found = fs::metadata(path).map_err(EmbeddedError::io("look at", path))?.uid();
    if found == wanted {
        Ok(())
    } else {
        Err(EmbeddedError::WrongOwner { path: path.to_owned(), found, wanted: name.to_owned() })
    }
}

fn check_reachable(path: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match barrier(path, account.uid, account.gid).map_err(EmbeddedError::io("look at", path))? {
        Some(barrier) => {
            Err(EmbeddedError::Unreachable { path: path.to_owned(), barrier, account: account.name.clone() })
        }
        None => Ok(()),
    }
}

/// Locks the folder for this process and notes its id for whoever is refused.
fn take_ownership(data_dir: &Path) -> Result<Lock, EmbeddedError> {
    let path = data_dir.join("owner.lock");
    let fault = |error| EmbeddedError::io("write", &path)(error);
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok();
            return Err(EmbeddedError::InUse {
                data_dir: data_dir.to_owned(),
                holder: match holder.trim() {
                    "" => "another process".to_owned(),
                    pid => format!("process {pid}"),
                },
            });
        }
        Err(fs::TryLockError::Error(error)) => return Err(fault(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fault)?;
    Ok(Lock(file))
}

/// The last lines of a text.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
