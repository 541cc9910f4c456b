//! One row of the audit log, before it is written.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::{Actor, Purpose, Subject};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// A rule of the domain said no.
    Refused,
    /// The actor may not.
    Denied,
    /// We failed.
    Failed,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What happened to what.
#[derive(Debug, Clone)]
pub struct Entry {
    pub action: &'static str,
    pub outcome: Outcome,
    pub subject: Subject,
    /// Ids, counts, names of changed columns. Never values.
    pub detail: Value,
}

/// Who did it, in which request.
#[derive(Debug, Clone)]
pub struct Who<'a> {
    pub actor: &'a Actor,
    pub purpose: Purpose,
    pub request_id: Uuid,
    pub ip_address: Option<&'a str>,
    pub now: DateTime<Utc>,
}

impl Entry {
    /// The shape `record_audit` (`src/db/replaceable/10_context.sql`) reads.
    pub(crate) fn to_row(&self, who: &Who<'_>) -> Value {
        let (kind, user, session) = match who.actor {
            Actor::Anonymous => ("anonymous", None, None),
            Actor::User { user, session } => ("user", Some(*user), Some(*session)),
            Actor::System { .. } => ("system", None, None),
        };
        let mut detail = self.detail.clone();
        if let (Actor::System { reason }, Value::Object(map)) = (who.actor, &mut detail) {
            map.insert("reason".to_owned(), Value::from(*reason));
        }
        json!({
            "id": Uuid::now_v7(),
            "recorded_at": who.now,
            "request_id": who.request_id,
            "actor_kind": kind,
            "user_id": user,
            "session_id": session,
            "action": self.action,
            "outcome": self.outcome.as_str(),
            "purpose": who.purpose.as_str(),
            "patient_id": self.subject.patient,
            "resource_kind": self.subject.kind,
            "resource_id": self.subject.id,
            "detail": detail,
            "ip_address": who.ip_address,
        })
    }
}
