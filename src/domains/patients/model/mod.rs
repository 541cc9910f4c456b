//! Rows, what is known of a patient, and why an operation may be refused.

/// Names of the fields a patch gives, for the audit log.
macro_rules! given {
    ($patch:ident: $($field:ident => $name:literal),* $(,)?) => {
        [$((!$patch.$field.is_undefined()).then_some($name)),*].into_iter().flatten().collect()
    };
}

mod allergy;
mod care;
mod contact;
mod coverage;
mod search;
mod visit;

use async_graphql::MaybeUndefined;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

pub use allergy::{
    Allergy, AllergyCategory, AllergyColumns, AllergyFields, AllergyPatch, AllergyRow, AllergySeverity, AllergyStatus,
    NewAllergy,
};
pub use care::{
    BreakGlass, BreakGlassAccess, BreakGlassReview, BreakGlassRow, BrokenFor, CareRelationship, CareRelationshipKind,
    NewBreakGlass, NewCareRelationship, RelationshipFilter,
};
pub use contact::{Contact, ContactColumns, ContactFields, ContactPatch, ContactRelationship, ContactRow, NewContact};
pub use coverage::{
    Coverage, CoverageColumns, CoverageFields, CoveragePatch, CoverageRow, NewCoverage, SubscriberRelationship,
};
pub use search::{Duplicate, DuplicateReason, Found, MatchKind, NameMode, SearchPatients};
pub use visit::{
    Diagnosis, Icd10Code, Medication, NewDiagnosis, NewVisit, Visit, VisitColumns, VisitCursor, VisitFields,
    VisitPatch, VisitRow, Vitals,
};

use crate::db::schema::{patient_terms, patients};
use crate::error::RefusalCode;
use crate::ids::{FacilityId, PatientId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// Administrative gender.
    Gender {
        Female = "female",
        Male = "male",
        NonBinary = "non_binary",
        Other = "other",
        Unknown = "unknown",
    }
}

text_enum! {
    /// Whether a record is in use.
    PatientStatus {
        /// In use.
        Active = "active",
        /// Kept for the record; not changed any more.
        Archived = "archived",
    }
}

/// Why an operation on patients was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "PatientErrorCode")]
pub enum Refusal {
    /// The medical record number belongs to another patient of the facility.
    MrnTaken,
    /// The facility may know this person already: look at the possible duplicates, or accept them.
    PossibleDuplicate,
    /// A value is empty, too long, out of range or malformed.
    Invalid,
    /// The record changed since it was read: read it again.
    StaleVersion,
    /// The record is archived and not changed any more.
    Archived,
    /// The record is not archived.
    NotArchived,
    /// There are as many of these as a record may hold.
    TooMany,
    /// The same is on record already.
    AlreadyRecorded,
    /// Another coverage of the same priority covers some of the same days.
    CoverageOverlaps,
    /// There is no such diagnosis code.
    UnknownDiagnosis,
    /// The diagnosis code is a heading: choose a code below it.
    DiagnosisNotBillable,
    /// The user does not work in this facility.
    UnknownMember,
    /// What was to be ended has ended.
    AlreadyEnded,
    /// The emergency access has been reviewed.
    AlreadyReviewed,
    /// Nobody reviews their own emergency access.
    OwnAccess,
}

impl RefusalCode for Refusal {
    const INVALID: Self = Self::Invalid;
}

