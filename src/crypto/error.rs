//! What goes wrong in cryptography: a closed set, safe to log. Texts name places (table and column,
//! key id, file path), never a value.

use std::io;
use std::path::PathBuf;

use uuid::Uuid;

use super::field::ColumnId;

/// A fault of the cryptographic layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The system's random source gave nothing.
    #[error("the system has no randomness to give")]
    Random,
    /// More was given than one message may hold.
    #[error("{what} is longer than {limit_bytes} bytes")]
    TooLong {
        /// What was too long.
        what: Sealed,
        /// The most that is allowed, in bytes.
        limit_bytes: u64,
    },
    /// The stored bytes are not in a form this version can read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What was being read.
        what: Sealed,
        /// Why.
        reason: Unreadable,
    },
    /// Authentication failed: the bytes were changed, cut, or moved from another place, or the key is
    /// not the one they were sealed with.
    #[error("{what} was changed, or does not belong here")]
    Tampered {
        /// What did not authenticate.
        what: Sealed,
    },
    /// No key of this id is in the key ring.
    #[error("the key ring has no key `{id}`")]
    UnknownKey {
        /// Id of the missing key.
        id: String,
    },
    /// A key cannot be what it is used as.
    #[error("the key `{id}` cannot be used")]
    UnusableKey {
        /// Id of the key.
        id: String,
    },
    /// A signature does not fit its message, or its text is not a signature.
    #[error("the signature is not valid")]
    BadSignature,
    /// A link is not one of ours, or was changed.
    #[error("the link is not valid")]
    LinkInvalid,
    /// A link was good and is no longer.
    #[error("the link has expired")]
    LinkExpired,
    /// A link was asked to live longer than allowed, or not at all.
    #[error("a link lives between 1 and {limit_seconds} s")]
    LinkLifetime {
        /// The longest life, in seconds.
        limit_seconds: i64,
    },
    /// The key ring file cannot be read or written.
    #[error("key ring {}: {}", path.display(), kind)]
    KeyringFile {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The key ring can be read by others than its owner.
    #[error("key ring {}: mode {mode:04o} lets others read it; run `chmod 600` on it", path.display())]
    KeyringExposed {
        /// Where it is.
        path: PathBuf,
        /// Permission bits found.
        mode: u32,
    },
    /// The key ring has faults; all are listed.
    #[error("the key ring has faults: {}", list(faults))]
    Keyring {
        /// Every fault found.
        faults: Vec<KeyringFault>,
    },
    /// Another process is changing the key ring.
    #[error("key ring {}: another process is changing it", path.display())]
    KeyringBusy {
        /// Where it is.
        path: PathBuf,
    },
}

/// What a ciphertext stands for. Shown by table and column; the row is kept for whoever repairs it,
/// and left out of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Sealed {
    /// One encrypted column of one row.
    #[error("{column}")]
    Field {
        /// Table and column.
        column: ColumnId,
        /// The row's id.
        row: Uuid,
    },
    /// A facility's key under a master key.
    #[error("the wrapped key of a facility")]
    FacilityKey {
        /// Whose key.
        facility: Uuid,
    },
    /// A stored file.
    #[error("the stored file")]
    File {
        /// The file's id.
        file: Uuid,
    },
}

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Fewer bytes than the smallest ciphertext.
    #[error("too short")]
    TooShort,
    /// The first byte names a layout this version does not know.
    #[error("format {0} is not known")]
    Format(u8),
    /// The key version is not among the facility's keys.
    #[error("key version {0} is not at hand")]
    KeyVersion(u32),
    /// It opened, and is not UTF-8.
    #[error("not text")]
    NotText,
}

/// One fault of a key ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringFault {
    /// Not TOML, or an entry that is not of the key ring. The line is named, never shown.
    #[error("line {line} is not understood")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
    },
    /// Larger than any key ring.
    #[error("the file is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The most that is read, in bytes.
        limit_bytes: u64,
    },
    /// `environment` is absent or neither word.
    #[error("environment must be development or production")]
    Environment,
    /// The key ring was made for another environment than the server runs in.
    #[error("the key ring is for another environment than the server's")]
    WrongEnvironment,
    /// An id is absent, too long, or has other characters than letters, digits, `-`, `_` and `.`.
    #[error("{section} {position}: id must be 1 to 64 letters, digits, `-`, `_` or `.`")]
    Id {
        /// Name of the list.
        section: &'static str,
        /// Which entry, counted from 1.
        position: usize,
    },
    /// Two entries of one list share an id.
    #[error("{section} {position}: id is used twice")]
    DuplicateId {
        /// Name of the list.
        section: &'static str,
        /// Which entry, counted from 1.
        position: usize,
    },
    /// `state` is absent or neither word.
    #[error("{section} {position}: state must be active or retired")]
    State {
        /// Name of the list.
        section: &'static str,
        /// Which entry, counted from 1.
        position: usize,
    },
    /// Not a usable key: not base64, of another length, or a placeholder.
    #[error("{section} {position}: the key is absent or not usable")]
    Key {
        /// Name of the list or table.
        section: &'static str,
        /// Which entry, counted from 1.
        position: usize,
    },
    /// Two entries hold the same key.
    #[error("{section} {position}: this key stands elsewhere in the key ring")]
    SharedKey {
        /// Name of the list or table.
        section: &'static str,
        /// Which entry, counted from 1.
        position: usize,
    },
    /// A list has no active key.
    #[error("{section}: no key is active")]
    NoneActive {
        /// Name of the list.
        section: &'static str,
    },
    /// More than one master key is active: it would be unclear which one wraps.
    #[error("{section}: more than one key is active")]
    SeveralActive {
        /// Name of the list.
        section: &'static str,
    },
}

fn list(faults: &[KeyringFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
