//! The jobs that bring one document into search.

use std::convert::Infallible;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;

use super::passages::{self, Prepared, Spelled};
use super::repository::Told;
use super::{
    INFECTED, PROCESSING_FAILED, PROCESSING_INTERRUPTED, cells, fault, language, models, reading, repository,
    unembedded,
};
use crate::access::{RequestContext, Subject};
use crate::antivirus::Verdict;
use crate::crypto::FacilityKeys;
use crate::domains::documents::changes::came_to;
use crate::domains::documents::model::{BodyRow, DocumentKind, DocumentStatus, NoteState};
use crate::domains::documents::proposals::service::{self as proposals, Found, Reading};
use crate::domains::documents::{policy, sealing};
use crate::embedding::Provider;
use crate::error::Error;
use crate::extraction::{ExtractionError, FileKind, Page, agrees};
use crate::ids::DocumentId;
use crate::jobs::{Failure, Handler, Job, WORKER_LOST};
use crate::storage::FileRef;

/// Reads the file of an upload.
pub(super) struct FromFile;
/// Takes the text of a note.
pub(super) struct FromNote;

/// Why a document does not get into search this time.
pub(super) enum Halt {
    /// The file is at fault, or has no text; the document says so and the job is done.
    File(ExtractionError),
    /// There is a virus in it.
    Infected,
    /// Something that may pass.
    Ours(Failure),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Ours(error.into())
    }
}

/// A document to be brought into search.
struct Source {
    id: DocumentId,
    /// Of the content the text comes from: another one when it is stored means that the document changed.
    sha256: Vec<u8>,
    keys: Arc<FacilityKeys>,
    content: Content,
}

enum Content {
    File { file: FileRef, kind: FileKind },
    Text(Page),
}

impl Handler for FromFile {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let id = job.about("documentId")?;
            let done = match open_file(&ctx, id).await {
                Ok(None) => Ok(()),
                Ok(Some(source)) => process(&ctx, source).await,
                Err(halt) => Err(halt),
            };
            conclude(&ctx, id, done).await
        }
        .boxed()
    }

    fn died<'a>(&'a self, ctx: RequestContext, job: &'a Job, code: &'static str) -> BoxFuture<'a, Result<(), Error>> {
        given_up(ctx, job, code).boxed()
    }
}

impl Handler for FromNote {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let id = job.about("documentId")?;
            let done = match open_note(&ctx, id).await {
                Ok(None) => Ok(()),
                Ok(Some(source)) => process(&ctx, source).await,
                Err(halt) => Err(halt),
            };
            conclude(&ctx, id, done).await
        }
        .boxed()
    }

    fn died<'a>(&'a self, ctx: RequestContext, job: &'a Job, code: &'static str) -> BoxFuture<'a, Result<(), Error>> {
        given_up(ctx, job, code).boxed()
    }
}

/// Says on the document that its file is at fault; then the job is done.
async fn conclude(ctx: &RequestContext, id: DocumentId, done: Result<(), Halt>) -> Result<(), Failure> {
    match done {
        Ok(()) => Ok(()),
        Err(Halt::File(error)) if error.is_without_text() => {
            Ok(set_status(ctx, id, DocumentStatus::ReadyWithoutText, Some(error.code())).await?)
        }
        Err(Halt::File(error)) => Ok(set_status(ctx, id, DocumentStatus::Failed, Some(error.code())).await?),
        Err(Halt::Infected) => Ok(set_status(ctx, id, DocumentStatus::Quarantined, Some(INFECTED)).await?),
        Err(Halt::Ours(failure)) => Err(failure),
    }
}

/// Says on the document that its job will not be tried again. One that can be found already stays so: another job
/// has done the work.
async fn given_up(ctx: RequestContext, job: &Job, code: &'static str) -> Result<(), Error> {
    // A payload that says nothing is of no document.
    let Ok(id) = job.about::<DocumentId>("documentId") else { return Ok(()) };
    let failure = if code == WORKER_LOST { PROCESSING_INTERRUPTED } else { PROCESSING_FAILED };
    let failed = ctx
        .write(&policy::PROCESS)
        .run::<bool, Infallible, _, _>(|tx| async move {
            let ctx = tx.ctx();
            let failed = repository::set_given_up(tx.db()?, ctx.facility(), id, failure, ctx.now()).await?;
            came_to(&tx, id, json!({ "status": "failed", "failure": failure, "changed": failed })).await?;
            Ok(failed)
        })
        .await
        .map_err(fault)?;
    if failed {
        ctx.app().metrics.document(DocumentStatus::Failed.as_str());
    }
    Ok(())
}

