//! What goes wrong with stored files. Texts name object keys, which hold ids only, never a file name.

use crate::crypto::CryptoError;
use crate::error::Error;

/// Why a file could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// More was sent than allowed.
    #[error("the file is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    /// The sender stopped, or what it sent could not be understood.
    #[error("the file did not arrive whole")]
    Interrupted,
    /// The object is not there although a row says so.
    #[error("the stored file is missing")]
    Missing,
    /// The object was changed, cut or replaced.
    #[error("the stored file was changed")]
    Tampered,
    /// The store failed.
    #[error("the file store failed")]
    Store(#[source] object_store::Error),
    /// Encryption failed.
    #[error("the file could not be encrypted")]
    Crypto(#[source] CryptoError),
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Store(error),
        }
    }
}

impl From<CryptoError> for StorageError {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::Tampered { .. } | CryptoError::Unreadable { .. } => Self::Tampered,
            error => Self::Crypto(error),
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::TooLarge { limit_bytes } => {
                Self::Limit(format!("a file may have at most {limit_bytes} bytes").into())
            }
            StorageError::Interrupted => Self::bad_input("the file did not arrive whole"),
            StorageError::Store(_) => Self::Unavailable(error.into()),
            StorageError::Missing | StorageError::Tampered | StorageError::Crypto(_) => Self::Internal(error.into()),
        }
    }
}
