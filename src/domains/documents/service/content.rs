//! Fetching the file of a document: a short-lived link, and what it opens.

use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::json;

use super::{print, sight};
use crate::access::{Read, RequestContext, Subject};
use crate::antivirus::Verdict;
use crate::domains::documents::model::{Document, DocumentOrigin, DocumentStatus};
use crate::domains::documents::{policy, processing, repository, sealing};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, TypedId as _};
use crate::phi::Phi;
use crate::storage::{Content, FileRef};

/// A file about to be sent.
pub struct Download {
    /// As sniffed when it was uploaded.
    pub mime_type: String,
    pub file_name: Phi<String>,
    /// `None` for what is made while it is sent.
    pub size_bytes: Option<i64>,
    /// Decrypted and verified as it is read; an error ends it before its last piece.
    pub content: Content,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

/// A link for this user and session alone, as a path with a token. It opens nothing by itself: whoever follows it is
/// asked for the permission again.
///
/// # Errors
/// A denial.
pub async fn download_link(ctx: &RequestContext, id: DocumentId) -> Result<String> {
    ctx.read(&policy::DOWNLOAD).await?;
    let token = ctx.download_token(id.uuid())?;
    Ok(format!("/documents/{id}/content?token={token}"))
}

/// Lets no file through in which there is a virus, or may be one: where a scanner is configured, a file that it has not
/// seen yet is scanned first.
///
/// # Errors
/// [`Error::NotFound`] for an infected file, [`Error::Unavailable`] without a verdict.
pub(in crate::domains::documents) async fn require_clean(
    ctx: &RequestContext,
    document: &Document,
    file: &FileRef,
    scanned: bool,
) -> Result<()> {
    if document.status == DocumentStatus::Quarantined {
        return Err(Error::NotFound);
    }
    let Some(scanner) = ctx.app().scanner.as_ref().filter(|_| !scanned) else { return Ok(()) };
    let content = ctx.app().storage.get(file).await?;
    match scanner.scan(content).await {
        Ok(Verdict::Clean) => Ok(()),
        Ok(Verdict::Infected) => {
            processing::quarantine(ctx, document.id).await?;
            Err(Error::NotFound)
        }
        Err(error) => Err(Error::Unavailable(error.into())),
    }
}

/// Opens the file of an upload, or a note as a PDF. The download is on record before this returns.
///
/// # Errors
/// [`Error::NotFound`] when there is no such document for the caller, it is a psychotherapy note, or there is a virus in
/// it; a fault when the file is missing or was changed.
pub async fn open_content(ctx: &RequestContext, id: DocumentId) -> Result<Download> {
    let read = ctx.read(&policy::DOWNLOAD).await?;
    let row = repository::find_file(read.db()?, sight(ctx, &read), id).await?.ok_or(Error::NotFound)?;
    if row.document.origin == DocumentOrigin::Note {
        return open_note(ctx, read, id).await;
    }
    let keys = read.keys().await?;
    let file = sealing::open_file(ctx, &keys, &row)?.ok_or(Error::NotFound)?;
    let scanned = row.scanned_at.is_some();
    let document = sealing::open_document(ctx, &keys, row.document)?;
    drop(read);
    // No connection is held while a file is scanned; what is kept back was not downloaded.
    ctx.finish().await?;
    require_clean(ctx, &document, &file, scanned).await?;
    note_download(ctx, &document);
    ctx.finish().await?;
    let content = ctx.app().storage.get(&file).await?;
    Ok(Download {
        mime_type: document.mime_type,
        file_name: document.file_name.unwrap_or_default(),
        size_bytes: Some(document.size_bytes),
        content,
    })
}

/// A note as a PDF, made when it is asked for and kept nowhere.
async fn open_note(ctx: &RequestContext, read: Read, id: DocumentId) -> Result<Download> {
    let (document, bytes) = print::printed(ctx, &read, id).await?;
    note_download(ctx, &document);
    drop(read);
    ctx.finish().await?;
    Ok(Download {
        mime_type: print::MIME_TYPE.to_owned(),
        file_name: document.title.map_ref(|title| format!("{title}.pdf")),
        size_bytes: Some(i64::try_from(bytes.len()).map_err(Error::internal)?),
        content: futures::stream::once(async move { Ok(Bytes::from(bytes)) }).boxed(),
    })
}

/// One row for each patient the document is about, or one for none.
fn note_download(ctx: &RequestContext, document: &Document) {
    let subject = Subject::of(document.id);
    if document.patient_ids.is_empty() {
        ctx.note(&policy::DOWNLOAD, subject, json!({}));
    }
    for patient in &document.patient_ids {
        ctx.note(&policy::DOWNLOAD, subject.in_record_of(*patient), json!({}));
    }
}
