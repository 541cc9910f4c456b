//! Recording requests, and deciding them.

use chrono::TimeDelta;
use serde_json::json;

use super::model::{Amendment, AmendmentFilter, AmendmentRow, AmendmentStatus, Decided, Decision};
use super::repository;
use crate::access::{Once, Read, RequestContext, Subject, Tx};
use crate::crypto::FacilityKeys;
use crate::domains::documents::model::{DocumentKind, NoteState, Refusal};
use crate::domains::documents::service::{begin_addendum, sight};
use crate::domains::documents::{policy, repository as documents, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{AmendmentId, DocumentId, PatientId, new_id};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Days to act on a request (45 CFR 164.526(b)(2)).
pub const DUE_DAYS: i64 = 60;
/// Days by which that may be put off, once.
pub const EXTENSION_DAYS: i64 = 30;

/// Decrypts a request and notes the read.
fn open(ctx: &RequestContext, keys: &FacilityKeys, row: AmendmentRow) -> Result<Amendment> {
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    let pending = row.status == AmendmentStatus::Pending;
    Ok(Amendment {
        id: row.id,
        document: row.document_id,
        patient: row.patient_id,
        status: row.status,
        request: sealing::request_of(keys, row.id, &row.request_ciphertext)?,
        recorded_by: row.recorded_by,
        due_on: row.due_on,
        overdue: pending && row.due_on < ctx.now().date_naive(),
        extension: row.extension_ciphertext.map(|sealed| sealing::extension_of(keys, row.id, &sealed)).transpose()?,
        denial_ground: row.denial_ground,
        decision: row.decision_ciphertext.map(|sealed| sealing::decision_of(keys, row.id, &sealed)).transpose()?,
        decided_by: row.decided_by,
        decided_at: row.decided_at,
        addendum: row.addendum_id,
        version: row.version,
        requested_at: row.created_at,
    })
}

/// One request.
///
/// # Errors
/// [`Error::NotFound`] when there is none about a document the caller may know of.
pub async fn amendment(ctx: &RequestContext, id: AmendmentId) -> Result<Amendment> {
    let read = ctx.read(&policy::AMENDMENT_READ).await?;
    let row = repository::find(read.db()?, sight(ctx, &read), id).await?.ok_or(Error::NotFound)?;
    open(ctx, &*read.keys().await?, row)
}

/// A page of requests, last recorded first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_amendments(
    ctx: &RequestContext,
    filter: AmendmentFilter,
    page: PageRequest<AmendmentId>,
) -> Result<Page<Amendment>> {
    let read = ctx.read(&policy::AMENDMENT_READ).await?;
    let rows = repository::list_page(read.db()?, sight(ctx, &read), filter, page).await?;
    let keys = read.keys().await?;
    let Page { rows, has_next } = page.cut(rows);
    let rows = rows.into_iter().map(|row| open(ctx, &keys, row)).collect::<Result<_>>()?;
    Ok(Page { rows, has_next })
}

/// Records that a patient asks for an amendment of a signed note about them.
///
/// # Errors
/// Refused when the note is not signed, is a psychotherapy note or not about the patient, or the text is malformed.
pub async fn request_amendment(
    ctx: &RequestContext,
    document: DocumentId,
    patient: PatientId,
    request: Phi<String>,
    once: Option<Once>,
) -> Result<AmendmentId, Stop<Refusal>> {
    ctx.write(&policy::AMENDMENT_REQUEST)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let request = validation::statement(&request, "request")?;
            let row = documents::find_by_id(tx.db()?, sight(ctx, &tx), document).await?.ok_or(Error::NotFound)?;
            if row.kind == DocumentKind::PsychotherapyNote {
                let message = "psychotherapy notes are not part of the record a patient may have amended";
                return Err(Stop::refuse(Refusal::KeptApart, &["input", "documentId"], message));
            }
            if row.note_state != Some(NoteState::Signed) {
                let message = "only a signed note is amended; this one can still be changed";
                return Err(Stop::refuse(Refusal::NotSigned, &["input", "documentId"], message));
            }
            if !row.patient_ids.contains(&patient) {
                let message = "the note is not about this patient";
                return Err(Stop::refuse(Refusal::PatientNotFound, &["input", "patientId"], message));
            }
            make(&tx, document, patient, &request).await
        })
        .await
}

