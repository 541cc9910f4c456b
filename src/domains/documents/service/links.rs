//! Which patients a document is about.

use serde_json::json;

use super::{changeable, stale};
use crate::access::{Once, RequestContext, Tx};
use crate::domains::documents::changes::changed_with;
use crate::domains::documents::model::{DocumentChanges, Refusal};
use crate::domains::documents::{policy, repository, validation};
use crate::error::Stop;
use crate::ids::{DocumentId, PatientId, VisitId};

/// Links a document to patients. Those linked already stay linked.
///
/// # Errors
/// Refused when a chart is not open to the caller, the version is stale or the note is signed.
pub async fn link_patients(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    patients: Vec<PatientId>,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::LINK)
        .once(once)
        .run(|tx| async move {
            let patients = validation::patients(patients)?;
            changeable(&tx, id).await?;
            touch(&tx, id, expected_version).await?;
            link_new(&tx, id, &patients).await?;
            changed_with(&tx, id, &patients, &json!({ "linked": true }));
            Ok(id)
        })
        .await
}

/// Takes a patient off a document. A note keeps at least one; the patient of its visit stays.
///
/// # Errors
/// Refused when it was not linked, the version is stale, the note is signed or would be about nobody.
pub async fn unlink_patient(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    patient: PatientId,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::LINK)
        .once(once)
        .run(|tx| async move {
            let row = changeable(&tx, id).await?;
            touch(&tx, id, expected_version).await?;
            if row.note_state.is_some() && row.patient_ids == [patient] {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "patientId"], "a note must be about someone"));
            }
            let of_patient = match row.visit_id {
                Some(visit) => repository::visit_is_of(tx.db()?, tx.ctx().facility(), visit, &[patient]).await?,
                None => false,
            };
            if of_patient {
                let message = "the document is of a visit of this patient: take the visit off first";
                return Err(Stop::refuse(Refusal::Invalid, &["input", "patientId"], message));
            }
            if !repository::unlink(tx.db()?, tx.ctx().facility(), id, patient).await? {
                return Err(not_found(&["input", "patientId"]));
            }
            changed_with(&tx, id, &[patient], &json!({ "linked": false }));
            Ok(id)
        })
        .await
}

/// Raises the version: a signature covers the patients, so linking and signing must not pass each other.
async fn touch(tx: &Tx, id: DocumentId, expected_version: i32) -> Result<(), Stop<Refusal>> {
    let changes = DocumentChanges { updated_at: Some(tx.ctx().now()), ..DocumentChanges::default() };
    let touched = repository::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, changes).await?;
    if touched { Ok(()) } else { Err(stale()) }
}

/// Links a document in a transaction that has made or checked it.
pub(in crate::domains::documents) async fn link_new(
    tx: &Tx,
    id: DocumentId,
    patients: &[PatientId],
) -> Result<(), Stop<Refusal>> {
    if patients.is_empty() {
        return Ok(());
    }
    let ctx = tx.ctx();
    let open = repository::link(tx.db()?, ctx.facility(), id, patients, ctx.now()).await?;
    if open == patients.len() { Ok(()) } else { Err(not_found(&["input", "patientIds"])) }
}

/// Lets a visit pass that is of one of the patients, whose charts are open to the caller.
pub(super) async fn require_visit(
    tx: &Tx,
    visit: Option<VisitId>,
    patients: &[PatientId],
) -> Result<(), Stop<Refusal>> {
    let Some(visit) = visit else { return Ok(()) };
    if repository::visit_is_of(tx.db()?, tx.ctx().facility(), visit, patients).await? {
        return Ok(());
    }
    let message = "there is no such visit of a patient the document is about";
    Err(Stop::refuse(Refusal::VisitNotFound, &["input", "visitId"], message))
}

fn not_found(field: &[&'static str]) -> Stop<Refusal> {
    Stop::refuse(Refusal::PatientNotFound, field, "there is no such patient")
}
