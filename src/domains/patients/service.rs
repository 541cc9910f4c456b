//! Operations on patients, named as a clerk would.

use serde_json::json;

use super::model::{Contact, NewPatient, NewTerm, Patient, PatientStatus, Refusal, RegisterPatient};
use super::{policy, repository, sealing, validation};
use crate::access::{Once, RequestContext, Subject};
use crate::error::{Error, Result, Stop};
use crate::ids::{PatientId, new_id};
use crate::pagination::{Page, PageRequest};

/// One patient.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may open.
pub async fn patient(ctx: &RequestContext, id: PatientId) -> Result<Patient> {
    let read = ctx.read(&policy::READ).await?;
    let row = repository::find_by_id(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_patient(ctx, &*read.keys().await?, row)
}

/// Patients by id, those the caller may open, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn patients_by_ids(ctx: &RequestContext, ids: &[PatientId]) -> Result<Vec<Patient>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::find_by_ids(read.db()?, ctx.facility(), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_patient(ctx, &keys, row)).collect()
}

/// A page of the facility's patients, last registered first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_patients(ctx: &RequestContext, status: PatientStatus, page: PageRequest<PatientId>) -> Result<Page<Patient>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::list_page(read.db()?, ctx.facility(), status.as_str(), page).await?;
    let keys = read.keys().await?;
    let found = rows.into_iter().map(|row| sealing::open_patient(ctx, &keys, row)).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(found))
}

/// How many patients [`list_patients`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_patients(ctx: &RequestContext, status: PatientStatus) -> Result<i64> {
    let read = ctx.read(&policy::READ).await?;
    repository::count(read.db()?, ctx.facility(), status.as_str()).await
}

/// Contacts of several patients, in the order they are called.
///
/// # Errors
/// A denial, or a fault.
pub async fn contacts_of(ctx: &RequestContext, patients: &[PatientId]) -> Result<Vec<Contact>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::contacts_of(read.db()?, ctx.facility(), patients).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_contact(ctx, &keys, row)).collect()
}

/// Registers a patient.
///
/// # Errors
/// Refused when a value is malformed or the medical record number is taken.
pub async fn register_patient(ctx: &RequestContext, new: RegisterPatient, once: Option<Once>) -> Result<PatientId, Stop<Refusal>> {
    let registration = validation::registration(new, ctx.now().date_naive())?;
    ctx.write(&policy::REGISTER)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let keys = tx.keys().await?;
            let id: PatientId = new_id();
            let (gender, preferred_language) = (registration.gender, registration.preferred_language.clone());
            let identity = registration.numbered(id);
            let terms = sealing::terms(&keys, &identity);
            let row = NewPatient {
                facility_id: ctx.facility(),
                id,
                identity: sealing::seal_identity(&keys, id, &identity)?,
                gender,
                preferred_language,
                registered_by: ctx.user().ok(),
                created_at: ctx.now(),
                updated_at: ctx.now(),
            };
            repository::insert(tx.db()?, row).await?;
            let terms = terms.into_iter().map(|term| NewTerm { facility_id: ctx.facility(), term, patient_id: id }).collect();
            repository::insert_terms(tx.db()?, terms).await?;
            tx.audit(Subject::of(id).in_record_of(id), json!({}));
            Ok(id)
        })
        .await
}
