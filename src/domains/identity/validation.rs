//! What may be kept of an account: pure rules, no database. All faults of an input are listed at once.

use async_graphql::MaybeUndefined;
use chrono_tz::Tz;

use super::model::{NewAccount, Refusal, UpdateUser};
use super::password::weakness;
use crate::crypto::blind_index::normalise;
use crate::error::Stop;
use crate::npi;
use crate::phi::Phi;

const MAX_NAME: usize = 120;
const MAX_EMAIL: usize = 254; // RFC 5321, 4.5.3.1.3
const MAX_DEVICE: usize = 200;
const MAX_LICENSE: usize = 40;
/// RFC 5646, 4.4.1: 35 characters suffice.
const MAX_LOCALE: usize = 35;
const DEFAULT_LOCALE: &str = "en-US";
const DEFAULT_TIME_ZONE: &str = "UTC";

type Faults = crate::error::Faults<Refusal>;

impl Faults {
    fn display_name(&mut self, name: &Phi<String>) -> Phi<String> {
        let name = name.trimmed();
        if name.is_blank() {
            self.add("displayName", "must not be empty");
        } else if name.length_chars() > MAX_NAME {
            self.add("displayName", "is longer than 120 characters");
        } else if name.reveal().chars().any(char::is_control) {
            self.add("displayName", "has characters that cannot be printed");
        }
        name
    }

    fn email(&mut self, email: &Phi<String>) -> Phi<String> {
        let email = email.trimmed();
        let plausible = normalise::email(email.reveal_str()).is_some_and(|address| {
            let host = address.split_once('@').map_or("", |(_, host)| host);
            host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        });
        if !plausible || email.reveal_str().len() > MAX_EMAIL || email.reveal_str().chars().any(char::is_control) {
            self.add("email", "is not an e-mail address");
        }
        email
    }

    fn phone(&mut self, phone: &Phi<String>) -> Option<Phi<String>> {
        let phone = phone.non_blank()?;
        let read = normalise::phone(phone.reveal_str());
        if read.is_none() {
            self.add("phone", "is not a telephone number");
        }
        read.map(|digits| Phi::new(format!("+{digits}")))
    }

    fn npi(&mut self, typed: &str) -> Option<String> {
        if typed.trim().is_empty() {
            return None;
        }
        let read = npi::parse(typed);
        if read.is_none() {
            self.add("npi", "is not a National Provider Identifier: ten digits, the last a check digit");
        }
        read
    }

    fn license_number(&mut self, typed: &str) -> Option<String> {
        let typed = typed.trim();
        if typed.is_empty() {
            return None;
        }
        if typed.chars().count() > MAX_LICENSE
            || !typed.chars().all(|c| c.is_ascii_alphanumeric() || "-./ ".contains(c))
        {
            self.add("licenseNumber", "must be 1 to 40 letters, digits, spaces, hyphens, dots and slashes");
        }
        Some(typed.to_owned())
    }

    fn locale(&mut self, tag: &str) -> String {
        let tag = tag.trim();
        let parts = || tag.split('-');
        let plausible = parts()
            .all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
            && parts()
                .next()
                .is_some_and(|language| language.len() >= 2 && language.chars().all(|c| c.is_ascii_alphabetic()));
        if !plausible || tag.len() > MAX_LOCALE {
            self.add("locale", "is not a language tag, such as en-US");
        }
        tag.to_owned()
    }

    fn time_zone(&mut self, name: &str) -> String {
        let name = name.trim();
        if name.parse::<Tz>().is_err() {
            self.add("timeZone", "is not a time zone of the IANA database, such as America/New_York");
        }
        name.to_owned()
    }
}

/// Absent stays absent; what reads as nothing clears.
fn patch<T, U>(value: MaybeUndefined<T>, read: impl FnOnce(T) -> Option<U>) -> MaybeUndefined<U> {
    match value {
        MaybeUndefined::Undefined => MaybeUndefined::Undefined,
        MaybeUndefined::Null => MaybeUndefined::Null,
        MaybeUndefined::Value(value) => read(value).map_or(MaybeUndefined::Null, MaybeUndefined::Value),
    }
}

