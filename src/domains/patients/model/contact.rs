//! Contacts of a patient.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use crate::db::schema::patient_contacts;
use crate::ids::{ContactId, FacilityId, PatientId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// What a contact is to the patient.
    ContactRelationship {
        /// Married to the patient.
        Spouse = "spouse",
        /// Lives with the patient as a couple.
        Partner = "partner",
        /// Mother or father.
        Parent = "parent",
        /// Daughter or son.
        Child = "child",
        /// Sister or brother.
        Sibling = "sibling",
        /// Guardian who is not a parent.
        Guardian = "guardian",
        /// Another relative.
        Relative = "relative",
        /// Friend or neighbour.
        Friend = "friend",
        /// Cares for the patient, paid or not.
        Caregiver = "caregiver",
        /// Anyone else.
        Other = "other",
    }
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
}

/// A contact, decrypted.
#[derive(Debug, Clone)]
pub struct Contact {
    pub id: ContactId,
    pub patient_id: PatientId,
    pub fields: ContactFields,
    pub version: i32,
}

/// What is known of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactFields {
    pub name: Phi<String>,
    pub relationship: ContactRelationship,
    pub phone: Option<Phi<String>>,
    pub email: Option<Phi<String>>,
    pub emergency: bool,
    pub legal_guardian: bool,
    /// 1 is called first.
    pub priority: i16,
}

/// Changes of a contact: what is left out stays, null clears.
#[derive(Debug, Clone)]
pub struct ContactPatch {
    pub name: MaybeUndefined<Phi<String>>,
    pub relationship: MaybeUndefined<ContactRelationship>,
    pub phone: MaybeUndefined<Phi<String>>,
    pub email: MaybeUndefined<Phi<String>>,
    pub emergency: MaybeUndefined<bool>,
    pub legal_guardian: MaybeUndefined<bool>,
    pub priority: MaybeUndefined<i16>,
}

impl ContactPatch {
    /// Names of the fields it gives, for the audit log.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        given!(self:
            name => "name", relationship => "relationship", phone => "phone", email => "email",
            emergency => "emergency", legal_guardian => "legalGuardian", priority => "priority",
        )
    }
}

/// A contact row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = patient_contacts)]
pub struct NewContact {
    pub facility_id: FacilityId,
    pub id: ContactId,
    pub patient_id: PatientId,
    pub created_at: DateTime<Utc>,
    #[diesel(embed)]
    pub columns: ContactColumns,
}

/// The columns an update of a contact writes; `None` clears the column.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = patient_contacts, treat_none_as_null = true)]
pub struct ContactColumns {
    pub name_ciphertext: Vec<u8>,
    pub relationship: ContactRelationship,
    pub phone_ciphertext: Option<Vec<u8>>,
    pub email_ciphertext: Option<Vec<u8>>,
    pub emergency: bool,
    pub legal_guardian: bool,
    pub priority: i16,
    pub updated_at: DateTime<Utc>,
}