/// `None` when the document is gone or is a note.
async fn open_file(ctx: &RequestContext, id: DocumentId) -> Result<Option<Source>, Halt> {
    let read = ctx.read(&policy::PROCESS).await?;
    let Some(row) = repository::find_file(read.db()?, ctx.facility(), id).await? else { return Ok(None) };
    let keys = read.keys().await?;
    let Some(file) = sealing::open_file(ctx, &keys, &row)? else { return Ok(None) };
    let document = sealing::open_document(ctx, &keys, row.document)?;
    let kind = FileKind::ALL.iter().copied().find(|kind| kind.mime() == document.mime_type).unwrap_or(FileKind::Other);
    // The transaction is given up before the long work: the database ends idle ones.
    ctx.finish().await?;
    if document.status == DocumentStatus::Quarantined {
        return Ok(None);
    }
    match reading::scan(ctx, &file).await? {
        None => {}
        Some(Verdict::Clean) => set_scanned(ctx, id).await?,
        Some(Verdict::Infected) => return Err(Halt::Infected),
    }
    let name = document.file_name.as_ref().map_or("", |name| name.reveal_str());
    if !agrees(None, name, kind) {
        return Err(Halt::File(ExtractionError::ContentMismatch));
    }
    Ok(Some(Source { id, sha256: document.sha256, keys, content: Content::File { file, kind } }))
}

/// `None` when the note is gone, is a draft, a psychotherapy note or an upload.
async fn open_note(ctx: &RequestContext, id: DocumentId) -> Result<Option<Source>, Halt> {
    let read = ctx.read(&policy::PROCESS).await?;
    let Some(row) = repository::find_note(read.db()?, ctx.facility(), id).await? else { return Ok(None) };
    let apart = row.document.kind == DocumentKind::PsychotherapyNote;
    if apart
        || !matches!(
            row.document.note_state,
            Some(NoteState::Final | NoteState::AwaitingCosignature | NoteState::Signed)
        )
    {
        return Ok(None);
    }
    let keys = read.keys().await?;
    let body = BodyRow { id, body_ciphertext: row.body_ciphertext };
    let Some(text) = sealing::open_body(&keys, &body)? else { return Ok(None) };
    let document = sealing::open_document(ctx, &keys, row.document)?;
    ctx.finish().await?;
    // PostgreSQL's text knows no NUL; a space keeps every character at its place.
    let text = text.into_revealed().replace('\0', " ");
    Ok(Some(Source {
        id,
        sha256: document.sha256,
        keys,
        content: Content::Text(Page { number: None, text, boxes: Vec::new() }),
    }))
}

/// Text, passages, vectors, terms; then all of it stored at once.
async fn process(ctx: &RequestContext, source: Source) -> Result<(), Halt> {
    let Source { id, sha256, keys, content } = source;
    let is_file = matches!(content, Content::File { .. });
    let (pages, page_count) = match content {
        Content::Text(page) => (vec![page], None),
        Content::File { file, kind } => {
            set_status(ctx, id, DocumentStatus::Extracting, None).await?;
            let extracted = reading::read(ctx, &file, kind).await?;
            let paged = extracted.pages.iter().any(|page| page.number.is_some());
            let count = paged.then(|| i32::try_from(extracted.pages.len()).unwrap_or(i32::MAX));
            (extracted.pages, count)
        }
    };
    let language = language::of(&pages);
    let said = is_file.then(|| proposals::said(&pages, ctx.now().date_naive()));
    set_status(ctx, id, DocumentStatus::Embedding, None).await?;
    let (model, provider) = serving(ctx).await?;
    let passages = passages::cut(&*provider, pages).await.map_err(|error| Halt::Ours(unembedded(&error)))?;
    let vectors = {
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.reveal_str()).collect();
        passages::embed(&*provider, &texts).await.map_err(|error| Halt::Ours(unembedded(&error)))?
    };
    let read = ctx.read(&policy::PROCESS).await?;
    let lexemes = passages::terms(read.db()?, &keys, &passages).await?;
    ctx.finish().await?;
    let found = match said {
        Some(said) => {
            Some(proposals::find(ctx, Reading { document: id, sha256: &sha256, model, vectors: &vectors }, said).await?)
        }
        None => None,
    };
    let prepared = passages::prepare(&keys, passages, lexemes.terms, vectors)?;
    let told = Told { page_count, language };
    store(ctx, Stored { id, sha256, model, told, prepared, spelled: lexemes.spelled, found }).await.map_err(Halt::Ours)
}

