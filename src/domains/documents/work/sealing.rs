//! Encryption of the reasons of holds.

use uuid::Uuid;

use super::model::Hold;
use super::repository::HoldRow;
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::Result;
use crate::phi::Phi;

const REASON: ColumnId = ColumnId::new("document_holds", "reason");
const RELEASE_REASON: ColumnId = ColumnId::new("document_holds", "release_reason");

pub(super) fn seal_reason(keys: &FacilityKeys, id: Uuid, reason: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(REASON, id, reason)?)
}

pub(super) fn seal_release_reason(keys: &FacilityKeys, id: Uuid, reason: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(RELEASE_REASON, id, reason)?)
}

pub(super) fn open_hold(keys: &FacilityKeys, row: HoldRow) -> Result<Hold> {
    Ok(Hold {
        document: row.document_id,
        reason: keys.fields.decrypt_text(REASON, row.id, &row.reason_ciphertext)?,
        placed_by: row.placed_by,
        placed_at: row.placed_at,
        release_reason: keys.fields.decrypt_text_opt(
            RELEASE_REASON,
            row.id,
            row.release_reason_ciphertext.as_deref(),
        )?,
        released_by: row.released_by,
        released_at: row.released_at,
    })
}
