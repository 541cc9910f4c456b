//! Who may open a chart: care relationships, and emergency access.

use chrono::{DateTime, Utc};
use diesel::prelude::{Insertable, Queryable, Selectable};

use crate::db::schema::{break_glass_accesses, care_relationships};
use crate::ids::{BreakGlassId, CareRelationshipId, FacilityId, PatientId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// In which capacity a provider treats a patient.
    CareRelationshipKind {
        /// The therapist in charge.
        PrimaryTherapist = "primary_therapist",
        /// Another therapist.
        Therapist = "therapist",
        /// Prescribes medication.
        Prescriber = "prescriber",
        /// Coordinates care.
        CaseManager = "case_manager",
        /// Supervises the therapist.
        Supervisor = "supervisor",
        /// Gives advice.
        Consultant = "consultant",
        /// Anything else.
        Other = "other",
    }
}

/// A provider treating a patient.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = care_relationships, check_for_backend(diesel::pg::Pg))]
pub struct CareRelationship {
    pub id: CareRelationshipId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub kind: CareRelationshipKind,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// A relationship row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = care_relationships)]
pub struct NewCareRelationship {
    pub facility_id: FacilityId,
    pub id: CareRelationshipId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub kind: CareRelationshipKind,
    pub started_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Which relationships are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct RelationshipFilter {
    pub patient: Option<PatientId>,
    pub user: Option<UserId>,
    /// Also those that have ended.
    pub ended: bool,
}

/// Whose chart is opened in an emergency.
#[derive(Debug, Clone)]
pub enum BrokenFor {
    Id(PatientId),
    Mrn(Phi<String>),
}

/// An emergency access to be opened.
#[derive(Debug, Clone)]
pub struct BreakGlass {
    pub patient: BrokenFor,
    pub reason: Phi<String>,
}

/// What a review of an emergency access found.
#[derive(Debug, Clone)]
pub struct BreakGlassReview {
    pub justified: bool,
    pub note: Option<Phi<String>>,
}

/// An emergency access as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = break_glass_accesses, check_for_backend(diesel::pg::Pg))]
pub struct BreakGlassRow {
    pub id: BreakGlassId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub reason_ciphertext: Vec<u8>,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub reviewed_at: Option<DateTime<Utc>>,
    pub reviewed_by: Option<UserId>,
    pub justified: Option<bool>,
    pub review_note_ciphertext: Option<Vec<u8>>,
}

/// An emergency access, decrypted.
#[derive(Debug, Clone)]
pub struct BreakGlassAccess {
    pub id: BreakGlassId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub reason: Phi<String>,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub reviewed_at: Option<DateTime<Utc>>,
    pub reviewed_by: Option<UserId>,
    pub justified: Option<bool>,
    pub review_note: Option<Phi<String>>,
}

/// An emergency access row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = break_glass_accesses)]
pub struct NewBreakGlass {
    pub facility_id: FacilityId,
    pub id: BreakGlassId,
    pub patient_id: PatientId,
    pub user_id: UserId,
    pub reason_ciphertext: Vec<u8>,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
