//! What may be said of a facility and its people: pure rules, no database. All faults of an input are listed at
//! once.

use std::collections::HashSet;

use async_graphql::MaybeUndefined;

use super::model::{
    Address, CreateFacility, Facility, FacilityChanges, InviteMember, Profile, ProfileColumns, Refusal, RoleGrant,
    Settings, SettingsChanges,
};
use crate::access::Role;
use crate::crypto::blind_index::normalise;
use crate::error::{Error, Stop};
use crate::npi;
use crate::phi::Phi;

const MAX_NAME: usize = 200;
const MAX_LINE: usize = 120;
const MAX_TITLE: usize = 100;
const MAX_DEPARTMENT: usize = 100;
const MAX_DISPLAY_NAME: usize = 100;
const MAX_EMAIL: usize = 254; // RFC 5321, 4.5.3.1.3
/// Roles of one member, departments counted apart. More than anyone holds; keeps a row set small.
pub(super) const MAX_ROLES: usize = 20;
/// Minutes an emergency access may open a chart: long enough to act, at most a shift.
pub(super) const BREAK_GLASS_MINUTES: std::ops::RangeInclusive<i32> = 15..=480;
/// Days an invitation may be good for.
pub(super) const INVITATION_DAYS: std::ops::RangeInclusive<i32> = 1..=30;

pub(super) type Faults = crate::error::Faults<Refusal>;

impl Faults {
    /// One line of text that must be there.
    fn line(&mut self, field: &'static str, text: &str, most: usize) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.add(field, "must not be empty");
        } else if text.chars().count() > most {
            self.add(field, format!("is longer than {most} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(field, "has characters that are not printable");
        }
        text.to_owned()
    }

    /// One line of text that may be left out; blank is left out.
    fn optional_line(&mut self, field: &'static str, text: Option<String>, most: usize) -> Option<String> {
        let text = text.filter(|text| !text.trim().is_empty())?;
        Some(self.line(field, &text, most))
    }

    fn npi(&mut self, number: Option<String>) -> Option<String> {
        let number = number.map(|number| number.trim().to_owned()).filter(|number| !number.is_empty())?;
        if !npi::is_valid(&number) {
            self.add("npi", "is not a National Provider Identifier: ten digits with their check digit");
        }
        Some(number)
    }

    fn time_zone(&mut self, name: &str) -> String {
        let name = name.trim();
        if name.parse::<chrono_tz::Tz>().is_err() {
            self.add("timeZone", "is not a time zone of the IANA database, such as America/New_York");
        }
        name.to_owned()
    }

    /// A telephone number, as E.164. Ten digits are a number of the United States.
    fn phone(&mut self, number: Option<String>) -> Option<String> {
        let number = number.filter(|number| !number.trim().is_empty())?;
        let known = normalise::phone(&number);
        if known.is_none() {
            self.add("phone", "is not a telephone number");
        }
        known.map(|digits| format!("+{digits}"))
    }

    fn address(&mut self, address: Option<Address>) -> Option<Address> {
        let Address { line1, line2, city, state, zip_code } = address?;
        let address = Address {
            line1: self.line("address", &line1, MAX_LINE),
            line2: self.optional_line("address", line2, MAX_LINE),
            city: self.line("address", &city, MAX_LINE),
            state: state.trim().to_owned(),
            zip_code: zip_code.trim().to_owned(),
        };
        if address.state.len() != 2 || !address.state.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.add("address", "needs a two-letter state in capitals");
        }
        if !is_zip_code(&address.zip_code) {
            self.add("address", "needs a ZIP code of five digits, or ZIP+4");
        }
        Some(address)
    }

    fn email(&mut self, field: &'static str, address: &Phi<String>) -> Phi<String> {
        let address = address.trimmed();
        let dotted = address.reveal().rsplit_once('@').is_some_and(|(_, host)| {
            host.contains('.') && !host.starts_with('.') && !host.ends_with('.') && !host.contains("..")
        });
        let text = address.reveal();
        let plain = normalise::email(text).is_some() && !text.chars().any(char::is_control);
        if !dotted || !plain || text.len() > MAX_EMAIL {
            self.add(field, "is not an e-mail address");
        }
        address
    }

    pub(super) fn title(&mut self, title: Option<String>) -> Option<String> {
        self.optional_line("title", title, MAX_TITLE)
    }

