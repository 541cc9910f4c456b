//! Visits.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::{DateTime, NaiveDate, Utc};

use super::{phi, phi_patch};
use crate::domains::patients::model::{Medication, VisitFields, VisitPatch, Vitals};
use crate::ids::{PatientId, UserId, VisitId};
use crate::phi::Phi;

/// A visit to be recorded.
#[derive(InputObject)]
pub struct PatientVisitRecordInput {
    /// Whose visit.
    pub patient_id: PatientId,
    /// When it began, not in the future.
    pub visited_at: DateTime<Utc>,
    /// When it ended, not before it began; left out while it lasts.
    pub discharged_at: Option<DateTime<Utc>>,
    /// Department or unit, at most 100 characters.
    pub department: Option<String>,
    /// Id of the attending provider, a user who works or worked in the facility.
    pub attending_id: Option<UserId>,
    /// Why the patient came, at most 500 characters.
    pub reason: Option<String>,
    /// Remarks, at most 20,000 characters.
    pub notes: Option<String>,
    /// Vital signs.
    pub vitals: Option<VisitVitalsInput>,
    /// Medications taken or given, at most 50.
    #[graphql(default)]
    pub medications: Vec<VisitMedicationInput>,
    /// ICD-10-CM codes that may be billed, with or without the dot, the primary diagnosis first; at most 25.
    #[graphql(default)]
    pub diagnoses: Vec<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Changes of a visit. What is left out stays as it is; null clears, where the field may be empty.
#[derive(InputObject)]
pub struct PatientVisitUpdateInput {
    /// Which visit.
    pub id: VisitId,
    /// `version` of the visit as it was read; refused with `STALE_VERSION` when it changed meanwhile.
    pub expected_version: i32,
    /// When it began, not in the future; not null.
    pub visited_at: MaybeUndefined<DateTime<Utc>>,
    /// When it ended, not before it began; null while it lasts.
    pub discharged_at: MaybeUndefined<DateTime<Utc>>,
    /// Department or unit, at most 100 characters; null for none.
    pub department: MaybeUndefined<String>,
    /// Id of the attending provider, a user who works or worked in the facility; null for none.
    pub attending_id: MaybeUndefined<UserId>,
    /// Why the patient came, at most 500 characters; null for none.
    pub reason: MaybeUndefined<String>,
    /// Remarks, at most 20,000 characters; null for none.
    pub notes: MaybeUndefined<String>,
    /// Vital signs, as a whole; null for none.
    pub vitals: MaybeUndefined<VisitVitalsInput>,
    /// Medications taken or given, all of them; null for none.
    pub medications: MaybeUndefined<Vec<VisitMedicationInput>>,
    /// ICD-10-CM codes that may be billed, all of them, the primary diagnosis first; null for none.
    pub diagnoses: MaybeUndefined<Vec<String>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Vital signs of one moment. What was not measured is left out.
#[derive(InputObject)]
pub struct VisitVitalsInput {
    /// Systolic blood pressure, 30 to 300 mmHg; with the diastolic one.
    pub systolic_mmhg: Option<i32>,
    /// Diastolic blood pressure, 10 to 200 mmHg, below the systolic one.
    pub diastolic_mmhg: Option<i32>,
    /// Heart rate, 10 to 350 beats per minute.
    pub heart_rate_bpm: Option<i32>,
    /// Breaths per minute, 2 to 120.
    pub respiratory_rate: Option<i32>,
    /// Body temperature, 25 to 45 degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Body weight, 0.2 to 700 kilograms.
    pub weight_kg: Option<f64>,
    /// Body height, 20 to 280 centimetres.
    pub height_cm: Option<f64>,
    /// Oxygen saturation, 30 to 100 percent.
    pub spo2_percent: Option<i32>,
    /// Pain, from 0 (none) to 10 (the worst imaginable).
    pub pain_score: Option<i32>,
}

/// A medication taken or given.
#[derive(InputObject)]
pub struct VisitMedicationInput {
    /// Name of the drug, 1 to 200 characters.
    pub name: String,
    /// Amount and unit as written, at most 100 characters.
    pub dose: Option<String>,
    /// How it is taken, at most 100 characters.
    pub route: Option<String>,
    /// How often, at most 100 characters.
    pub frequency: Option<String>,
    /// First day.
    pub started_on: Option<NaiveDate>,
    /// Last day, not before the first.
    pub ended_on: Option<NaiveDate>,
}

impl From<PatientVisitRecordInput> for VisitFields {
    fn from(input: PatientVisitRecordInput) -> Self {
        let PatientVisitRecordInput {
            patient_id: _,
            visited_at,
            discharged_at,
            department,
            attending_id,
            reason,
            notes,
            vitals,
            medications,
            diagnoses,
            idempotency_key: _,
        } = input;
        Self {
            visited_at,
            discharged_at,
            department,
            attending_id,
            reason: phi(reason),
            notes: phi(notes),
            vitals: vitals.map(|vitals| Phi::new(vitals.into())),
            medications: Phi::new(medications.into_iter().map(Into::into).collect()),
            diagnoses,
        }
    }
}

impl From<PatientVisitUpdateInput> for VisitPatch {
    fn from(input: PatientVisitUpdateInput) -> Self {
        let PatientVisitUpdateInput {
            id: _,
            expected_version: _,
            visited_at,
            discharged_at,
            department,
            attending_id,
            reason,
            notes,
            vitals,
            medications,
            diagnoses,
            idempotency_key: _,
        } = input;
        Self {
            visited_at,
            discharged_at,
            department,
            attending_id,
            reason: phi_patch(reason),
            notes: phi_patch(notes),
            vitals: vitals.map_value(|vitals| Phi::new(vitals.into())),
            medications: medications.map_value(|list| Phi::new(list.into_iter().map(Into::into).collect())),
            diagnoses,
        }
    }
}

impl From<VisitVitalsInput> for Vitals {
    fn from(input: VisitVitalsInput) -> Self {
        let VisitVitalsInput {
            systolic_mmhg,
            diastolic_mmhg,
            heart_rate_bpm,
            respiratory_rate,
            temperature_c,
            weight_kg,
            height_cm,
            spo2_percent,
            pain_score,
        } = input;
        Self {
            systolic_mmhg,
            diastolic_mmhg,
            heart_rate_bpm,
            respiratory_rate,
            temperature_c,
            weight_kg,
            height_cm,
            spo2_percent,
            pain_score,
        }
    }
}

impl From<VisitMedicationInput> for Medication {
    fn from(input: VisitMedicationInput) -> Self {
        let VisitMedicationInput { name, dose, route, frequency, started_on, ended_on } = input;
        Self { name, dose, route, frequency, started_on, ended_on }
    }
}