/// Makes a request about a note that has been looked at.
pub(in crate::domains::documents) async fn make(
    tx: &Tx,
    document: DocumentId,
    patient: PatientId,
    request: &Phi<String>,
) -> Result<AmendmentId, Stop<Refusal>> {
    let (ctx, id): (_, AmendmentId) = (tx.ctx(), new_id());
    let now = ctx.now();
    let new = AmendmentRow {
        facility_id: ctx.facility(),
        id,
        document_id: document,
        patient_id: patient,
        status: AmendmentStatus::Pending,
        request_ciphertext: sealing::seal_request(&*tx.keys().await?, id, request)?,
        recorded_by: ctx.user().ok(),
        due_on: now.date_naive() + TimeDelta::days(DUE_DAYS),
        extended_at: None,
        extension_ciphertext: None,
        denial_ground: None,
        decision_ciphertext: None,
        decided_by: None,
        decided_at: None,
        addendum_id: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    repository::insert(tx.db()?, new).await?;
    tx.audit(Subject::of(id).in_record_of(patient), json!({}));
    Ok(id)
}

/// Requests of a patient, for who may see them otherwise than by the document.
pub(in crate::domains::documents) async fn of_patient(
    read: &Read,
    patient: PatientId,
    page: PageRequest<AmendmentId>,
) -> Result<Page<Amendment>> {
    let ctx = read.ctx();
    let rows = repository::of_patient(read.db()?, ctx.facility(), patient, page).await?;
    let keys = read.keys().await?;
    let Page { rows, has_next } = page.cut(rows);
    Ok(Page { rows: rows.into_iter().map(|row| open(ctx, &keys, row)).collect::<Result<_>>()?, has_next })
}

/// One request, for the same.
pub(in crate::domains::documents) async fn any(read: &Read, id: AmendmentId) -> Result<Amendment> {
    let ctx = read.ctx();
    let row = repository::find_any(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    open(ctx, &*read.keys().await?, row)
}

/// Puts the last day to decide a request off by 30 days, once, while that day is not over; the reason is the patient's to
/// read (45 CFR 164.526(b)(2)(ii)).
///
/// # Errors
/// Refused when the version is stale, it is decided or was put off before, the day is over, or the reason is malformed.
pub async fn extend_amendment(
    ctx: &RequestContext,
    id: AmendmentId,
    expected_version: i32,
    reason: Phi<String>,
    once: Option<Once>,
) -> Result<AmendmentId, Stop<Refusal>> {
    ctx.write(&policy::AMENDMENT_EXTEND)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let reason = validation::statement(&reason, "reason")?;
            let row = repository::find(tx.db()?, sight(ctx, &tx), id).await?.ok_or(Error::NotFound)?;
            if row.status != AmendmentStatus::Pending {
                return Err(Stop::refuse(Refusal::Decided, &["input", "id"], "the request is decided"));
            }
            if row.extended_at.is_some() {
                return Err(Stop::refuse(Refusal::Extended, &["input", "id"], "the day was put off before"));
            }
            if row.due_on < ctx.now().date_naive() {
                return Err(Stop::refuse(Refusal::Overdue, &["input", "id"], "the day to decide it is over"));
            }
            let sealed = sealing::seal_extension(&*tx.keys().await?, id, &reason)?;
            let due_on = row.due_on + TimeDelta::days(EXTENSION_DAYS);
            let extended = (due_on, sealed, ctx.now());
            if !repository::extend(tx.db()?, ctx.facility(), id, expected_version, extended).await? {
                let message = "the request changed since it was read";
                return Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], message));
            }
            tx.audit(Subject::of(id).in_record_of(row.patient_id), json!({ "dueOn": due_on }));
            Ok(id)
        })
        .await
}

/// Decides a request: an acceptance begins the addendum, a draft of the caller's; a denial says why.
///
/// # Errors
/// Refused when the version is stale, it is decided already, or a text is malformed.
pub async fn decide_amendment(
    ctx: &RequestContext,
    id: AmendmentId,
    expected_version: i32,
    decision: Decision,
    once: Option<Once>,
) -> Result<AmendmentId, Stop<Refusal>> {
    ctx.write(&policy::AMENDMENT_DECIDE)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let row = repository::find(tx.db()?, sight(ctx, &tx), id).await?.ok_or(Error::NotFound)?;
            if row.status != AmendmentStatus::Pending {
                return Err(Stop::refuse(Refusal::Decided, &["input", "id"], "the request is decided"));
            }
            let mut decided = Decided {
                status: AmendmentStatus::Accepted,
                denial_ground: None,
                decision_ciphertext: None,
                decided_by: ctx.user().ok(),
                decided_at: Some(ctx.now()),
                addendum_id: None,
                version: expected_version + 1,
                updated_at: ctx.now(),
            };
            match decision {
                Decision::Accept(text) => {
                    decided.addendum_id = Some(begin_addendum(&tx, row.document_id, None, text).await?);
                }
                Decision::Deny(ground, reason) => {
                    let reason = validation::statement(&reason, "reason")?;
                    decided.status = AmendmentStatus::Denied;
                    decided.denial_ground = Some(ground);
                    decided.decision_ciphertext = Some(sealing::seal_decision(&*tx.keys().await?, id, &reason)?);
                }
            }
            let status = decided.status;
            if !repository::decide(tx.db()?, ctx.facility(), id, expected_version, decided).await? {
                let message = "the request changed since it was read";
                return Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], message));
            }
            tx.audit(Subject::of(id).in_record_of(row.patient_id), json!({ "status": status.as_str() }));
            Ok(id)
        })
        .await
}
