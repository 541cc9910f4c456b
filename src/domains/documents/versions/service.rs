//! Recording versions, reading them, telling them apart, and putting one back.

use chrono::TimeDelta;

use super::diff;
use super::model::{Difference, DocumentVersionChange, NewVersion, Version, VersionRow};
use super::repository;
use crate::access::{Once, Read, RequestContext, Subject, Tx};
use crate::crypto::FacilityKeys;
use crate::domains::documents::changes::changed;
use crate::domains::documents::model::{DocumentChanges, DocumentRow, NoteState, Refusal};
use crate::domains::documents::service::{changeable, same_class, set_text, sight, stale};
use crate::domains::documents::{policy, repository as documents, sealing};
use crate::error::{Error, Result, Stop};
use crate::ids::{DocumentId, VersionId, new_id};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Autosaves of one author that begin within this time of the first are one version.
pub const AUTOSAVE_WINDOW_MINUTES: i64 = 10;

/// Keeps the document as it is now in the transaction that made it so. For whoever changes one.
///
/// # Errors
/// A fault.
pub async fn record(tx: &Tx, document: DocumentId, change: DocumentVersionChange) -> Result<()> {
    keep(tx, document, change, None).await
}

async fn keep(tx: &Tx, document: DocumentId, change: DocumentVersionChange, restored_from: Option<i32>) -> Result<()> {
    let (ctx, keys) = (tx.ctx(), tx.keys().await?);
    let (facility, now, author) = (ctx.facility(), ctx.now(), ctx.user().ok());
    let mut state = repository::state_of(tx.db()?, facility, document).await?.ok_or(Error::NotFound)?;
    let over = match change {
        DocumentVersionChange::Autosaved => repository::last_of(tx.db()?, facility, document).await?.filter(|last| {
            last.change == change
                && last.author_id == author
                && now - last.created_at < TimeDelta::minutes(AUTOSAVE_WINDOW_MINUTES)
        }),
        _ => None,
    };
    let id = over.as_ref().map_or_else(new_id::<VersionId>, |last| last.id);
    // A ciphertext opens in its own row alone, so it is made anew for this one.
    let title = sealing::title_of(&keys, document, &state.title_ciphertext)?;
    state.title_ciphertext = sealing::seal_version_title(&keys, id, &title)?;
    if let Some(sealed) = state.body_ciphertext.take() {
        let body = sealing::body_of(&keys, document, &sealed)?;
        state.body_ciphertext = Some(sealing::seal_version_body(&keys, id, &body)?);
    }
    if let Some(sealed) = state.fields_ciphertext.take() {
        let fields = sealing::fields_of(&keys, document, &sealed)?;
        state.fields_ciphertext = Some(sealing::seal_version_fields(&keys, id, &fields)?);
    }
    if over.is_some() {
        return repository::overwrite(tx.db()?, facility, id, state, now).await;
    }
    let new = NewVersion {
        facility_id: facility,
        id,
        document_id: document,
        number: state.version,
        change,
        restored_from,
        author_id: author,
        kind: state.kind,
        document_date: state.document_date,
        note_state: state.note_state,
        title_ciphertext: state.title_ciphertext,
        body_ciphertext: state.body_ciphertext,
        fields_ciphertext: state.fields_ciphertext,
        created_at: now,
        saved_at: now,
    };
    repository::insert(tx.db()?, new).await
}

/// Decrypts a version and notes the read in the records of its document's patients.
fn open(ctx: &RequestContext, keys: &FacilityKeys, document: &DocumentRow, row: VersionRow) -> Result<Version> {
    let subject = Subject::of(row.id);
    if document.patient_ids.is_empty() {
        ctx.note_read(subject);
    }
    for patient in &document.patient_ids {
        ctx.note_read(subject.in_record_of(*patient));
    }
    Ok(Version {
        id: row.id,
        document: row.document_id,
        number: row.number,
        change: row.change,
        restored_from: row.restored_from,
        author_id: row.author_id,
        kind: row.kind,
        title: sealing::version_title_of(keys, row.id, &row.title_ciphertext)?,
        document_date: row.document_date,
        note_state: row.note_state,
        created_at: row.created_at,
        saved_at: row.saved_at,
        part2: document.part2,
        patient_ids: document.patient_ids.clone(),
    })
}

/// The document a version is of, if the caller may know of it.
async fn document_of(ctx: &RequestContext, read: &Read, id: DocumentId) -> Result<DocumentRow> {
    documents::find_by_id(read.db()?, sight(ctx, read), id).await?.ok_or(Error::NotFound)
}

