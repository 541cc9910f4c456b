//! Inputs of the domain.

use async_graphql::InputObject;
use chrono::NaiveDate;

use crate::domains::patients::model::{self, Gender, RegisterPatient};
use crate::phi::Phi;

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
    /// Telephone number; ten digits are taken as a number of the United States.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Postal address.
    pub address: Option<AddressInput>,
    /// Administrative gender.
    pub gender: Gender,
    /// Language preferred, as a BCP 47 tag.
    pub preferred_language: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
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
            mrn, given_name, middle_name, family_name, preferred_name, birth_date, ssn, phone, email, address,
            gender, preferred_language, idempotency_key: _,
        } = input;
        Self {
            mrn: mrn.map(Phi::new),
            given_name: Phi::new(given_name),
            middle_name: middle_name.map(Phi::new),
            family_name: Phi::new(family_name),
            preferred_name: preferred_name.map(Phi::new),
            birth_date: Phi::new(birth_date),
            ssn: ssn.map(Phi::new),
            phone: phone.map(Phi::new),
            email: email.map(Phi::new),
            address: address.map(|address| Phi::new(address.into())),
            gender,
            preferred_language,
        }
    }
}

impl From<AddressInput> for model::Address {
    fn from(input: AddressInput) -> Self {
        let AddressInput { line1, line2, city, state, zip_code } = input;
        Self { line1, line2, city, state, zip_code }
    }
}
