//! Rows of the audit log, and what they are found by.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use diesel::{Queryable, Selectable};
use serde_json::Value;
use uuid::Uuid;

use crate::access::Purpose;
use crate::db::schema::audit_log;
use crate::ids::{AuditEntryId, PatientId, TypedId as _, UserId};
use crate::text_enum::text_enum;

text_enum! {
    /// Who did it.
    AuditActorKind {
        /// Somebody signed in.
        User = "user",
        /// Nobody was signed in.
        Anonymous = "anonymous",
        /// The server itself, or an operator at its command line.
        System = "system",
    }
}

text_enum! {
    /// How it ended.
    AuditOutcome {
        /// It was done.
        Success = "success",
        /// A rule of the domain said no.
        Refused = "refused",
        /// The actor had no permission.
        Denied = "denied",
        /// The server failed.
        Failed = "failed",
    }
}

/// A row of the log.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct AuditRow {
    pub id: AuditEntryId,
    pub recorded_at: DateTime<Utc>,
    pub request_id: Option<Uuid>,
    pub actor_kind: AuditActorKind,
    pub user_id: Option<UserId>,
    pub action: String,
    pub outcome: AuditOutcome,
    pub purpose: Purpose,
    pub patient_id: Option<PatientId>,
    pub resource_kind: Option<String>,
    pub resource_id: Option<Uuid>,
    pub detail: Value,
    pub ip_address: Option<String>,
}

/// What rows are wanted; everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub patient: Option<PatientId>,
    pub user: Option<UserId>,
    pub action: Option<String>,
    pub outcome: Option<AuditOutcome>,
    /// The first instant wanted.
    pub from: Option<DateTime<Utc>>,
    /// The first instant no longer wanted.
    pub to: Option<DateTime<Utc>>,
}

/// A place in the log: newest first, by time and then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor {
    pub recorded_at: DateTime<Utc>,
    pub id: AuditEntryId,
}

impl AuditCursor {
    /// The opaque form.
    #[must_use]
    pub fn encode(self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.recorded_at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the opaque form.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            recorded_at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?,
            id: AuditEntryId::from_uuid(Uuid::from_slice(id).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::new_id;

    #[test]
    fn a_cursor_survives_the_round_trip_and_nonsense_is_none() {
        let cursor = AuditCursor { recorded_at: "2026-03-09T14:00:00.123456Z".parse().unwrap(), id: new_id() };
        assert_eq!(AuditCursor::decode(&cursor.encode()), Some(cursor));
        for text in ["", "AAAA", "!", &cursor.id.encode()] {
            assert_eq!(AuditCursor::decode(text), None, "{text}");
        }
    }
}