    /// Roles of one member: at least one, none twice, exactly one of them primary. A single one is primary
    /// without saying so.
    fn roles(&mut self, roles: Vec<RoleGrant>) -> Vec<RoleGrant> {
        let mut roles: Vec<RoleGrant> = roles.into_iter().map(|grant| self.role(grant)).collect();
        if let [only] = roles.as_mut_slice() {
            only.primary = true;
        }
        let distinct: HashSet<(Role, Option<&str>)> =
            roles.iter().map(|grant| (grant.role, grant.department.as_deref())).collect();
        let primaries = roles.iter().filter(|grant| grant.primary).count();
        if roles.is_empty() || roles.len() > MAX_ROLES {
            self.add("roles", format!("must be 1 to {MAX_ROLES} roles"));
        } else if distinct.len() < roles.len() {
            self.add("roles", "has the same role in the same department twice");
        } else if primaries != 1 {
            self.add("roles", "must have exactly one primary role");
        }
        roles
    }

    fn role(&mut self, grant: RoleGrant) -> RoleGrant {
        RoleGrant { department: self.optional_line("department", grant.department, MAX_DEPARTMENT), ..grant }
    }

    fn settings(&mut self, settings: Settings) -> Settings {
        if !BREAK_GLASS_MINUTES.contains(&settings.break_glass_minutes) {
            self.add("breakGlassMinutes", "must be 15 to 480");
        }
        if !INVITATION_DAYS.contains(&settings.invitation_days) {
            self.add("invitationDays", "must be 1 to 30");
        }
        if !matches!(settings.conversation_retention_days, 0 | 30..=36_500) {
            self.add("conversationRetentionDays", "must be 30 to 36,500, or 0 for good");
        }
        settings
    }

    fn profile(&mut self, profile: Profile) -> Profile {
        Profile {
            name: self.line("name", &profile.name, MAX_NAME),
            kind: profile.kind,
            npi: self.npi(profile.npi),
            address: self.address(profile.address),
            phone: self.phone(profile.phone),
            time_zone: self.time_zone(&profile.time_zone),
        }
    }
}

fn is_zip_code(text: &str) -> bool {
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        Some((five, four)) => digits(five, 5) && digits(four, 4),
        None => digits(text, 5),
    }
}

/// A new facility that has passed.
#[derive(Debug)]
pub(super) struct Creation {
    pub(super) profile: Profile,
    pub(super) settings: Settings,
    /// The invitation of its first administrator.
    pub(super) invited: Option<InviteMember>,
}

/// Reads what a new facility says of itself, how it works, and who is to administer it.
pub(super) fn creation(new: CreateFacility) -> Result<Creation, Stop<Refusal>> {
    let mut faults = Faults::default();
    let creation = Creation {
        profile: faults.profile(new.profile),
        settings: faults.settings(new.settings),
        invited: new.administrator.map(|first| InviteMember {
            email: faults.email("administratorEmail", &first.email),
            roles: vec![RoleGrant { role: Role::Administrator, department: None, primary: true }],
            title: faults.optional_line("administratorTitle", first.title, MAX_TITLE),
        }),
    };
    faults.into_result()?;
    Ok(creation)
}

/// A value that may be absent, with a change made.
fn patched<T: Clone>(change: MaybeUndefined<T>, before: Option<&T>) -> Option<T> {
    match change {
        MaybeUndefined::Undefined => before.cloned(),
        MaybeUndefined::Null => None,
        MaybeUndefined::Value(value) => Some(value),
    }
}

/// Left as it is, or set; null cannot be.
fn kept<T>(change: MaybeUndefined<T>, before: T, name: &'static str) -> Result<T, Error> {
    match change {
        MaybeUndefined::Undefined => Ok(before),
        MaybeUndefined::Value(value) => Ok(value),
        MaybeUndefined::Null => Err(Error::bad_input(format!("`{name}` cannot be null: leave it out to keep it"))),
    }
}

/// A facility's profile with the changes made, and the names of what changed.
pub(super) fn changed_profile(
    facility: &Facility,
    changes: FacilityChanges,
) -> Result<(Profile, Vec<&'static str>), Stop<Refusal>> {
    let FacilityChanges { name, kind, npi, address, phone, time_zone } = changes;
    let before = &facility.profile;
    let mut faults = Faults::default();
    let after = faults.profile(Profile {
        name: kept(name, before.name.clone(), "name")?,
        kind: kept(kind, before.kind, "kind")?,
        npi: patched(npi, before.npi.as_ref()),
        address: patched(address, before.address.as_ref()),
        phone: patched(phone, before.phone.as_ref()),
        time_zone: kept(time_zone, before.time_zone.clone(), "timeZone")?,
    });
    faults.into_result()?;
    let fields = [
        ("name", before.name != after.name),
        ("kind", before.kind != after.kind),
        ("npi", before.npi != after.npi),
        ("address", before.address != after.address),
        ("phone", before.phone != after.phone),
        ("timeZone", before.time_zone != after.time_zone),
    ];
    let names = fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
    Ok((after, names))
}

