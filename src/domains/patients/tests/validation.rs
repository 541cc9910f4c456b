//! What may be recorded of a patient, their contacts, coverages and allergies.

use async_graphql::MaybeUndefined;
use chrono::DateTime;

use super::{date, faults, invalid, nora};
use crate::domains::patients::model::{
    Address, AllergyCategory, AllergyFields, AllergySeverity, AllergyStatus, ContactFields, ContactRelationship,
    Coverage, CoverageFields, Gender, Patient, PatientPatch, PatientStatus, Refusal, RegisterPatient,
    SubscriberRelationship,
};
use crate::domains::patients::validation;
use crate::ids::{CoverageId, PatientId, new_id};
use crate::phi::Phi;

fn new_patient() -> RegisterPatient {
    RegisterPatient {
        mrn: None,
        given_name: Phi::from(" Nora "),
        middle_name: Some(Phi::from("  ")),
        family_name: Phi::from("O’Brien"),
        preferred_name: None,
        birth_date: Phi::new(date("1984-02-29")),
        ssn: Some(Phi::from("999-12-3456")),
        phone: Some(Phi::from("(617) 555-0142")),
        email: Some(Phi::from(" Nora@example.org ")),
        address: None,
        gender: Gender::Female,
        preferred_language: Some("en-US".to_owned()),
        accept_duplicates: false,
    }
}

fn registered(new: RegisterPatient) -> Vec<String> {
    invalid(validation::registration(new, date("2026-03-09")))
}

#[test]
fn a_registration_is_brought_into_form() {
    let id: PatientId = new_id();
    let registration = validation::registration(new_patient(), date("2026-03-09")).unwrap();
    let identity = registration.numbered(id);
    assert_eq!(identity.given_name, Phi::from("Nora"));
    assert_eq!(identity.middle_name, None);
    assert_eq!(identity.ssn, Some(Phi::from("999123456")));
    assert_eq!(identity.phone, Some(Phi::from("+16175550142")));
    assert_eq!(identity.email, Some(Phi::from("Nora@example.org")));
    // A number made from the id.
    assert!(identity.mrn.reveal().starts_with('A') && identity.mrn.length_chars() == 17);
}

#[test]
fn all_faults_of_a_registration_are_listed_at_once() {
    let address = Address {
        line1: " ".to_owned(),
        line2: None,
        city: "Boston".to_owned(),
        state: "Ma".to_owned(),
        zip_code: "0213".to_owned(),
    };
    let found = registered(RegisterPatient {
        mrn: Some(Phi::from("a b")),
        given_name: Phi::from(""),
        family_name: Phi::from("x\u{7}"),
        preferred_name: Some(Phi::from("x".repeat(101).as_str())),
        birth_date: Phi::new(date("2026-03-10")),
        ssn: Some(Phi::from("12345678")),
        phone: Some(Phi::from("555-0142")),
        email: Some(Phi::from("nora@localhost")),
        address: Some(Phi::new(address)),
        preferred_language: Some("en_US".to_owned()),
        ..new_patient()
    });
    let expected = [
        "birthDate",
        "mrn",
        "givenName",
        "familyName",
        "preferredName",
        "ssn",
        "phone",
        "email",
        "address.line1",
        "address.state",
        "address.zipCode",
        "preferredLanguage",
    ];
    let sorted = |mut paths: Vec<String>| {
        paths.sort();
        paths
    };
    assert_eq!(sorted(found), sorted(expected.iter().map(|field| format!("input.{field}")).collect()));
}

#[test]
fn limits_hold_at_the_last_value_and_not_beyond() {
    let with_name = |length: usize| RegisterPatient { given_name: Phi::new("x".repeat(length)), ..new_patient() };
    assert!(registered(with_name(100)).is_empty());
    assert_eq!(registered(with_name(101)), ["input.givenName"]);
    let born = |birth: &str| RegisterPatient { birth_date: Phi::new(date(birth)), ..new_patient() };
    assert!(registered(born("2026-03-09")).is_empty());
    assert_eq!(registered(born("2026-03-10")), ["input.birthDate"]);
    assert!(registered(born("1880-01-01")).is_empty());
    assert_eq!(registered(born("1879-12-31")), ["input.birthDate"]);
    let numbered = |length: usize| RegisterPatient { mrn: Some(Phi::new("A".repeat(length))), ..new_patient() };
    assert!(registered(numbered(32)).is_empty());
    assert_eq!(registered(numbered(33)), ["input.mrn"]);
}

