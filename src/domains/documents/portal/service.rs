//! Notes and amendment requests of a chart the caller is linked to.

use super::repository;
use crate::access::{Once, RequestContext};
use crate::domains::documents::amendments::{self, Amendment};
use crate::domains::documents::model::{BodyRow, Document, NoteState, Refusal};
use crate::domains::documents::{policy, sealing, validation};
use crate::domains::patients::portal::service::{require_linked, require_linked_to_write};
use crate::error::{Error, Result, Stop};
use crate::ids::{AmendmentId, DocumentId, PatientId};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// A note with its text.
#[derive(Debug, Clone)]
pub struct PortalNote {
    pub document: Document,
    pub text: Phi<String>,
}

/// A page of notes, last added first.
///
/// # Errors
/// [`Error::NotFound`] when the caller is not linked to the chart; a denial, or a fault.
pub async fn portal_notes(
    ctx: &RequestContext,
    patient: PatientId,
    page: PageRequest<DocumentId>,
) -> Result<Page<PortalNote>> {
    let read = ctx.read(&policy::PORTAL_READ).await?;
    require_linked(&read, patient).await?;
    let rows = repository::notes(read.db()?, ctx.facility(), patient, None, page.after, page.limit()).await?;
    let keys = read.keys().await?;
    let Page { rows, has_next } = page.cut(rows);
    let open = |row: crate::domains::documents::model::NoteRow| {
        let body = BodyRow { id: row.document.id, body_ciphertext: row.body_ciphertext };
        let text = sealing::open_body(&keys, &body)?.unwrap_or_default();
        Ok(PortalNote { document: sealing::open_document(ctx, &keys, row.document)?, text })
    };
    Ok(Page { rows: rows.into_iter().map(open).collect::<Result<_>>()?, has_next })
}

/// A page of the amendment requests of a chart, last made first.
///
/// # Errors
/// [`Error::NotFound`] when the caller is not linked to the chart; a denial, or a fault.
pub async fn portal_amendments(
    ctx: &RequestContext,
    patient: PatientId,
    page: PageRequest<AmendmentId>,
) -> Result<Page<Amendment>> {
    let read = ctx.read(&policy::PORTAL_READ).await?;
    require_linked(&read, patient).await?;
    amendments::of_patient(&read, patient, page).await
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`] when there is none in a chart the caller is linked to.
pub async fn portal_amendment(ctx: &RequestContext, id: AmendmentId) -> Result<Amendment> {
    let read = ctx.read(&policy::PORTAL_READ).await?;
    let found = amendments::any(&read, id).await?;
    require_linked(&read, found.patient).await?;
    Ok(found)
}

/// Asks for a correction of a signed note, as the patient or for them.
///
/// # Errors
/// Refused when the note is not signed or the text is malformed; not found when the caller does not see the note.
pub async fn ask_for_amendment(
    ctx: &RequestContext,
    document: DocumentId,
    patient: PatientId,
    asked: Phi<String>,
    once: Option<Once>,
) -> Result<AmendmentId, Stop<Refusal>> {
    ctx.write(&policy::PORTAL_AMENDMENT)
        .once(once)
        .run(|tx| async move {
            let asked = validation::statement(&asked, "request")?;
            require_linked_to_write(&tx, patient).await?;
            let found = repository::notes(tx.db()?, tx.ctx().facility(), patient, Some(document), None, 1).await?;
            let note = found.into_iter().next().ok_or(Error::NotFound)?;
            if note.document.note_state != Some(NoteState::Signed) {
                let message = "the note is not signed yet: ask whoever wrote it to correct it";
                return Err(Stop::refuse(Refusal::NotSigned, &["input", "documentId"], message));
            }
            amendments::make(&tx, document, patient, &asked).await
        })
        .await
}
