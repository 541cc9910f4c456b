//! What may be recorded of a visit, and where it stands in the history.

use chrono::{DateTime, Utc};

use super::{date, faults, invalid};
use crate::domains::patients::model::{Medication, Refusal, VisitCursor, VisitFields, Vitals};
use crate::domains::patients::validation::{diagnosis_code, visit};
use crate::ids::new_id;
use crate::phi::Phi;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn fields() -> VisitFields {
    VisitFields {
        visited_at: at("2026-03-09T09:00:00Z"),
        discharged_at: None,
        department: Some(" Outpatient ".to_owned()),
        attending_id: None,
        reason: None,
        notes: None,
        vitals: None,
        medications: Phi::default(),
        diagnoses: Vec::new(),
    }
}

fn read(new: VisitFields) -> Result<VisitFields, crate::error::Stop<Refusal>> {
    visit(new, at("2026-03-09T14:00:00Z"))
}

#[test]
fn a_visit_lies_in_the_past_and_ends_after_it_began() {
    assert_eq!(read(fields()).unwrap().department.as_deref(), Some("Outpatient"));
    let began = |visited_at: &str| VisitFields { visited_at: at(visited_at), ..fields() };
    assert!(read(began("2026-03-09T14:00:00Z")).is_ok());
    assert_eq!(invalid(read(began("2026-03-09T14:00:01Z"))), ["input.visitedAt"]);
    let ended = |discharged_at: &str| VisitFields { discharged_at: Some(at(discharged_at)), ..fields() };
    assert!(read(ended("2026-03-09T09:00:00Z")).is_ok());
    assert_eq!(invalid(read(ended("2026-03-09T08:59:59Z"))), ["input.dischargedAt"]);
    assert_eq!(invalid(read(ended("2026-03-09T14:00:01Z"))), ["input.dischargedAt"]);
}

fn with_vitals(vitals: Vitals) -> Vec<String> {
    invalid(read(VisitFields { vitals: Some(Phi::new(vitals)), ..fields() }))
}

#[test]
fn vital_signs_are_plausible() {
    let low = Vitals {
        systolic_mmhg: Some(30),
        diastolic_mmhg: Some(10),
        heart_rate_bpm: Some(10),
        respiratory_rate: Some(2),
        temperature_c: Some(25.0),
        weight_kg: Some(0.2),
        height_cm: Some(20.0),
        spo2_percent: Some(30),
        pain_score: Some(0),
    };
    let high = Vitals {
        systolic_mmhg: Some(300),
        diastolic_mmhg: Some(200),
        heart_rate_bpm: Some(350),
        respiratory_rate: Some(120),
        temperature_c: Some(45.0),
        weight_kg: Some(700.0),
        height_cm: Some(280.0),
        spo2_percent: Some(100),
        pain_score: Some(10),
    };
    assert!(with_vitals(low).is_empty());
    assert!(with_vitals(high).is_empty());
    let beyond = Vitals {
        systolic_mmhg: Some(301),
        diastolic_mmhg: Some(201),
        heart_rate_bpm: Some(351),
        respiratory_rate: Some(121),
        temperature_c: Some(98.6),
        weight_kg: Some(f64::NAN),
        height_cm: Some(5.9),
        spo2_percent: Some(101),
        pain_score: Some(11),
    };
    let fields = [
        "systolicMmhg",
        "diastolicMmhg",
        "heartRateBpm",
        "respiratoryRate",
        "temperatureC",
        "weightKg",
        "heightCm",
        "spo2Percent",
        "painScore",
    ];
    assert_eq!(with_vitals(beyond), fields.map(|field| format!("input.vitals.{field}")));
}

#[test]
fn blood_pressure_is_two_numbers_the_first_higher() {
    let pressure =
        |systolic_mmhg, diastolic_mmhg| with_vitals(Vitals { systolic_mmhg, diastolic_mmhg, ..Vitals::default() });
    assert!(pressure(Some(120), Some(80)).is_empty());
    assert_eq!(pressure(Some(80), Some(120)), ["input.vitals.diastolicMmhg"]);
    assert_eq!(pressure(Some(80), Some(80)), ["input.vitals.diastolicMmhg"]);
    assert_eq!(pressure(Some(120), None), ["input.vitals.diastolicMmhg"]);
    assert_eq!(pressure(None, Some(80)), ["input.vitals.systolicMmhg"]);
}

#[test]
fn no_vital_signs_are_none() {
    let read = read(VisitFields { vitals: Some(Phi::default()), ..fields() }).unwrap();
    assert_eq!(read.vitals, None);
}

#[test]
fn medications_have_a_name_and_end_after_they_start() {
    let with = |list: Vec<Medication>| invalid(read(VisitFields { medications: Phi::new(list), ..fields() }));
    let drug = || Medication { name: "Sertraline".to_owned(), dose: Some("50 mg".to_owned()), ..Medication::default() };
    assert!(with(vec![drug(); 50]).is_empty());
    assert_eq!(with(vec![drug(); 51]), ["input.medications"]);
    let nameless = Medication { name: " ".to_owned(), ..drug() };
    let backwards = Medication { started_on: Some(date("2026-02-01")), ended_on: Some(date("2026-01-31")), ..drug() };
    let wordy = Medication { route: Some("x".repeat(101)), ..drug() };
    let expected = ["input.medications.1", "input.medications.2", "input.medications.3"];
    assert_eq!(with(vec![drug(), nameless, backwards, wordy]), expected);
}

#[test]
fn codes_are_brought_into_their_printed_form() {
    for (given, code) in [
        ("F41.1", "F41.1"),
        (" f411 ", "F41.1"),
        ("F41", "F41"),
        ("f41.", "F41"),
        ("S72001A", "S72.001A"),
        ("C7A.00", "C7A.00"),
    ] {
        assert_eq!(diagnosis_code(given).as_deref(), Some(code), "{given}");
    }
    for wrong in ["", "F", "F4", "4F1", "FF1", "F41.12345", "F41.1.1", "F41-1", "Ö41", "F4ß.1"] {
        assert_eq!(diagnosis_code(wrong), None, "{wrong}");
    }
}

#[test]
fn every_wrong_code_is_named() {
    let with = |codes: &[&str]| {
        faults(read(VisitFields { diagnoses: codes.iter().map(|code| (*code).to_owned()).collect(), ..fields() }))
    };
    assert_eq!(read(VisitFields { diagnoses: vec!["f411".to_owned()], ..fields() }).unwrap().diagnoses, ["F41.1"]);
    let found = with(&["F41.1", "depression", "F411"]);
    let expected = [
        (Refusal::UnknownDiagnosis, "input.diagnoses.1".to_owned()),
        (Refusal::Invalid, "input.diagnoses.2".to_owned()),
    ];
    assert_eq!(found, expected);
    let many: Vec<String> = (10..36).map(|number| format!("F{number}.0")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(with(&many[..25]).is_empty());
    assert_eq!(with(&many), [(Refusal::Invalid, "input.diagnoses".to_owned())]);
}

#[test]
fn a_cursor_survives_the_round_trip() {
    let cursor = VisitCursor { visited_at: at("2026-03-09T14:00:00.123456Z"), id: new_id() };
    assert_eq!(VisitCursor::decode(&cursor.encode()), Some(cursor));
    for wrong in ["", "x", "AAAA", &format!("{}A", cursor.encode())] {
        assert_eq!(VisitCursor::decode(wrong), None, "{wrong}");
    }
}
