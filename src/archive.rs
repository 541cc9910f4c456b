//! A ZIP written as it is read: its entries come in pieces, its bytes go out in pieces, and neither is held as a whole.

use std::io::{self, Write};

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::error::{Error, Result};

/// Pieces under way in each direction.
const PIECES: usize = 8;
/// What is gathered before it goes out.
const PIECE_BYTES: usize = 64 * 1024;

enum Part {
    /// A new entry of this name; whether packing it is of use.
    Entry(String, bool),
    Content(Bytes),
    /// It is whole: without this, it is none.
    End,
}

/// Entries go in here.
pub(crate) struct Archive {
    parts: mpsc::Sender<Part>,
    writing: JoinHandle<io::Result<()>>,
}

/// The outgoing end, as the ZIP writer sees it.
struct Out {
    bytes: mpsc::Sender<io::Result<Bytes>>,
    gathered: Vec<u8>,
}

impl Write for Out {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.gathered));
        self.bytes.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Archive {
    /// Begins an archive; its bytes come out of the stream.
    pub(crate) fn begin() -> (Self, impl Stream<Item = io::Result<Bytes>> + Send) {
        let (parts, incoming) = mpsc::channel(PIECES);
        let (bytes, outgoing) = mpsc::channel(PIECES);
        let writing = tokio::task::spawn_blocking(move || {
            let written = write(incoming, bytes.clone());
            if written.is_err() {
                // The reader must not take what there is for the whole.
                let _ = bytes.blocking_send(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            written
        });
        let outgoing = futures::stream::unfold(outgoing, |mut outgoing| async move {
            outgoing.recv().await.map(|piece| (piece, outgoing))
        });
        (Self { parts, writing }, outgoing)
    }

    /// Begins an entry.
    pub(crate) async fn entry(&self, name: String, packed: bool) -> Result<()> {
        self.parts.send(Part::Entry(name, packed)).await.map_err(|_| broken())
    }

    /// More of the entry begun last.
    pub(crate) async fn content(&self, piece: Bytes) -> Result<()> {
        self.parts.send(Part::Content(piece)).await.map_err(|_| broken())
    }

    /// Ends the archive.
    pub(crate) async fn finish(self) -> Result<()> {
        self.parts.send(Part::End).await.map_err(|_| broken())?;
        self.writing.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

fn broken() -> Error {
    Error::internal("an archive could not be written")
}

/// An archive that is dropped before it is finished ends without its directory, and its bytes with an error.
fn write(mut incoming: mpsc::Receiver<Part>, bytes: mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(Out { bytes, gathered: Vec::new() });
    while let Some(part) = incoming.blocking_recv() {
        match part {
            Part::Entry(name, packed) => {
                let method = if packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
                zip.start_file(name, SimpleFileOptions::default().compression_method(method).large_file(true))?;
            }
            Part::Content(piece) => zip.write_all(&piece)?,
            Part::End => return zip.finish()?.into_inner().flush(),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::TryStreamExt as _;

    use super::Archive;

    async fn archive(whole: bool) -> std::io::Result<Vec<Bytes>> {
        let (archive, bytes) = Archive::begin();
        let writing = async {
            archive.entry("one".to_owned(), true).await.map_err(std::io::Error::other)?;
            archive.content(Bytes::from_static(b"one")).await.map_err(std::io::Error::other)?;
            if whole { archive.finish().await.map_err(std::io::Error::other) } else { Ok(()) }
        };
        let (written, bytes) = tokio::join!(writing, bytes.try_collect());
        written.and(bytes)
    }

    #[tokio::test]
    async fn what_was_not_finished_is_no_archive() {
        assert!(!archive(true).await.unwrap().is_empty());
        assert!(archive(false).await.is_err());
    }
}
