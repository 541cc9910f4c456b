//! Writing notes: draft, final, and what is added to a signed one.

use async_graphql::MaybeUndefined;
use sha2::{Digest as _, Sha256};

use super::{INDEX_NOTE_JOB, changeable, enqueue, links, same_class, sight, stale};
use crate::access::{Once, RequestContext, Tx};
use crate::crypto::FacilityKeys;
use crate::domains::documents::changes::changed;
use crate::domains::documents::model::{
    CreateNote, DocumentChanges, DocumentKind, DocumentLabel, DocumentOrigin, DocumentRow, DocumentStatus, NewDocument,
    NoteState, Refusal, UpdateNote,
};
use crate::domains::documents::templates::model::Filled;
use crate::domains::documents::validation::Changes;
use crate::domains::documents::versions::model::DocumentVersionChange;
use crate::domains::documents::{policy, repository, sealing, templates, validation, versions};
use crate::error::{Error, Stop};
use crate::ids::{DocumentId, PatientId, VisitId, new_id};
use crate::phi::Phi;

const MIME_TYPE: &str = "text/plain";

/// A note to be begun, of a template or of none.
#[derive(Debug)]
pub(in crate::domains::documents) struct Draft {
    pub kind: DocumentKind,
    pub title: Phi<String>,
    pub text: Phi<String>,
    /// Today when left out.
    pub document_date: Option<chrono::NaiveDate>,
    pub labels: Vec<DocumentLabel>,
    pub patient_ids: Vec<PatientId>,
    pub visit_id: Option<VisitId>,
    pub filled: Option<Filled>,
}

/// Writes a draft.
///
/// # Errors
/// Refused when a value is malformed or a patient's chart is not open to the caller.
pub async fn create_note(
    ctx: &RequestContext,
    new: CreateNote,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let CreateNote { kind, title, text, document_date, labels, patient_ids, visit_id } = new;
            let draft = Draft { kind, title, text, document_date, labels, patient_ids, visit_id, filled: None };
            begin_draft(&tx, draft).await
        })
        .await
}

/// Writes a draft in a transaction.
pub(in crate::domains::documents) async fn begin_draft(tx: &Tx, new: Draft) -> Result<DocumentId, Stop<Refusal>> {
    let Draft { kind, title, text, document_date, labels, patient_ids, visit_id, filled } = new;
    let part2 = labels.contains(&DocumentLabel::Part2);
    let new = CreateNote { kind, title, text, document_date, labels, patient_ids, visit_id };
    // A form of which nothing is filled in yet has no text.
    let note = validation::note(new, tx.ctx().now().date_naive(), filled.is_some())?;
    let id: DocumentId = new_id();
    let mut row = draft(tx, id, kind, &note.title, &note.text, note.document_date, None).await?;
    row.part2 = part2;
    row.visit_id = visit_id;
    if let Some(filled) = filled {
        row.template_id = Some(filled.template);
        row.template_number = Some(filled.number);
        row.fields_ciphertext = Some(templates::notes::seal(&*tx.keys().await?, id, &filled.values)?);
    }
    links::require_visit(tx, visit_id, &note.patient_ids).await?;
    repository::insert(tx.db()?, row).await?;
    links::link_new(tx, id, &note.patient_ids).await?;
    versions::record(tx, id, DocumentVersionChange::Created).await?;
    changed(tx, id, &note.patient_ids);
    Ok(id)
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
    save(ctx, id, expected_version, changes, DocumentVersionChange::Edited, once).await
}

/// Saves a draft while it is being written. What is as it was is not saved again; several saves one after the other are
/// one version.
///
/// # Errors
/// Refused when a value is malformed, the version is stale, it is no draft or not the caller's.
pub async fn autosave_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    changes: UpdateNote,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    save(ctx, id, expected_version, changes, DocumentVersionChange::Autosaved, once).await
}

async fn save(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    changes: UpdateNote,
    change: DocumentVersionChange,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let changes = validation::note_update(changes, tx.ctx().now().date_naive())?;
            let row = a_draft(&tx, id).await?;
            if let Some(kind) = changes.kind {
                policy::require_kind(&tx, kind)?;
                same_class(row.kind, kind)?;
            }
            if changes.text.is_some() && row.template_id.is_some() {
                let message = "the note was made of a template: change its fields";
                return Err(Stop::refuse(Refusal::FromTemplate, &["input", "text"], message));
            }
            links::require_visit(&tx, changes.visit.flatten(), &row.patient_ids).await?;
            let columns = columns_of(&tx, id, &changes).await?;
            let patients = row.patient_ids.clone();
            if change == DocumentVersionChange::Autosaved
                && row.version == expected_version
                && is_as_it_was(&tx, row, &changes).await?
            {
                changed(&tx, id, &patients);
                return Ok(id);
            }
            if !repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, columns).await? {
                return Err(stale());
            }
            versions::record(&tx, id, change).await?;
            changed(&tx, id, &patients);
            Ok(id)
        })
        .await
}

/// The columns that a change of a draft sets.
async fn columns_of(tx: &Tx, id: DocumentId, changes: &Changes) -> Result<DocumentChanges, Error> {
    let keys = tx.keys().await?;
    let mut columns = DocumentChanges {
        kind: changes.kind,
        document_date: changes.document_date,
        visit_id: changes.visit,
        updated_at: Some(tx.ctx().now()),
        ..DocumentChanges::default()
    };
    if let Some(title) = &changes.title {
        columns.title_ciphertext = Some(sealing::seal_title(&keys, id, title)?);
    }
    if let Some(text) = &changes.text {
        set_text(&keys, id, text, &mut columns)?;
    }
    Ok(columns)
}

