//! What a sweep needs: old objects of a facility, and the removal of parts a killed process left in the folder.

use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;

use super::{Storage, StorageError};
use crate::ids::{FacilityId, TypedId as _};

impl Storage {
    /// Keys of a facility's objects that were stored before an instant.
    pub fn stored_before(
        &self,
        facility: FacilityId,
        before: DateTime<Utc>,
    ) -> BoxStream<'static, Result<String, StorageError>> {
        let objects = self.inner.store.list(Some(&Path::from(facility.uuid().to_string())));
        objects
            .map_err(StorageError::from)
            .try_filter_map(move |object| async move {
                Ok((object.last_modified < before).then(|| object.location.to_string()))
            })
            .boxed()
    }

    /// Removes parts of uploads that a killed process left in a facility's folder; gives how many. A bucket removes
    /// its own by a lifecycle rule for incomplete uploads.
    ///
    /// # Errors
    /// [`StorageError::Store`] when the folder cannot be read.
    pub async fn remove_parts_before(
        &self,
        facility: FacilityId,
        before: DateTime<Utc>,
    ) -> Result<usize, StorageError> {
        let Some(folder) = &self.inner.folder else { return Ok(0) };
        let folder = folder.join(facility.uuid().to_string());
        let removed = tokio::task::spawn_blocking(move || {
            let mut removed = 0;
            for part in parts(&folder, before.into())? {
                std::fs::remove_file(part)?;
                removed += 1;
            }
            Ok::<_, std::io::Error>(removed)
        });
        let failed = |source| StorageError::Store(object_store::Error::Generic { store: "LocalFileSystem", source });
        match removed.await {
            Ok(Ok(removed)) => Ok(removed),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Ok(Err(error)) => Err(failed(error.into())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// Unfinished files: the store names them `<object>#<number>` and never lists them.
fn parts(folder: &FilePath, before: SystemTime) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(parts(&entry.path(), before)?);
        } else if kind.is_file()
            && entry.file_name().to_string_lossy().contains('#')
            && entry.metadata()?.modified()? < before
        {
            found.push(entry.path());
        }
    }
    Ok(found)
}
