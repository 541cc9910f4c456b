//! A ZIP written as it is read: its entries come in pieces, its bytes go out in pieces, and neither is held as a whole.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::error::{Error, Result};

/// Pieces that wait for the reader.
const PIECES: usize = 8;
/// What is gathered before it goes out.
const PIECE_BYTES: usize = 64 * 1024;
/// How long the next piece waits for a reader who takes none; then the archive is broken off.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the ZIP writer has written, until it goes out.
#[derive(Clone, Default)]
struct Gathered(Arc<Mutex<Vec<u8>>>);

impl Gathered {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Gathered {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.with(|gathered| gathered.extend_from_slice(piece));
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Zip = ZipWriter<StreamWriter<Gathered>>;

/// What the reader is given.
enum Part {
    Piece(Bytes),
    /// It is whole: without this, it is none.
    End,
}

/// Entries go in here. One that is dropped before it is finished ends the bytes with an error.
pub(crate) struct Archive {
    /// None while it works, and after it failed.
    zip: Option<Box<Zip>>,
    gathered: Gathered,
    parts: mpsc::Sender<Part>,
    patience: Duration,
}

impl Archive {
    /// Begins an archive; its bytes come out of the stream.
    pub(crate) fn begin() -> (Self, impl Stream<Item = io::Result<Bytes>> + Send) {
        let (parts, outgoing) = mpsc::channel(PIECES);
        let gathered = Gathered::default();
        let zip = Some(Box::new(ZipWriter::new_stream(gathered.clone())));
        let bytes = futures::stream::unfold(Some(outgoing), |outgoing| async move {
            let mut outgoing = outgoing?;
            match outgoing.recv().await {
                Some(Part::Piece(piece)) => Some((Ok(piece), Some(outgoing))),
                Some(Part::End) => None,
                // The reader must not take what there is for the whole.
                None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
            }
        });
        (Self { zip, gathered, parts, patience: PATIENCE }, bytes)
    }

    /// Begins an entry of this name; says whether packing it is of use.
    ///
    /// # Errors
    /// When the reader is gone, or takes nothing for half a minute.
    pub(crate) async fn entry(&mut self, name: String, packed: bool) -> Result<()> {
        let method = if packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options = SimpleFileOptions::default().compression_method(method).large_file(true);
        self.work(move |zip| Ok(zip.start_file(name, options)?)).await
    }

    /// More of the entry begun last.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub(crate) async fn content(&mut self, piece: Bytes) -> Result<()> {
        self.work(move |zip| zip.write_all(&piece)).await
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub(crate) async fn finish(mut self) -> Result<()> {
        let zip = self.zip.take().ok_or_else(|| Error::internal(BROKEN))?;
        spawn_blocking(move || zip.finish().map(drop)).await.map_err(Error::internal)?.map_err(Error::internal)?;
        self.send_gathered(1).await?;
        self.send(Part::End).await
    }

    /// Packs elsewhere, as it takes the processor, and sends what came of it. No thread waits for the reader.
    async fn work(&mut self, work: impl FnOnce(&mut Zip) -> io::Result<()> + Send + 'static) -> Result<()> {
        let mut zip = self.zip.take().ok_or_else(|| Error::internal(BROKEN))?;
        let worked = spawn_blocking(move || work(&mut zip).map(|()| zip)).await.map_err(Error::internal)?;
        self.zip = Some(worked.map_err(Error::internal)?);
        self.send_gathered(PIECE_BYTES).await
    }

    async fn send_gathered(&self, least: usize) -> Result<()> {
        let gathered =
            self.gathered.with(|gathered| if gathered.len() < least { Vec::new() } else { mem::take(gathered) });
        if gathered.is_empty() { Ok(()) } else { self.send(Part::Piece(gathered.into())).await }
    }

    async fn send(&self, part: Part) -> Result<()> {
        let sent = timeout(self.patience, self.parts.send(part)).await;
        sent.map_err(Error::internal)?.map_err(|_| Error::internal("the reader of an archive is gone"))
    }
}

const BROKEN: &str = "an archive could not be written";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures::{StreamExt as _, TryStreamExt as _};

    use super::{Archive, PIECE_BYTES, PIECES};
    use crate::error::Result;

    async fn written(whole: bool) -> std::io::Result<Vec<Bytes>> {
        let (mut archive, bytes) = Archive::begin();
        let writing = async {
            archive.entry("one".to_owned(), true).await?;
            archive.content(Bytes::from_static(b"one")).await?;
            if whole { archive.finish().await } else { Ok(()) }
        };
        let (written, bytes) = tokio::join!(writing, bytes.try_collect());
        written.unwrap();
        bytes
    }

    #[tokio::test]
    async fn what_was_not_finished_is_no_archive() {
        assert!(!written(true).await.unwrap().is_empty());
        assert!(written(false).await.is_err());
    }

    /// Entries of which each is a piece, until it fails.
    async fn endless(mut archive: Archive) -> Result<()> {
        for number in 0.. {
            archive.entry(number.to_string(), false).await?;
            archive.content(Bytes::from(vec![0; PIECE_BYTES])).await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn who_does_not_read_is_not_waited_for() {
        let (mut archive, bytes) = Archive::begin();
        archive.patience = Duration::from_millis(1);
        assert!(endless(archive).await.is_err());
        let pieces: Vec<_> = bytes.collect().await;
        assert_eq!(pieces.iter().filter(|piece| piece.is_ok()).count(), PIECES);
        assert!(pieces.last().unwrap().is_err());
    }

    #[tokio::test]
    async fn nothing_is_written_for_who_has_gone() {
        let (archive, bytes) = Archive::begin();
        drop(bytes);
        assert!(endless(archive).await.is_err());
    }
}
