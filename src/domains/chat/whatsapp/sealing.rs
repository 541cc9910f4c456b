//! Encryption of secrets and of who writes.

use super::model::{Contact, Integration};
use super::repository::IntegrationRow;
use super::repository::contacts::ContactRow;
use crate::config::Secret;
use crate::crypto::blind_index::TermKind;
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::{Error, Result};
use crate::ids::{TypedId as _, WhatsappContactId, WhatsappIntegrationId};
use crate::phi::Phi;

const ACCESS_TOKEN: ColumnId = ColumnId::new("whatsapp_integrations", "access_token");
const APP_SECRET: ColumnId = ColumnId::new("whatsapp_integrations", "app_secret");
const PHONE: ColumnId = ColumnId::new("whatsapp_contacts", "phone");
const NAME: ColumnId = ColumnId::new("whatsapp_contacts", "name");

pub(super) fn seal_access_token(keys: &FacilityKeys, id: WhatsappIntegrationId, token: &Secret) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt(ACCESS_TOKEN, id.uuid(), token.reveal().as_bytes())?)
}

pub(super) fn seal_app_secret(keys: &FacilityKeys, id: WhatsappIntegrationId, secret: &Secret) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt(APP_SECRET, id.uuid(), secret.reveal().as_bytes())?)
}

pub(super) fn open_access_token(keys: &FacilityKeys, id: WhatsappIntegrationId, sealed: &[u8]) -> Result<Secret> {
    Ok(Secret::new(keys.fields.decrypt_text(ACCESS_TOKEN, id.uuid(), sealed)?.into_revealed()))
}

pub(super) fn open_app_secret(keys: &FacilityKeys, id: WhatsappIntegrationId, sealed: &[u8]) -> Result<Secret> {
    Ok(Secret::new(keys.fields.decrypt_text(APP_SECRET, id.uuid(), sealed)?.into_revealed()))
}

pub(super) fn seal_phone(keys: &FacilityKeys, id: WhatsappContactId, phone: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(PHONE, id.uuid(), phone)?)
}

pub(super) fn open_phone(keys: &FacilityKeys, id: WhatsappContactId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(PHONE, id.uuid(), sealed)?)
}

pub(super) fn seal_name(keys: &FacilityKeys, id: WhatsappContactId, name: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(NAME, id.uuid(), name)?)
}

pub(super) fn open_name(
    keys: &FacilityKeys,
    id: WhatsappContactId,
    sealed: Option<&[u8]>,
) -> Result<Option<Phi<String>>> {
    Ok(keys.fields.decrypt_text_opt(NAME, id.uuid(), sealed)?)
}

/// By which somebody is found again: digits with the country.
pub(super) fn phone_term(keys: &FacilityKeys, phone: &Phi<String>) -> i64 {
    keys.index.term(TermKind::Phone, phone.reveal()).hash
}

/// By which a message of the provider's is found again.
pub(super) fn wamid_term(keys: &FacilityKeys, wamid: &str) -> i64 {
    keys.index.term(TermKind::Wamid, wamid).hash
}

pub(super) fn open_contact(keys: &FacilityKeys, row: ContactRow) -> Result<Contact> {
    Ok(Contact {
        id: row.id,
        phone: open_phone(keys, row.id, &row.phone_ciphertext)?,
        name: open_name(keys, row.id, row.name_ciphertext.as_deref())?,
        patient: row.patient_id,
        linked_by: row.linked_by,
        linked_at: row.linked_at,
        last_received_at: row.last_received_at,
        opted_out_at: row.opted_out_at,
    })
}

impl TryFrom<IntegrationRow> for Integration {
    type Error = Error;

    fn try_from(row: IntegrationRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            phone_number_id: row.phone_number_id,
            business_account_id: row.business_account_id,
            display_phone_number: row.display_phone_number,
            verified_name: row.verified_name,
            status: row.status,
            verified_at: row.verified_at,
            last_fault: row.last_fault,
            last_fault_at: row.last_fault_at,
            business_hours: row.business_hours.map(serde_json::from_value).transpose()?,
            closed_reply: row.closed_reply,
            crisis_reply: row.crisis_reply,
            hand_over_to: row.hand_over_to,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}
