//! Visits: times, vital signs, medications, diagnosis codes.

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

use super::{EARLIEST_YEAR, Faults, kept};
use crate::domains::patients::model::{Medication, Refusal, Visit, VisitFields, VisitPatch, Vitals};
use crate::error::Stop;
use crate::phi::Phi;

const MAX_DEPARTMENT: usize = 100;
const MAX_REASON: usize = 500;
const MAX_NOTES: usize = 20_000;
const MAX_MEDICATIONS: usize = 50;
const MAX_MEDICATION_NAME: usize = 200;
const MAX_MEDICATION_TEXT: usize = 100;
/// As many as an institutional claim holds.
const MAX_DIAGNOSES: usize = 25;

/// Reads a visit.
pub(in crate::domains::patients) fn visit(new: VisitFields, now: DateTime<Utc>) -> Result<VisitFields, Stop<Refusal>> {
    let mut faults = Faults::default();
    let visit = read(&mut faults, new, now);
    faults.into_result()?;
    Ok(visit)
}

/// Reads a visit with changes. `diagnoses` are the present codes, in order.
pub(in crate::domains::patients) fn changed_visit(
    patch: VisitPatch,
    current: Visit,
    diagnoses: Vec<String>,
    now: DateTime<Utc>,
) -> Result<VisitFields, Stop<Refusal>> {
    let mut faults = Faults::default();
    let changed = VisitFields {
        visited_at: faults.needed("visitedAt", patch.visited_at, current.visited_at),
        discharged_at: kept(patch.discharged_at, current.discharged_at),
        department: kept(patch.department, current.department),
        attending_id: kept(patch.attending_id, current.attending_id),
        reason: kept(patch.reason, current.reason),
        notes: kept(patch.notes, current.notes),
        vitals: kept(patch.vitals, current.vitals),
        medications: kept(patch.medications, Some(current.medications)).unwrap_or_default(),
        diagnoses: kept(patch.diagnoses, Some(diagnoses)).unwrap_or_default(),
    };
    let visit = read(&mut faults, changed, now);
    faults.into_result()?;
    Ok(visit)
}

fn read(faults: &mut Faults, new: VisitFields, now: DateTime<Utc>) -> VisitFields {
    if new.visited_at > now {
        faults.add("visitedAt", "is in the future");
    } else if new.visited_at.year() < EARLIEST_YEAR {
        faults.add("visitedAt", format!("is before {EARLIEST_YEAR}"));
    }
    if new.discharged_at.is_some_and(|at| at < new.visited_at) {
        faults.add("dischargedAt", "is before the visit began");
    } else if new.discharged_at.is_some_and(|at| at > now) {
        faults.add("dischargedAt", "is in the future");
    }
    let vitals = new.vitals.filter(|vitals| *vitals.reveal() != Vitals::default());
    if let Some(vitals) = &vitals {
        check_vitals(faults, vitals.reveal());
    }
    VisitFields {
        department: faults.optional_open_line("department", new.department, MAX_DEPARTMENT),
        reason: faults.optional_text("reason", new.reason, MAX_REASON),
        notes: faults.optional_text("notes", new.notes, MAX_NOTES),
        vitals,
        medications: read_medications(faults, &new.medications),
        diagnoses: read_diagnoses(faults, &new.diagnoses),
        ..new
    }
}

