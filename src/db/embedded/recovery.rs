//! What a crash leaves in a data folder, and how the next start deals with it.
//!
//! Only called while this process owns the folder and no guard does. So a server that still runs in it
//! lost its guard, and nobody else will stop it; and a lock file naming a living process that is no
//! server of this folder names a process id that was given out again, which PostgreSQL alone would take
//! for a rival. A lock file of a dead process is left to PostgreSQL, which checks for surviving
//! children before it removes it.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::error::EmbeddedError;
use super::socket::SOCKET_NAME;

/// For a fast shutdown with its checkpoint, then for an immediate one.
const PATIENCE: [(Signal, Duration); 2] =
    [(Signal::INT, Duration::from_secs(30)), (Signal::QUIT, Duration::from_secs(10))];
const POLL: Duration = Duration::from_millis(20);

/// Stops a server without a guard and removes lock files that only seem to be held.
///
/// # Errors
/// [`EmbeddedError::DoesNotStop`], [`EmbeddedError::Io`].
pub(super) async fn clear_leftovers(cluster: &Cluster, socket_dir: &Path) -> Result<(), EmbeddedError> {
    stop_running(cluster).await?;
    let socket = socket_dir.join(SOCKET_NAME);
    let socket_lock = socket_dir.join(format!("{SOCKET_NAME}.lock"));
    let server_lock = cluster.pgdata.join("postmaster.pid");
    for (lock, beside) in [(&server_lock, None), (&socket_lock, Some(&socket))] {
        if first_line_pid(lock).is_some_and(is_alive) {
            tracing::info!("removing a stale lock file of the embedded PostgreSQL");
            for path in beside.into_iter().chain([lock]) {
                remove(path)?;
            }
        }
    }
    Ok(())
}

/// Stops a server that runs in this folder, if one does.
///
/// # Errors
/// [`EmbeddedError::DoesNotStop`].
pub(super) async fn stop_running(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let Some(pid) = running(&cluster.pgdata) else {
        return Ok(());
    };
    tracing::warn!("an embedded PostgreSQL of a former start lost its guard and is being stopped");
    for (signal, patience) in PATIENCE {
        let deadline = Instant::now() + patience;
        // It may end between the look and the signal.
        kill_process(pid, signal).ok();
        while Instant::now() < deadline {
            if running(&cluster.pgdata) != Some(pid) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(EmbeddedError::DoesNotStop { data_dir: cluster.data_dir.clone(), pid: pid.as_raw_nonzero().to_string() })
}

/// The server process that serves this cluster now.
fn running(pgdata: &Path) -> Option<Pid> {
    let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    let pid = parse_pid(&text)?;
    (is_alive(pid) && serves(pid, pgdata, &text)).then_some(pid)
}

/// Whether that living process is a server of this folder. A server's working folder is its data
/// folder; where the system does not tell it, its socket is tried.
fn serves(pid: Pid, pgdata: &Path, pid_file: &str) -> bool {
    let link = PathBuf::from(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
    match fs::read_link(link) {
        Ok(folder) => folder == pgdata,
        Err(_) => socket_of(pid_file).is_some_and(|path| UnixStream::connect(path).is_ok()),
    }
}

/// The socket's path out of the server's lock file: the port is its fourth line, the folder its fifth.
fn socket_of(pid_file: &str) -> Option<PathBuf> {
    let mut lines = pid_file.lines().skip(3);
    let port: u16 = lines.next()?.trim().parse().ok()?;
    let folder = lines.next()?.trim();
    (!folder.is_empty()).then(|| Path::new(folder).join(format!(".s.PGSQL.{port}")))
}

fn first_line_pid(lock: &Path) -> Option<Pid> {
    parse_pid(&fs::read_to_string(lock).ok()?)
}

fn parse_pid(text: &str) -> Option<Pid> {
    // A negative number marks a server in single-user mode.
    let number: i32 = text.lines().next()?.trim().parse().ok()?;
    Pid::from_raw(number.checked_abs()?)
}

fn is_alive(pid: Pid) -> bool {
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

fn remove(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EmbeddedError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID_FILE: &str = "4711\n/srv/pgdata\n1790000000\n5432\n/srv/run\n\n  1 2\nready   \n";

    #[test]
    fn the_servers_lock_file_is_read() {
        assert_eq!(parse_pid(PID_FILE), Pid::from_raw(4711));
        assert_eq!(socket_of(PID_FILE), Some(PathBuf::from("/srv/run/.s.PGSQL.5432")));
        assert_eq!(parse_pid(""), None);
        assert_eq!(socket_of("4711\n/srv/pgdata\n"), None);
    }

    #[test]
    fn a_living_process_elsewhere_is_no_server_of_this_folder() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id();
        let text = format!("{own}\n{}\n1\n5432\n/nowhere\n", folder.path().display());
        fs::write(folder.path().join("postmaster.pid"), text).unwrap();
        assert!(Pid::from_raw(own.cast_signed()).is_some_and(is_alive));
        assert_eq!(running(folder.path()), None);
    }
}
