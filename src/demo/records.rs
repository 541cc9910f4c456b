//! Patients with what belongs to them, visits, notes and files.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use futures::stream;

use super::people::World;
use super::{data, must};
use crate::app::App;
use crate::domains::documents::model::{CreateNote, DocumentKind, UploadDocument};
use crate::domains::documents::service as documents;
use crate::domains::patients::model::{
    Address, AllergyFields, ContactFields, CoverageFields, Medication, RegisterPatient, VisitFields, Vitals,
};
use crate::domains::patients::service as patients;
use crate::error::{Error, Result};
use crate::ids::PatientId;
use crate::phi::Phi;

/// Patients by their key in the data.
pub(super) type Patients = HashMap<String, PatientId>;

fn phi(text: &str) -> Phi<String> {
    Phi::from(text)
}

fn optional(text: Option<&String>) -> Option<Phi<String>> {
    text.map(|text| phi(text))
}

fn known(patients: &Patients, key: &str) -> Result<PatientId> {
    patients.get(key).copied().ok_or_else(|| Error::internal("the demo names an unknown patient"))
}

/// Registers patients with contacts, coverages, allergies and care teams.
pub(super) async fn patients(_: &Arc<App>, world: &World, data: &data::Data) -> Result<Patients> {
    let mut registered = Patients::new();
    for patient in &data.patients {
        let ctx = world.import(&patient.facility)?;
        let id = must("patient", patients::register_patient(&ctx, registration(patient), None).await)?;
        for contact in &patient.contacts {
            must("contact", patients::add_contact(&ctx, id, contact_fields(contact), None).await)?;
        }
        for coverage in &patient.coverages {
            must("coverage", patients::add_coverage(&ctx, id, coverage_fields(coverage), None).await)?;
        }
        for allergy in &patient.allergies {
            must("allergy", patients::record_allergy(&ctx, id, allergy_fields(allergy), None).await)?;
        }
        for entry in &patient.care_team {
            let user = world.user(&entry.staff)?;
            must("care team", patients::start_care_relationship(&ctx, id, user, entry.kind, None).await)?;
        }
        registered.insert(patient.key.clone(), id);
    }
    Ok(registered)
}

fn registration(patient: &data::Patient) -> RegisterPatient {
    let address = &patient.address;
    RegisterPatient {
        mrn: Some(phi(&patient.mrn)),
        given_name: phi(&patient.given_name),
        middle_name: optional(patient.middle_name.as_ref()),
        family_name: phi(&patient.family_name),
        preferred_name: None,
        birth_date: Phi::new(patient.birth_date),
        ssn: Some(phi(&patient.ssn)),
        phone: Some(phi(&patient.phone)),
        email: Some(phi(&patient.email)),
        address: Some(Phi::new(Address {
            line1: address.line1.clone(),
            line2: address.line2.clone(),
            city: address.city.clone(),
            state: address.state.clone(),
            zip_code: address.zip_code.clone(),
        })),
        gender: patient.gender,
        preferred_language: patient.preferred_language.clone(),
        accept_duplicates: true,
    }
}

fn contact_fields(contact: &data::Contact) -> ContactFields {
    ContactFields {
        name: phi(&contact.name),
        relationship: contact.relationship,
        phone: optional(contact.phone.as_ref()),
        email: optional(contact.email.as_ref()),
        emergency: contact.emergency,
        legal_guardian: contact.legal_guardian,
        priority: contact.priority,
    }
}

fn coverage_fields(coverage: &data::Coverage) -> CoverageFields {
    CoverageFields {
        payer_name: coverage.payer_name.clone(),
        plan_name: coverage.plan_name.clone(),
        member_number: phi(&coverage.member_number),
        group_number: optional(coverage.group_number.as_ref()),
        subscriber_name: optional(coverage.subscriber_name.as_ref()),
        subscriber_relationship: coverage.subscriber_relationship,
        priority: coverage.priority,
        effective_on: coverage.effective_on,
        ends_on: coverage.ends_on,
    }
}

fn allergy_fields(allergy: &data::Allergy) -> AllergyFields {
    AllergyFields {
        substance: phi(&allergy.substance),
        reaction: optional(allergy.reaction.as_ref()),
        category: allergy.category,
        severity: allergy.severity,
        status: allergy.status,
        noted_on: allergy.noted_on,
    }
}

