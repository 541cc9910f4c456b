//! Putting a record out of use, and back.

use serde_json::json;

use super::{archived, same_version, written};
use crate::access::{Action, Once, RequestContext, Subject};
use crate::domains::patients::model::{PatientStatus, Refusal};
use crate::domains::patients::{policy, repository};
use crate::error::{Error, Stop};
use crate::ids::PatientId;

/// Archives a record: it is kept and read, and not changed any more.
///
/// # Errors
/// Refused when it is archived or changed meanwhile.
pub async fn archive_patient(
    ctx: &RequestContext,
    id: PatientId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<PatientId, Stop<Refusal>> {
    set_status(ctx, &policy::ARCHIVE, id, expected_version, PatientStatus::Archived, once).await
}

/// Takes an archived record back into use.
///
/// # Errors
/// Refused when it is not archived, or changed meanwhile.
pub async fn restore_patient(
    ctx: &RequestContext,
    id: PatientId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<PatientId, Stop<Refusal>> {
    set_status(ctx, &policy::RESTORE, id, expected_version, PatientStatus::Active, once).await
}

async fn set_status(
    ctx: &RequestContext,
    action: &'static Action,
    id: PatientId,
    expected_version: i32,
    status: PatientStatus,
    once: Option<Once>,
) -> Result<PatientId, Stop<Refusal>> {
    ctx.write(action)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let row = repository::patients::lock(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            tx.audit(Subject::of(id).in_record_of(id), json!({}));
            match (row.status, status) {
                (PatientStatus::Archived, PatientStatus::Archived) => return Err(archived()),
                (PatientStatus::Active, PatientStatus::Active) => {
                    return Err(Stop::refuse(Refusal::NotArchived, &["input", "id"], "the record is not archived"));
                }
                _ => {}
            }
            same_version(row.version, expected_version)?;
            let now = ctx.now();
            written(
                repository::patients::set_status_if_version(db, ctx.facility(), id, expected_version, status, now)
                    .await?,
            )?;
            Ok(id)
        })
        .await
}
