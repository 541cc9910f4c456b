//! Visits in the history of a patient: diagnoses, vital signs, medications.

use async_graphql::MaybeUndefined;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use crate::db::schema::{icd10_codes, patient_visits, visit_diagnoses};
use crate::ids::{DiagnosisId, FacilityId, PatientId, TypedId as _, UserId, VisitId};
use crate::phi::Phi;

/// A visit as stored.
#[derive(Debug, Clone, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = patient_visits, check_for_backend(diesel::pg::Pg))]
pub struct VisitRow {
    pub id: VisitId,
    pub patient_id: PatientId,
    pub visited_at: DateTime<Utc>,
    pub discharged_at: Option<DateTime<Utc>>,
    pub department: Option<String>,
    pub attending_id: Option<UserId>,
    pub reason_ciphertext: Option<Vec<u8>>,
    pub notes_ciphertext: Option<Vec<u8>>,
    pub vitals_ciphertext: Option<Vec<u8>>,
    pub medications_ciphertext: Option<Vec<u8>>,
    pub version: i32,
}

/// A visit, decrypted. Its diagnoses are looked up apart.
#[derive(Debug, Clone)]
pub struct Visit {
    pub id: VisitId,
    pub patient_id: PatientId,
    pub visited_at: DateTime<Utc>,
    pub discharged_at: Option<DateTime<Utc>>,
    pub department: Option<String>,
    pub attending_id: Option<UserId>,
    pub reason: Option<Phi<String>>,
    pub notes: Option<Phi<String>>,
    pub vitals: Option<Phi<Vitals>>,
    pub medications: Phi<Vec<Medication>>,
    pub version: i32,
}

/// What is recorded of a visit.
#[derive(Debug, Clone)]
pub struct VisitFields {
    pub visited_at: DateTime<Utc>,
    pub discharged_at: Option<DateTime<Utc>>,
    pub department: Option<String>,
    pub attending_id: Option<UserId>,
    pub reason: Option<Phi<String>>,
    pub notes: Option<Phi<String>>,
    pub vitals: Option<Phi<Vitals>>,
    pub medications: Phi<Vec<Medication>>,
    /// ICD-10-CM codes, the primary diagnosis first.
    pub diagnoses: Vec<String>,
}

/// Changes of a visit: what is left out stays, null clears; lists are replaced as a whole.
#[derive(Debug, Clone)]
pub struct VisitPatch {
    pub visited_at: MaybeUndefined<DateTime<Utc>>,
    pub discharged_at: MaybeUndefined<DateTime<Utc>>,
    pub department: MaybeUndefined<String>,
    pub attending_id: MaybeUndefined<UserId>,
    pub reason: MaybeUndefined<Phi<String>>,
    pub notes: MaybeUndefined<Phi<String>>,
    pub vitals: MaybeUndefined<Phi<Vitals>>,
    pub medications: MaybeUndefined<Phi<Vec<Medication>>>,
    pub diagnoses: MaybeUndefined<Vec<String>>,
}

impl VisitPatch {
    /// Names of the fields it gives, for the audit log.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        given!(self:
            visited_at => "visitedAt", discharged_at => "dischargedAt", department => "department",
            attending_id => "attendingId", reason => "reason", notes => "notes", vitals => "vitals",
            medications => "medications", diagnoses => "diagnoses",
        )
    }
}

/// Vital signs of one moment. What was not measured is left out.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Vitals {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systolic_mmhg: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diastolic_mmhg: Option<i32>,
    /// Beats per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heart_rate_bpm: Option<i32>,
    /// Breaths per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respiratory_rate: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_kg: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height_cm: Option<f64>,
    /// Oxygen saturation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spo2_percent: Option<i32>,
    /// 0 is none, 10 the worst imaginable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pain_score: Option<i32>,
}

/// A medication taken or given, as told at a visit. Prescriptions are another domain's.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Medication {
    pub name: String,
    /// Amount and unit as written, `20 mg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dose: Option<String>,
    /// How it is taken, `by mouth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// How often, `twice a day`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<NaiveDate>,
}

/// A visit row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = patient_visits)]
pub struct NewVisit {
    pub facility_id: FacilityId,
    pub id: VisitId,
    pub patient_id: PatientId,
    pub created_at: DateTime<Utc>,
    #[diesel(embed)]
    pub columns: VisitColumns,
}

/// The columns an update of a visit writes; `None` clears the column.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = patient_visits, treat_none_as_null = true)]
pub struct VisitColumns {
    pub visited_at: DateTime<Utc>,
    pub discharged_at: Option<DateTime<Utc>>,
    pub department: Option<String>,
    pub attending_id: Option<UserId>,
    pub reason_ciphertext: Option<Vec<u8>>,
    pub notes_ciphertext: Option<Vec<u8>>,
    pub vitals_ciphertext: Option<Vec<u8>>,
    pub medications_ciphertext: Option<Vec<u8>>,
    pub updated_at: DateTime<Utc>,
}

/// A diagnosis row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = visit_diagnoses)]
pub struct NewDiagnosis {
    pub facility_id: FacilityId,
    pub id: DiagnosisId,
    pub visit_id: VisitId,
    pub patient_id: PatientId,
    pub icd10_code: String,
    pub position: i16,
}

/// A diagnosis of a visit, with what its code means.
#[derive(Debug, Clone, Queryable)]
pub struct Diagnosis {
    pub id: DiagnosisId,
    pub visit_id: VisitId,
    pub code: String,
    pub description: String,
    /// 1 is the primary diagnosis.
    pub position: i16,
}

/// A code of the classification.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = icd10_codes, check_for_backend(diesel::pg::Pg))]
pub struct Icd10Code {
    pub code: String,
    pub description: String,
    /// Headings are not.
    pub billable: bool,
}

/// A place in a visit history: visits are told by when they were, and two may begin together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VisitCursor {
    pub visited_at: DateTime<Utc>,
    pub id: VisitId,
}

impl VisitCursor {
    const BYTES: usize = 24;

    /// The opaque form.
    #[must_use]
    pub fn encode(self) -> String {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.visited_at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the opaque form; `None` when it is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; Self::BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            visited_at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?,
            id: VisitId::from_uuid(uuid::Uuid::from_slice(id).ok()?),
        })
    }
}
