//! Contacts, coverages, visits and allergies.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::{RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::patients::model::{
    Allergy, AllergyColumns, AllergyFields, AllergyRow, Contact, ContactColumns, ContactFields, ContactRow, Coverage,
    CoverageColumns, CoverageFields, CoverageRow, Visit, VisitColumns, VisitFields, VisitRow,
};
use crate::error::{Error, Result};
use crate::ids::{AllergyId, ContactId, CoverageId, TypedId as _, VisitId};
use crate::phi::Phi;

const CONTACT_NAME: ColumnId = ColumnId::new("patient_contacts", "name");
const CONTACT_PHONE: ColumnId = ColumnId::new("patient_contacts", "phone");
const CONTACT_EMAIL: ColumnId = ColumnId::new("patient_contacts", "email");
const MEMBER_NUMBER: ColumnId = ColumnId::new("patient_coverages", "member_number");
const GROUP_NUMBER: ColumnId = ColumnId::new("patient_coverages", "group_number");
const SUBSCRIBER_NAME: ColumnId = ColumnId::new("patient_coverages", "subscriber_name");
const VISIT_REASON: ColumnId = ColumnId::new("patient_visits", "reason");
const VISIT_NOTES: ColumnId = ColumnId::new("patient_visits", "notes");
const VISIT_VITALS: ColumnId = ColumnId::new("patient_visits", "vitals");
const VISIT_MEDICATIONS: ColumnId = ColumnId::new("patient_visits", "medications");
const SUBSTANCE: ColumnId = ColumnId::new("patient_allergies", "substance");
const REACTION: ColumnId = ColumnId::new("patient_allergies", "reaction");

/// Decrypts a contact and notes the read.
pub(in crate::domains::patients) fn open_contact(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    row: ContactRow,
) -> Result<Contact> {
    let id = row.id.uuid();
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    Ok(Contact {
        id: row.id,
        patient_id: row.patient_id,
        fields: ContactFields {
            name: keys.fields.decrypt_text(CONTACT_NAME, id, &row.name_ciphertext)?,
            relationship: row.relationship,
            phone: keys.fields.decrypt_text_opt(CONTACT_PHONE, id, row.phone_ciphertext.as_deref())?,
            email: keys.fields.decrypt_text_opt(CONTACT_EMAIL, id, row.email_ciphertext.as_deref())?,
            emergency: row.emergency,
            legal_guardian: row.legal_guardian,
            priority: row.priority,
        },
        version: row.version,
    })
}

/// Encrypts a contact for its row.
pub(in crate::domains::patients) fn seal_contact(
    keys: &FacilityKeys,
    id: ContactId,
    contact: &ContactFields,
    now: DateTime<Utc>,
) -> Result<ContactColumns> {
    let row = id.uuid();
    Ok(ContactColumns {
        name_ciphertext: keys.fields.encrypt_text(CONTACT_NAME, row, &contact.name)?,
        relationship: contact.relationship,
        phone_ciphertext: keys.fields.encrypt_text_opt(CONTACT_PHONE, row, contact.phone.as_ref())?,
        email_ciphertext: keys.fields.encrypt_text_opt(CONTACT_EMAIL, row, contact.email.as_ref())?,
        emergency: contact.emergency,
        legal_guardian: contact.legal_guardian,
        priority: contact.priority,
        updated_at: now,
    })
}

/// Decrypts a coverage and notes the read.
pub(in crate::domains::patients) fn open_coverage(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    row: CoverageRow,
) -> Result<Coverage> {
    let id = row.id.uuid();
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    Ok(Coverage {
        id: row.id,
        patient_id: row.patient_id,
        fields: CoverageFields {
            payer_name: row.payer_name,
            plan_name: row.plan_name,
            member_number: keys.fields.decrypt_text(MEMBER_NUMBER, id, &row.member_number_ciphertext)?,
            group_number: keys.fields.decrypt_text_opt(GROUP_NUMBER, id, row.group_number_ciphertext.as_deref())?,
            subscriber_name: keys.fields.decrypt_text_opt(
                SUBSCRIBER_NAME,
                id,
                row.subscriber_name_ciphertext.as_deref(),
            )?,
            subscriber_relationship: row.subscriber_relationship,
            priority: row.priority,
            effective_on: row.effective_on,
            ends_on: row.ends_on,
        },
        version: row.version,
    })
}

