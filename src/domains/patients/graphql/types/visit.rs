//! Visits, and the classification.

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::{Patient, text, user};
use crate::domains::identity::graphql::User;
use crate::domains::patients::loaders::{DiagnosesLoader, PatientLoader};
use crate::domains::patients::model;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_one, or_null};
use crate::ids::{PatientId, UserId, VisitId};

/// A visit in the history of a patient. Needs `patients.visits.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct PatientVisit {
    /// Typed, opaque id.
    pub id: VisitId,
    /// When it began.
    pub visited_at: DateTime<Utc>,
    /// When it ended; null while it lasts, or when that is not known.
    pub discharged_at: Option<DateTime<Utc>>,
    /// Department or unit; null when none is known.
    pub department: Option<String>,
    /// Why the patient came; null when none is recorded.
    pub reason: Option<String>,
    /// Remarks; null when there are none.
    pub notes: Option<String>,
    /// Vital signs; null when none were taken.
    pub vitals: Option<VisitVitals>,
    /// Medications taken or given, as told at the visit.
    pub medications: Vec<VisitMedication>,
    /// Give this as `expectedVersion` when changing the visit.
    pub version: i32,
    #[graphql(skip)]
    pub patient_id: PatientId,
    #[graphql(skip)]
    pub attending_id: Option<UserId>,
}

#[ComplexObject]
impl PatientVisit {
    /// The attending provider; null when none is known, or when you may not see them.
    async fn attending(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.attending_id?).await
    }

    /// Whose visit it was; null when you may not open the chart. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Patient> {
        or_null(ctx, load_one::<PatientLoader>(ctx, self.patient_id).await)?.map(Into::into)
    }

    /// Coded diagnoses, the primary one first. Needs `patients.visits.read`.
    async fn diagnoses(&self, ctx: &Context<'_>) -> Result<Vec<VisitDiagnosis>, LoadError> {
        let found = load_one::<DiagnosesLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().map(Into::into).collect())
    }
}

connection!(PatientVisitConnection, PatientVisitEdge, PatientVisit, "visits");

/// A coded diagnosis of a visit.
#[derive(Debug, Clone, SimpleObject)]
pub struct VisitDiagnosis {
    /// ICD-10-CM code, with its dot.
    pub code: String,
    /// What the code means.
    pub description: String,
    /// 1 is the primary diagnosis.
    pub position: i16,
}

/// Vital signs of one moment; null is what was not measured.
#[derive(Debug, Clone, SimpleObject)]
pub struct VisitVitals {
    /// Systolic blood pressure, mmHg.
    pub systolic_mmhg: Option<i32>,
    /// Diastolic blood pressure, mmHg.
    pub diastolic_mmhg: Option<i32>,
    /// Heart rate, beats per minute.
    pub heart_rate_bpm: Option<i32>,
    /// Breaths per minute.
    pub respiratory_rate: Option<i32>,
    /// Body temperature, degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Body weight, kilograms.
    pub weight_kg: Option<f64>,
    /// Body height, centimetres.
    pub height_cm: Option<f64>,
    /// Oxygen saturation, percent.
    pub spo2_percent: Option<i32>,
    /// Pain, from 0 (none) to 10 (the worst imaginable).
    pub pain_score: Option<i32>,
}

/// A medication taken or given, as told at a visit.
#[derive(Debug, Clone, SimpleObject)]
pub struct VisitMedication {
    /// Name of the drug.
    pub name: String,
    /// Amount and unit as written; null when none is known.
    pub dose: Option<String>,
    /// How it is taken; null when that is not known.
    pub route: Option<String>,
    /// How often; null when that is not known.
    pub frequency: Option<String>,
    /// First day; null when that is not known.
    pub started_on: Option<NaiveDate>,
    /// Last day; null while it goes on.
    pub ended_on: Option<NaiveDate>,
}

/// A code of ICD-10-CM. Needs membership of a facility.
#[derive(Debug, Clone, SimpleObject)]
pub struct Icd10Code {
    /// The code, with its dot.
    pub code: String,
    /// Official description.
    pub description: String,
    /// Whether a diagnosis may be recorded with it; headings and retired codes may not.
    pub billable: bool,
}

impl From<model::Visit> for PatientVisit {
    fn from(visit: model::Visit) -> Self {
        let model::Visit {
            id,
            patient_id,
            visited_at,
            discharged_at,
            department,
            attending_id,
            reason,
            notes,
            vitals,
            medications,
            version,
        } = visit;
        Self {
            id,
            visited_at,
            discharged_at,
            department,
            reason: text(reason),
            notes: text(notes),
            vitals: vitals.map(|vitals| vitals.into_revealed().into()),
            medications: medications.into_revealed().into_iter().map(Into::into).collect(),
            version,
            patient_id,
            attending_id,
        }
    }
}

impl From<model::Vitals> for VisitVitals {
    fn from(vitals: model::Vitals) -> Self {
        let model::Vitals {
            systolic_mmhg,
            diastolic_mmhg,
            heart_rate_bpm,
            respiratory_rate,
            temperature_c,
            weight_kg,
            height_cm,
            spo2_percent,
            pain_score,
        } = vitals;
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

impl From<model::Medication> for VisitMedication {
    fn from(medication: model::Medication) -> Self {
        let model::Medication { name, dose, route, frequency, started_on, ended_on } = medication;
        Self { name, dose, route, frequency, started_on, ended_on }
    }
}

impl From<model::Diagnosis> for VisitDiagnosis {
    fn from(diagnosis: model::Diagnosis) -> Self {
        let model::Diagnosis { id: _, visit_id: _, code, description, position } = diagnosis;
        Self { code, description, position }
    }
}

impl From<model::Icd10Code> for Icd10Code {
    fn from(code: model::Icd10Code) -> Self {
        let model::Icd10Code { code, description, billable } = code;
        Self { code, description, billable }
    }
}
