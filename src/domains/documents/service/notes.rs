//! Writing notes: draft, final, and what is added to a signed one.

use async_graphql::MaybeUndefined;
use sha2::{Digest as _, Sha256};

use super::upload::audit_for;
use super::{INDEX_NOTE_JOB, changeable, enqueue, links, sight, stale};
use crate::access::{Once, RequestContext, Tx};
use crate::domains::documents::model::{
    CreateNote, DocumentChanges, DocumentKind, DocumentOrigin, DocumentRow, DocumentStatus, NewDocument, NoteState,
    Refusal, UpdateNote,
};
use crate::domains::documents::{policy, repository, sealing, validation};
use crate::error::{Error, Stop};
use crate::ids::{DocumentId, new_id};
use crate::phi::Phi;

const MIME_TYPE: &str = "text/plain";

/// Writes a draft.
///
/// # Errors
/// Refused when a value is malformed or a patient's chart is not open to the caller.
pub async fn create_note(
    ctx: &RequestContext,
    new: CreateNote,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    let kind = new.kind;
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let note = validation::note(new, tx.ctx().now().date_naive())?;
            let id: DocumentId = new_id();
            let row = draft(&tx, id, kind, &note.title, &note.text, note.document_date, None).await?;
            repository::insert(tx.db()?, row).await?;
            links::link_new(&tx, id, &note.patient_ids).await?;
            audit_for(&tx, id, &note.patient_ids);
            Ok(id)
        })
        .await
}

/// Changes a draft.
///
/// # Errors
/// Refused when a value is malformed, the version is stale, it is no draft or not the caller's.
pub async fn update_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    changes: UpdateNote,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let changes = validation::note_update(changes, tx.ctx().now().date_naive())?;
            let row = a_draft(&tx, id).await?;
            if let Some(kind) = changes.kind {
                policy::require_kind(&tx, kind)?;
            }
            let keys = tx.keys().await?;
            let mut columns = DocumentChanges {
                kind: changes.kind,
                document_date: changes.document_date,
                updated_at: Some(tx.ctx().now()),
                ..DocumentChanges::default()
            };
            if let Some(title) = &changes.title {
                columns.title_ciphertext = Some(sealing::seal_title(&keys, id, title)?);
            }
            if let Some(text) = &changes.text {
                columns.body_ciphertext = Some(sealing::seal_body(&keys, id, text)?);
                columns.size_bytes = Some(length(text)?);
                columns.sha256 = Some(digest(text));
            }
            if !repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, columns).await? {
                return Err(stale());
            }
            audit_for(&tx, id, &row.patient_ids);
            Ok(id)
        })
        .await
}

/// Declares a draft done: others see it from now on, and search will find it.
///
/// # Errors
/// Refused when the version is stale, it is no draft or not the caller's.
pub async fn finalize_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let row = a_draft(&tx, id).await?;
            let changes = DocumentChanges {
                note_state: Some(NoteState::Final),
                updated_at: Some(tx.ctx().now()),
                ..DocumentChanges::default()
            };
            if !repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, changes).await? {
                return Err(stale());
            }
            enqueue(&tx, INDEX_NOTE_JOB, id).await?;
            audit_for(&tx, id, &row.patient_ids);
            Ok(id)
        })
        .await
}

/// Begins an addendum to a signed note: a draft about the same patients, of the same kind.
///
/// # Errors
/// Refused when the note is not signed or a value is malformed.
pub async fn add_to_note(
    ctx: &RequestContext,
    note: DocumentId,
    title: Option<Phi<String>>,
    text: Phi<String>,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let today = ctx.now().date_naive();
            let title = title.map_or(MaybeUndefined::Undefined, MaybeUndefined::Value);
            let given = UpdateNote { title, text: MaybeUndefined::Value(text), ..UpdateNote::default() };
            let checked = validation::note_update(given, today)?;
            let keys = tx.keys().await?;
            let found = repository::find_by_id(tx.db()?, sight(ctx, &tx), note).await?.ok_or(Error::NotFound)?;
            if found.note_state != Some(NoteState::Signed) {
                return Err(Stop::refuse(Refusal::NotSigned, &["input", "noteId"], "only a signed note is added to"));
            }
            let (kind, patients) = (found.kind, found.patient_ids.clone());
            let title = match checked.title {
                Some(title) => title,
                None => sealing::open_document(ctx, &keys, found)?.title,
            };
            let id: DocumentId = new_id();
            let text = checked.text.unwrap_or_default();
            let row = draft(&tx, id, kind, &title, &text, today, Some(note)).await?;
            repository::insert(tx.db()?, row).await?;
            repository::copy_links(tx.db()?, ctx.facility(), note, id, ctx.now()).await?;
            audit_for(&tx, id, &patients);
            Ok(id)
        })
        .await
}

/// A draft of the caller's, to be changed.
async fn a_draft(tx: &Tx, id: DocumentId) -> Result<DocumentRow, Stop<Refusal>> {
    let row = changeable(tx, id).await?;
    if row.note_state == Some(NoteState::Draft) {
        Ok(row)
    } else {
        Err(Stop::refuse(Refusal::NotDraft, &["input", "id"], "the note is not a draft any more"))
    }
}

async fn draft(
    tx: &Tx,
    id: DocumentId,
    kind: DocumentKind,
    title: &Phi<String>,
    text: &Phi<String>,
    document_date: chrono::NaiveDate,
    addendum_to: Option<DocumentId>,
) -> Result<NewDocument, Stop<Refusal>> {
    policy::require_kind(tx, kind)?;
    let ctx = tx.ctx();
    let keys = tx.keys().await?;
    Ok(NewDocument {
        facility_id: ctx.facility(),
        id,
        origin: DocumentOrigin::Note,
        kind,
        title_ciphertext: sealing::seal_title(&keys, id, title)?,
        file_name_ciphertext: None,
        mime_type: MIME_TYPE,
        size_bytes: length(text)?,
        sha256: digest(text),
        object_key: None,
        file_key_ciphertext: None,
        body_ciphertext: Some(sealing::seal_body(&keys, id, text)?),
        author_id: ctx.user().ok(),
        document_date,
        status: DocumentStatus::Uploaded,
        note_state: Some(NoteState::Draft),
        addendum_to,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    })
}

fn length(text: &Phi<String>) -> Result<i64, Error> {
    i64::try_from(text.reveal_str().len()).map_err(Error::internal)
}

fn digest(text: &Phi<String>) -> Vec<u8> {
    Sha256::digest(text.reveal_str()).to_vec()
}