/// Records visits.
pub(super) async fn visits(_: &Arc<App>, world: &World, registered: &Patients, data: &data::Data) -> Result<()> {
    let facilities: HashMap<&str, &str> =
        data.patients.iter().map(|patient| (patient.key.as_str(), patient.facility.as_str())).collect();
    for visit in &data.visits {
        let facility = facilities.get(visit.patient.as_str()).copied().unwrap_or_default();
        let fields = VisitFields {
            visited_at: visit.visited_at.with_timezone(&Utc),
            discharged_at: visit.discharged_at.map(|at| at.with_timezone(&Utc)),
            department: Some(visit.department.clone()),
            attending_id: Some(world.user(&visit.attending)?),
            reason: Some(phi(&visit.reason)),
            notes: None,
            vitals: visit.vitals.as_ref().map(|vitals| Phi::new(vital_signs(vitals))),
            medications: Phi::new(visit.medications.iter().map(medication).collect()),
            diagnoses: visit.diagnoses.iter().map(|diagnosis| diagnosis.icd10.clone()).collect(),
        };
        let ctx = world.import(facility)?;
        must("visit", patients::record_visit(&ctx, known(registered, &visit.patient)?, fields, None).await)?;
    }
    Ok(())
}

fn medication(medication: &data::Medication) -> Medication {
    Medication { name: medication.name.clone(), ..Medication::default() }
}

fn vital_signs(vitals: &data::Vitals) -> Vitals {
    Vitals {
        systolic_mmhg: vitals.systolic_mmhg,
        diastolic_mmhg: vitals.diastolic_mmhg,
        heart_rate_bpm: vitals.heart_rate_bpm,
        respiratory_rate: vitals.respiratory_rate_per_min,
        temperature_c: vitals.temperature_c,
        weight_kg: vitals.weight_kg,
        height_cm: vitals.height_cm,
        spo2_percent: vitals.oxygen_saturation_percent,
        pain_score: vitals.pain_score,
    }
}

/// Notes are written, made final and signed by their authors.
pub(super) async fn notes(world: &World, registered: &Patients, data: &data::Data) -> Result<()> {
    for note in &data.notes {
        let ctx = world.as_person(&note.author, &note.facility)?;
        let new = CreateNote {
            kind: DocumentKind::ClinicalNote,
            title: phi(&note.title),
            text: phi(&note.body),
            document_date: Some(note.authored_at.date_naive()),
            labels: Vec::new(),
            patient_ids: vec![known(registered, &note.patient)?],
            visit_id: None,
        };
        let id = must("note", documents::create_note(&ctx, new, None).await)?;
        if note.state != "draft" {
            must("note", documents::finalize_note(&ctx, id, 1, None).await)?;
        }
        if note.state == "signed" {
            must("signature", documents::sign_note(&ctx, id, 2, None).await)?;
        }
        for addendum in &note.addenda {
            let ctx = world.as_person(&addendum.author, &note.facility)?;
            let added = documents::add_to_note(&ctx, id, None, phi(&addendum.body), None).await;
            let added = must("addendum", added)?;
            must("addendum", documents::finalize_note(&ctx, added, 1, None).await)?;
        }
    }
    Ok(())
}

/// Files are uploaded by whoever received them.
pub(super) async fn uploads(world: &World, registered: &Patients, data: &data::Data) -> Result<()> {
    for upload in &data.uploads {
        let ctx = world.as_person(&upload.uploaded_by, &upload.facility)?;
        let content = data::file(&upload.file).ok_or_else(|| Error::internal("the demo names an unknown file"))?;
        let kind =
            DocumentKind::parse(&upload.kind).ok_or_else(|| Error::internal("the demo names an unknown kind"))?;
        let mut patient_ids = Vec::new();
        for patient in &upload.patients {
            patient_ids.push(known(registered, patient)?);
        }
        let new = UploadDocument {
            kind,
            title: Some(phi(&upload.title)),
            file_name: phi(upload.file.rsplit('/').next().unwrap_or(&upload.file)),
            document_date: Some(upload.document_date),
            labels: Vec::new(),
            patient_ids,
            visit_id: None,
        };
        let stream = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(content))]);
        let staged = documents::begin_upload(&ctx).await?.stage(stream).await?;
        must("upload", documents::upload_document(&ctx, new, staged, None).await)?;
    }
    Ok(())
}
