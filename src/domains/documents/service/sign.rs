//! Signing a note.

use serde_json::json;

use super::{not_author, sight, stale};
use crate::access::{Once, RequestContext, Subject};
use crate::domains::documents::model::{DocumentChanges, NoteState, Refusal};
use crate::domains::documents::signing::{NoteContent, sign};
use crate::domains::documents::{policy, repository, sealing};
use crate::error::{Error, Stop};
use crate::ids::DocumentId;

/// Signs a final note of the caller's own. It never changes afterwards.
///
/// # Errors
/// Refused when the version is stale, the note is not final or not the caller's.
pub async fn sign_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_SIGN)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let (user, now) = (ctx.user()?, ctx.now());
            let sight = sight(ctx, &tx);
            let row = repository::find_by_id(tx.db()?, sight, id).await?.ok_or(Error::NotFound)?;
            match row.note_state {
                Some(NoteState::Signed) => return Err(super::signed()),
                Some(NoteState::Final) if row.author_id == Some(user) => {}
                Some(NoteState::Final) => return Err(not_author()),
                Some(NoteState::Draft) | None => {
                    return Err(Stop::refuse(Refusal::NotFinal, &["input", "id"], "only a final note can be signed"));
                }
            }
            let changes = DocumentChanges {
                note_state: Some(NoteState::Signed),
                signed_at: Some(now),
                updated_at: Some(now),
                ..DocumentChanges::default()
            };
            // First the row, which it locks: what is read next is what stays.
            if !repository::update_if_version(tx.db()?, ctx.facility(), id, expected_version, changes).await? {
                return Err(stale());
            }
            let note = repository::find_notes(tx.db()?, sight, &[id]).await?.pop().ok_or(Error::NotFound)?;
            let note = sealing::open_note(ctx, &*tx.keys().await?, note)?;
            let content = NoteContent::of(ctx.facility(), &note);
            let signature = sign(ctx.app().keyring.audit_key(), &content, user, now)?;
            repository::insert_signature(tx.db()?, signature).await?;
            for patient in &note.all_patient_ids {
                tx.audit(Subject::of(id).in_record_of(*patient), json!({}));
            }
            Ok(id)
        })
        .await
}