/// A page of the versions of a document, last made first.
///
/// # Errors
/// [`Error::NotFound`] when there is no such document for the caller; a denial, or a fault.
pub async fn list_versions(
    ctx: &RequestContext,
    document: DocumentId,
    page: PageRequest<VersionId>,
) -> Result<Page<Version>> {
    let read = ctx.read(&policy::VERSION_READ).await?;
    let of = document_of(ctx, &read, document).await?;
    let kinds = policy::readable_kinds(&read);
    let rows = repository::list_page(read.db()?, ctx.facility(), kinds, document, page).await?;
    let keys = read.keys().await?;
    let Page { rows, has_next } = page.cut(rows);
    let rows = rows.into_iter().map(|row| open(ctx, &keys, &of, row)).collect::<Result<_>>()?;
    Ok(Page { rows, has_next })
}

/// One version.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may know of.
pub async fn version(ctx: &RequestContext, id: VersionId) -> Result<Version> {
    let read = ctx.read(&policy::VERSION_READ).await?;
    let kinds = policy::readable_kinds(&read);
    let row = repository::find(read.db()?, ctx.facility(), kinds, &[id]).await?.pop().ok_or(Error::NotFound)?;
    let of = document_of(ctx, &read, row.document_id).await?;
    open(ctx, &*read.keys().await?, &of, row)
}

/// The texts of versions of notes; others are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn texts_of(ctx: &RequestContext, ids: &[VersionId]) -> Result<Vec<(VersionId, Phi<String>)>> {
    let read = ctx.read(&policy::VERSION_READ).await?;
    let rows = repository::bodies(read.db()?, ctx.facility(), policy::readable_kinds(&read), ids).await?;
    let keys = read.keys().await?;
    let mut texts = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(sealed) = row.body_ciphertext {
            texts.push((row.id, sealing::version_body_of(&keys, row.id, &sealed)?));
        }
    }
    Ok(texts)
}

/// How two versions of a document differ, word by word.
///
/// # Errors
/// [`Error::NotFound`] when one of them is not there for the caller, [`Error::BadInput`] when they are of two documents.
pub async fn difference(ctx: &RequestContext, from: VersionId, to: VersionId) -> Result<Difference> {
    let (from, to) = (version(ctx, from).await?, version(ctx, to).await?);
    if from.document != to.document {
        return Err(Error::bad_input("both versions must be of the same document"));
    }
    let texts = texts_of(ctx, &[from.id, to.id]).await?;
    let take = |id| {
        let at = texts.iter().position(|(of, _)| *of == id);
        at.map(|at| texts.get(at).map(|(_, text)| text.clone()).unwrap_or_default())
    };
    let bodies = take(from.id).zip(take(to.id));
    let titles = (from.title.clone(), to.title.clone());
    let told = move || {
        let title = Phi::new(diff::words(titles.0.reveal_str(), titles.1.reveal_str()));
        let text = bodies.map(|(from, to)| Phi::new(diff::words(from.reveal_str(), to.reveal_str())));
        (title, text)
    };
    // Two long texts take a while: not on a thread that others wait for.
    let (title, text) = tokio::task::spawn_blocking(told).await.map_err(Error::internal)?;
    Ok(Difference { from, to, title, text })
}

/// Puts an earlier version back, as a new one: title, kind and date, and of a draft its text.
///
/// # Errors
/// Refused when the version is stale, the document is signed, a note that is no draft or not the caller's.
pub async fn restore_version(
    ctx: &RequestContext,
    id: VersionId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::VERSION_RESTORE)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let (facility, kinds) = (ctx.facility(), policy::readable_kinds(&tx));
            let row = repository::find(tx.db()?, facility, kinds, &[id]).await?.pop().ok_or(Error::NotFound)?;
            let document = row.document_id;
            let now = changeable(&tx, document).await?;
            if now.note_state.is_some_and(|state| state != NoteState::Draft) {
                let message = "the note is not a draft any more";
                return Err(Stop::refuse(Refusal::NotDraft, &["input", "id"], message));
            }
            policy::require_kind(&tx, row.kind)?;
            same_class(now.kind, row.kind)?;
            let keys = tx.keys().await?;
            let title = sealing::version_title_of(&keys, id, &row.title_ciphertext)?;
            let mut columns = DocumentChanges {
                kind: Some(row.kind),
                document_date: Some(row.document_date),
                title_ciphertext: Some(sealing::seal_title(&keys, document, &title)?),
                updated_at: Some(ctx.now()),
                ..DocumentChanges::default()
            };
            let body = repository::bodies(tx.db()?, facility, kinds, &[id]).await?.pop().ok_or(Error::NotFound)?;
            if let Some(sealed) = body.body_ciphertext {
                set_text(&keys, document, &sealing::version_body_of(&keys, id, &sealed)?, &mut columns)?;
            }
            if let Some(sealed) = body.fields_ciphertext {
                let fields = sealing::version_fields_of(&keys, id, &sealed)?;
                columns.fields_ciphertext = Some(sealing::seal_fields(&keys, document, &fields)?);
            }
            if !documents::update_if_version(tx.db()?, facility, document, expected_version, columns).await? {
                return Err(stale());
            }
            keep(&tx, document, DocumentVersionChange::Restored, Some(row.number)).await?;
            changed(&tx, document, &now.patient_ids);
            Ok(document)
        })
        .await
}
