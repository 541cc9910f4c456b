//! Contacts, coverages and allergies.

use async_graphql::SimpleObject;
use chrono::NaiveDate;

use super::text;
use crate::domains::patients::model::{
    self, AllergyCategory, AllergySeverity, AllergyStatus, ContactRelationship, SubscriberRelationship,
};
use crate::ids::{AllergyId, ContactId, CoverageId};

/// Someone to be told, or who speaks for a patient. Needs `patients.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PatientContact {
    /// Typed, opaque id.
    pub id: ContactId,
    /// Name of the contact.
    pub name: String,
    /// What the contact is to the patient.
    pub relationship: ContactRelationship,
    /// Telephone number in E.164; null when none is known.
    pub phone: Option<String>,
    /// E-mail address; null when none is known.
    pub email: Option<String>,
    /// Whether to be called in an emergency.
    pub emergency: bool,
    /// Whether the contact decides for the patient by law.
    pub legal_guardian: bool,
    /// Order in which contacts are called, from 1.
    pub priority: i16,
    /// Give this as `expectedVersion` when changing the contact.
    pub version: i32,
}

/// An insurance coverage of a patient. Needs `patients.coverages.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PatientCoverage {
    /// Typed, opaque id.
    pub id: CoverageId,
    /// Insurer.
    pub payer_name: String,
    /// Plan; null when none is known.
    pub plan_name: Option<String>,
    /// Number of the member at the insurer.
    pub member_number: String,
    /// Number of the group; null when none is known.
    pub group_number: Option<String>,
    /// Name of the subscriber; null when the patient is the subscriber.
    pub subscriber_name: Option<String>,
    /// What the patient is to the subscriber.
    pub subscriber_relationship: SubscriberRelationship,
    /// 1 is billed first, 2 next and so on.
    pub priority: i16,
    /// First day covered.
    pub effective_on: NaiveDate,
    /// Last day covered; null while no end is known.
    pub ends_on: Option<NaiveDate>,
    /// Give this as `expectedVersion` when changing the coverage.
    pub version: i32,
}

/// An allergy or intolerance of a patient. Needs `patients.allergies.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PatientAllergy {
    /// Typed, opaque id.
    pub id: AllergyId,
    /// What the patient reacts to.
    pub substance: String,
    /// How; null when it is not known.
    pub reaction: Option<String>,
    /// Kind of substance.
    pub category: AllergyCategory,
    /// How bad a reaction is.
    pub severity: AllergySeverity,
    /// Whether it still holds.
    pub status: AllergyStatus,
    /// When it was first noted; null when it is not known.
    pub noted_on: Option<NaiveDate>,
    /// Give this as `expectedVersion` when changing the allergy.
    pub version: i32,
}

impl From<model::Contact> for PatientContact {
    fn from(contact: model::Contact) -> Self {
        let model::Contact { id, patient_id: _, fields, version } = contact;
        let model::ContactFields { name, relationship, phone, email, emergency, legal_guardian, priority } = fields;
        Self {
            id,
            name: name.into_revealed(),
            relationship,
            phone: text(phone),
            email: text(email),
            emergency,
            legal_guardian,
            priority,
            version,
        }
    }
}

impl From<model::Coverage> for PatientCoverage {
    fn from(coverage: model::Coverage) -> Self {
        let model::Coverage { id, patient_id: _, fields, version } = coverage;
        let model::CoverageFields {
            payer_name,
            plan_name,
            member_number,
            group_number,
            subscriber_name,
            subscriber_relationship,
            priority,
            effective_on,
            ends_on,
        } = fields;
        Self {
            id,
            payer_name,
            plan_name,
            member_number: member_number.into_revealed(),
            group_number: text(group_number),
            subscriber_name: text(subscriber_name),
            subscriber_relationship,
            priority,
            effective_on,
            ends_on,
            version,
        }
    }
}

impl From<model::Allergy> for PatientAllergy {
    fn from(allergy: model::Allergy) -> Self {
        let model::Allergy { id, patient_id: _, fields, version } = allergy;
        let model::AllergyFields { substance, reaction, category, severity, status, noted_on } = fields;
        Self {
            id,
            substance: substance.into_revealed(),
            reaction: text(reaction),
            category,
            severity,
            status,
            noted_on,
            version,
        }
    }
}