/// Wide enough for a newborn and for the worst emergency: what is outside is a slip, of the unit often.
fn check_vitals(faults: &mut Faults, vitals: &Vitals) {
    faults.range(&["vitals", "systolicMmhg"], vitals.systolic_mmhg, &(30..=300));
    faults.range(&["vitals", "diastolicMmhg"], vitals.diastolic_mmhg, &(10..=200));
    faults.range(&["vitals", "heartRateBpm"], vitals.heart_rate_bpm, &(10..=350));
    faults.range(&["vitals", "respiratoryRate"], vitals.respiratory_rate, &(2..=120));
    faults.range(&["vitals", "temperatureC"], vitals.temperature_c, &(25.0..=45.0));
    faults.range(&["vitals", "weightKg"], vitals.weight_kg, &(0.2..=700.0));
    faults.range(&["vitals", "heightCm"], vitals.height_cm, &(20.0..=280.0));
    faults.range(&["vitals", "spo2Percent"], vitals.spo2_percent, &(30..=100));
    faults.range(&["vitals", "painScore"], vitals.pain_score, &(0..=10));
    match (vitals.systolic_mmhg, vitals.diastolic_mmhg) {
        (Some(systolic), Some(diastolic)) if diastolic >= systolic => {
            faults.add_at(&["vitals", "diastolicMmhg"], "must be below the systolic pressure");
        }
        (Some(_), None) => faults.add_at(&["vitals", "diastolicMmhg"], "is missing beside the systolic pressure"),
        (None, Some(_)) => faults.add_at(&["vitals", "systolicMmhg"], "is missing beside the diastolic pressure"),
        _ => {}
    }
}

fn read_medications(faults: &mut Faults, list: &Phi<Vec<Medication>>) -> Phi<Vec<Medication>> {
    if list.reveal().len() > MAX_MEDICATIONS {
        faults.add("medications", format!("has more than {MAX_MEDICATIONS} entries"));
        return Phi::default();
    }
    for (at, medication) in list.reveal().iter().enumerate() {
        let texts = [&medication.dose, &medication.route, &medication.frequency];
        let mut wrong = |message: &'static str| faults.add_item("medications", at, Refusal::Invalid, message);
        if !within(&medication.name, MAX_MEDICATION_NAME) {
            wrong("needs a name of at most 200 characters");
        }
        if texts.into_iter().flatten().any(|text| !within(text, MAX_MEDICATION_TEXT)) {
            wrong("needs dose, route and frequency of 1 to 100 characters, or none");
        }
        if ends_before_start(medication.started_on, medication.ended_on) {
            wrong("ends before it starts");
        }
    }
    list.clone()
}

fn within(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

fn ends_before_start(start: Option<NaiveDate>, end: Option<NaiveDate>) -> bool {
    start.zip(end).is_some_and(|(start, end)| end < start)
}

fn read_diagnoses(faults: &mut Faults, codes: &[String]) -> Vec<String> {
    if codes.len() > MAX_DIAGNOSES {
        faults.add("diagnoses", format!("has more than {MAX_DIAGNOSES} codes"));
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut read = Vec::with_capacity(codes.len());
    for (at, code) in codes.iter().enumerate() {
        match diagnosis_code(code) {
            Some(code) if !seen.insert(code.clone()) => {
                faults.add_item("diagnoses", at, Refusal::Invalid, "is listed twice");
            }
            Some(code) => read.push(code),
            None => faults.add_item("diagnoses", at, Refusal::UnknownDiagnosis, "is not an ICD-10-CM code"),
        }
    }
    read
}

/// A code in its printed form, `F41.1` also for `f411`; `None` when it has not the form of one.
pub(in crate::domains::patients) fn diagnosis_code(text: &str) -> Option<String> {
    let code: String = text.trim().to_uppercase();
    let (category, rest) = match code.split_once('.') {
        Some((category, rest)) => (category, rest),
        None => (code.get(..3)?, code.get(3..)?),
    };
    let formed = match category.as_bytes() {
        [letter, digit, last] => letter.is_ascii_uppercase() && digit.is_ascii_digit() && last.is_ascii_alphanumeric(),
        _ => false,
    };
    let ends_well = rest.len() <= 4 && rest.bytes().all(|c| c.is_ascii_alphanumeric());
    match (formed && ends_well, rest.is_empty()) {
        (false, _) => None,
        (true, true) => Some(category.to_owned()),
        (true, false) => Some(format!("{category}.{rest}")),
    }
}