/// Sets the text of a note, and what is told of it.
pub(in crate::domains::documents) fn set_text(
    keys: &FacilityKeys,
    id: DocumentId,
    text: &Phi<String>,
    columns: &mut DocumentChanges,
) -> Result<(), Error> {
    columns.body_ciphertext = Some(sealing::seal_body(keys, id, text)?);
    columns.size_bytes = Some(length(text)?);
    columns.sha256 = Some(digest(text));
    Ok(())
}

/// Whether a change of a draft changes nothing.
async fn is_as_it_was(tx: &Tx, row: DocumentRow, changes: &Changes) -> Result<bool, Error> {
    let same = changes.kind.is_none_or(|kind| kind == row.kind)
        && changes.document_date.is_none_or(|date| date == row.document_date)
        && changes.visit.is_none_or(|visit| visit == row.visit_id)
        && changes.text.as_ref().is_none_or(|text| digest(text) == row.sha256);
    let keys = tx.keys().await?;
    let title = sealing::title_of(&keys, row.id, &row.title_ciphertext)?;
    Ok(same && changes.title.as_ref().is_none_or(|given| *given == title))
}

/// Declares a draft done: others see it from now on, and search will find it. Not so a psychotherapy note, which stays
/// its author's alone.
///
/// # Errors
/// Refused when the version is stale, it is no draft or not the caller's, or lacks what its template requires.
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
            templates::notes::require_complete(&tx, id).await?;
            let changes = DocumentChanges {
                note_state: Some(NoteState::Final),
                updated_at: Some(tx.ctx().now()),
                ..DocumentChanges::default()
            };
            if !repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, changes).await? {
                return Err(stale());
            }
            versions::record(&tx, id, DocumentVersionChange::Finalized).await?;
            // What is kept apart leaves nothing for others to search: no passages, no vectors, no words.
            if row.kind != DocumentKind::PsychotherapyNote {
                enqueue(&tx, INDEX_NOTE_JOB, id).await?;
            }
            changed(&tx, id, &row.patient_ids);
            Ok(id)
        })
        .await
}

/// Takes a final note back to be changed: a draft again, which its author alone sees and search shows to nobody else.
///
/// # Errors
/// Refused when the version is stale, the note is not final or not the caller's.
pub async fn reopen_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let row = changeable(&tx, id).await?;
            if row.note_state != Some(NoteState::Final) {
                return Err(Stop::refuse(Refusal::NotFinal, &["input", "id"], "only a final note is taken back"));
            }
            let changes = DocumentChanges {
                note_state: Some(NoteState::Draft),
                updated_at: Some(tx.ctx().now()),
                ..DocumentChanges::default()
            };
            if !repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, changes).await? {
                return Err(stale());
            }
            changed(&tx, id, &row.patient_ids);
            Ok(id)
        })
        .await
}

/// Begins an addendum to a signed note: a draft about the same patients, of the same kind, with the same labels.
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
        .run(|tx| async move { begin_addendum(&tx, note, title, text).await })
        .await
}

/// Begins an addendum in a transaction.
pub(in crate::domains::documents) async fn begin_addendum(
    tx: &Tx,
    note: DocumentId,
    title: Option<Phi<String>>,
    text: Phi<String>,
) -> Result<DocumentId, Stop<Refusal>> {
    let ctx = tx.ctx();
    let today = ctx.now().date_naive();
    let title = title.map_or(MaybeUndefined::Undefined, MaybeUndefined::Value);
    let given = UpdateNote { title, text: MaybeUndefined::Value(text), ..UpdateNote::default() };
    let checked = validation::note_update(given, today)?;
    let keys = tx.keys().await?;
    let found = repository::find_by_id(tx.db()?, sight(ctx, tx), note).await?.ok_or(Error::NotFound)?;
    if found.note_state != Some(NoteState::Signed) {
        return Err(Stop::refuse(Refusal::NotSigned, &["input", "noteId"], "only a signed note is added to"));
    }
    let (kind, part2, visit, patients) = (found.kind, found.part2, found.visit_id, found.patient_ids.clone());
    let title = match checked.title {
        Some(title) => title,
        None => sealing::open_document(ctx, &keys, found)?.title,
    };
    let id: DocumentId = new_id();
    let text = checked.text.unwrap_or_default();
    let mut row = draft(tx, id, kind, &title, &text, today, Some(note)).await?;
    row.part2 = part2;
    row.visit_id = visit;
    repository::insert(tx.db()?, row).await?;
    repository::copy_links(tx.db()?, ctx.facility(), note, id, ctx.now()).await?;
    versions::record(tx, id, DocumentVersionChange::Created).await?;
    changed(tx, id, &patients);
    Ok(id)
}

/// A draft of the caller's, to be changed.
pub(in crate::domains::documents) async fn a_draft(tx: &Tx, id: DocumentId) -> Result<DocumentRow, Stop<Refusal>> {
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
        part2: false,
        template_id: None,
        template_number: None,
        fields_ciphertext: None,
        visit_id: None,
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
