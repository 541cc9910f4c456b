//! From a stored file to its pages: scanned for viruses first, then read, then what stands in pictures recognised.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::StreamReader;

use super::document::Halt;
use crate::access::RequestContext;
use crate::antivirus::Verdict;
use crate::extraction::{Extracted, ExtractionError, FileKind};
use crate::jobs::Failure;
use crate::storage::{Content, FileRef, StorageError};

/// What a virus scanner says of a file; `None` where there is no scanner.
///
/// # Errors
/// A fault that may pass: without a verdict nothing goes on.
pub(super) async fn scan(ctx: &RequestContext, file: &FileRef) -> Result<Option<Verdict>, Halt> {
    let Some(scanner) = &ctx.app().scanner else { return Ok(None) };
    scanner.scan(fetch(ctx, file).await?).await.map(Some).map_err(|error| {
        tracing::warn!(%error, "a file could not be scanned for viruses");
        Halt::Ours(Failure::Transient("SCANNER_UNAVAILABLE"))
    })
}

/// The pages of a file. Text is looked for in its pictures only where it has none of its own.
///
/// # Errors
/// [`Halt::File`] for what is the file's own, [`Halt::Ours`] for what may pass.
pub(super) async fn read(ctx: &RequestContext, file: &FileRef, kind: FileKind) -> Result<Extracted, Halt> {
    let first = if kind.is_picture() {
        Err(ExtractionError::NoText)
    } else {
        let content = StreamReader::new(fetch(ctx, file).await?.map_err(std::io::Error::other));
        ctx.app().extractor.extract(kind, content).await
    };
    let is_scan = match &first {
        Ok(extracted) => kind == FileKind::Pdf && extracted.pages.iter().any(|page| page.text.is_empty()),
        Err(ExtractionError::NoText) => kind.may_be_scan(),
        Err(_) => false,
    };
    if !is_scan {
        return first.map_err(halt);
    }
    let Some(recognizer) = &ctx.app().recognizer else {
        return first.map_err(|_| Halt::File(ExtractionError::NoOcr));
    };
    let content = whole(fetch(ctx, file).await?).await?;
    let read = if kind.is_picture() {
        recognizer.read_picture(kind, &content).await
    } else {
        recognizer.read_pdf(&ctx.app().extractor, &content, first.as_ref().ok().cloned()).await
    };
    match (read, first) {
        // The text it has is not lost for the sake of a picture.
        (Err(error), Ok(extracted)) if !error.is_retryable() => Ok(extracted),
        (read, _) => read.map_err(halt),
    }
}

fn halt(error: ExtractionError) -> Halt {
    if error.is_retryable() { Halt::Ours(Failure::Transient("EXTRACTION_UNAVAILABLE")) } else { Halt::File(error) }
}

async fn fetch(ctx: &RequestContext, file: &FileRef) -> Result<Content, Halt> {
    ctx.app().storage.get(file).await.map_err(|error| unfetched(&error))
}

/// All of a file: its size is that of one upload at most.
async fn whole(mut content: Content) -> Result<Vec<u8>, Halt> {
    let mut whole = Vec::new();
    while let Some(piece) = content.next().await {
        let piece: Bytes = piece.map_err(|error| unfetched(&error))?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn unfetched(error: &StorageError) -> Halt {
    tracing::warn!(%error, "a file to be read could not be fetched");
    Halt::Ours(Failure::Transient("FILE_UNAVAILABLE"))
}
