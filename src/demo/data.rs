//! The demo's data, read from `demo/` at build time; its shapes are described in `demo/README.md`.

use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::Deserialize;

use crate::access::{PlatformRole, Role};
use crate::domains::patients::model::{
    AllergyCategory, AllergySeverity, AllergyStatus, CareRelationshipKind, ContactRelationship, Gender,
    SubscriberRelationship,
};
use crate::error::Result;

#[derive(Debug, Deserialize)]
pub(super) struct Address {
    pub(super) line1: String,
    pub(super) line2: Option<String>,
    pub(super) city: String,
    pub(super) state: String,
    pub(super) zip_code: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct FacilitySettings {
    pub(super) restrict_therapists_to_own_patients: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Facility {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) npi: String,
    pub(super) time_zone: String,
    pub(super) phone: String,
    pub(super) address: Address,
    pub(super) settings: FacilitySettings,
}

#[derive(Debug, Deserialize)]
pub(super) struct RoleHeld {
    pub(super) role: Role,
    pub(super) department: Option<String>,
    pub(super) primary: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Membership {
    pub(super) facility: String,
    pub(super) title: String,
    pub(super) roles: Vec<RoleHeld>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Person {
    pub(super) key: String,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) credentials: Option<String>,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) npi: Option<String>,
    pub(super) license_number: Option<String>,
    pub(super) time_zone: String,
    pub(super) platform_roles: Vec<PlatformRole>,
    pub(super) memberships: Vec<Membership>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CareTeamEntry {
    pub(super) staff: String,
    pub(super) kind: CareRelationshipKind,
}

#[derive(Debug, Deserialize)]
pub(super) struct Contact {
    pub(super) name: String,
    pub(super) relationship: ContactRelationship,
    pub(super) phone: Option<String>,
    pub(super) email: Option<String>,
    pub(super) emergency: bool,
    pub(super) legal_guardian: bool,
    pub(super) priority: i16,
}

#[derive(Debug, Deserialize)]
pub(super) struct Coverage {
    pub(super) payer_name: String,
    pub(super) plan_name: Option<String>,
    pub(super) member_number: String,
    pub(super) group_number: Option<String>,
    pub(super) subscriber_name: Option<String>,
    pub(super) subscriber_relationship: SubscriberRelationship,
    pub(super) priority: i16,
    pub(super) effective_on: NaiveDate,
    pub(super) ends_on: Option<NaiveDate>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Allergy {
    pub(super) substance: String,
    pub(super) category: AllergyCategory,
    pub(super) reaction: Option<String>,
    pub(super) severity: AllergySeverity,
    pub(super) status: AllergyStatus,
    pub(super) noted_on: Option<NaiveDate>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Patient {
    pub(super) key: String,
    pub(super) facility: String,
    pub(super) mrn: String,
    pub(super) given_name: String,
    pub(super) middle_name: Option<String>,
    pub(super) family_name: String,
    pub(super) birth_date: NaiveDate,
    pub(super) gender: Gender,
    pub(super) ssn: String,
    pub(super) phone: String,
    pub(super) email: String,
    pub(super) address: Address,
    pub(super) preferred_language: Option<String>,
    pub(super) care_team: Vec<CareTeamEntry>,
    pub(super) contacts: Vec<Contact>,
    pub(super) coverages: Vec<Coverage>,
    pub(super) allergies: Vec<Allergy>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vitals {
    pub(super) systolic_mmhg: Option<i32>,
    pub(super) diastolic_mmhg: Option<i32>,
    pub(super) heart_rate_bpm: Option<i32>,
    pub(super) respiratory_rate_per_min: Option<i32>,
    pub(super) oxygen_saturation_percent: Option<i32>,
    pub(super) temperature_c: Option<f64>,
    pub(super) weight_kg: Option<f64>,
    pub(super) height_cm: Option<f64>,
    pub(super) pain_score: Option<i32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Medication {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Diagnosis {
    pub(super) icd10: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Visit {
    pub(super) patient: String,
    pub(super) attending: String,
    pub(super) department: String,
    pub(super) reason: String,
    pub(super) visited_at: DateTime<FixedOffset>,
    pub(super) discharged_at: Option<DateTime<FixedOffset>>,
    pub(super) vitals: Option<Vitals>,
    pub(super) medications: Vec<Medication>,
    pub(super) diagnoses: Vec<Diagnosis>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Addendum {
    pub(super) author: String,
    pub(super) body: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Note {
    pub(super) facility: String,
    pub(super) patient: String,
    pub(super) author: String,
    pub(super) title: String,
    pub(super) authored_at: DateTime<FixedOffset>,
    pub(super) state: String,
    pub(super) body: String,
    pub(super) addenda: Vec<Addendum>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Upload {
    pub(super) file: String,
    pub(super) facility: String,
    pub(super) patients: Vec<String>,
    pub(super) uploaded_by: String,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) document_date: NaiveDate,
}

/// Everything the demo loads.
pub(super) struct Data {
    pub(super) facilities: Vec<Facility>,
    pub(super) people: Vec<Person>,
    pub(super) patients: Vec<Patient>,
    pub(super) visits: Vec<Visit>,
    pub(super) notes: Vec<Note>,
    pub(super) uploads: Vec<Upload>,
}

/// Reads the files compiled in.
///
/// # Errors
/// When one of them has another shape than is described.
pub(super) fn read() -> Result<Data> {
    Ok(Data {
        facilities: serde_json::from_str(include_str!("../../demo/facilities.json"))?,
        people: serde_json::from_str(include_str!("../../demo/staff.json"))?,
        patients: serde_json::from_str(include_str!("../../demo/patients.json"))?,
        visits: serde_json::from_str(include_str!("../../demo/visits.json"))?,
        notes: serde_json::from_str(include_str!("../../demo/notes.json"))?,
        uploads: serde_json::from_str(include_str!("../../demo/documents.json"))?,
    })
}

/// The file of an upload.
pub(super) fn file(name: &str) -> Option<&'static [u8]> {
    let file: &[u8] = match name.rsplit('/').next().unwrap_or(name) {
        "consent-medication-pregnancy.docx" => include_bytes!("../../demo/documents/consent-medication-pregnancy.docx"),
        "court-ordered-evaluation.pdf" => include_bytes!("../../demo/documents/court-ordered-evaluation.pdf"),
        "hospital-discharge-summary.pdf" => include_bytes!("../../demo/documents/hospital-discharge-summary.pdf"),
        "neuropsychological-evaluation.pdf" => include_bytes!("../../demo/documents/neuropsychological-evaluation.pdf"),
        "polysomnography-report.pdf" => include_bytes!("../../demo/documents/polysomnography-report.pdf"),
        "referral-letter.html" => include_bytes!("../../demo/documents/referral-letter.html"),
        "school-letter.rtf" => include_bytes!("../../demo/documents/school-letter.rtf"),
        "treatment-plan.docx" => include_bytes!("../../demo/documents/treatment-plan.docx"),
        _ => return None,
    };
    Some(file)
}

/// The ICD-10-CM table, compressed.
pub(super) const ICD10: &[u8] = include_bytes!("../../data/icd10cm/icd10cm_2026_april.csv.gz");
