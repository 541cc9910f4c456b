//! Streaming in: encrypted piece by piece, published as a whole or not at all.

use std::collections::VecDeque;
use std::pin::pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload, PutResult};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use super::{FileRef, PREFIX_BYTES, Place, Storage, StorageError};
use crate::crypto::Key32;
use crate::crypto::stream::Sealer;
use crate::ids::TypedId as _;

/// A file in the store. Dropped without [`Stored::keep`], it is removed again.
#[derive(Debug)]
pub struct Stored {
    pub file: FileRef,
    /// The first [`PREFIX_BYTES`] of the plain content, or all of it.
    pub prefix: Vec<u8>,
    guard: Guard,
}

impl Stored {
    /// Leaves the object where it is, from now on.
    #[must_use]
    pub fn keep(mut self) -> FileRef {
        self.guard.state = State::Kept;
        self.file.clone()
    }
}

impl Storage {
    /// Stores a file as it arrives. Memory is bounded by one part, whatever the size.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] as soon as more than `max_bytes` have arrived, [`StorageError::Interrupted`] when
    /// the stream fails, [`StorageError::Store`]. Nothing stays in the store then, nor when the future is dropped.
    pub async fn put<S, E>(&self, place: Place, content: S, max_bytes: u64) -> Result<Stored, StorageError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let file_key = Key32::generate()?;
        let mut sealer = Sealer::new(&file_key, place.file, place.facility.uuid())?;
        let object_key = place.object_key();
        let mut writer = Writer::new(self, Path::from(object_key.as_str()));
        let (mut size_bytes, mut digest, mut prefix) = (0_u64, Sha256::new(), Vec::new());
        let mut content = pin!(content);
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|_| StorageError::Interrupted)?;
            size_bytes += chunk.len() as u64;
            if size_bytes > max_bytes {
                return Err(StorageError::TooLarge { limit_bytes: max_bytes });
            }
            digest.update(&chunk);
            prefix.extend_from_slice(&chunk[..chunk.len().min(PREFIX_BYTES - prefix.len())]);
            writer.write(sealer.push(chunk)?).await?;
        }
        writer.write(sealer.finish()?).await?;
        let guard = writer.publish().await?;
        let sha256 = digest.finalize().into();
        let file = FileRef { facility: place.facility, file: place.file, object_key, file_key, size_bytes, sha256 };
        Ok(Stored { file, prefix, guard })
    }
}

/// How far an object is, and so what must be undone.
enum State {
    /// Nothing sent yet.
    Begun,
    /// Parts are sent.
    Writing(Box<dyn MultipartUpload>),
    /// The last part is sent and the object becomes visible: a task of its own, which a dropped request does not cut
    /// in two.
    Publishing(JoinHandle<object_store::Result<PutResult>>),
    Published,
    Kept,
}

/// Undoes an upload when dropped.
struct Guard {
    storage: Storage,
    path: Path,
    state: State,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Guard {
    fn new(storage: &Storage, path: Path) -> Self {
        storage.inner.open.send_modify(|open| *open += 1);
        Self { storage: storage.clone(), path, state: State::Begun }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (storage, path) = (self.storage.clone(), self.path.clone());
        let closed = move |storage: &Storage| storage.inner.open.send_modify(|open| *open -= 1);
        let state = std::mem::replace(&mut self.state, State::Kept);
        let leaves_something = !matches!(state, State::Kept | State::Begun);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if leaves_something => drop(runtime.spawn(async move {
                undo(&storage, &path, state).await;
                closed(&storage);
            })),
            // Where the process is ending, the sweep removes it.
            _ => closed(&storage),
        }
    }
}

async fn undo(storage: &Storage, path: &Path, state: State) {
    let undone = match state {
        State::Kept | State::Begun => Ok(()),
        State::Writing(mut upload) => upload.abort().await.map_err(StorageError::from),
        State::Publishing(task) => {
            let _ = task.await;
            storage.delete_path(path).await
        }
        State::Published => storage.delete_path(path).await,
    };
    if let Err(error) = undone {
        tracing::warn!(%error, "an unfinished upload was left for the sweep");
    }
}

/// Gathers sealed segments into parts.
struct Writer {
    guard: Guard,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
}

impl Writer {
    fn new(storage: &Storage, path: Path) -> Self {
        Self { guard: Guard::new(storage, path), waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    async fn write(&mut self, segments: Vec<Bytes>) -> Result<(), StorageError> {
        self.waiting_bytes += segments.iter().map(Bytes::len).sum::<usize>();
        self.waiting.extend(segments);
        let part_bytes = self.guard.storage.inner.part_bytes;
        while self.waiting_bytes >= part_bytes {
            let part = self.take(part_bytes);
            if matches!(self.guard.state, State::Begun) {
                let upload = self.guard.storage.inner.store.put_multipart(&self.guard.path).await?;
                self.guard.state = State::Writing(upload);
            }
            if let State::Writing(upload) = &mut self.guard.state {
                upload.put_part(part).await?;
            }
        }
        Ok(())
    }

    /// Exactly so many bytes from the front, or all there are.
    fn take(&mut self, bytes: usize) -> PutPayload {
        let mut part = Vec::new();
        let mut wanted = bytes.min(self.waiting_bytes);
        self.waiting_bytes -= wanted;
        while wanted > 0
            && let Some(mut segment) = self.waiting.pop_front()
        {
            if segment.len() > wanted {
                self.waiting.push_front(segment.split_off(wanted));
            }
            wanted -= segment.len();
            part.push(segment);
        }
        part.into_iter().collect()
    }

    /// Makes the object visible, whole.
    async fn publish(mut self) -> Result<Guard, StorageError> {
        let rest = self.take(usize::MAX);
        let mut guard = self.guard;
        let storage = guard.storage.clone();
        let path = guard.path.clone();
        let task = match std::mem::replace(&mut guard.state, State::Published) {
            State::Writing(mut upload) => tokio::spawn(async move {
                let sent = async {
                    if rest.content_length() > 0 {
                        upload.put_part(rest).await?;
                    }
                    upload.complete().await
                };
                let sent = sent.await;
                if sent.is_err() {
                    let _ = upload.abort().await;
                }
                sent
            }),
            // Small enough for one request.
            _ => tokio::spawn(async move { storage.inner.store.put(&path, rest).await }),
        };
        // Kept in the guard while it runs, in case this future is dropped.
        guard.state = State::Publishing(task);
        let published = match &mut guard.state {
            State::Publishing(task) => task.await,
            _ => return Ok(guard),
        };
        guard.state = State::Published;
        match published {
            Ok(Ok(_)) => Ok(guard),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(StorageError::Store(error.into())),
        }
    }
}
