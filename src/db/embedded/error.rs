//! Why the embedded PostgreSQL does not run, in words the person at the terminal can act on.
//!
//! Invariant: every message says what to do next. The server is told to log no statement, no parameter
//! and no error of a session, so the lines of its log quoted here carry no patient data.

use std::io;
use std::path::{Path, PathBuf};

/// What to do when this machine cannot run the bundled server.
macro_rules! way_out {
    () => {
        "set DATABASE_URL to a PostgreSQL 18 with pgvector 0.8.4 or newer"
    };
}

/// Why the embedded PostgreSQL did not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// Running as root, and no account to give the server to.
    #[error(
        "the embedded PostgreSQL never runs as root, and there is neither an account `postgres` nor `nobody` to run it as: start as another user, or {}",
        way_out!()
    )]
    NoAccount,
    /// The server's account cannot get at something.
    #[error(
        "the account {account} that runs the embedded PostgreSQL cannot reach {}: {} is closed to it. Choose a place outside it, or start as another user", .path.display(), .barrier.display()
    )]
    Unreachable {
        /// What has to be reached.
        path: PathBuf,
        /// The folder in the way.
        barrier: PathBuf,
        /// The account's name.
        account: String,
    },
    /// Another process serves this data folder.
    #[error("the data folder {} is in use by {holder}: stop that one first, or choose another data folder", .data_dir.display())]
    InUse {
        /// The data folder.
        data_dir: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// A server of a former start does not end.
    #[error("the server of a former start (process {pid}) still runs on {} and does not stop: end it, then start again", .data_dir.display())]
    DoesNotStop {
        /// The data folder.
        data_dir: PathBuf,
        /// Its process id where known.
        pid: String,
    },
    /// The data is another major version's.
    #[error("the data folder {} was written by PostgreSQL {found} and this is PostgreSQL {wanted}: dump it with the old version and restore it, or move the folder away to start empty", .data_dir.display())]
    OtherMajor {
        /// The data folder.
        data_dir: PathBuf,
        /// Version in the folder.
        found: String,
        /// Major version of the server.
        wanted: u32,
    },
    /// The folder holds something else.
    #[error("the data folder {} is not one of ours: {detail}. Give an empty or new folder", .data_dir.display())]
    NotOurs {
        /// The data folder.
        data_dir: PathBuf,
        /// What is there.
        detail: String,
    },
    /// Another account owns it.
    #[error("{} belongs to user id {found} and not to {wanted}: start as the user who made it, or choose another data folder", .path.display())]
    WrongOwner {
        /// What is owned.
        path: PathBuf,
        /// The owner's user id.
        found: u32,
        /// Who should own it.
        wanted: String,
    },
    /// No place for the socket is both short and safe.
    #[error(
        "no folder for the database socket can be used: {detail}. Choose a shorter data folder, or clear the named one"
    )]
    SocketFolder {
        /// Each place with its reason.
        detail: String,
    },
    /// A setting's name is not one.
    #[error("{name:?} is not the name of a PostgreSQL setting")]
    Setting {
        /// The name given.
        name: String,
    },
    /// The program does not run here.
    #[error("the bundled PostgreSQL does not run on this machine ({detail}): {}", way_out!())]
    CannotRun {
        /// What happened.
        detail: String,
    },
    /// A new data folder could not be made.
    #[error("the data folder {} could not be initialised:\n{detail}", .data_dir.display())]
    InitFailed {
        /// The data folder.
        data_dir: PathBuf,
        /// The last lines of `initdb`.
        detail: String,
    },
    /// The server ended instead of answering, or never answered.
    #[error("the embedded PostgreSQL {how}. Its log {} ends with:\n{tail}", .log.display())]
    NotServing {
        /// What happened.
        how: String,
        /// The log file.
        log: PathBuf,
        /// Its last lines since this start.
        tail: String,
    },
    /// The vector extension killed the server.
    #[error(
        "the bundled PostgreSQL cannot run vector search on this processor: the server process was killed in its start-up self-test. Instead, {}. The log ends with:\n{tail}",
        way_out!()
    )]
    SelfTestCrashed {
        /// Last lines of the log.
        tail: String,
    },
    /// The vector extension answers wrongly or not at all.
    #[error("the start-up self-test of vector search failed ({detail}): {}", way_out!())]
    SelfTestFailed {
        /// What was wrong.
        detail: String,
    },
    /// A file or process operation failed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl EmbeddedError {
    /// Names the operation and the path that failed; for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
