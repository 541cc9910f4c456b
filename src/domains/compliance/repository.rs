//! SQL of the audit log, read only.

use diesel::pg::Pg;
use diesel::prelude::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{AuditCursor, AuditFilter, AuditRow};
use crate::db::schema::audit_log;
use crate::error::Result;
use crate::ids::{AuditEntryId, FacilityId};
use crate::pagination::PageRequest;

/// Bounds in time leave whole months unread; patient and user have indexes that end in the time.
fn wanted(facility: FacilityId, filter: AuditFilter) -> audit_log::BoxedQuery<'static, Pg> {
    let AuditFilter { patient, user, action, outcome, from, to } = filter;
    let mut query = audit_log::table.filter(audit_log::facility_id.eq(facility)).into_boxed();
    if let Some(patient) = patient {
        query = query.filter(audit_log::patient_id.eq(patient));
    }
    if let Some(user) = user {
        query = query.filter(audit_log::user_id.eq(user));
    }
    if let Some(action) = action {
        query = query.filter(audit_log::action.eq(action));
    }
    if let Some(outcome) = outcome {
        query = query.filter(audit_log::outcome.eq(outcome));
    }
    if let Some(from) = from {
        query = query.filter(audit_log::recorded_at.ge(from));
    }
    if let Some(to) = to {
        query = query.filter(audit_log::recorded_at.lt(to));
    }
    query
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AuditEntryId,
) -> Result<Option<AuditRow>> {
    let found = audit_log::table.filter(audit_log::facility_id.eq(facility)).filter(audit_log::id.eq(id));
    Ok(found.select(AuditRow::as_select()).first(&mut db).await.optional()?)
}

/// Newest first.
pub(super) async fn page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    filter: AuditFilter,
    page: PageRequest<AuditCursor>,
) -> Result<Vec<AuditRow>> {
    let mut query =
        wanted(facility, filter).order((audit_log::recorded_at.desc(), audit_log::id.desc())).limit(page.limit());
    if let Some(AuditCursor { recorded_at, id }) = page.after {
        // The first condition is the index's, the second cuts the rows of the same instant.
        query = query
            .filter(audit_log::recorded_at.le(recorded_at))
            .filter(audit_log::recorded_at.lt(recorded_at).or(audit_log::id.lt(id)));
    }
    Ok(query.select(AuditRow::as_select()).load(&mut db).await?)
}

pub(super) async fn count(mut db: &AsyncPgConnection, facility: FacilityId, filter: AuditFilter) -> Result<i64> {
    Ok(wanted(facility, filter).count().get_result(&mut db).await?)
}
