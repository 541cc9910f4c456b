//! The guard: a small process between the product and the server, so that the server never outlives
//! the product.
//!
//! It holds the reading end of a pipe whose writing end only its parent has. When the parent ends,
//! however it ends, the pipe closes, and the guard shuts the server down. Invariants: it stops the
//! server for no other reason (signals from a terminal or a service manager reach the parent, which
//! decides); it holds the guard lock for as long as the server may run.
//!
//! Not here: the choice of any path or setting; all of it comes from the parent.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::account::Account;

/// A fast shutdown writes a checkpoint; on a slow disk that takes a while.
const FAST_SHUTDOWN_MAX: Duration = Duration::from_secs(30);
/// An immediate shutdown only ends processes; the next start recovers.
const IMMEDIATE_SHUTDOWN_MAX: Duration = Duration::from_secs(10);
/// Stands in the arguments for "as the account I run as".
const SAME: &str = "same";

/// What the parent asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Held while the server may run.
    pub(super) lock: PathBuf,
    /// User and group id for the server, when this process has to change.
    pub(super) account: Option<(u32, u32)>,
    /// The server program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) args: Vec<OsString>,
}

impl Plan {
    /// The plan as arguments, after whatever selects the guard's subcommand.
    pub(super) fn to_args(&self) -> Vec<OsString> {
        let (uid, gid) =
            self.account.map_or((SAME.to_owned(), SAME.to_owned()), |(uid, gid)| (uid.to_string(), gid.to_string()));
        let mut args: Vec<OsString> =
            vec![self.lock.clone().into(), uid.into(), gid.into(), self.program.clone().into()];
        args.extend(self.args.iter().cloned());
        args
    }

    fn from_args(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut args = args.into_iter();
        let lock = args.next()?.into();
        let (uid, gid) = (args.next()?, args.next()?);
        let account = if uid == SAME && gid == SAME {
            None
        } else {
            Some((uid.to_str()?.parse().ok()?, gid.to_str()?.parse().ok()?))
        };
        Some(Self { lock, account, program: args.next()?.into(), args: args.collect() })
    }
}

/// Runs the guard to its end. `args` are those after the subcommand's name; they are made by
/// [`Embedded::start`](super::Embedded::start) and are no interface for people. Standard input is the
/// pipe from the parent; what there is to say goes to standard error, which is the server's log.
///
/// Call it first thing in `main`, before a runtime, a logger or a configuration exists.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some(plan) = Plan::from_args(args) else {
        say("is started by the program itself, not by hand");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(supervise(plan))) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn supervise(plan: Plan) -> io::Result<ExitCode> {
    // Kept, never read: with a handler in place these no longer end the process.
    let _signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let lock = File::options().write(true).create(true).truncate(false).open(&plan.lock)?;
    lock.try_lock().map_err(|error| io::Error::other(format!("{}: {error}", plan.lock.display())))?;
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let parent = pipe::Receiver::from_owned_fd(stdin)?;

    let mut command = Command::new(&plan.program);
    command.args(&plan.args);
    command.stdin(Stdio::null()).stdout(io::stderr().as_fd().try_clone_to_owned()?);
    clean_environment(&mut command);
    if let Some((uid, gid)) = plan.account {
        Account { name: String::new(), uid, gid, changes: true }.apply(&mut command);
    }
    let mut server = command.spawn()?;

    tokio::select! {
        () = closed(parent) => {
            stop(&mut server).await?;
            Ok(ExitCode::SUCCESS)
        }
        status = server.wait() => {
            say(&format!("the server ended by itself: {}", status?));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// A fixed environment: variables that steer PostgreSQL, or secrets of the product, do not get through.
pub(super) fn clean_environment(command: &mut Command) {
    command.env_clear().env("TZ", "UTC").env("LC_ALL", "C").env("PATH", "/usr/local/bin:/usr/bin:/bin");
}

/// Returns when nobody holds the other end any more.
async fn closed(mut pipe: pipe::Receiver) {
    let mut buffer = [0; 64];
    while matches!(pipe.read(&mut buffer).await, Ok(read) if read > 0) {}
}

/// Fast shutdown; if that takes too long, immediate; if even that does, the end.
async fn stop(server: &mut Child) -> io::Result<()> {
    for (signal, patience) in [(Signal::INT, FAST_SHUTDOWN_MAX), (Signal::QUIT, IMMEDIATE_SHUTDOWN_MAX)] {
        let Some(pid) = server.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
            return Ok(());
        };
        kill_process(pid, signal)?;
        if let Ok(status) = tokio::time::timeout(patience, server.wait()).await {
            return status.map(drop);
        }
    }
    server.kill().await
}

fn say(text: &str) {
    writeln!(io::stderr().lock(), "postgres-guard {text}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_command_line() {
        let plan = Plan {
            lock: "/d/guard.lock".into(),
            account: Some((101, 104)),
            program: "/b/postgres".into(),
            args: vec!["-D".into(), "/d/pg data".into(), "-c".into(), "a=b".into()],
        };
        assert_eq!(Plan::from_args(plan.to_args()), Some(plan.clone()));
        let same = Plan { account: None, ..plan };
        assert_eq!(Plan::from_args(same.to_args()), Some(same.clone()));
    }

    #[test]
    fn half_a_plan_is_refused() {
        assert_eq!(Plan::from_args(["/lock", "same", "same"].map(OsString::from)), None);
        assert_eq!(Plan::from_args(["/lock", "x", "y", "/bin/postgres"].map(OsString::from)), None);
    }
}
