//! What identifies a patient.

use chrono::NaiveDate;

use super::{Faults, kept};
use crate::crypto::blind_index::normalise;
use crate::domains::patients::model::{Address, Gender, Identity, Patient, PatientPatch, Refusal, RegisterPatient};
use crate::error::Stop;
use crate::ids::{PatientId, TypedId as _};
use crate::phi::Phi;

const MAX_MRN: usize = 32;
const MAX_LINE: usize = 120;
const MAX_LANGUAGE: usize = 35; // RFC 5646, 4.4.1: 35 characters suffice

impl Faults {
    fn mrn(&mut self, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        let text = value.reveal();
        if text.len() > MAX_MRN || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            self.add("mrn", "must be 1 to 32 letters, digits and hyphens");
        }
        Some(value)
    }

    fn ssn(&mut self, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        let digits = normalise::ssn(value.reveal());
        if digits.is_none() {
            self.add("ssn", "must be nine digits");
        }
        digits.map(Phi::new)
    }

    fn address(&mut self, address: Option<Phi<Address>>) -> Option<Phi<Address>> {
        let address = address?;
        let inside = address.reveal();
        let lines = [Some(&inside.line1), inside.line2.as_ref(), Some(&inside.city)];
        for (line, field) in lines.into_iter().zip(["line1", "line2", "city"]) {
            if line.is_some_and(|line| line.trim().is_empty() || line.chars().count() > MAX_LINE) {
                self.add_at(&["address", field], format!("must be 1 to {MAX_LINE} characters"));
            }
        }
        if inside.state.len() != 2 || !inside.state.chars().all(|c| c.is_ascii_uppercase()) {
            self.add_at(&["address", "state"], "must be two capital letters");
        }
        if !zip_code(&inside.zip_code) {
            self.add_at(&["address", "zipCode"], "must be five digits, or ZIP+4");
        }
        Some(address)
    }

    fn language(&mut self, tag: Option<String>) -> Option<String> {
        let tag = tag.map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty())?;
        if tag.len() > MAX_LANGUAGE || !tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            self.add("preferredLanguage", "is not a language tag");
        }
        Some(tag)
    }
}

fn zip_code(text: &str) -> bool {
    let digits = |part: &str, length| part.len() == length && part.chars().all(|c| c.is_ascii_digit());
    match text.split_once('-') {
        Some((five, four)) => digits(five, 5) && digits(four, 4),
        None => digits(text, 5),
    }
}

/// An identity that has passed, still without a record number if none was given.
#[derive(Debug, Clone)]
pub(in crate::domains::patients) struct Registration {
    mrn: Option<Phi<String>>,
    rest: Identity,
    pub(in crate::domains::patients) gender: Gender,
    pub(in crate::domains::patients) preferred_language: Option<String>,
}

impl Registration {
    /// With the record number given, or one made from the id: unique without a counter to queue on.
    pub(in crate::domains::patients) fn numbered(self, id: PatientId) -> Identity {
        let made = || Phi::new(format!("A{}", &id.uuid().simple().to_string()[16..].to_uppercase()));
        Identity { mrn: self.mrn.unwrap_or_else(made), ..self.rest }
    }
}

/// Reads a registration.
pub(in crate::domains::patients) fn registration(
    new: RegisterPatient,
    today: NaiveDate,
) -> Result<Registration, Stop<Refusal>> {
    let mut faults = Faults::default();
    let registration = read(&mut faults, new, today);
    faults.into_result()?;
    Ok(registration)
}

/// Reads a patient with changes.
pub(in crate::domains::patients) fn changed_patient(
    patch: PatientPatch,
    current: &Patient,
    today: NaiveDate,
) -> Result<Registration, Stop<Refusal>> {
    let PatientPatch {
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
    } = patch;
    let identity = current.identity.clone();
    let mut faults = Faults::default();
    let mrn = faults.needed("mrn", mrn, identity.mrn);
    if mrn.is_blank() {
        faults.add("mrn", "must not be empty");
    }
    let changed = RegisterPatient {
        mrn: Some(mrn),
        given_name: faults.needed("givenName", given_name, identity.given_name),
        middle_name: kept(middle_name, identity.middle_name),
        family_name: faults.needed("familyName", family_name, identity.family_name),
        preferred_name: kept(preferred_name, identity.preferred_name),
        birth_date: faults.needed("birthDate", birth_date, identity.birth_date),
        ssn: kept(ssn, identity.ssn),
        phone: kept(phone, identity.phone),
        email: kept(email, identity.email),
        address: kept(address, identity.address),
        gender: faults.needed("gender", gender, current.gender),
        preferred_language: kept(preferred_language, current.preferred_language.clone()),
        accept_duplicates: true,
    };
    let registration = read(&mut faults, changed, today);
    faults.into_result()?;
    Ok(registration)
}

fn read(faults: &mut Faults, new: RegisterPatient, today: NaiveDate) -> Registration {
    faults.date("birthDate", *new.birth_date.reveal(), today);
    Registration {
        mrn: faults.mrn(new.mrn),
        rest: Identity {
            mrn: Phi::default(),
            given_name: faults.name("givenName", &new.given_name),
            middle_name: faults.optional_name("middleName", new.middle_name),
            family_name: faults.name("familyName", &new.family_name),
            preferred_name: faults.optional_name("preferredName", new.preferred_name),
            birth_date: new.birth_date,
            ssn: faults.ssn(new.ssn),
            phone: faults.phone("phone", new.phone),
            email: faults.email("email", new.email),
            address: faults.address(new.address),
        },
        gender: new.gender,
        preferred_language: faults.language(new.preferred_language),
    }
}

/// Names of the fields that differ, for the audit log.
pub(in crate::domains::patients) fn changed_fields(
    before: &Patient,
    after: &Identity,
    gender: Gender,
    language: Option<&str>,
) -> Vec<&'static str> {
    let was = &before.identity;
    [
        ("mrn", was.mrn != after.mrn),
        ("givenName", was.given_name != after.given_name),
        ("middleName", was.middle_name != after.middle_name),
        ("familyName", was.family_name != after.family_name),
        ("preferredName", was.preferred_name != after.preferred_name),
        ("birthDate", was.birth_date != after.birth_date),
        ("ssn", was.ssn != after.ssn),
        ("phone", was.phone != after.phone),
        ("email", was.email != after.email),
        ("address", was.address != after.address),
        ("gender", before.gender != gender),
        ("preferredLanguage", before.preferred_language.as_deref() != language),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}
