//! Emergency accesses.

use crate::access::{RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::patients::model::{BreakGlassAccess, BreakGlassRow};
use crate::error::Result;
use crate::ids::{BreakGlassId, TypedId as _};
use crate::phi::Phi;

const REASON: ColumnId = ColumnId::new("break_glass_accesses", "reason");
const REVIEW_NOTE: ColumnId = ColumnId::new("break_glass_accesses", "review_note");

/// Decrypts an emergency access and notes the read.
pub(in crate::domains::patients) fn open_access(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    row: BreakGlassRow,
) -> Result<BreakGlassAccess> {
    let id = row.id.uuid();
    ctx.note_read(Subject::of(row.id).in_record_of(row.patient_id));
    Ok(BreakGlassAccess {
        id: row.id,
        patient_id: row.patient_id,
        user_id: row.user_id,
        reason: keys.fields.decrypt_text(REASON, id, &row.reason_ciphertext)?,
        started_at: row.started_at,
        expires_at: row.expires_at,
        reviewed_at: row.reviewed_at,
        reviewed_by: row.reviewed_by,
        justified: row.justified,
        review_note: keys.fields.decrypt_text_opt(REVIEW_NOTE, id, row.review_note_ciphertext.as_deref())?,
    })
}

/// Encrypts the reason of an emergency access.
pub(in crate::domains::patients) fn seal_reason(
    keys: &FacilityKeys,
    id: BreakGlassId,
    reason: &Phi<String>,
) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(REASON, id.uuid(), reason)?)
}

/// Encrypts the remark of a reviewer.
pub(in crate::domains::patients) fn seal_review_note(
    keys: &FacilityKeys,
    id: BreakGlassId,
    note: Option<&Phi<String>>,
) -> Result<Option<Vec<u8>>> {
    Ok(keys.fields.encrypt_text_opt(REVIEW_NOTE, id.uuid(), note)?)
}
