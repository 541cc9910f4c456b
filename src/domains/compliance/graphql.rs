//! The audit log in the API: translation only.

use async_graphql::{Context, InputObject, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::model::{AuditActorKind, AuditCursor, AuditFilter, AuditOutcome, AuditRow};
use super::service;
use crate::access::{Purpose, RequestContext};
use crate::audit::Verified;
use crate::error::{Error, Result};
use crate::graphql::connection::connection;
use crate::graphql::node::Node;
use crate::graphql::request::request;
use crate::ids::{self, AuditEntryId, PatientId, TypedId as _, UserId};
use crate::pagination::PageRequest;

/// What was done, seen, refused or denied. Needs `compliance.audit.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuditEntry {
    /// Opaque id.
    pub id: AuditEntryId,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// What was done, as `domain.verb`; `read` for objects that were shown.
    pub action: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// For what purpose.
    pub purpose: Purpose,
    /// Who did it.
    pub actor_kind: AuditActorKind,
    /// Which user; null when nobody was signed in, and for the system.
    pub user_id: Option<UserId>,
    /// Which patient's record it was about; null for none or several.
    pub patient_id: Option<PatientId>,
    /// Name of the type of the object; null when it was not about one.
    pub resource_kind: Option<String>,
    /// Opaque id of the object; null when it was not about one.
    pub resource_id: Option<String>,
    /// The request it came from, as in `x-request-id`; null for none.
    pub request_id: Option<Uuid>,
    /// More about it: ids, counts and names of changed columns, never values. Under `objects` stand the opaque ids
    /// of what was shown, by type.
    pub detail: Json<Value>,
    /// Network address of the client; null when there was none.
    pub ip_address: Option<String>,
}

connection!(AuditEntryConnection, AuditEntryEdge, AuditEntry, "entries of the audit log");

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let resource_id = match (&row.resource_kind, row.resource_id) {
            (Some(kind), Some(id)) => Some(ids::encode_as(kind, id).unwrap_or_else(|| id.to_string())),
            _ => None,
        };
        Self {
            id: row.id,
            recorded_at: row.recorded_at,
            action: row.action,
            outcome: row.outcome,
            purpose: row.purpose,
            actor_kind: row.actor_kind,
            user_id: row.user_id,
            patient_id: row.patient_id,
            resource_kind: row.resource_kind,
            resource_id,
            request_id: row.request_id,
            detail: Json(with_opaque_ids(row.detail)),
            ip_address: row.ip_address,
        }
    }
}

/// The ids under `objects` in the form the rest of the API takes.
fn with_opaque_ids(mut detail: Value) -> Value {
    if let Some(Value::Object(kinds)) = detail.get_mut("objects") {
        for (kind, shown) in kinds {
            for id in shown.as_array_mut().into_iter().flatten() {
                let opaque = id.as_str().and_then(|text| ids::encode_as(kind, text.parse().ok()?));
                if let Some(opaque) = opaque {
                    *id = Value::from(opaque);
                }
            }
        }
    }
    detail
}

/// Which entries are wanted; everything given must hold.
#[derive(Debug, InputObject)]
pub struct AuditLogFilter {
    /// About this patient's record.
    pub patient_id: Option<PatientId>,
    /// Done by this user.
    pub user_id: Option<UserId>,
    /// Of this action, such as `patients.update`.
    pub action: Option<String>,
    /// That ended so.
    pub outcome: Option<AuditOutcome>,
    /// Recorded at this instant or later. A bound in time makes reading a long log fast.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before this instant.
    pub to: Option<DateTime<Utc>>,
}

impl From<AuditLogFilter> for AuditFilter {
    fn from(filter: AuditLogFilter) -> Self {
        let AuditLogFilter { patient_id, user_id, action, outcome, from, to } = filter;
        Self { patient: patient_id, user: user_id, action, outcome, from, to }
    }
}

/// What verifying the audit log found. Needs `compliance.audit.verify`.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuditVerification {
    /// Signed blocks of the chain that hold.
    pub blocks: i64,
    /// Rows they cover, each as it was recorded. What was recorded last is not sealed yet and not counted.
    pub rows: i64,
    /// What is wrong first; null when nothing is.
    pub fault: Option<String>,
}

impl From<Verified> for AuditVerification {
    fn from(verified: Verified) -> Self {
        Self {
            blocks: verified.blocks,
            rows: i64::try_from(verified.rows).unwrap_or(i64::MAX),
            fault: verified.fault.map(|fault| fault.to_string()),
        }
    }
}

/// The object with an id of this kind, for `node`; `None` when the kind is of another domain.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    if prefix != AuditEntryId::PREFIX {
        return None;
    }
    Some(service::audit_entry(ctx, AuditEntryId::from_uuid(id)).await.map(|row| Node::AuditEntry(row.into())))
}

#[derive(Debug, Default)]
pub struct ComplianceQuery;

#[Object]
impl ComplianceQuery {
    /// The audit log of the facility, newest first. Reading it is recorded in it. Needs `compliance.audit.read`.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries; all when left out.")] filter: Option<AuditLogFilter>,
        #[graphql(desc = "Entries to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<AuditEntryConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse_with(first, after.as_deref(), AuditCursor::decode)?;
        let filter: AuditFilter = filter.map(Into::into).unwrap_or_default();
        let found = service::audit_log(request, filter.clone(), page).await?.map(AuditEntry::from);
        let counted = ctx.look_ahead().field("totalCount").exists();
        let total = if counted { Some(service::count_audit_log(request, filter).await?) } else { None };
        Ok(AuditEntryConnection::new(found, page.after.is_some(), total, |entry| {
            AuditCursor { recorded_at: entry.recorded_at, id: entry.id }.encode()
        }))
    }

    /// Compares the audit log of the facility with its chain of signed blocks. A long log takes longer than a
    /// request may; the command `anamnesis audit verify` has no such limit, and compares with checkpoints kept
    /// elsewhere, which alone show that the end was cut off. Needs `compliance.audit.verify`.
    async fn audit_verify(&self, ctx: &Context<'_>) -> Result<AuditVerification> {
        Ok::<_, Error>(service::verify_audit_log(request(ctx)?).await?.into())
    }
}
