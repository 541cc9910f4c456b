//! Rows, what is known of a patient, and why an operation may be refused.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use crate::db::schema::{patient_contacts, patient_terms, patients};
use crate::ids::{ContactId, FacilityId, PatientId, UserId};
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

text_enum! {
    /// What a contact is to the patient.
    ContactRelationship {
        Spouse = "spouse",
        Partner = "partner",
        Parent = "parent",
        Child = "child",
        Sibling = "sibling",
        Guardian = "guardian",
        Relative = "relative",
        Friend = "friend",
        Caregiver = "caregiver",
        Other = "other",
    }
}

/// Why an operation on patients was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "PatientErrorCode")]
pub enum Refusal {
    /// The medical record number belongs to another patient of the facility.
    MrnTaken,
    /// A value is empty, too long or malformed.
    Invalid,
    /// The record changed since it was read: read it again.
    StaleVersion,
    /// The record is archived and not changed any more.
    Archived,
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

/// A contact as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patient_contacts, check_for_backend(diesel::pg::Pg))]
pub struct ContactRow {
    pub id: ContactId,
    pub patient_id: PatientId,
    pub name_ciphertext: Vec<u8>,
    pub relationship: ContactRelationship,
    pub phone_ciphertext: Option<Vec<u8>>,
    pub email_ciphertext: Option<Vec<u8>>,
    pub emergency: bool,
    pub legal_guardian: bool,
    pub priority: i16,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A contact, decrypted.
#[derive(Debug, Clone)]
pub struct Contact {
    pub id: ContactId,
    pub patient_id: PatientId,
    pub name: Phi<String>,
    pub relationship: ContactRelationship,
    pub phone: Option<Phi<String>>,
    pub email: Option<Phi<String>>,
    pub emergency: bool,
    pub legal_guardian: bool,
    pub priority: i16,
    pub version: i32,
}
