//! Reading and verifying the audit log of a facility.

use serde_json::json;

use super::model::{AuditCursor, AuditFilter, AuditRow};
use super::{policy, repository};
use crate::access::{RequestContext, Subject};
use crate::audit::{self, Verified};
use crate::error::{Error, Result};
use crate::ids::AuditEntryId;
use crate::pagination::{Page, PageRequest};

/// A page of the log, newest first. That it was read is recorded in it.
///
/// # Errors
/// [`Error::BadInput`] when `to` is not after `from`; a denial, or a fault.
pub async fn audit_log(
    ctx: &RequestContext,
    filter: AuditFilter,
    page: PageRequest<AuditCursor>,
) -> Result<Page<AuditRow>> {
    let read = ctx.read(&policy::AUDIT_READ).await?;
    if let (Some(from), Some(to)) = (filter.from, filter.to)
        && from >= to
    {
        return Err(Error::bad_input("`filter.to` must be after `filter.from`"));
    }
    let detail = json!({
        "user": filter.user,
        "action": filter.action.is_some(),
        "outcome": filter.outcome,
        "from": filter.from,
        "to": filter.to,
        "first": page.first,
    });
    ctx.note(&policy::AUDIT_READ, Subject { kind: None, id: None, patient: filter.patient }, detail);
    Ok(page.cut(repository::page(read.db()?, ctx.facility(), filter, page).await?))
}

/// One row of the log. That it was read is recorded in it.
///
/// # Errors
/// [`Error::NotFound`] when there is none here; a denial, or a fault.
pub async fn audit_entry(ctx: &RequestContext, id: AuditEntryId) -> Result<AuditRow> {
    let read = ctx.read(&policy::AUDIT_READ).await?;
    let row = repository::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    ctx.note(&policy::AUDIT_READ, Subject { patient: row.patient_id, ..Subject::of(id) }, json!({}));
    Ok(row)
}

/// How many rows [`audit_log`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_audit_log(ctx: &RequestContext, filter: AuditFilter) -> Result<i64> {
    let read = ctx.read(&policy::AUDIT_READ).await?;
    repository::count(read.db()?, ctx.facility(), filter).await
}

/// Walks the chain of the facility and compares it with the rows.
///
/// # Errors
/// A denial, or a fault. A broken chain is a finding.
pub async fn verify_audit_log(ctx: &RequestContext) -> Result<Verified> {
    ctx.read(&policy::AUDIT_VERIFY).await?;
    let verified = audit::verify(ctx.app(), ctx.facility(), &[]).await?;
    let detail = json!({ "blocks": verified.blocks, "rows": verified.rows, "whole": verified.fault.is_none() });
    ctx.note(&policy::AUDIT_VERIFY, Subject::default(), detail);
    Ok(verified)
}
