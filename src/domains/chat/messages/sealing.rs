//! Encryption of what is said.

use uuid::Uuid;

use super::parts::EarlierText;
use super::repository::{MessageRow, VersionRow};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::chat::model::Message;
use crate::error::Result;
use crate::ids::{MessageId, TypedId as _};
use crate::phi::Phi;

const BODY: ColumnId = ColumnId::new("messages", "body");
const VERSION_BODY: ColumnId = ColumnId::new("message_versions", "body");

pub(super) fn seal_body(keys: &FacilityKeys, id: MessageId, body: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(BODY, id.uuid(), body)?)
}

/// The text of a message, to be kept as an earlier one: the id it is kept under, and its ciphertext there.
pub(super) fn reseal_version(keys: &FacilityKeys, message: MessageId, sealed: &[u8]) -> Result<(Uuid, Vec<u8>)> {
    let id = Uuid::now_v7();
    let body = keys.fields.decrypt_text(BODY, message.uuid(), sealed)?;
    Ok((id, keys.fields.encrypt_text(VERSION_BODY, id, &body)?))
}

pub(super) fn open_version(keys: &FacilityKeys, row: VersionRow) -> Result<EarlierText> {
    Ok(EarlierText {
        message: row.message_id,
        body: keys.fields.decrypt_text(VERSION_BODY, row.id, &row.body_ciphertext)?,
        written_at: row.written_at,
    })
}

pub(super) fn open(keys: &FacilityKeys, row: MessageRow) -> Result<Message> {
    Ok(Message {
        id: row.id,
        conversation: row.conversation_id,
        sequence: row.sequence,
        author: row.author_user_id,
        contact: row.contact_id,
        kind: row.kind,
        body: keys.fields.decrypt_text_opt(BODY, row.id.uuid(), row.body_ciphertext.as_deref())?,
        system_event: row.system_event,
        system_subject: row.system_subject_id,
        thread_root: row.thread_root_id,
        parent: row.parent_id,
        sensitivity: row.sensitivity,
        model_name: row.model_name,
        model_version: row.model_version,
        confidence: row.confidence,
        created_at: row.created_at,
        edited_at: row.edited_at,
        deleted_at: row.deleted_at,
        version: row.version,
    })
}
