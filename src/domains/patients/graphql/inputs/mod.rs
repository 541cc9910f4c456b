//! Inputs of the domain.

mod care;
mod parts;
mod visit;

use async_graphql::{InputObject, MaybeUndefined};
use chrono::NaiveDate;

pub use care::{BreakGlassInput, BreakGlassReviewInput, CareRelationshipEndInput, CareRelationshipStartInput};
pub use parts::{
    PatientAllergyRecordInput, PatientAllergyUpdateInput, PatientContactAddInput, PatientContactRemoveInput,
    PatientContactUpdateInput, PatientCoverageAddInput, PatientCoverageEndInput, PatientCoverageUpdateInput,
};
pub use visit::{PatientVisitRecordInput, PatientVisitUpdateInput};

use crate::domains::patients::model::{
    self, Gender, NameMode, PatientPatch, PatientStatus, RegisterPatient, SearchPatients,
};
use crate::ids::PatientId;
use crate::phi::Phi;

pub(super) fn phi(value: Option<String>) -> Option<Phi<String>> {
    value.map(Phi::new)
}

pub(super) fn phi_patch<T: 'static>(value: MaybeUndefined<T>) -> MaybeUndefined<Phi<T>> {
    value.map_value(Phi::new)
}

/// A patient to be registered.
#[derive(InputObject)]
pub struct PatientRegisterInput {
    /// Medical record number, 1 to 32 letters, digits and hyphens; made by the server when left out.
    pub mrn: Option<String>,
    /// Given name, 1 to 100 characters.
    pub given_name: String,
    /// Middle name.
    pub middle_name: Option<String>,
    /// Family name, 1 to 100 characters.
    pub family_name: String,
    /// Name the person goes by.
    pub preferred_name: Option<String>,
    /// Date of birth, not in the future.
    pub birth_date: NaiveDate,
    /// Social security number, nine digits with or without hyphens.
    pub ssn: Option<String>,
    /// Telephone number; ten digits are taken as a number of North America.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Postal address.
    pub address: Option<AddressInput>,
    /// Administrative gender.
    pub gender: Gender,
    /// Language preferred, as a BCP 47 tag.
    pub preferred_language: Option<String>,
    /// Register although the facility may know the person already. Otherwise refused with `POSSIBLE_DUPLICATE`
    /// when it may.
    #[graphql(default)]
    pub accept_duplicates: bool,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Someone the facility may know already. What is left out is not compared.
#[derive(InputObject)]
pub struct PatientDuplicatesInput {
    /// Given name, 1 to 100 characters.
    pub given_name: String,
    /// Name the person goes by.
    pub preferred_name: Option<String>,
    /// Family name, 1 to 100 characters.
    pub family_name: String,
    /// Date of birth, not in the future.
    pub birth_date: NaiveDate,
    /// Social security number, nine digits with or without hyphens.
    pub ssn: Option<String>,
    /// Telephone number; ten digits are taken as a number of North America.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// Changes of a patient. What is left out stays as it is; null clears, where the field may be empty.
#[derive(InputObject)]
pub struct PatientUpdateInput {
    /// Whose record is changed.
    pub id: PatientId,
    /// `version` of the record as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Medical record number, 1 to 32 letters, digits and hyphens; not null.
    pub mrn: MaybeUndefined<String>,
    /// Given name, 1 to 100 characters; not null.
    pub given_name: MaybeUndefined<String>,
    /// Middle name; null for none.
    pub middle_name: MaybeUndefined<String>,
    /// Family name, 1 to 100 characters; not null.
    pub family_name: MaybeUndefined<String>,
    /// Name the person goes by; null for none.
    pub preferred_name: MaybeUndefined<String>,
    /// Date of birth, not in the future; not null.
    pub birth_date: MaybeUndefined<NaiveDate>,
    /// Social security number, nine digits with or without hyphens; null for none.
    pub ssn: MaybeUndefined<String>,
    /// Telephone number; null for none.
    pub phone: MaybeUndefined<String>,
    /// E-mail address; null for none.
    pub email: MaybeUndefined<String>,
    /// Postal address, as a whole; null for none.
    pub address: MaybeUndefined<AddressInput>,
    /// Administrative gender; not null.
    pub gender: MaybeUndefined<Gender>,
    /// Language preferred, as a BCP 47 tag; null for none.
    pub preferred_language: MaybeUndefined<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A record to be archived.
#[derive(InputObject)]
pub struct PatientArchiveInput {
    /// Whose record.
    pub id: PatientId,
    /// `version` of the record as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A record to be taken back into use.
#[derive(InputObject)]
pub struct PatientRestoreInput {
    /// Whose record.
    pub id: PatientId,
    /// `version` of the record as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What patients are searched by. All that is given must hold; at least one thing is needed.
#[derive(InputObject)]
pub struct PatientSearchInput {
    /// Given, middle, family or preferred names in any order; two letters or more. Accents, apostrophes,
    /// hyphens and case do not matter.
    pub name: Option<String>,
    /// How names are compared; each way also finds what the stricter ones find.
    #[graphql(default_with = "NameMode::Prefix")]
    pub name_mode: NameMode,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Telephone number, or its last seven digits.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Last four digits of the social security number.
    pub ssn_last_four: Option<String>,
    /// Medical record number.
    pub mrn: Option<String>,
    /// Active or archived records; both when left out.
    pub status: Option<PatientStatus>,
}

/// A postal address in the United States.
#[derive(InputObject)]
pub struct AddressInput {
    /// Street and number.
    pub line1: String,
    /// Second line.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// Two-letter state.
    pub state: String,
    /// ZIP code, five digits or ZIP+4.
    pub zip_code: String,
}

impl From<PatientRegisterInput> for RegisterPatient {
    fn from(input: PatientRegisterInput) -> Self {
        let PatientRegisterInput {
            mrn,
            given_name,
            middle_name,
            family_name,
            preferred_name,
            birth_date,
            ssn,
            phone,
            email,
            address,
            gender,
            preferred_language,
            accept_duplicates,
            idempotency_key: _,
        } = input;
        Self {
            mrn: phi(mrn),
            given_name: Phi::new(given_name),
            middle_name: phi(middle_name),
            family_name: Phi::new(family_name),
            preferred_name: phi(preferred_name),
            birth_date: Phi::new(birth_date),
            ssn: phi(ssn),
            phone: phi(phone),
            email: phi(email),
            address: address.map(|address| Phi::new(address.into())),
            gender,
            preferred_language,
            accept_duplicates,
        }
    }
}

impl From<PatientDuplicatesInput> for RegisterPatient {
    fn from(input: PatientDuplicatesInput) -> Self {
        let PatientDuplicatesInput { given_name, preferred_name, family_name, birth_date, ssn, phone, email } = input;
        Self {
            mrn: None,
            given_name: Phi::new(given_name),
            middle_name: None,
            family_name: Phi::new(family_name),
            preferred_name: phi(preferred_name),
            birth_date: Phi::new(birth_date),
            ssn: phi(ssn),
            phone: phi(phone),
            email: phi(email),
            address: None,
            gender: Gender::Unknown,
            preferred_language: None,
            accept_duplicates: false,
        }
    }
}

impl From<PatientUpdateInput> for PatientPatch {
    fn from(input: PatientUpdateInput) -> Self {
        let PatientUpdateInput {
            id: _,
            expected_version: _,
            mrn,
            given_name,
            middle_name,
            family_name,
            preferred_name,
            birth_date,
            ssn,
            phone,
            email,
            address,
            gender,
            preferred_language,
            idempotency_key: _,
        } = input;
        Self {
            mrn: phi_patch(mrn),
            given_name: phi_patch(given_name),
            middle_name: phi_patch(middle_name),
            family_name: phi_patch(family_name),
            preferred_name: phi_patch(preferred_name),
            birth_date: phi_patch(birth_date),
            ssn: phi_patch(ssn),
            phone: phi_patch(phone),
            email: phi_patch(email),
            address: address.map_value(|address| Phi::new(address.into())),
            gender,
            preferred_language,
        }
    }
}

impl From<PatientSearchInput> for SearchPatients {
    fn from(input: PatientSearchInput) -> Self {
        let PatientSearchInput { name, name_mode, birth_date, phone, email, ssn_last_four, mrn, status } = input;
        Self {
            name: phi(name),
            name_mode,
            birth_date: birth_date.map(Phi::new),
            phone: phi(phone),
            email: phi(email),
            ssn_last_four: phi(ssn_last_four),
            mrn: phi(mrn),
            status,
        }
    }
}

impl From<AddressInput> for model::Address {
    fn from(input: AddressInput) -> Self {
        let AddressInput { line1, line2, city, state, zip_code } = input;
        Self { line1, line2, city, state, zip_code }
    }
}
