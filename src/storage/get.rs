//! Streaming out: decrypted and verified piece by piece, the last piece only when the whole is right.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

use super::{FileRef, Storage, StorageError};
use crate::crypto::stream::Opener;
use crate::ids::TypedId as _;

/// The plain content of a file, as it is read.
pub type Content = BoxStream<'static, Result<Bytes, StorageError>>;

impl Storage {
    /// Reads a file. The first piece has been verified when this returns, so that a small file that was changed is
    /// refused before anything is sent.
    ///
    /// # Errors
    /// [`StorageError::Missing`], [`StorageError::Tampered`], [`StorageError::Store`]; the stream ends with them too.
    pub async fn get(&self, file: &FileRef) -> Result<Content, StorageError> {
        let stored = self.inner.store.get(&Path::from(file.object_key.as_str())).await?;
        let mut reader = Reader {
            source: stored.into_stream().map_err(StorageError::from).boxed(),
            opener: Some(Opener::new(file.file_key.clone(), file.file, file.facility.uuid())),
            ready: VecDeque::new(),
            digest: Sha256::new(),
            read_bytes: 0,
            file: file.clone(),
        };
        let first = reader.next().await?;
        let rest = futures::stream::try_unfold(reader, |mut reader| async move {
            Ok::<_, StorageError>(reader.next().await?.map(|piece| (piece, reader)))
        });
        Ok(futures::stream::iter(first.map(Ok)).chain(rest).boxed())
    }

    /// Reads a whole file into memory, for work that needs all of it. Uploads are capped, so this is too.
    ///
    /// # Errors
    /// As [`Storage::get`].
    pub async fn read(&self, file: &FileRef) -> Result<Vec<u8>, StorageError> {
        let mut pieces = self.get(file).await?;
        let mut content = Vec::with_capacity(usize::try_from(file.size_bytes).unwrap_or(0));
        while let Some(piece) = pieces.try_next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }
}

struct Reader {
    source: BoxStream<'static, Result<Bytes, StorageError>>,
    /// `None` when the end has been read, or something was wrong.
    opener: Option<Opener>,
    ready: VecDeque<Bytes>,
    digest: Sha256,
    read_bytes: u64,
    file: FileRef,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        while self.ready.is_empty() {
            let Some(opener) = &mut self.opener else { return Ok(None) };
            match self.source.try_next().await? {
                Some(sealed) => {
                    let opened = opener.push(sealed)?;
                    for piece in opened {
                        self.accept(piece);
                    }
                }
                None => self.end()?,
            }
        }
        Ok(self.ready.pop_front())
    }

    fn accept(&mut self, piece: Bytes) {
        self.digest.update(&piece);
        self.read_bytes += piece.len() as u64;
        if !piece.is_empty() {
            self.ready.push_back(piece);
        }
    }

    /// The last piece, when everything before it and the row agree.
    fn end(&mut self) -> Result<(), StorageError> {
        let Some(opener) = self.opener.take() else { return Ok(()) };
        self.accept(opener.finish()?);
        let whole = self.digest.finalize_reset();
        if whole[..] == self.file.sha256[..] && self.read_bytes == self.file.size_bytes {
            Ok(())
        } else {
            self.ready.clear();
            Err(StorageError::Tampered)
        }
    }
}
