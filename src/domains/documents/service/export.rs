//! Giving a signed note out as a file that is verified without a server.

use std::collections::HashMap;

use serde_json::json;

use super::sight;
use crate::access::{RequestContext, Subject};
use crate::domains::documents::model::{DocumentKind, NoteState};
use crate::domains::documents::{bundle, policy, repository, sealing};
use crate::error::Result;
use crate::ids::DocumentId;
use crate::phi::Phi;

/// The files of signed notes; what is not signed, and psychotherapy notes, which are never exported, are left out. Each is
/// on record.
///
/// # Errors
/// A denial, or a fault.
pub async fn bundles_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<(DocumentId, Phi<String>)>> {
    let read = ctx.read(&policy::NOTE_EXPORT).await?;
    let db = read.db()?;
    let (rows, notes) = futures::try_join!(
        repository::signatures_of(db, ctx.facility(), ids),
        repository::find_notes(db, sight(ctx, &read), ids),
    )?;
    let mut signatures: HashMap<DocumentId, Vec<_>> = HashMap::new();
    for row in rows {
        signatures.entry(row.document_id).or_default().push(row);
    }
    let (keys, public_keys) = (read.keys().await?, ctx.app().keyring.audit_public_keys());
    let mut files = Vec::with_capacity(notes.len());
    for note in notes {
        let (id, kind) = (note.document.id, note.document.kind);
        if note.document.note_state != Some(NoteState::Signed) || kind == DocumentKind::PsychotherapyNote {
            continue;
        }
        let note = sealing::open_note(ctx, &keys, note)?;
        let signed = signatures.remove(&id).unwrap_or_default();
        for patient in &note.document.patient_ids {
            ctx.note(&policy::NOTE_EXPORT, Subject::of(id).in_record_of(*patient), json!({}));
        }
        files.push((id, bundle::write(ctx.facility(), &note, &signed, &public_keys)?));
    }
    Ok(files)
}
