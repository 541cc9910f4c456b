//! Looking patients up and listing them.

use std::collections::BTreeSet;

use crate::access::{RequestContext, Tx};
use crate::domains::patients::model::{Patient, PatientStatus};
use crate::domains::patients::{policy, repository, sealing};
use crate::error::{Error, Result};
use crate::ids::PatientId;
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// One patient.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may open.
pub async fn patient(ctx: &RequestContext, id: PatientId) -> Result<Patient> {
    let read = ctx.read(&policy::READ).await?;
    let row = repository::patients::find_by_id(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_patient(ctx, &*read.keys().await?, row)
}

/// Patients by id, those the caller may open, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn patients_by_ids(ctx: &RequestContext, ids: &[PatientId]) -> Result<Vec<Patient>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::patients::find_by_ids(read.db()?, ctx.facility(), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_patient(ctx, &keys, row)).collect()
}

/// Whom a record is of, as its first page says.
#[derive(Debug)]
pub struct TitlePage {
    pub name: Phi<String>,
    pub mrn: Phi<String>,
    pub birth_date: Phi<String>,
}

/// Whom a record is of, for the server itself to write on what it makes.
///
/// # Errors
/// [`Error::NotFound`] when there is no such patient.
pub async fn title_page(ctx: &RequestContext, id: PatientId) -> Result<TitlePage> {
    let read = ctx.read(&policy::TITLE_PAGE).await?;
    let row = repository::patients::find_by_id(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    let patient = sealing::open_patient(ctx, &*read.keys().await?, row)?;
    let identity = &patient.identity;
    let name = format!("{} {}", identity.given_name.reveal(), identity.family_name.reveal());
    Ok(TitlePage {
        name: Phi::new(name),
        mrn: identity.mrn.clone(),
        birth_date: Phi::new(identity.birth_date.reveal().to_string()),
    })
}

/// Whether there are all of these patients, and the charts are open to whoever writes.
///
/// # Errors
/// A fault.
pub async fn are_open(tx: &Tx, ids: &[PatientId]) -> Result<bool> {
    let wanted: BTreeSet<PatientId> = ids.iter().copied().collect();
    let found = repository::patients::find_by_ids(tx.db()?, tx.ctx().facility(), ids).await?;
    Ok(found.len() == wanted.len())
}

/// A page of the facility's patients, last registered first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_patients(
    ctx: &RequestContext,
    status: PatientStatus,
    page: PageRequest<PatientId>,
) -> Result<Page<Patient>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::patients::list_page(read.db()?, ctx.facility(), status, page).await?;
    let keys = read.keys().await?;
    let page = page.cut(rows);
    let patients = page.rows.into_iter().map(|row| sealing::open_patient(ctx, &keys, row)).collect::<Result<_>>()?;
    Ok(Page { rows: patients, has_next: page.has_next })
}

/// How many patients [`list_patients`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_patients(ctx: &RequestContext, status: PatientStatus) -> Result<i64> {
    let read = ctx.read(&policy::READ).await?;
    repository::patients::count(read.db()?, ctx.facility(), status).await
}