/// Encrypts a coverage for its row.
pub(in crate::domains::patients) fn seal_coverage(
    keys: &FacilityKeys,
    id: CoverageId,
    coverage: &CoverageFields,
    now: DateTime<Utc>,
) -> Result<CoverageColumns> {
    let row = id.uuid();
    Ok(CoverageColumns {
        payer_name: coverage.payer_name.clone(),
        plan_name: coverage.plan_name.clone(),
        member_number_ciphertext: keys.fields.encrypt_text(MEMBER_NUMBER, row, &coverage.member_number)?,
        group_number_ciphertext: keys.fields.encrypt_text_opt(GROUP_NUMBER, row, coverage.group_number.as_ref())?,
        subscriber_name_ciphertext: keys.fields.encrypt_text_opt(
            SUBSCRIBER_NAME,
            row,
            coverage.subscriber_name.as_ref(),
        )?,
        subscriber_relationship: coverage.subscriber_relationship,
        priority: coverage.priority,
        effective_on: coverage.effective_on,
        ends_on: coverage.ends_on,
        updated_at: now,
    })
}

/// Decrypts a visit and notes the read.
pub(in crate::domains::patients) fn open_visit(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    row: VisitRow,
) -> Result<Visit> {
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    let text =
        |column, sealed: &Option<Vec<u8>>| keys.fields.decrypt_text_opt(column, row.id.uuid(), sealed.as_deref());
    Ok(Visit {
        id: row.id,
        patient_id: row.patient_id,
        visited_at: row.visited_at,
        discharged_at: row.discharged_at,
        department: row.department,
        attending_id: row.attending_id,
        reason: text(VISIT_REASON, &row.reason_ciphertext)?,
        notes: text(VISIT_NOTES, &row.notes_ciphertext)?,
        vitals: from_json(text(VISIT_VITALS, &row.vitals_ciphertext)?)?,
        medications: from_json(text(VISIT_MEDICATIONS, &row.medications_ciphertext)?)?.unwrap_or_default(),
        version: row.version,
    })
}

/// Encrypts a visit for its row.
pub(in crate::domains::patients) fn seal_visit(
    keys: &FacilityKeys,
    id: VisitId,
    visit: &VisitFields,
    now: DateTime<Utc>,
) -> Result<VisitColumns> {
    let text = |column, value: Option<&Phi<String>>| keys.fields.encrypt_text_opt(column, id.uuid(), value);
    let medications = Some(&visit.medications).filter(|list| !list.reveal().is_empty());
    Ok(VisitColumns {
        visited_at: visit.visited_at,
        discharged_at: visit.discharged_at,
        department: visit.department.clone(),
        attending_id: visit.attending_id,
        reason_ciphertext: text(VISIT_REASON, visit.reason.as_ref())?,
        notes_ciphertext: text(VISIT_NOTES, visit.notes.as_ref())?,
        vitals_ciphertext: text(VISIT_VITALS, to_json(visit.vitals.as_ref())?.as_ref())?,
        medications_ciphertext: text(VISIT_MEDICATIONS, to_json(medications)?.as_ref())?,
        updated_at: now,
    })
}

/// Decrypts an allergy and notes the read.
pub(in crate::domains::patients) fn open_allergy(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    row: AllergyRow,
) -> Result<Allergy> {
    let id = row.id.uuid();
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    Ok(Allergy {
        id: row.id,
        patient_id: row.patient_id,
        fields: AllergyFields {
            substance: keys.fields.decrypt_text(SUBSTANCE, id, &row.substance_ciphertext)?,
            reaction: keys.fields.decrypt_text_opt(REACTION, id, row.reaction_ciphertext.as_deref())?,
            category: row.category,
            severity: row.severity,
            status: row.status,
            noted_on: row.noted_on,
        },
        version: row.version,
    })
}

/// Encrypts an allergy for its row.
pub(in crate::domains::patients) fn seal_allergy(
    keys: &FacilityKeys,
    id: AllergyId,
    allergy: &AllergyFields,
    now: DateTime<Utc>,
) -> Result<AllergyColumns> {
    let row = id.uuid();
    Ok(AllergyColumns {
        substance_ciphertext: keys.fields.encrypt_text(SUBSTANCE, row, &allergy.substance)?,
        reaction_ciphertext: keys.fields.encrypt_text_opt(REACTION, row, allergy.reaction.as_ref())?,
        category: allergy.category,
        severity: allergy.severity,
        status: allergy.status,
        noted_on: allergy.noted_on,
        updated_at: now,
    })
}

fn from_json<T: DeserializeOwned>(json: Option<Phi<String>>) -> Result<Option<Phi<T>>> {
    json.map(|json| json.try_map_ref(|json| serde_json::from_str(json)).map_err(Error::from)).transpose()
}

fn to_json<T: Serialize>(value: Option<&Phi<T>>) -> Result<Option<Phi<String>>> {
    value.map(|value| value.try_map_ref(serde_json::to_string).map_err(Error::from)).transpose()
}
