//! Rows turned into what they mean. The address of an invitation is the only column of the domain that is
//! encrypted; opening it notes the read.

use super::model::{Address, Facility, FacilityRow, Invitation, InvitationRow, Profile, RoleGrant, Settings};
use crate::access::{RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::{Error, Result};
use crate::ids::{InvitationId, TypedId as _};
use crate::phi::Phi;

const EMAIL: ColumnId = ColumnId::new("facility_invitations", "email");

/// Reads the settings and puts the address together.
pub(super) fn open_facility(row: FacilityRow) -> Result<Facility> {
    let settings = open_settings(row.settings)?;
    let address = match (row.address_line1, row.city, row.state, row.zip_code) {
        (Some(line1), Some(city), Some(state), Some(zip_code)) => {
            Some(Address { line1, line2: row.address_line2, city, state, zip_code })
        }
        _ => None,
    };
    Ok(Facility {
        id: row.id,
        profile: Profile {
            name: row.name,
            kind: row.kind,
            npi: row.npi,
            address,
            phone: row.phone,
            time_zone: row.time_zone,
        },
        settings,
        status: row.status,
        suspension_reason: row.status_reason,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Keys that this version does not know are left alone; keys that are missing have their defaults.
pub(super) fn open_settings(stored: serde_json::Value) -> Result<Settings> {
    serde_json::from_value(stored).map_err(Error::from)
}

pub(super) fn open_roles(stored: serde_json::Value) -> Result<Vec<RoleGrant>> {
    serde_json::from_value(stored).map_err(Error::from)
}

/// Decrypts an invitation and notes the read.
pub(super) fn open_invitation(ctx: &RequestContext, keys: &FacilityKeys, row: InvitationRow) -> Result<Invitation> {
    ctx.note_read(Subject::of(row.id));
    let status = row.status_at(ctx.now());
    Ok(Invitation {
        id: row.id,
        email: open_email(keys, row.id, &row.email_ciphertext)?,
        roles: open_roles(row.roles)?,
        title: row.title,
        invited_by: row.invited_by,
        status,
        expires_at: row.expires_at,
        accepted_at: row.accepted_at,
        created_at: row.created_at,
    })
}

pub(super) fn seal_email(keys: &FacilityKeys, id: InvitationId, email: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(EMAIL, id.uuid(), email)?)
}

pub(super) fn open_email(keys: &FacilityKeys, id: InvitationId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(EMAIL, id.uuid(), sealed)?)
}
