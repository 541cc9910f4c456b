//! Encryption and decryption of the domain's rows. Opening a row notes the read: there is no way to a
//! decrypted patient that leaves no audit row.

mod care;
mod parts;

use chrono::NaiveDate;

use super::model::{Address, Identity, Patient, PatientRow, SealedIdentity};
use crate::access::{RequestContext, Subject};
use crate::crypto::blind_index::normalise::name_parts;
use crate::crypto::blind_index::{self, Term};
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
pub(super) use care::{open_access, seal_reason, seal_review_note};
pub(super) use parts::{
    open_allergy, open_contact, open_coverage, open_visit, seal_allergy, seal_contact, seal_coverage, seal_visit,
};

/// A decrypted patient who has not been shown. What is inside comes out by [`Hidden::show`], which notes the
/// read; to look at for a decision there is [`Hidden::identity`].
pub(super) struct Hidden(Patient);

impl Hidden {
    /// For comparing, in the server alone.
    pub(super) const fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(super) const fn id(&self) -> PatientId {
        self.0.id
    }

    /// Where it stands among others: by family name, then given name, as people would look.
    pub(super) fn sort_name(&self) -> (Vec<String>, Vec<String>) {
        let identity = &self.0.identity;
        (name_parts(identity.family_name.reveal()), name_parts(identity.given_name.reveal()))
    }

    /// Gives the patient out to be changed in this transaction, whose own audit row tells of it.
    pub(super) fn for_change(self) -> Patient {
        self.0
    }

    /// Gives the patient out and notes the read.
    pub(super) fn show(self, ctx: &RequestContext) -> Patient {
        ctx.note_read(Subject::of(self.0.id).in_record_of(self.0.id));
        self.0
    }
}

/// Decrypts a patient and notes the read.
pub(super) fn open_patient(ctx: &RequestContext, keys: &FacilityKeys, row: PatientRow) -> Result<Patient> {
    Ok(open_hidden(keys, row)?.show(ctx))
}

/// Decrypts a patient who may turn out not to be the one meant.
pub(super) fn open_hidden(keys: &FacilityKeys, row: PatientRow) -> Result<Hidden> {
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
    Ok(Hidden(Patient {
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
    }))
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
    keys.index.terms_of(&searched(identity)).into_iter().map(|term| term.hash).collect()
}

/// Terms that another record of the same person would share some of.
pub(super) fn duplicate_probes(keys: &FacilityKeys, identity: &Identity) -> Vec<Term> {
    keys.index.duplicate_probes(&searched(identity))
}

fn searched(identity: &Identity) -> blind_index::Identity<'_> {
    fn some(value: Option<&Phi<String>>) -> Option<&str> {
        value.map(Phi::reveal_str)
    }
    let names = [Some(&identity.given_name), identity.middle_name.as_ref(), identity.preferred_name.as_ref()];
    blind_index::Identity {
        given_names: names.into_iter().filter_map(some).collect(),
        family_names: vec![identity.family_name.reveal()],
        birth_date: Some(*identity.birth_date.reveal()),
        phones: some(identity.phone.as_ref()).into_iter().collect(),
        emails: some(identity.email.as_ref()).into_iter().collect(),
        ssn: some(identity.ssn.as_ref()),
        mrn: Some(identity.mrn.reveal()),
    }
}