/// An account's values that have passed.
#[derive(Debug)]
pub(super) struct AccountValues {
    pub email: Phi<String>,
    pub display_name: Phi<String>,
    pub phone: Option<Phi<String>>,
    pub locale: String,
    pub time_zone: String,
    pub npi: Option<String>,
    pub license_number: Option<String>,
}

/// Reads a new account.
pub(super) fn account(new: &NewAccount) -> Result<AccountValues, Stop<Refusal>> {
    let mut faults = Faults::default();
    let values = AccountValues {
        email: faults.email(&new.email),
        display_name: faults.display_name(&new.display_name),
        phone: new.phone.as_ref().and_then(|phone| faults.phone(phone)),
        locale: faults.locale(new.locale.as_deref().unwrap_or(DEFAULT_LOCALE)),
        time_zone: faults.time_zone(new.time_zone.as_deref().unwrap_or(DEFAULT_TIME_ZONE)),
        npi: new.npi.as_deref().and_then(|npi| faults.npi(npi)),
        license_number: new.license_number.as_deref().and_then(|number| faults.license_number(number)),
    };
    faults.into_result()?;
    Ok(values)
}

/// Changes that have passed, and their names for the audit log.
#[derive(Debug)]
pub(super) struct Changes {
    pub display_name: Option<Phi<String>>,
    pub phone: MaybeUndefined<Phi<String>>,
    pub npi: MaybeUndefined<String>,
    pub license_number: MaybeUndefined<String>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
}

impl Changes {
    /// Names of the columns that change.
    pub(super) fn names(&self) -> Vec<&'static str> {
        [
            ("display_name", self.display_name.is_some()),
            ("phone", !self.phone.is_undefined()),
            ("npi", !self.npi.is_undefined()),
            ("license_number", !self.license_number.is_undefined()),
            ("locale", self.locale.is_some()),
            ("time_zone", self.time_zone.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, changes)| changes.then_some(name))
        .collect()
    }
}

/// Reads the changes of an account.
pub(super) fn changes(update: UpdateUser) -> Result<Changes, Stop<Refusal>> {
    let mut faults = Faults::default();
    let changes = Changes {
        display_name: update.display_name.map(|name| faults.display_name(&name)),
        phone: patch(update.phone, |phone| faults.phone(&phone)),
        npi: patch(update.npi, |npi| faults.npi(&npi)),
        license_number: patch(update.license_number, |number| faults.license_number(&number)),
        locale: update.locale.map(|tag| faults.locale(&tag)),
        time_zone: update.time_zone.map(|name| faults.time_zone(&name)),
    };
    faults.into_result()?;
    Ok(changes)
}

/// Refuses a password that is easy to guess.
pub(super) fn password(
    field: &'static str,
    password: &Phi<String>,
    owner: &[&Phi<String>],
) -> Result<(), Stop<Refusal>> {
    match weakness(password, owner) {
        None => Ok(()),
        Some(weakness) => Err(Stop::refuse(Refusal::WeakPassword, &["input", field], weakness.message())),
    }
}

/// What a device is called: the name given, else the user agent; printable and short.
pub(super) fn device(given: Option<&str>, user_agent: Option<&str>) -> Option<String> {
    let name = given.map(str::trim).filter(|name| !name.is_empty()).or(user_agent)?;
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(MAX_DEVICE).collect();
    (!name.is_empty()).then_some(name)
}

/// An e-mail address as typed at sign-in, in the form that is indexed. What is no address has a form too, so
/// that it is slowed down like one.
pub(super) fn login(email: &Phi<String>) -> Phi<String> {
    email.map_ref(|typed| {
        normalise::email(typed).unwrap_or_else(|| typed.trim().to_lowercase().chars().take(MAX_EMAIL).collect())
    })
}
