//! Pure rules of the domain.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, TimeDelta, Utc};

use super::model::{
    Address, CreateFacility, Facility, FacilityChanges, FacilityKind, FacilityStatus, FirstAdministrator,
    InvitationRow, InvitationStatus, InviteMember, Profile, Refusal, RoleGrant, Settings, SettingsChanges,
};
use super::{policy, sealing, validation};
use crate::access::Role;
use crate::error::Stop;
use crate::ids::new_id;
use crate::phi::Phi;

fn profile() -> Profile {
    Profile {
        name: " Lakeside Clinic ".to_owned(),
        kind: FacilityKind::Clinic,
        npi: Some("1234567893".to_owned()),
        address: Some(Address {
            line1: "12 Harbor Road".to_owned(),
            line2: Some(" ".to_owned()),
            city: "Boston".to_owned(),
            state: "MA".to_owned(),
            zip_code: "02110-1234".to_owned(),
        }),
        phone: Some("(617) 555-0142".to_owned()),
        time_zone: "America/New_York".to_owned(),
    }
}

fn new(profile: Profile) -> CreateFacility {
    CreateFacility { profile, settings: Settings::default(), administrator: None }
}

fn facility() -> Facility {
    let validation::Creation { profile, settings, .. } = validation::creation(new(profile())).unwrap();
    Facility {
        id: new_id(),
        profile,
        settings,
        status: FacilityStatus::Active,
        suspension_reason: None,
        version: 1,
        created_at: DateTime::<Utc>::UNIX_EPOCH,
        updated_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

/// Fields and codes of a refusal, in order.
fn faults<T: std::fmt::Debug>(outcome: Result<T, Stop<Refusal>>) -> Vec<(String, Refusal)> {
    match outcome {
        Err(Stop::Refused(all)) => all.into_iter().map(|one| (one.field.join("."), one.code)).collect(),
        other => vec![(format!("{other:?}"), Refusal::StaleVersion)],
    }
}

fn fields<T: std::fmt::Debug>(outcome: Result<T, Stop<Refusal>>) -> Vec<String> {
    faults(outcome).into_iter().map(|(field, _)| field).collect()
}

fn grant(role: Role, department: Option<&str>, primary: bool) -> RoleGrant {
    RoleGrant { role, department: department.map(str::to_owned), primary }
}

#[test]
fn a_profile_is_trimmed_and_its_number_put_in_form() {
    let read = facility().profile;
    assert_eq!(read.name, "Lakeside Clinic");
    assert_eq!(read.phone.as_deref(), Some("+16175550142"));
    assert_eq!(read.address.unwrap().line2, None);
}

#[test]
fn every_fault_of_a_profile_is_listed_at_once() {
    let wrong = Profile {
        name: "  ".to_owned(),
        npi: Some("1234567890".to_owned()),
        phone: Some("call us".to_owned()),
        time_zone: "Boston".to_owned(),
        address: Some(Address {
            line1: String::new(),
            line2: None,
            city: "Boston".to_owned(),
            state: "Mass".to_owned(),
            zip_code: "2110".to_owned(),
        }),
        ..profile()
    };
    let first = FirstAdministrator { email: Phi::from("nobody"), title: Some("x".repeat(101)) };
    let settings = Settings { break_glass_minutes: 14, ..Settings::default() };
    let found = fields(validation::creation(CreateFacility { settings, administrator: Some(first), ..new(wrong) }));
    assert_eq!(
        found,
        [
            "input.name",
            "input.npi",
            "input.address",
            "input.address",
            "input.address",
            "input.phone",
            "input.timeZone",
            "input.breakGlassMinutes",
            "input.administratorEmail",
            "input.administratorTitle"
        ]
    );
}

#[test]
fn settings_hold_their_bounds() {
    for (minutes, days, fine) in
        [(15, 1, true), (480, 30, true), (14, 7, false), (481, 7, false), (60, 0, false), (60, 31, false)]
    {
        let changes = SettingsChanges {
            break_glass_minutes: MaybeUndefined::Value(minutes),
            invitation_days: MaybeUndefined::Value(days),
            ..SettingsChanges::default()
        };
        assert_eq!(validation::changed_settings(Settings::default(), &changes).is_ok(), fine, "{minutes} {days}");
    }
}

#[test]
fn conversations_are_kept_for_a_month_at_least_or_for_good() {
    for (days, fine) in [(0, true), (30, true), (36_500, true), (-1, false), (1, false), (29, false), (36_501, false)] {
        let changes =
            SettingsChanges { conversation_retention_days: MaybeUndefined::Value(days), ..SettingsChanges::default() };
        assert_eq!(validation::changed_settings(Settings::default(), &changes).is_ok(), fine, "{days}");
    }
}

#[test]
fn absent_keeps_a_setting_and_null_puts_the_default_back() {
    let before = Settings { break_glass_minutes: 90, invitation_days: 3, ..Settings::default() };
    let changes = SettingsChanges {
        break_glass_minutes: MaybeUndefined::Null,
        restrict_therapists_to_own_patients: MaybeUndefined::Value(true),
        ..SettingsChanges::default()
    };
    let (after, changed) = validation::changed_settings(before, &changes).unwrap();
    assert_eq!((after.break_glass_minutes, after.invitation_days), (60, 3));
    assert!(after.restrict_therapists_to_own_patients);
    assert_eq!(changed, ["restrictTherapistsToOwnPatients", "breakGlassMinutes"]);
}

#[test]
fn settings_are_stored_under_the_names_that_sql_reads() {
    let stored = serde_json::to_value(Settings { require_second_factor: true, ..Settings::default() }).unwrap();
    assert_eq!(
        stored,
        serde_json::json!({ "restrictTherapistsToOwnPatients": false, "breakGlassMinutes": 60, "invitationDays": 7,
            "requireSecondFactor": true, "conversationRetentionDays": 0 })
    );
    assert_eq!(sealing::open_settings(serde_json::json!({})).unwrap(), Settings::default());
    let older = serde_json::json!({ "invitationDays": 9, "somethingNewer": 1 });
    assert_eq!(sealing::open_settings(older).unwrap().invitation_days, 9);
}

#[test]
fn an_update_changes_what_it_names_and_says_so() {
    let facility = facility();
    let changes = FacilityChanges {
        name: MaybeUndefined::Value("Lakeside Hospital".to_owned()),
        npi: MaybeUndefined::Null,
        time_zone: MaybeUndefined::Value("America/New_York".to_owned()),
        ..FacilityChanges::default()
    };
    let (after, changed) = validation::changed_profile(&facility, changes).unwrap();
    assert_eq!(changed, ["name", "npi"]);
    assert_eq!((after.name.as_str(), after.npi), ("Lakeside Hospital", None));
    assert_eq!(after.address, facility.profile.address);
}

#[test]
fn an_address_that_mail_cannot_reach_is_refused() {
    let invite = |email: &str| {
        validation::invitation(InviteMember {
            email: Phi::from(email),
            roles: vec![grant(Role::Nurse, None, false)],
            title: None,
        })
    };
    for good in ["ada@example.org", " Ada.Lovelace+clinic@mail.example.org "] {
        assert!(invite(good).is_ok(), "{good}");
    }
    for bad in ["", "ada", "ada@", "@example.org", "ada@localhost", "a da@example.org", "ada@example..org", "a@b@c.org"]
    {
        assert_eq!(fields(invite(bad)), ["input.email"], "{bad}");
    }
}

#[test]
fn a_single_role_is_primary_and_of_several_exactly_one_is() {
    let read = validation::roles(vec![grant(Role::Nurse, Some(" Memory Clinic "), false)]).unwrap();
    assert_eq!(read, [grant(Role::Nurse, Some("Memory Clinic"), true)]);
    let two = |first, second| {
        validation::roles(vec![grant(Role::Nurse, None, first), grant(Role::Nurse, Some("Youth"), second)])
    };
    assert!(two(true, false).is_ok());
    assert_eq!(fields(two(false, false)), ["input.roles"]);
    assert_eq!(fields(two(true, true)), ["input.roles"]);
}

#[test]
fn no_role_is_held_twice_and_none_is_too_few() {
    assert_eq!(fields(validation::roles(Vec::new())), ["input.roles"]);
    let twice = vec![grant(Role::Nurse, Some("Youth"), true), grant(Role::Nurse, Some(" Youth"), false)];
    assert_eq!(fields(validation::roles(twice)), ["input.roles"]);
    let many = (0..=validation::MAX_ROLES).map(|n| grant(Role::Nurse, Some(&format!("Ward {n}")), n == 0)).collect();
    assert_eq!(fields(validation::roles(many)), ["input.roles"]);
}

#[test]
fn a_new_account_needs_a_name_and_a_password() {
    assert_eq!(fields(validation::new_account(None, None)), ["input.displayName", "input.password"]);
    assert_eq!(fields(validation::new_account(Some(Phi::from(" ")), Some(Phi::from("x")))), ["input.displayName"]);
    let (name, password) = validation::new_account(Some(Phi::from(" Ada ")), Some(Phi::from(" x "))).unwrap();
    assert_eq!((name.reveal_str(), password.reveal_str()), ("Ada", " x "), "a password is taken as it is");
}

#[test]
fn names_are_found_by_the_beginnings_of_their_parts() {
    let found = |typed: &str| validation::name_matches("María-José O’Brien", &validation::typed_parts(typed));
    for typed in ["mar", "JOSE", "obr mar", "o'brien", "maria jose obrien"] {
        assert!(found(typed), "{typed}");
    }
    for typed in ["rien", "mar x", "marias"] {
        assert!(!found(typed), "{typed}");
    }
    assert!(validation::typed_parts(" -’ ").is_empty());
}

#[test]
fn a_pending_invitation_is_expired_from_its_last_instant_on() {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let row = |status, expires_at| InvitationRow {
        facility_id: new_id(),
        id: new_id(),
        email_ciphertext: Vec::new(),
        email_index: 0,
        roles: serde_json::json!([]),
        title: None,
        invited_by: None,
        status,
        expires_at,
        accepted_at: None,
        created_at: now,
        updated_at: now,
    };
    use InvitationStatus::{Accepted, Expired, Pending};
    let second = TimeDelta::seconds(1);
    assert_eq!(row(Pending, now + second).status_at(now), Pending);
    assert_eq!(row(Pending, now).status_at(now), Expired);
    assert_eq!(row(Accepted, now - second).status_at(now), Accepted);
}

#[test]
fn every_action_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = policy::ALL.iter().map(|action| action.name).collect();
    assert_eq!(names.len(), policy::ALL.len());
    assert!(names.iter().all(|name| name.starts_with("facilities.")), "{names:?}");
}