/// The settings with the changes made, and the names of what changed.
pub(super) fn changed_settings(
    before: Settings,
    changes: &SettingsChanges,
) -> Result<(Settings, Vec<&'static str>), Stop<Refusal>> {
    /// Left as it is, put back to the default, or set.
    fn pick<T>(change: MaybeUndefined<T>, before: T, default: T) -> T {
        match change {
            MaybeUndefined::Undefined => before,
            MaybeUndefined::Null => default,
            MaybeUndefined::Value(value) => value,
        }
    }
    let default = Settings::default();
    let mut faults = Faults::default();
    let after = faults.settings(Settings {
        restrict_therapists_to_own_patients: pick(
            changes.restrict_therapists_to_own_patients,
            before.restrict_therapists_to_own_patients,
            default.restrict_therapists_to_own_patients,
        ),
        break_glass_minutes: pick(changes.break_glass_minutes, before.break_glass_minutes, default.break_glass_minutes),
        invitation_days: pick(changes.invitation_days, before.invitation_days, default.invitation_days),
        require_second_factor: pick(
            changes.require_second_factor,
            before.require_second_factor,
            default.require_second_factor,
        ),
        conversation_retention_days: pick(
            changes.conversation_retention_days,
            before.conversation_retention_days,
            default.conversation_retention_days,
        ),
    });
    faults.into_result()?;
    let fields = [
        (
            "restrictTherapistsToOwnPatients",
            before.restrict_therapists_to_own_patients != after.restrict_therapists_to_own_patients,
        ),
        ("breakGlassMinutes", before.break_glass_minutes != after.break_glass_minutes),
        ("invitationDays", before.invitation_days != after.invitation_days),
        ("requireSecondFactor", before.require_second_factor != after.require_second_factor),
        ("conversationRetentionDays", before.conversation_retention_days != after.conversation_retention_days),
    ];
    let names = fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
    Ok((after, names))
}

/// Reads an invitation.
pub(super) fn invitation(invite: InviteMember) -> Result<InviteMember, Stop<Refusal>> {
    let mut faults = Faults::default();
    let read = InviteMember {
        email: faults.email("email", &invite.email),
        roles: faults.roles(invite.roles),
        title: faults.title(invite.title),
    };
    faults.into_result()?;
    Ok(read)
}

/// Reads all roles of a member.
pub(super) fn roles(roles: Vec<RoleGrant>) -> Result<Vec<RoleGrant>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let roles = faults.roles(roles);
    faults.into_result()?;
    Ok(roles)
}

/// Reads one further role.
pub(super) fn role(grant: RoleGrant) -> Result<RoleGrant, Stop<Refusal>> {
    let mut faults = Faults::default();
    let grant = faults.role(grant);
    faults.into_result()?;
    Ok(grant)
}

/// Reads a job title.
pub(super) fn title(title: Option<String>) -> Result<Option<String>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let title = faults.title(title);
    faults.into_result()?;
    Ok(title)
}

impl From<Profile> for ProfileColumns {
    fn from(profile: Profile) -> Self {
        let Profile { name, kind, npi, address, phone, time_zone } = profile;
        let (line1, line2, city, state, zip_code) = match address {
            Some(Address { line1, line2, city, state, zip_code }) => {
                (Some(line1), line2, Some(city), Some(state), Some(zip_code))
            }
            None => (None, None, None, None, None),
        };
        Self { name, kind, npi, address_line1: line1, address_line2: line2, city, state, zip_code, phone, time_zone }
    }
}

/// Whether every part of what was typed begins a part of the name, accents and case aside.
pub(super) fn name_matches(name: &str, typed: &[String]) -> bool {
    let parts = normalise::name_parts(name);
    typed.iter().all(|typed| parts.iter().any(|part| part.starts_with(typed.as_str())))
}

/// The parts of what was typed into a search for a name; empty when nothing of it can be searched for.
pub(super) fn typed_parts(typed: &str) -> Vec<String> {
    normalise::name_parts(typed)
}

/// Reads the name and password of a new account. Whether the password is good enough is for identity to say.
pub(super) fn new_account(
    name: Option<Phi<String>>,
    password: Option<Phi<String>>,
) -> Result<(Phi<String>, Phi<String>), Stop<Refusal>> {
    let mut faults = Faults::default();
    let name = name.and_then(|name| name.non_blank()).unwrap_or_default();
    if name.is_blank() {
        faults.add("displayName", "is needed: the address has no account yet");
    } else if name.length_chars() > MAX_DISPLAY_NAME || name.reveal().chars().any(char::is_control) {
        faults.add("displayName", "must be at most 100 printable characters");
    }
    let password = password.unwrap_or_default();
    if password.reveal().is_empty() {
        faults.add("password", "is needed: the address has no account yet");
    }
    faults.into_result()?;
    Ok((name, password))
}
