//! Signing a note: by its author and, where the author is supervised, by the supervisor.

use serde_json::json;

use super::{not_author, sight, stale};
use crate::access::{Once, RequestContext, Tx};
use crate::domains::documents::changes::changed_with;
use crate::domains::documents::model::{DocumentChanges, DocumentKind, DocumentRow, NoteState, Refusal};
use crate::domains::documents::signing::{NoteContent, sign};
use crate::domains::documents::{policy, repository, sealing, supervision};
use crate::error::{Error, Result, Stop};
use crate::ids::{DocumentId, UserId};

/// Signs a final note of the caller's own. It never changes afterwards. Where the caller is supervised, it waits for the
/// co-signature; where they were and are no more, a second signature of theirs completes it.
///
/// # Errors
/// Refused when the version is stale, the note is not final or not the caller's, or waits for somebody else.
pub async fn sign_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_SIGN)
        .once(once)
        .run(|tx| async move {
            let user = tx.ctx().user()?;
            let row = found(&tx, id).await?;
            let supervised = waits_for(&tx, &row, user).await?.is_some();
            let next = match row.note_state {
                Some(NoteState::Signed) => return Err(super::signed()),
                Some(NoteState::Draft) | None => {
                    return Err(Stop::refuse(Refusal::NotFinal, &["input", "id"], "only a final note can be signed"));
                }
                Some(NoteState::Final | NoteState::AwaitingCosignature) if row.author_id != Some(user) => {
                    return Err(not_author());
                }
                Some(NoteState::AwaitingCosignature) if supervised => return Err(super::awaiting()),
                Some(NoteState::Final) if supervised => NoteState::AwaitingCosignature,
                Some(NoteState::Final | NoteState::AwaitingCosignature) => NoteState::Signed,
            };
            put(&tx, id, expected_version, next).await
        })
        .await
}

/// Signs a note that waits for the caller's co-signature.
///
/// # Errors
/// Refused when the version is stale, the note waits for none, or for that of another.
pub async fn cosign_note(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_COSIGN)
        .once(once)
        .run(|tx| async move {
            let user = tx.ctx().user()?;
            let row = found(&tx, id).await?;
            match row.note_state {
                Some(NoteState::AwaitingCosignature) => {}
                Some(NoteState::Signed) => return Err(super::signed()),
                Some(NoteState::Draft | NoteState::Final) | None => {
                    let message = "the note does not wait for a co-signature";
                    return Err(Stop::refuse(Refusal::NotAwaiting, &["input", "id"], message));
                }
            }
            let author = row.author_id.ok_or(Error::NotFound)?;
            if waits_for(&tx, &row, author).await? != Some(user) {
                let message = "only who supervises the author may co-sign";
                return Err(Stop::refuse(Refusal::NotSupervisor, &["input", "id"], message));
            }
            put(&tx, id, expected_version, NoteState::Signed).await
        })
        .await
}

async fn found(tx: &Tx, id: DocumentId) -> Result<DocumentRow> {
    repository::find_by_id(tx.db()?, sight(tx.ctx(), tx), id).await?.ok_or(Error::NotFound)
}

/// Whose co-signature a note of this author needs. Nobody but the author may see a psychotherapy note.
async fn waits_for(tx: &Tx, row: &DocumentRow, author: UserId) -> Result<Option<UserId>> {
    if row.kind == DocumentKind::PsychotherapyNote {
        return Ok(None);
    }
    supervision::supervisor_of(tx, author).await
}

/// Signs a note as the caller, and moves it on.
async fn put(tx: &Tx, id: DocumentId, expected_version: i32, next: NoteState) -> Result<DocumentId, Stop<Refusal>> {
    let ctx = tx.ctx();
    let (user, now) = (ctx.user()?, ctx.now());
    let changes = DocumentChanges {
        note_state: Some(next),
        signed_at: (next == NoteState::Signed).then_some(now),
        updated_at: Some(now),
        ..DocumentChanges::default()
    };
    // First the row, which it locks: what is read next is what stays.
    if !repository::update_if_version(tx.db()?, ctx.facility(), id, expected_version, changes).await? {
        return Err(stale());
    }
    let note = repository::find_notes(tx.db()?, sight(ctx, tx), &[id]).await?.pop().ok_or(Error::NotFound)?;
    let note = sealing::open_note(ctx, &*tx.keys().await?, note)?;
    let content = NoteContent::of(ctx.facility(), &note);
    let signature = sign(ctx.app().keyring.audit_key(), &content, user, now)?;
    repository::insert_signature(tx.db()?, signature).await?;
    changed_with(tx, id, &note.all_patient_ids, &json!({ "state": next.as_str() }));
    Ok(id)
}