async fn serving(ctx: &RequestContext) -> Result<(i16, Arc<dyn Provider>), Halt> {
    let read = ctx.read(&policy::PROCESS).await?;
    let model = models::serving(read.db()?).await?;
    ctx.finish().await?;
    Ok((model.id, models::provider(ctx.app(), &model)?))
}

/// Everything a document leaves behind for search.
struct Stored {
    id: DocumentId,
    sha256: Vec<u8>,
    model: i16,
    told: Told,
    prepared: Vec<Prepared>,
    spelled: Vec<Spelled>,
    /// `None` for notes, of which nothing is proposed.
    found: Option<Found>,
}

async fn store(ctx: &RequestContext, stored: Stored) -> Result<(), Failure> {
    let outcome = ctx
        .write(&policy::PROCESS)
        .run::<Ending, Infallible, _, _>(|tx| async move {
            let Stored { id, sha256, model, told, prepared, spelled, found } = stored;
            let (db, facility, now) = (tx.db()?, tx.ctx().facility(), tx.ctx().now());
            match repository::hold_content(db, facility, id).await? {
                None => return Ok(Ending::Gone),
                Some(current) if current != sha256 => return Ok(Ending::Changed),
                Some(_) => {}
            }
            let held = models::hold(db).await?;
            if !held.iter().any(|held| held.id == model && held.state == "serving") {
                return Ok(Ending::OtherModel);
            }
            let chunk_count = i32::try_from(prepared.len()).unwrap_or(i32::MAX);
            repository::replace(db, facility, id, model, prepared, &spelled).await?;
            repository::set_ready(db, facility, id, told, chunk_count, now).await?;
            if let Some(found) = found {
                proposals::store(&tx, id, found).await?;
            }
            cells::divide_if_due(&tx, model).await?;
            // The model being prepared lacks these passages from now on.
            for next in held.iter().filter(|held| held.id != model) {
                models::reembed_later(&tx, next.id).await?;
            }
            let detail = json!({ "status": DocumentStatus::Ready.as_str(), "passages": chunk_count });
            came_to(&tx, id, detail).await?;
            Ok(Ending::Stored)
        })
        .await
        .map_err(fault)?;
    match outcome {
        Ending::Stored => {
            ctx.app().metrics.document(DocumentStatus::Ready.as_str());
            Ok(())
        }
        Ending::Gone => Ok(()),
        Ending::Changed => Err(Failure::Transient("DOCUMENT_CHANGED")),
        Ending::OtherModel => Err(Failure::Transient("MODEL_CHANGED")),
    }
}

/// How storing ended.
#[derive(serde::Serialize, Deserialize)]
enum Ending {
    Stored,
    /// The document is not there any more.
    Gone,
    /// Its content is another one.
    Changed,
    /// Another model serves by now.
    OtherModel,
}

/// Sets a document apart in whose file a virus was found, whoever came upon it.
///
/// # Errors
/// A fault of the database.
pub(in crate::domains::documents) async fn quarantine(ctx: &RequestContext, id: DocumentId) -> Result<(), Error> {
    let system = RequestContext::system(Arc::clone(ctx.app()), ctx.facility(), "virus scan");
    set_status(&system, id, DocumentStatus::Quarantined, Some(INFECTED)).await
}

/// Says on the document that its file was scanned and is clean.
async fn set_scanned(ctx: &RequestContext, id: DocumentId) -> Result<(), Error> {
    let written = ctx
        .write(&policy::PROCESS)
        .run::<(), Infallible, _, _>(|tx| async move {
            repository::set_scanned(tx.db()?, tx.ctx().facility(), id, tx.ctx().now()).await?;
            tx.audit(Subject::of(id), json!({ "scanned": true }));
            Ok(())
        })
        .await;
    written.map_err(fault)
}

async fn set_status(
    ctx: &RequestContext,
    id: DocumentId,
    status: DocumentStatus,
    failure: Option<&'static str>,
) -> Result<(), Error> {
    let written = ctx
        .write(&policy::PROCESS)
        .run::<(), Infallible, _, _>(|tx| async move {
            let ctx = tx.ctx();
            repository::set_status(tx.db()?, ctx.facility(), id, status, failure, ctx.now()).await?;
            came_to(&tx, id, json!({ "status": status.as_str(), "failure": failure })).await?;
            Ok(())
        })
        .await;
    written.map_err(fault)?;
    ctx.app().metrics.document(status.as_str());
    Ok(())
}
