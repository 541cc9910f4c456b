//! Requests as stored and as known.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use crate::db::schema::amendment_requests;
use crate::ids::{AmendmentId, DocumentId, FacilityId, PatientId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// Where an amendment request is.
    AmendmentStatus {
        /// It waits for a decision.
        Pending = "pending",
        /// The note is corrected by an addendum.
        Accepted = "accepted",
        /// It was denied, with a reason.
        Denied = "denied",
    }
}

text_enum! {
    /// On what ground a request was denied: those of 45 CFR 164.526(a)(2), and no other.
    AmendmentDenialGround {
        /// The facility did not make the record, and whoever did is there to ask.
        NotOurs = "not_ours",
        /// It is not part of the record the patient may have amended.
        NotOfRecord = "not_of_record",
        /// The patient may not inspect it.
        NotForInspection = "not_for_inspection",
        /// It is accurate and complete.
        Accurate = "accurate",
    }
}

/// A request as stored, and as inserted.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = amendment_requests, check_for_backend(diesel::pg::Pg))]
pub(super) struct AmendmentRow {
    pub facility_id: FacilityId,
    pub id: AmendmentId,
    pub document_id: DocumentId,
    pub patient_id: PatientId,
    pub status: AmendmentStatus,
    pub request_ciphertext: Vec<u8>,
    pub recorded_by: Option<UserId>,
    pub due_on: NaiveDate,
    pub extended_at: Option<DateTime<Utc>>,
    pub extension_ciphertext: Option<Vec<u8>>,
    pub denial_ground: Option<AmendmentDenialGround>,
    pub decision_ciphertext: Option<Vec<u8>>,
    pub decided_by: Option<UserId>,
    pub decided_at: Option<DateTime<Utc>>,
    pub addendum_id: Option<DocumentId>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a decision sets.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = amendment_requests)]
pub(super) struct Decided {
    pub status: AmendmentStatus,
    pub denial_ground: Option<AmendmentDenialGround>,
    pub decision_ciphertext: Option<Vec<u8>>,
    pub decided_by: Option<UserId>,
    pub decided_at: Option<DateTime<Utc>>,
    pub addendum_id: Option<DocumentId>,
    pub version: i32,
    pub updated_at: DateTime<Utc>,
}

/// A request, decrypted.
#[derive(Debug, Clone)]
pub struct Amendment {
    pub id: AmendmentId,
    pub document: DocumentId,
    pub patient: PatientId,
    pub status: AmendmentStatus,
    pub request: Phi<String>,
    pub recorded_by: Option<UserId>,
    pub due_on: NaiveDate,
    /// Whether it waits although it was due before today.
    pub overdue: bool,
    /// Why the day was put off; `None` unless it was.
    pub extension: Option<Phi<String>>,
    pub denial_ground: Option<AmendmentDenialGround>,
    /// The written reason; `None` unless it was denied.
    pub decision: Option<Phi<String>>,
    pub decided_by: Option<UserId>,
    pub decided_at: Option<DateTime<Utc>>,
    pub addendum: Option<DocumentId>,
    pub version: i32,
    pub requested_at: DateTime<Utc>,
}

/// Which requests a list holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct AmendmentFilter {
    pub status: Option<AmendmentStatus>,
    pub document: Option<DocumentId>,
    pub patient: Option<PatientId>,
}

/// How a request is decided.
#[derive(Debug)]
pub enum Decision {
    /// What the addendum says.
    Accept(Phi<String>),
    /// The ground, and the written reason.
    Deny(AmendmentDenialGround, Phi<String>),
}
