//! What may be registered: pure rules, no database. All faults of an input are listed at once.

use std::borrow::Cow;

use chrono::NaiveDate;

use super::model::{Address, Gender, Identity, Refusal, RegisterPatient};
use crate::error::{Refused, Stop};
use crate::ids::{PatientId, TypedId as _};
use crate::phi::Phi;

const MAX_NAME: usize = 100;
const MAX_MRN: usize = 32;
const MAX_EMAIL: usize = 254; // RFC 5321, 4.5.3.1.3
const MAX_LINE: usize = 120;
/// Nobody alive was born before; a typing error was.
const EARLIEST_BIRTH_YEAR: i32 = 1880;

/// Gathers faults while values are read.
#[derive(Default)]
pub(super) struct Faults(Vec<Refused<Refusal>>);

impl Faults {
    pub(super) fn add(&mut self, field: &'static str, message: impl Into<Cow<'static, str>>) {
        self.0.push(Refused {
            code: Refusal::Invalid,
            field: vec![Cow::Borrowed("input"), Cow::Borrowed(field)],
            message: message.into(),
        });
    }

    pub(super) fn into_result(self) -> Result<(), Stop<Refusal>> {
        if self.0.is_empty() { Ok(()) } else { Err(Stop::Refused(self.0)) }
    }

    /// A name that must be there.
    pub(super) fn name(&mut self, field: &'static str, value: &Phi<String>) -> Phi<String> {
        let value = value.trimmed();
        if value.is_blank() {
            self.add(field, "must not be empty");
        } else if value.length_chars() > MAX_NAME {
            self.add(field, "is longer than 100 characters");
        } else if value.reveal().chars().any(char::is_control) {
            self.add(field, "has characters that are not printable");
        }
        value
    }

    /// A name that may be left out; blank is left out.
    pub(super) fn optional_name(&mut self, field: &'static str, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        Some(self.name(field, &value))
    }

    /// A telephone number, as E.164. Ten digits are a number of the United States.
    pub(super) fn phone(&mut self, field: &'static str, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        let text = value.reveal();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let allowed = text.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
        let number = match (text.starts_with('+'), digits.len()) {
            (false, 10) => format!("+1{digits}"),
            (false, 11) if digits.starts_with('1') => format!("+{digits}"),
            (true, 8..=15) => format!("+{digits}"), // E.164: at most 15 digits
            _ => String::new(),
        };
        if !allowed || number.is_empty() {
            self.add(field, "is not a telephone number");
        }
        Some(Phi::new(number))
    }

    /// An e-mail address: one `@`, something on both sides, a dot in the domain.
    pub(super) fn email(&mut self, field: &'static str, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        let text = value.reveal();
        let plausible = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.') && !domain.contains('@')
        });
        if !plausible || text.len() > MAX_EMAIL || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.add(field, "is not an e-mail address");
        }
        Some(value)
    }

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
        let digits = value.map_ref(|text| text.chars().filter(|c| *c != '-').collect::<String>());
        if digits.reveal().len() != 9 || !digits.reveal().chars().all(|c| c.is_ascii_digit()) {
            self.add("ssn", "must be nine digits");
        }
        Some(digits)
    }

    fn birth_date(&mut self, date: &Phi<NaiveDate>, today: NaiveDate) {
        use chrono::Datelike as _;
        if *date.reveal() > today {
            self.add("birthDate", "is in the future");
        } else if date.reveal().year() < EARLIEST_BIRTH_YEAR {
            self.add("birthDate", "is before 1880");
        }
    }

    fn address(&mut self, address: Option<Phi<Address>>) -> Option<Phi<Address>> {
        let address = address?;
        let inside = address.reveal();
        let lines = [&inside.line1, &inside.city];
        if lines.iter().any(|line| line.trim().is_empty() || line.chars().count() > MAX_LINE) {
            self.add("address", "needs a street and a city of at most 120 characters");
        }
        if inside.state.len() != 2 || !inside.state.chars().all(|c| c.is_ascii_uppercase()) {
            self.add("address", "needs a two-letter state in capitals");
        }
        if !zip_code(&inside.zip_code) {
            self.add("address", "needs a ZIP code of five digits, or ZIP+4");
        }
        Some(address)
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
pub(super) struct Registration {
    mrn: Option<Phi<String>>,
    rest: Identity,
    pub(super) gender: Gender,
    pub(super) preferred_language: Option<String>,
}

impl Registration {
    /// With the record number given, or one made from the id: unique without a counter to queue on.
    pub(super) fn numbered(self, id: PatientId) -> Identity {
        let made = || Phi::new(format!("A{}", &id.uuid().simple().to_string()[16..].to_uppercase()));
        Identity { mrn: self.mrn.unwrap_or_else(made), ..self.rest }
    }
}

/// Reads a registration.
pub(super) fn registration(new: RegisterPatient, today: NaiveDate) -> Result<Registration, Stop<Refusal>> {
    let mut faults = Faults::default();
    faults.birth_date(&new.birth_date, today);
    let language = new.preferred_language.filter(|tag| !tag.trim().is_empty());
    if language.as_ref().is_some_and(|tag| tag.len() > 35 || !tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) {
        faults.add("preferredLanguage", "is not a language tag"); // RFC 5646, 4.4.1: 35 characters suffice
    }
    let registration = Registration {
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
        preferred_language: language,
    };
    faults.into_result()?;
    Ok(registration)
}
