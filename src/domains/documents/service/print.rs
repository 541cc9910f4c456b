//! A note as a PDF.

use super::{sight, signatures_of};
use crate::access::{Read, RequestContext};
use crate::domains::documents::model::{
    CheckedSignature, Document, DocumentKind, NoteState, OpenNote, REDISCLOSURE_NOTICE,
};
use crate::domains::documents::pdf::{Sheet, draw};
use crate::domains::documents::{repository, sealing};
use crate::domains::patients::model::Patient;
use crate::domains::{facilities, identity, patients};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, UserId};
use crate::phi::Phi;

/// What a PDF of ours is.
pub(super) const MIME_TYPE: &str = "application/pdf";

/// The note and its PDF.
///
/// # Errors
/// [`Error::NotFound`] for a psychotherapy note, which is never given out, and for what is no note.
pub(super) async fn printed(ctx: &RequestContext, read: &Read, id: DocumentId) -> Result<(Document, Vec<u8>)> {
    let row = repository::find_notes(read.db()?, sight(ctx, read), &[id]).await?.pop().ok_or(Error::NotFound)?;
    if row.document.kind == DocumentKind::PsychotherapyNote || row.body_ciphertext.is_none() {
        return Err(Error::NotFound);
    }
    let note = sealing::open_note(ctx, &*read.keys().await?, row)?;
    let signatures = signatures_of(ctx, &[id]).await?;
    let patients = patients::service::patients_by_ids(ctx, &note.document.patient_ids).await?;
    let facility = facilities::service::current_facility(ctx).await?;
    let people: Vec<UserId> =
        signatures.iter().map(|signature| signature.row.user_id).chain(note.document.author_id).collect();
    let names = identity::service::names_of(read, &people).await?;
    let name = |user: UserId| names.get(&user).cloned().unwrap_or_else(|| Phi::new(user.to_string()));
    let author = note.document.author_id.map_or_else(|| Phi::from("unknown"), name);
    let sheet = Sheet {
        facility: facility.profile.name,
        title: note.document.title.clone(),
        particulars: particulars(&note, &patients, author),
        signatures: signature_block(note.document.note_state, &signatures, name),
        foot: id.to_string(),
        notice: note.document.part2.then_some(REDISCLOSURE_NOTICE),
        text: note.text,
    };
    // Measuring a long text takes a while: not on a thread that others wait for.
    let bytes = tokio::task::spawn_blocking(move || draw(&sheet)).await.map_err(Error::internal)??;
    Ok((note.document, bytes))
}

fn particulars(note: &OpenNote, patients: &[Patient], author: Phi<String>) -> Vec<(&'static str, Phi<String>)> {
    let patient = |patient: &Patient| {
        let identity = &patient.identity;
        Phi::new(format!(
            "{} {}, born {}, record {}",
            identity.given_name.reveal(),
            identity.family_name.reveal(),
            identity.birth_date.reveal(),
            identity.mrn.reveal()
        ))
    };
    let kind = note.document.kind.as_str().replace('_', " ");
    let mut particulars: Vec<_> = patients.iter().map(|one| ("Patient", patient(one))).collect();
    particulars.push(("Kind", Phi::new(kind)));
    particulars.push(("Date", Phi::new(note.document.document_date.to_string())));
    particulars.push(("Author", author));
    particulars
}

/// Who signed, when, and over what; or that nobody has.
fn signature_block(
    state: Option<NoteState>,
    signatures: &[CheckedSignature],
    name: impl Fn(UserId) -> Phi<String>,
) -> Vec<Phi<String>> {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut lines: Vec<Phi<String>> = signatures
        .iter()
        .map(|signature| {
            let row = &signature.row;
            let valid = if signature.valid { "valid" } else { "NOT VALID: the note is not what was signed" };
            Phi::new(format!(
                "Signed by {} at {}; signature {valid}; content SHA-256 {}",
                name(row.user_id).reveal(),
                row.signed_at.format("%Y-%m-%d %H:%M:%S UTC"),
                hexadecimal(&row.content_sha256)
            ))
        })
        .collect();
    match state {
        Some(NoteState::Draft) => lines.push(Phi::from("DRAFT: not finished and not signed")),
        Some(NoteState::Final) => lines.push(Phi::from("NOT SIGNED")),
        Some(NoteState::AwaitingCosignature) => lines.push(Phi::from("NOT COMPLETE: waits for a co-signature")),
        Some(NoteState::Signed) | None => {}
    }
    lines
}
