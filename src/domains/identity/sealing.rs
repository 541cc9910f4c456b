//! Encryption and decryption of the domain's rows, under the platform's key. Opening the account of someone
//! else notes the read.

use super::model::{User, UserRow};
use crate::access::{RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::Result;
use crate::ids::{TypedId as _, UserId};
use crate::phi::Phi;

const EMAIL: ColumnId = ColumnId::new("users", "email");
const DISPLAY_NAME: ColumnId = ColumnId::new("users", "display_name");
const PHONE: ColumnId = ColumnId::new("users", "phone");
const TOTP_SECRET: ColumnId = ColumnId::new("user_totp", "secret");

/// How much of an account is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The name, and what is public of a provider.
    Name,
    /// The e-mail address and telephone number too.
    Contacts,
}

/// Decrypts an account.
pub(super) fn open_user(ctx: &RequestContext, keys: &FacilityKeys, extent: Extent, row: UserRow) -> Result<User> {
    let id = row.id.uuid();
    if ctx.user().ok() != Some(row.id) {
        ctx.note_read(Subject::of(row.id));
    }
    let contacts = extent == Extent::Contacts;
    let email = if contacts { Some(keys.fields.decrypt_text(EMAIL, id, &row.email_ciphertext)?) } else { None };
    let phone = row.phone_ciphertext.as_deref().filter(|_| contacts);
    Ok(User {
        id: row.id,
        display_name: keys.fields.decrypt_text(DISPLAY_NAME, id, &row.display_name_ciphertext)?,
        email,
        phone: keys.fields.decrypt_text_opt(PHONE, id, phone)?,
        status: row.status,
        npi: row.npi,
        license_number: row.license_number,
        locale: row.locale,
        time_zone: row.time_zone,
        password_changed_at: row.password_changed_at,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Name and e-mail address of an account, for rules and mail that show them to nobody else.
pub(super) fn open_owner(keys: &FacilityKeys, row: &UserRow) -> Result<Owner> {
    let id = row.id.uuid();
    Ok(Owner {
        email: keys.fields.decrypt_text(EMAIL, id, &row.email_ciphertext)?,
        display_name: keys.fields.decrypt_text(DISPLAY_NAME, id, &row.display_name_ciphertext)?,
    })
}

/// Whose account it is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub email: Phi<String>,
    pub display_name: Phi<String>,
}

pub(super) fn seal_email(keys: &FacilityKeys, user: UserId, email: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(EMAIL, user.uuid(), email)?)
}

pub(super) fn seal_display_name(keys: &FacilityKeys, user: UserId, name: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(DISPLAY_NAME, user.uuid(), name)?)
}

pub(super) fn seal_phone(keys: &FacilityKeys, user: UserId, phone: Option<&Phi<String>>) -> Result<Option<Vec<u8>>> {
    Ok(keys.fields.encrypt_text_opt(PHONE, user.uuid(), phone)?)
}

pub(super) fn seal_secret(keys: &FacilityKeys, user: UserId, secret: &Phi<Vec<u8>>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt(TOTP_SECRET, user.uuid(), secret.reveal())?)
}

pub(super) fn open_secret(keys: &FacilityKeys, user: UserId, sealed: &[u8]) -> Result<Phi<Vec<u8>>> {
    Ok(keys.fields.decrypt(TOTP_SECRET, user.uuid(), sealed)?)
}
