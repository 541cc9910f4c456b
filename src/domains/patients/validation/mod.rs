//! What may be recorded: pure rules, no database. All faults of an input are listed at once.

mod care;
mod parts;
mod patient;
mod visit;

use std::fmt::Display;
use std::ops::RangeInclusive;

use async_graphql::MaybeUndefined;
use chrono::{Datelike as _, NaiveDate};

pub(super) use care::{break_glass_reason, review_note};
pub(super) use parts::{allergy, changed_allergy, changed_contact, changed_coverage, contact, coverage, no_overlap};
pub(super) use patient::{changed_fields, changed_patient, registration};
pub(super) use visit::{changed_visit, diagnosis_code, visit};

use super::model::Refusal;
use crate::crypto::blind_index::normalise;
use crate::phi::Phi;

const MAX_NAME: usize = 100;
const MAX_EMAIL: usize = 254; // RFC 5321, 4.5.3.1.3
/// Nobody alive was born before; a typing error was.
const EARLIEST_YEAR: i32 = 1880;

pub(super) type Faults = crate::error::Faults<Refusal>;

impl Faults {
    /// A changed value that must be there: null is a fault.
    pub(super) fn needed<T>(&mut self, field: &'static str, patch: MaybeUndefined<T>, current: T) -> T {
        match patch {
            MaybeUndefined::Value(value) => value,
            MaybeUndefined::Undefined => current,
            MaybeUndefined::Null => {
                self.add(field, "must not be null");
                current
            }
        }
    }

    /// A text that must be there: one line, trimmed.
    fn line(&mut self, field: &'static str, value: &Phi<String>, most: usize) -> Phi<String> {
        let value = value.trimmed();
        if value.is_blank() {
            self.add(field, "must not be empty");
        } else if value.length_chars() > most {
            self.add(field, format!("is longer than {most} characters"));
        } else if value.reveal().chars().any(char::is_control) {
            self.add(field, "has characters that are not printable");
        }
        value
    }

    /// A line that may be left out; blank is left out.
    fn optional_line(&mut self, field: &'static str, value: Option<Phi<String>>, most: usize) -> Option<Phi<String>> {
        Some(self.line(field, &value?.non_blank()?, most))
    }

    /// The same for what is not kept from logs: names of insurers, departments.
    fn open_line(&mut self, field: &'static str, value: String, most: usize) -> String {
        self.line(field, &Phi::new(value), most).into_revealed()
    }

    fn optional_open_line(&mut self, field: &'static str, value: Option<String>, most: usize) -> Option<String> {
        self.optional_line(field, value.map(Phi::new), most).map(Phi::into_revealed)
    }

    /// Free text of several lines that may be left out.
    fn optional_text(&mut self, field: &'static str, value: Option<Phi<String>>, most: usize) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        if value.length_chars() > most {
            self.add(field, format!("is longer than {most} characters"));
        } else if value.reveal().chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(field, "has characters that are not printable");
        }
        Some(value)
    }

    /// A name that must be there.
    fn name(&mut self, field: &'static str, value: &Phi<String>) -> Phi<String> {
        self.line(field, value, MAX_NAME)
    }

    fn optional_name(&mut self, field: &'static str, value: Option<Phi<String>>) -> Option<Phi<String>> {
        self.optional_line(field, value, MAX_NAME)
    }

    /// A telephone number, as E.164. Ten digits are a number of North America. An extension is refused: the
    /// form kept has no place for it.
    fn phone(&mut self, field: &'static str, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        let allowed = value.reveal().chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c));
        match normalise::phone(value.reveal()) {
            Some(number) if allowed => Some(Phi::new(format!("+{number}"))),
            _ => {
                self.add(field, "is not a telephone number, which is ten digits, or + and the country code");
                Some(value)
            }
        }
    }

    /// An e-mail address, kept as written: one `@`, something on both sides, a dot in the host.
    fn email(&mut self, field: &'static str, value: Option<Phi<String>>) -> Option<Phi<String>> {
        let value = value?.non_blank()?;
        let plausible = normalise::email(value.reveal()).is_some_and(|address| {
            let host = address.split_once('@').map_or("", |(_, host)| host);
            host.contains('.') && !host.starts_with('.') && !host.ends_with('.') && !address.contains(char::is_control)
        });
        if !plausible || value.reveal().len() > MAX_EMAIL {
            self.add(field, "is not an e-mail address");
        }
        Some(value)
    }

    fn date(&mut self, field: &'static str, date: NaiveDate, latest: NaiveDate) {
        if date > latest {
            self.add(field, "is in the future");
        } else if date.year() < EARLIEST_YEAR {
            self.add(field, format!("is before {EARLIEST_YEAR}"));
        }
    }

    fn range<T: PartialOrd + Display>(
        &mut self,
        path: &[&'static str],
        value: Option<T>,
        plausible: &RangeInclusive<T>,
    ) {
        if value.is_some_and(|value| !plausible.contains(&value)) {
            self.add_at(path, format!("must be between {} and {}", plausible.start(), plausible.end()));
        }
    }
}

/// A changed value that may be absent.
pub(super) fn kept<T>(patch: MaybeUndefined<T>, current: Option<T>) -> Option<T> {
    match patch {
        MaybeUndefined::Value(value) => Some(value),
        MaybeUndefined::Undefined => current,
        MaybeUndefined::Null => None,
    }
}
