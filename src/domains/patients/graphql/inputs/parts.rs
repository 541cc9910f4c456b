//! Contacts, coverages and allergies.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::NaiveDate;

use super::{phi, phi_patch};
use crate::domains::patients::model::{
    AllergyCategory, AllergyFields, AllergyPatch, AllergySeverity, AllergyStatus, ContactFields, ContactPatch,
    ContactRelationship, CoverageFields, CoveragePatch, SubscriberRelationship,
};
use crate::ids::{AllergyId, ContactId, CoverageId, PatientId};
use crate::phi::Phi;

/// A contact to be added.
#[derive(InputObject)]
pub struct PatientContactAddInput {
    /// Whose contact.
    pub patient_id: PatientId,
    /// Name of the contact, 1 to 100 characters.
    pub name: String,
    /// What the contact is to the patient.
    pub relationship: ContactRelationship,
    /// Telephone number; needed for an emergency contact.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether to be called in an emergency.
    #[graphql(default)]
    pub emergency: bool,
    /// Whether the contact decides for the patient by law.
    #[graphql(default)]
    pub legal_guardian: bool,
    /// Order in which contacts are called, 1 to 99; 1 is first.
    #[graphql(default = 1)]
    pub priority: i16,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Changes of a contact. What is left out stays as it is; null clears, where the field may be empty.
#[derive(InputObject)]
pub struct PatientContactUpdateInput {
    /// Which contact.
    pub id: ContactId,
    /// `version` of the contact as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Name of the contact, 1 to 100 characters; not null.
    pub name: MaybeUndefined<String>,
    /// What the contact is to the patient; not null.
    pub relationship: MaybeUndefined<ContactRelationship>,
    /// Telephone number; null for none, which an emergency contact must not have.
    pub phone: MaybeUndefined<String>,
    /// E-mail address; null for none.
    pub email: MaybeUndefined<String>,
    /// Whether to be called in an emergency; not null.
    pub emergency: MaybeUndefined<bool>,
    /// Whether the contact decides for the patient by law; not null.
    pub legal_guardian: MaybeUndefined<bool>,
    /// Order in which contacts are called, 1 to 99; not null.
    pub priority: MaybeUndefined<i16>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A contact to be removed.
#[derive(InputObject)]
pub struct PatientContactRemoveInput {
    /// Which contact.
    pub id: ContactId,
    /// `version` of the contact as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A coverage to be added.
#[derive(InputObject)]
pub struct PatientCoverageAddInput {
    /// Whose coverage.
    pub patient_id: PatientId,
    /// Insurer, 1 to 100 characters.
    pub payer_name: String,
    /// Plan.
    pub plan_name: Option<String>,
    /// Number of the member at the insurer, 1 to 50 characters.
    pub member_number: String,
    /// Number of the group.
    pub group_number: Option<String>,
    /// Name of the subscriber; needed when the patient is not the subscriber, and only then.
    pub subscriber_name: Option<String>,
    /// What the patient is to the subscriber.
    pub subscriber_relationship: SubscriberRelationship,
    /// 1 to 9; 1 is billed first. On no day may two coverages have the same.
    #[graphql(default = 1)]
    pub priority: i16,
    /// First day covered.
    pub effective_on: NaiveDate,
    /// Last day covered, when it is known.
    pub ends_on: Option<NaiveDate>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Changes of a coverage. What is left out stays as it is; null clears, where the field may be empty.
#[derive(InputObject)]
pub struct PatientCoverageUpdateInput {
    /// Which coverage.
    pub id: CoverageId,
    /// `version` of the coverage as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Insurer, 1 to 100 characters; not null.
    pub payer_name: MaybeUndefined<String>,
    /// Plan; null for none.
    pub plan_name: MaybeUndefined<String>,
    /// Number of the member at the insurer, 1 to 50 characters; not null.
    pub member_number: MaybeUndefined<String>,
    /// Number of the group; null for none.
    pub group_number: MaybeUndefined<String>,
    /// Name of the subscriber; null when the patient is the subscriber.
    pub subscriber_name: MaybeUndefined<String>,
    /// What the patient is to the subscriber; not null.
    pub subscriber_relationship: MaybeUndefined<SubscriberRelationship>,
    /// 1 to 9; 1 is billed first; not null.
    pub priority: MaybeUndefined<i16>,
    /// First day covered; not null.
    pub effective_on: MaybeUndefined<NaiveDate>,
    /// Last day covered; null when no end is known.
    pub ends_on: MaybeUndefined<NaiveDate>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A coverage to be ended.
#[derive(InputObject)]
pub struct PatientCoverageEndInput {
    /// Which coverage.
    pub id: CoverageId,
    /// `version` of the coverage as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Last day covered, not before the first.
    pub ends_on: NaiveDate,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// An allergy or intolerance to be recorded.
#[derive(InputObject)]
pub struct PatientAllergyRecordInput {
    /// Whose allergy.
    pub patient_id: PatientId,
    /// What the patient reacts to, 1 to 200 characters.
    pub substance: String,
    /// How, at most 500 characters.
    pub reaction: Option<String>,
    /// Kind of substance.
    pub category: AllergyCategory,
    /// How bad a reaction is.
    pub severity: AllergySeverity,
    /// When it was first noted, not in the future.
    pub noted_on: Option<NaiveDate>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Changes of an allergy. What is left out stays as it is; null clears, where the field may be empty.
#[derive(InputObject)]
pub struct PatientAllergyUpdateInput {
    /// Which allergy.
    pub id: AllergyId,
    /// `version` of the allergy as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// What the patient reacts to, 1 to 200 characters; not null.
    pub substance: MaybeUndefined<String>,
    /// How, at most 500 characters; null when it is not known.
    pub reaction: MaybeUndefined<String>,
    /// Kind of substance; not null.
    pub category: MaybeUndefined<AllergyCategory>,
    /// How bad a reaction is; not null.
    pub severity: MaybeUndefined<AllergySeverity>,
    /// Whether it still holds; not null.
    pub status: MaybeUndefined<AllergyStatus>,
    /// When it was first noted, not in the future; null when it is not known.
    pub noted_on: MaybeUndefined<NaiveDate>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

impl From<PatientContactAddInput> for ContactFields {
    fn from(input: PatientContactAddInput) -> Self {
        let PatientContactAddInput {
            patient_id: _,
            name,
            relationship,
            phone,
            email,
            emergency,
            legal_guardian,
            priority,
            idempotency_key: _,
        } = input;
        Self {
            name: Phi::new(name),
            relationship,
            phone: phi(phone),
            email: phi(email),
            emergency,
            legal_guardian,
            priority,
        }
    }
}

impl From<PatientContactUpdateInput> for ContactPatch {
    fn from(input: PatientContactUpdateInput) -> Self {
        let PatientContactUpdateInput {
            id: _,
            expected_version: _,
            name,
            relationship,
            phone,
            email,
            emergency,
            legal_guardian,
            priority,
            idempotency_key: _,
        } = input;
        Self {
            name: phi_patch(name),
            relationship,
            phone: phi_patch(phone),
            email: phi_patch(email),
            emergency,
            legal_guardian,
            priority,
        }
    }
}

impl From<PatientCoverageAddInput> for CoverageFields {
    fn from(input: PatientCoverageAddInput) -> Self {
        let PatientCoverageAddInput {
            patient_id: _,
            payer_name,
            plan_name,
            member_number,
            group_number,
            subscriber_name,
            subscriber_relationship,
            priority,
            effective_on,
            ends_on,
            idempotency_key: _,
        } = input;
        Self {
            payer_name,
            plan_name,
            member_number: Phi::new(member_number),
            group_number: phi(group_number),
            subscriber_name: phi(subscriber_name),
            subscriber_relationship,
            priority,
            effective_on,
            ends_on,
        }
    }
}

impl From<PatientCoverageUpdateInput> for CoveragePatch {
    fn from(input: PatientCoverageUpdateInput) -> Self {
        let PatientCoverageUpdateInput {
            id: _,
            expected_version: _,
            payer_name,
            plan_name,
            member_number,
            group_number,
            subscriber_name,
            subscriber_relationship,
            priority,
            effective_on,
            ends_on,
            idempotency_key: _,
        } = input;
        Self {
            payer_name,
            plan_name,
            member_number: phi_patch(member_number),
            group_number: phi_patch(group_number),
            subscriber_name: phi_patch(subscriber_name),
            subscriber_relationship,
            priority,
            effective_on,
            ends_on,
        }
    }
}

impl From<PatientAllergyRecordInput> for AllergyFields {
    fn from(input: PatientAllergyRecordInput) -> Self {
        let PatientAllergyRecordInput {
            patient_id: _,
            substance,
            reaction,
            category,
            severity,
            noted_on,
            idempotency_key: _,
        } = input;
        Self {
            substance: Phi::new(substance),
            reaction: phi(reaction),
            category,
            severity,
            status: AllergyStatus::Active,
            noted_on,
        }
    }
}

impl From<PatientAllergyUpdateInput> for AllergyPatch {
    fn from(input: PatientAllergyUpdateInput) -> Self {
        let PatientAllergyUpdateInput {
            id: _,
            expected_version: _,
            substance,
            reaction,
            category,
            severity,
            status,
            noted_on,
            idempotency_key: _,
        } = input;
        Self { substance: phi_patch(substance), reaction: phi_patch(reaction), category, severity, status, noted_on }
    }
}