#[test]
fn an_extension_is_refused_rather_than_lost() {
    for phone in ["617-555-0142 x45", "617-555-0142 ext. 9", "617-555-0142#9"] {
        assert_eq!(
            registered(RegisterPatient { phone: Some(Phi::from(phone)), ..new_patient() }),
            ["input.phone"],
            "{phone}"
        );
    }
}

fn on_record() -> Patient {
    Patient {
        id: new_id(),
        identity: nora(),
        gender: Gender::Female,
        preferred_language: None,
        status: PatientStatus::Active,
        archived_at: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn no_change() -> PatientPatch {
    PatientPatch {
        mrn: MaybeUndefined::Undefined,
        given_name: MaybeUndefined::Undefined,
        middle_name: MaybeUndefined::Undefined,
        family_name: MaybeUndefined::Undefined,
        preferred_name: MaybeUndefined::Undefined,
        birth_date: MaybeUndefined::Undefined,
        ssn: MaybeUndefined::Undefined,
        phone: MaybeUndefined::Undefined,
        email: MaybeUndefined::Undefined,
        address: MaybeUndefined::Undefined,
        gender: MaybeUndefined::Undefined,
        preferred_language: MaybeUndefined::Undefined,
    }
}

#[test]
fn a_patch_keeps_what_is_left_out_and_clears_what_is_null() {
    let before = on_record();
    let patch = PatientPatch {
        ssn: MaybeUndefined::Null,
        phone: MaybeUndefined::Value(Phi::from("212 555 0100")),
        ..no_change()
    };
    let changed = validation::changed_patient(patch, &before, date("2026-03-09")).unwrap();
    let (gender, language) = (changed.gender, changed.preferred_language.clone());
    let identity = changed.numbered(before.id);
    assert_eq!(identity.ssn, None);
    assert_eq!(identity.phone, Some(Phi::from("+12125550100")));
    assert_eq!(identity.mrn, before.identity.mrn);
    assert_eq!(identity.email, before.identity.email);
    let fields = validation::changed_fields(&before, &identity, gender, language.as_deref());
    assert_eq!(fields, ["ssn", "phone"]);
}

#[test]
fn what_must_be_there_is_not_cleared() {
    let patch = PatientPatch {
        mrn: MaybeUndefined::Value(Phi::from(" ")),
        given_name: MaybeUndefined::Null,
        family_name: MaybeUndefined::Value(Phi::from("")),
        birth_date: MaybeUndefined::Null,
        gender: MaybeUndefined::Null,
        ..no_change()
    };
    let mut found = invalid(validation::changed_patient(patch, &on_record(), date("2026-03-09")));
    found.sort();
    assert_eq!(found, ["input.birthDate", "input.familyName", "input.gender", "input.givenName", "input.mrn"]);
}

fn contact() -> ContactFields {
    ContactFields {
        name: Phi::from("Sam"),
        relationship: ContactRelationship::Friend,
        phone: Some(Phi::from("212 555 0100")),
        email: None,
        emergency: true,
        legal_guardian: false,
        priority: 1,
    }
}

#[test]
fn an_emergency_contact_can_be_called() {
    assert!(invalid(validation::contact(contact())).is_empty());
    assert_eq!(invalid(validation::contact(ContactFields { phone: None, ..contact() })), ["input.phone"]);
    assert!(invalid(validation::contact(ContactFields { phone: None, emergency: false, ..contact() })).is_empty());
    for (priority, fine) in [(0, false), (1, true), (99, true), (100, false)] {
        assert_eq!(validation::contact(ContactFields { priority, ..contact() }).is_ok(), fine, "{priority}");
    }
}

fn coverage(priority: i16, effective_on: &str, ends_on: Option<&str>) -> CoverageFields {
    CoverageFields {
        payer_name: "Harbor Mutual".to_owned(),
        plan_name: None,
        member_number: Phi::from("H-1"),
        group_number: None,
        subscriber_name: None,
        subscriber_relationship: SubscriberRelationship::Oneself,
        priority,
        effective_on: date(effective_on),
        ends_on: ends_on.map(date),
    }
}

#[test]
fn a_subscriber_is_named_when_it_is_someone_else() {
    let own = || coverage(1, "2026-01-01", None);
    assert!(invalid(validation::coverage(own())).is_empty());
    let childs = || CoverageFields { subscriber_relationship: SubscriberRelationship::Child, ..own() };
    assert_eq!(invalid(validation::coverage(childs())), ["input.subscriberName"]);
    let named = CoverageFields { subscriber_name: Some(Phi::from("Ann")), ..childs() };
    assert!(invalid(validation::coverage(named)).is_empty());
    let both = CoverageFields { subscriber_name: Some(Phi::from("Ann")), ..own() };
    assert_eq!(invalid(validation::coverage(both)), ["input.subscriberName"]);
    assert_eq!(invalid(validation::coverage(coverage(1, "2026-01-02", Some("2026-01-01")))), ["input.endsOn"]);
    assert!(invalid(validation::coverage(coverage(1, "2026-01-02", Some("2026-01-02")))).is_empty());
    assert_eq!(invalid(validation::coverage(coverage(10, "2026-01-02", None))), ["input.priority"]);
}

#[test]
fn coverages_of_one_priority_do_not_share_a_day() {
    let id: CoverageId = new_id();
    let others =
        [Coverage { id, patient_id: new_id(), fields: coverage(1, "2026-01-01", Some("2026-06-30")), version: 1 }];
    let overlap = |fields: CoverageFields, own| {
        let found = faults(validation::no_overlap(&fields, own, &others));
        assert!(found.iter().all(|(code, _)| *code == Refusal::CoverageOverlaps));
        !found.is_empty()
    };
    assert!(overlap(coverage(1, "2026-06-30", None), None));
    assert!(!overlap(coverage(1, "2026-07-01", None), None));
    assert!(overlap(coverage(1, "2025-01-01", Some("2026-01-01")), None));
    assert!(!overlap(coverage(1, "2025-01-01", Some("2025-12-31")), None));
    assert!(overlap(coverage(1, "2025-01-01", None), None));
    assert!(!overlap(coverage(2, "2026-06-30", None), None));
    // Its own days are not another's.
    assert!(!overlap(coverage(1, "2026-02-01", None), Some(id)));
}

#[test]
fn an_allergy_was_noted_in_the_past() {
    let allergy = |noted_on: Option<&str>| AllergyFields {
        substance: Phi::from(" Penicillin "),
        reaction: Some(Phi::from("Hives\nall over")),
        category: AllergyCategory::Medication,
        severity: AllergySeverity::Severe,
        status: AllergyStatus::Active,
        noted_on: noted_on.map(date),
    };
    let read = |noted_on| validation::allergy(allergy(noted_on), date("2026-03-09"));
    assert_eq!(read(Some("2026-03-09")).unwrap().substance, Phi::from("Penicillin"));
    assert!(read(None).is_ok());
    assert_eq!(invalid(read(Some("2026-03-10"))), ["input.notedOn"]);
    let nameless = AllergyFields { substance: Phi::from(" "), ..allergy(None) };
    assert_eq!(invalid(validation::allergy(nameless, date("2026-03-09"))), ["input.substance"]);
}

#[test]
fn a_reason_says_something_and_a_verdict_against_says_why() {
    assert_eq!(invalid(validation::break_glass_reason(Phi::from(" too short "))), ["input.reason"]);
    assert!(validation::break_glass_reason(Phi::from("0123456789")).is_ok());
    assert!(validation::break_glass_reason(Phi::new("x".repeat(1000))).is_ok());
    assert_eq!(invalid(validation::break_glass_reason(Phi::new("x".repeat(1001)))), ["input.reason"]);
    assert_eq!(validation::review_note(None, true).unwrap(), None);
    assert_eq!(invalid(validation::review_note(Some(Phi::from(" ")), false)), ["input.note"]);
    assert!(validation::review_note(Some(Phi::from("curiosity")), false).is_ok());
}
