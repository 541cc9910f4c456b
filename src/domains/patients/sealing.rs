//! Encryption and decryption of the domain's rows. Opening a row notes the read: there is no way to a
//! decrypted patient that leaves no audit row.

use chrono::NaiveDate;

use super::model::{Address, Contact, ContactRow, Identity, Patient, PatientRow, SealedIdentity};
use crate::access::{RequestContext, Subject};
use crate::crypto::blind_index;
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::{Error, Result};
use crate::ids::{PatientId, TypedId as _};
use crate::phi::Phi;

const MRN: ColumnId = ColumnId::new("patients", "mrn");
const GIVEN_NAME: ColumnId = ColumnId::new("patients", "given_name");
const MIDDLE_NAME: ColumnId = ColumnId::new("patients", "middle_name");
const FAMILY_NAME: ColumnId = ColumnId::new("patients", "family_name");
const PREFERRED_NAME: ColumnId = ColumnId::new("patients", "preferred_name");
const BIRTH_DATE: ColumnId = ColumnId::new("patients", "birth_date");
const SSN: ColumnId = ColumnId::new("patients", "ssn");
const PHONE: ColumnId = ColumnId::new("patients", "phone");
const EMAIL: ColumnId = ColumnId::new("patients", "email");
const ADDRESS: ColumnId = ColumnId::new("patients", "address");
const CONTACT_NAME: ColumnId = ColumnId::new("patient_contacts", "name");
const CONTACT_PHONE: ColumnId = ColumnId::new("patient_contacts", "phone");
const CONTACT_EMAIL: ColumnId = ColumnId::new("patient_contacts", "email");

/// Decrypts a patient and notes the read.
pub(super) fn open_patient(ctx: &RequestContext, keys: &FacilityKeys, row: PatientRow) -> Result<Patient> {
    let id = row.id.uuid();
    let text = |column, sealed: &[u8]| keys.fields.decrypt_text(column, id, sealed);
    let optional = |column, sealed: &Option<Vec<u8>>| keys.fields.decrypt_text_opt(column, id, sealed.as_deref());
    let birth_date = text(BIRTH_DATE, &row.birth_date_ciphertext)?
        .try_map_ref(|text| text.parse::<NaiveDate>())
        .map_err(|_| Error::internal("a stored birth date is not a date"))?;
    let address = match optional(ADDRESS, &row.address_ciphertext)? {
        Some(json) => Some(json.try_map_ref(|json| serde_json::from_str::<Address>(json)).map_err(Error::from)?),
        None => None,
    };
    ctx.note_read(Subject::of(row.id).in_record_of(row.id));
    Ok(Patient {
        id: row.id,
        identity: Identity {
            mrn: text(MRN, &row.mrn_ciphertext)?,
            given_name: text(GIVEN_NAME, &row.given_name_ciphertext)?,
            middle_name: optional(MIDDLE_NAME, &row.middle_name_ciphertext)?,
            family_name: text(FAMILY_NAME, &row.family_name_ciphertext)?,
            preferred_name: optional(PREFERRED_NAME, &row.preferred_name_ciphertext)?,
            birth_date,
            ssn: optional(SSN, &row.ssn_ciphertext)?,
            phone: optional(PHONE, &row.phone_ciphertext)?,
            email: optional(EMAIL, &row.email_ciphertext)?,
            address,
        },
        gender: row.gender,
        preferred_language: row.preferred_language,
        status: row.status,
        archived_at: row.archived_at,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Decrypts a contact and notes the read.
pub(super) fn open_contact(ctx: &RequestContext, keys: &FacilityKeys, row: ContactRow) -> Result<Contact> {
    let id = row.id.uuid();
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    Ok(Contact {
        id: row.id,
        patient_id: row.patient_id,
        name: keys.fields.decrypt_text(CONTACT_NAME, id, &row.name_ciphertext)?,
        relationship: row.relationship,
        phone: keys.fields.decrypt_text_opt(CONTACT_PHONE, id, row.phone_ciphertext.as_deref())?,
        email: keys.fields.decrypt_text_opt(CONTACT_EMAIL, id, row.email_ciphertext.as_deref())?,
        emergency: row.emergency,
        legal_guardian: row.legal_guardian,
        priority: row.priority,
        version: row.version,
    })
}

/// Encrypts what identifies a patient, for its row.
pub(super) fn seal_identity(keys: &FacilityKeys, id: PatientId, identity: &Identity) -> Result<SealedIdentity> {
    let row = id.uuid();
    let text = |column, value: &Phi<String>| keys.fields.encrypt_text(column, row, value);
    let optional = |column, value: &Option<Phi<String>>| keys.fields.encrypt_text_opt(column, row, value.as_ref());
    let address = match &identity.address {
        Some(address) => Some(Phi::new(serde_json::to_string(address.reveal())?)),
        None => None,
    };
    Ok(SealedIdentity {
        mrn_ciphertext: text(MRN, &identity.mrn)?,
        mrn_index: keys.index.mrn(identity.mrn.reveal()).ok_or_else(|| Error::internal("a blank record number"))?,
        given_name_ciphertext: text(GIVEN_NAME, &identity.given_name)?,
        middle_name_ciphertext: optional(MIDDLE_NAME, &identity.middle_name)?,
        family_name_ciphertext: text(FAMILY_NAME, &identity.family_name)?,
        preferred_name_ciphertext: optional(PREFERRED_NAME, &identity.preferred_name)?,
        birth_date_ciphertext: text(BIRTH_DATE, &identity.birth_date.map_ref(NaiveDate::to_string))?,
        ssn_ciphertext: optional(SSN, &identity.ssn)?,
        phone_ciphertext: optional(PHONE, &identity.phone)?,
        email_ciphertext: optional(EMAIL, &identity.email)?,
        address_ciphertext: optional(ADDRESS, &address)?,
    })
}

/// Every term a patient can be found by.
pub(super) fn terms(keys: &FacilityKeys, identity: &Identity) -> Vec<i64> {
    fn some(value: Option<&Phi<String>>) -> Option<&str> {
        value.map(Phi::reveal_str)
    }
    let names = [Some(&identity.given_name), identity.middle_name.as_ref(), identity.preferred_name.as_ref()];
    let searched = blind_index::Identity {
        given_names: names.into_iter().filter_map(some).collect(),
        family_names: vec![identity.family_name.reveal()],
        birth_date: Some(*identity.birth_date.reveal()),
        phones: some(identity.phone.as_ref()).into_iter().collect(),
        emails: some(identity.email.as_ref()).into_iter().collect(),
        ssn: some(identity.ssn.as_ref()),
        mrn: Some(identity.mrn.reveal()),
    };
    keys.index.terms_of(&searched).into_iter().map(|term| term.hash).collect()
}
