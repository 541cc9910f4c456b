//! Contacts, coverages and allergies.

use chrono::NaiveDate;

use super::{Faults, MAX_NAME, kept};
use crate::domains::patients::model::{
    AllergyFields, AllergyPatch, ContactFields, ContactPatch, Coverage, CoverageFields, CoveragePatch, Refusal,
    SubscriberRelationship,
};
use crate::error::Stop;
use crate::ids::CoverageId;

const MAX_NUMBER: usize = 50;
const MAX_SUBSTANCE: usize = 200;
const MAX_REACTION: usize = 500;

type Checked<T> = Result<T, Stop<Refusal>>;

/// Reads a contact.
pub(in crate::domains::patients) fn contact(new: ContactFields) -> Checked<ContactFields> {
    let mut faults = Faults::default();
    let contact = read_contact(&mut faults, new);
    faults.into_result()?;
    Ok(contact)
}

/// Reads a contact with changes.
pub(in crate::domains::patients) fn changed_contact(
    patch: ContactPatch,
    current: ContactFields,
) -> Checked<ContactFields> {
    let ContactPatch { name, relationship, phone, email, emergency, legal_guardian, priority } = patch;
    let mut faults = Faults::default();
    let changed = ContactFields {
        name: faults.needed("name", name, current.name),
        relationship: faults.needed("relationship", relationship, current.relationship),
        phone: kept(phone, current.phone),
        email: kept(email, current.email),
        emergency: faults.needed("emergency", emergency, current.emergency),
        legal_guardian: faults.needed("legalGuardian", legal_guardian, current.legal_guardian),
        priority: faults.needed("priority", priority, current.priority),
    };
    let contact = read_contact(&mut faults, changed);
    faults.into_result()?;
    Ok(contact)
}

fn read_contact(faults: &mut Faults, new: ContactFields) -> ContactFields {
    let contact = ContactFields {
        name: faults.name("name", &new.name),
        relationship: new.relationship,
        phone: faults.phone("phone", new.phone),
        email: faults.email("email", new.email),
        emergency: new.emergency,
        legal_guardian: new.legal_guardian,
        priority: new.priority,
    };
    faults.range(&["priority"], Some(contact.priority), &(1..=99));
    if contact.emergency && contact.phone.is_none() {
        faults.add("phone", "is needed to call someone in an emergency");
    }
    contact
}

/// Reads a coverage.
pub(in crate::domains::patients) fn coverage(new: CoverageFields) -> Checked<CoverageFields> {
    let mut faults = Faults::default();
    let coverage = read_coverage(&mut faults, new);
    faults.into_result()?;
    Ok(coverage)
}

/// Reads a coverage with changes.
pub(in crate::domains::patients) fn changed_coverage(
    patch: CoveragePatch,
    current: CoverageFields,
) -> Checked<CoverageFields> {
    let CoveragePatch {
        payer_name,
        plan_name,
        member_number,
        group_number,
        subscriber_name,
        subscriber_relationship,
        priority,
        effective_on,
        ends_on,
    } = patch;
    let mut faults = Faults::default();
    let changed = CoverageFields {
        payer_name: faults.needed("payerName", payer_name, current.payer_name),
        plan_name: kept(plan_name, current.plan_name),
        member_number: faults.needed("memberNumber", member_number, current.member_number),
        group_number: kept(group_number, current.group_number),
        subscriber_name: kept(subscriber_name, current.subscriber_name),
        subscriber_relationship: faults.needed(
            "subscriberRelationship",
            subscriber_relationship,
            current.subscriber_relationship,
        ),
        priority: faults.needed("priority", priority, current.priority),
        effective_on: faults.needed("effectiveOn", effective_on, current.effective_on),
        ends_on: kept(ends_on, current.ends_on),
    };
    let coverage = read_coverage(&mut faults, changed);
    faults.into_result()?;
    Ok(coverage)
}

fn read_coverage(faults: &mut Faults, new: CoverageFields) -> CoverageFields {
    let coverage = CoverageFields {
        payer_name: faults.open_line("payerName", new.payer_name, MAX_NAME),
        plan_name: faults.optional_open_line("planName", new.plan_name, MAX_NAME),
        member_number: faults.line("memberNumber", &new.member_number, MAX_NUMBER),
        group_number: faults.optional_line("groupNumber", new.group_number, MAX_NUMBER),
        subscriber_name: faults.optional_name("subscriberName", new.subscriber_name),
        subscriber_relationship: new.subscriber_relationship,
        priority: new.priority,
        effective_on: new.effective_on,
        ends_on: new.ends_on,
    };
    faults.range(&["priority"], Some(coverage.priority), &(1..=9));
    if coverage.ends_on.is_some_and(|ends| ends < coverage.effective_on) {
        faults.add("endsOn", "is before the first day covered");
    }
    let is_own = coverage.subscriber_relationship == SubscriberRelationship::Oneself;
    match (is_own, coverage.subscriber_name.is_some()) {
        (true, true) => faults.add("subscriberName", "is for a subscriber who is not the patient"),
        (false, false) => faults.add("subscriberName", "is needed when the patient is not the subscriber"),
        _ => {}
    }
    coverage
}

/// On no day may a patient have two coverages of one priority: a biller could not tell who pays first.
pub(in crate::domains::patients) fn no_overlap(
    fields: &CoverageFields,
    own: Option<CoverageId>,
    others: &[Coverage],
) -> Checked<()> {
    let until = |ends: Option<NaiveDate>| ends.unwrap_or(NaiveDate::MAX);
    let overlaps = others.iter().filter(|other| Some(other.id) != own).any(|other| {
        other.fields.priority == fields.priority
            && other.fields.effective_on <= until(fields.ends_on)
            && fields.effective_on <= until(other.fields.ends_on)
    });
    if overlaps {
        return Err(Stop::refuse(
            Refusal::CoverageOverlaps,
            &["input", "priority"],
            "another coverage of this priority covers some of these days: end it first, or choose another priority",
        ));
    }
    Ok(())
}

/// Reads an allergy.
pub(in crate::domains::patients) fn allergy(new: AllergyFields, today: NaiveDate) -> Checked<AllergyFields> {
    let mut faults = Faults::default();
    let allergy = read_allergy(&mut faults, new, today);
    faults.into_result()?;
    Ok(allergy)
}

/// Reads an allergy with changes.
pub(in crate::domains::patients) fn changed_allergy(
    patch: AllergyPatch,
    current: AllergyFields,
    today: NaiveDate,
) -> Checked<AllergyFields> {
    let AllergyPatch { substance, reaction, category, severity, status, noted_on } = patch;
    let mut faults = Faults::default();
    let changed = AllergyFields {
        substance: faults.needed("substance", substance, current.substance),
        reaction: kept(reaction, current.reaction),
        category: faults.needed("category", category, current.category),
        severity: faults.needed("severity", severity, current.severity),
        status: faults.needed("status", status, current.status),
        noted_on: kept(noted_on, current.noted_on),
    };
    let allergy = read_allergy(&mut faults, changed, today);
    faults.into_result()?;
    Ok(allergy)
}

fn read_allergy(faults: &mut Faults, new: AllergyFields, today: NaiveDate) -> AllergyFields {
    if let Some(noted_on) = new.noted_on {
        faults.date("notedOn", noted_on, today);
    }
    AllergyFields {
        substance: faults.line("substance", &new.substance, MAX_SUBSTANCE),
        reaction: faults.optional_text("reaction", new.reaction, MAX_REACTION),
        ..new
    }
}
