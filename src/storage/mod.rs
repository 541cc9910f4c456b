//! Files, encrypted before they reach the object store: a folder, or an S3-compatible bucket.
//!
//! Each file has a key of its own, made here and given to the caller, who wraps it under the facility's key and
//! keeps it with the row. The store sees ciphertext under names made of ids: `<facility>/<year>/<file>`.
//!
//! Invariants: a file passes through in pieces, never as a whole; what was put and is not kept is removed, however
//! the upload ended ([`Stored::keep`]); what is read is authentic piece by piece, and its last piece comes only
//! after the whole has been compared with the SHA-256 of the row. A process that is killed may leave an object
//! without a row: `documents::service::sweep_orphans` removes those.
//!
//! Knows no database and no permission.

mod error;
mod get;
mod put;
mod sweep;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::sync::watch;
use uuid::Uuid;

pub use error::StorageError;
pub use get::Content;
pub use put::Stored;

use crate::config::Config;
use crate::crypto::Key32;
use crate::error::{Error, Result};
use crate::ids::{FacilityId, TypedId as _};

/// Bytes kept of the start of a file, for telling what it is.
pub const PREFIX_BYTES: usize = 8 * 1024;

/// What is sent to a folder at once.
const LOCAL_PART_BYTES: usize = 512 * 1024;
/// What is sent to S3 at once: the smallest part S3 takes, of one size because some stores ask for that.
const S3_PART_BYTES: usize = 5 * 1024 * 1024;

/// Where a new file goes.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub facility: FacilityId,
    pub file: Uuid,
    /// Year of the upload, so that no folder grows without end.
    pub year: i32,
}

impl Place {
    /// The name of its object. Holds ids only.
    #[must_use]
    pub fn object_key(&self) -> String {
        format!("{}/{}/{}", self.facility.uuid(), self.year, self.file)
    }
}

/// What must be known to read a file again.
#[derive(Debug, Clone)]
pub struct FileRef {
    pub facility: FacilityId,
    pub file: Uuid,
    pub object_key: String,
    pub file_key: Key32,
    /// Of the plain content.
    pub size_bytes: u64,
    /// Of the plain content.
    pub sha256: [u8; 32],
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    store: Box<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<PathBuf>,
    part_bytes: usize,
    /// Uploads that are neither kept nor cleaned up yet.
    open: watch::Sender<usize>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("store", &self.inner.store.to_string()).finish_non_exhaustive()
    }
}

impl Storage {
    /// Opens the store the settings name. A folder is made, for its owner alone, when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made, or the settings do not make a store.
    pub fn open(config: &Config) -> Result<Self> {
        let url = config.storage_url.as_str();
        if let Some(folder) = url.strip_prefix("file://") {
            return Self::in_folder(PathBuf::from(folder));
        }
        let address = url.strip_prefix("s3://").ok_or_else(|| Error::internal("ANAMNESIS_STORAGE_URL is no store"))?;
        let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        if let Some(endpoint) = &config.s3_endpoint {
            // Files are ciphertext already; a store in the same rack may be reached without TLS.
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = &config.s3_region {
            builder = builder.with_region(region);
        }
        if let Some(key) = &config.s3_access_key {
            builder = builder.with_access_key_id(key);
        }
        if let Some(secret) = &config.s3_secret_key {
            builder = builder.with_secret_access_key(secret.reveal());
        }
        let bucket = builder.build().map_err(Error::internal)?;
        let prefix = prefix.trim_matches('/');
        Ok(match prefix {
            "" => Self::over(Box::new(bucket), None, S3_PART_BYTES),
            prefix => Self::over(Box::new(PrefixStore::new(bucket, prefix)), None, S3_PART_BYTES),
        })
    }

    fn in_folder(folder: PathBuf) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| {
            Error::internal(format!("the storage folder {} cannot be made: {}", folder.display(), error.kind()))
        })?;
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(Error::internal)?.with_fsync(true);
        Ok(Self::over(Box::new(store), Some(folder), LOCAL_PART_BYTES))
    }

    fn over(store: Box<dyn ObjectStore>, folder: Option<PathBuf>, part_bytes: usize) -> Self {
        Self { inner: Arc::new(Inner { store, folder, part_bytes, open: watch::Sender::new(0) }) }
    }

    /// How many uploads are neither kept nor cleaned up yet. Waited for at shutdown, so that what was cut off is
    /// removed at once and not by the next sweep.
    #[must_use]
    pub fn open_uploads(&self) -> watch::Receiver<usize> {
        self.inner.open.subscribe()
    }

    /// Removes an object. One that is not there is no error.
    ///
    /// # Errors
    /// [`StorageError::Store`].
    pub async fn delete(&self, object_key: &str) -> Result<(), StorageError> {
        self.delete_path(&Path::from(object_key)).await
    }

    async fn delete_path(&self, path: &Path) -> Result<(), StorageError> {
        match self.inner.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
