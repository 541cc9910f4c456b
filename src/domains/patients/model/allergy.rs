//! Allergies and intolerances of a patient.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use crate::db::schema::patient_allergies;
use crate::ids::{AllergyId, FacilityId, PatientId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// Kind of substance a patient reacts to.
    AllergyCategory {
        /// A drug.
        Medication = "medication",
        /// Something eaten or drunk.
        Food = "food",
        /// Pollen, dust, animals, latex and the like.
        Environment = "environment",
        /// Anything else.
        Other = "other",
    }
}

text_enum! {
    /// How bad a reaction is.
    AllergySeverity {
        /// Needs no treatment.
        Mild = "mild",
        /// Needs treatment.
        Moderate = "moderate",
        /// Threatens life or needed a hospital.
        Severe = "severe",
        /// Not known.
        Unknown = "unknown",
    }
}

text_enum! {
    /// Whether an allergy still holds. None is deleted: a wrong entry says so.
    AllergyStatus {
        /// Holds.
        Active = "active",
        /// Outgrown or disproved.
        Resolved = "resolved",
        /// Was never true.
        EnteredInError = "entered_in_error",
    }
}

/// An allergy as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patient_allergies, check_for_backend(diesel::pg::Pg))]
pub struct AllergyRow {
    pub id: AllergyId,
    pub patient_id: PatientId,
    pub substance_ciphertext: Vec<u8>,
    pub reaction_ciphertext: Option<Vec<u8>>,
    pub category: AllergyCategory,
    pub severity: AllergySeverity,
    pub status: AllergyStatus,
    pub noted_on: Option<NaiveDate>,
    pub version: i32,
}

/// An allergy, decrypted.
#[derive(Debug, Clone)]
pub struct Allergy {
    pub id: AllergyId,
    pub patient_id: PatientId,
    pub fields: AllergyFields,
    pub version: i32,
}

/// What is known of an allergy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllergyFields {
    pub substance: Phi<String>,
    pub reaction: Option<Phi<String>>,
    pub category: AllergyCategory,
    pub severity: AllergySeverity,
    pub status: AllergyStatus,
    pub noted_on: Option<NaiveDate>,
}

/// Changes of an allergy: what is left out stays, null clears.
#[derive(Debug, Clone)]
pub struct AllergyPatch {
    pub substance: MaybeUndefined<Phi<String>>,
    pub reaction: MaybeUndefined<Phi<String>>,
    pub category: MaybeUndefined<AllergyCategory>,
    pub severity: MaybeUndefined<AllergySeverity>,
    pub status: MaybeUndefined<AllergyStatus>,
    pub noted_on: MaybeUndefined<NaiveDate>,
}

impl AllergyPatch {
    /// Names of the fields it gives, for the audit log.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        given!(self:
            substance => "substance", reaction => "reaction", category => "category", severity => "severity",
            status => "status", noted_on => "notedOn",
        )
    }
}

/// An allergy row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = patient_allergies)]
pub struct NewAllergy {
    pub facility_id: FacilityId,
    pub id: AllergyId,
    pub patient_id: PatientId,
    pub created_at: DateTime<Utc>,
    #[diesel(embed)]
    pub columns: AllergyColumns,
}

/// The columns an update of an allergy writes; `None` clears the column.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = patient_allergies, treat_none_as_null = true)]
pub struct AllergyColumns {
    pub substance_ciphertext: Vec<u8>,
    pub reaction_ciphertext: Option<Vec<u8>>,
    pub category: AllergyCategory,
    pub severity: AllergySeverity,
    pub status: AllergyStatus,
    pub noted_on: Option<NaiveDate>,
    pub updated_at: DateTime<Utc>,
}
