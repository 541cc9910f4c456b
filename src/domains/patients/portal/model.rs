//! Links as stored and as known.

use chrono::{DateTime, Utc};
use diesel::prelude::{Insertable, Queryable, Selectable};

use crate::db::schema::patient_users;
use crate::domains::patients::model::Patient;
use crate::ids::{FacilityId, PatientId, PatientUserId, UserId};
use crate::text_enum::text_enum;

text_enum! {
    /// As whom a user sees a chart.
    PatientUserRelationship {
        /// It is their own.
        Oneself = "self",
        /// They act for the patient: a parent, a guardian, whoever has a power of attorney.
        Proxy = "proxy",
    }
}

/// A link, as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patient_users, check_for_backend(diesel::pg::Pg))]
pub struct Link {
    pub id: PatientUserId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub relationship: PatientUserRelationship,
    pub granted_by: Option<UserId>,
    pub granted_at: DateTime<Utc>,
    pub revoked_by: Option<UserId>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A link to be made.
#[derive(Debug, Insertable)]
#[diesel(table_name = patient_users)]
pub(super) struct NewLink {
    pub facility_id: FacilityId,
    pub id: PatientUserId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub relationship: PatientUserRelationship,
    pub granted_by: Option<UserId>,
    pub granted_at: DateTime<Utc>,
}

/// A chart as its portal user sees it.
#[derive(Debug, Clone)]
pub struct Record {
    pub relationship: PatientUserRelationship,
    pub patient: Patient,
}