/// A patient as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patients, check_for_backend(diesel::pg::Pg))]
pub struct PatientRow {
    pub id: PatientId,
    pub mrn_ciphertext: Vec<u8>,
    pub given_name_ciphertext: Vec<u8>,
    pub middle_name_ciphertext: Option<Vec<u8>>,
    pub family_name_ciphertext: Vec<u8>,
    pub preferred_name_ciphertext: Option<Vec<u8>>,
    pub birth_date_ciphertext: Vec<u8>,
    pub ssn_ciphertext: Option<Vec<u8>>,
    pub phone_ciphertext: Option<Vec<u8>>,
    pub email_ciphertext: Option<Vec<u8>>,
    pub address_ciphertext: Option<Vec<u8>>,
    pub gender: Gender,
    pub preferred_language: Option<String>,
    pub status: PatientStatus,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A patient, decrypted.
#[derive(Debug, Clone)]
pub struct Patient {
    pub id: PatientId,
    pub identity: Identity,
    pub gender: Gender,
    pub preferred_language: Option<String>,
    pub status: PatientStatus,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What identifies a person; all of it encrypted at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub mrn: Phi<String>,
    pub given_name: Phi<String>,
    pub middle_name: Option<Phi<String>>,
    pub family_name: Phi<String>,
    pub preferred_name: Option<Phi<String>>,
    pub birth_date: Phi<NaiveDate>,
    /// Nine digits.
    pub ssn: Option<Phi<String>>,
    pub phone: Option<Phi<String>>,
    pub email: Option<Phi<String>>,
    pub address: Option<Phi<Address>>,
}

/// A postal address in the United States.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Address {
    pub line1: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    pub city: String,
    pub state: String,
    pub zip_code: String,
}

/// A patient to be registered.
#[derive(Debug, Clone)]
pub struct RegisterPatient {
    /// Without one, the facility's next number is not guessed: a number is made from the new id.
    pub mrn: Option<Phi<String>>,
    pub given_name: Phi<String>,
    pub middle_name: Option<Phi<String>>,
    pub family_name: Phi<String>,
    pub preferred_name: Option<Phi<String>>,
    pub birth_date: Phi<NaiveDate>,
    pub ssn: Option<Phi<String>>,
    pub phone: Option<Phi<String>>,
    pub email: Option<Phi<String>>,
    pub address: Option<Phi<Address>>,
    pub gender: Gender,
    pub preferred_language: Option<String>,
    /// Register although the facility may know the person already.
    pub accept_duplicates: bool,
}

/// Changes of a patient: what is left out stays, null clears.
#[derive(Debug, Clone)]
pub struct PatientPatch {
    pub mrn: MaybeUndefined<Phi<String>>,
    pub given_name: MaybeUndefined<Phi<String>>,
    pub middle_name: MaybeUndefined<Phi<String>>,
    pub family_name: MaybeUndefined<Phi<String>>,
    pub preferred_name: MaybeUndefined<Phi<String>>,
    pub birth_date: MaybeUndefined<Phi<NaiveDate>>,
    pub ssn: MaybeUndefined<Phi<String>>,
    pub phone: MaybeUndefined<Phi<String>>,
    pub email: MaybeUndefined<Phi<String>>,
    pub address: MaybeUndefined<Phi<Address>>,
    pub gender: MaybeUndefined<Gender>,
    pub preferred_language: MaybeUndefined<String>,
}

/// A patient row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = patients)]
pub struct NewPatient {
    pub facility_id: FacilityId,
    pub id: PatientId,
    #[diesel(embed)]
    pub identity: SealedIdentity,
    pub gender: Gender,
    pub preferred_language: Option<String>,
    pub registered_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns an update of a patient writes; `None` clears the column.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = patients, treat_none_as_null = true)]
pub struct PatientColumns {
    #[diesel(embed)]
    pub identity: SealedIdentity,
    pub gender: Gender,
    pub preferred_language: Option<String>,
    pub updated_at: DateTime<Utc>,
}

/// The encrypted columns of a patient; `None` in an update clears the column.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = patients, treat_none_as_null = true)]
pub struct SealedIdentity {
    pub mrn_ciphertext: Vec<u8>,
    pub mrn_index: i64,
    pub given_name_ciphertext: Vec<u8>,
    pub middle_name_ciphertext: Option<Vec<u8>>,
    pub family_name_ciphertext: Vec<u8>,
    pub preferred_name_ciphertext: Option<Vec<u8>>,
    pub birth_date_ciphertext: Vec<u8>,
    pub ssn_ciphertext: Option<Vec<u8>>,
    pub phone_ciphertext: Option<Vec<u8>>,
    pub email_ciphertext: Option<Vec<u8>>,
    pub address_ciphertext: Option<Vec<u8>>,
}

/// A blind index term to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = patient_terms)]
pub struct NewTerm {
    pub facility_id: FacilityId,
    pub term: i64,
    pub patient_id: PatientId,
}
