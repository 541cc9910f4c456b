//! Encryption of what conversations are called and sorted by.

use super::repository::ConversationRow;
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::chat::model::Conversation;
use crate::error::{Error, Result};
use crate::ids::{ConversationId, TypedId as _};
use crate::phi::Phi;

const TITLE: ColumnId = ColumnId::new("conversations", "title");
const TAGS: ColumnId = ColumnId::new("conversations", "tags");

pub(super) fn seal_title(
    keys: &FacilityKeys,
    id: ConversationId,
    title: Option<&Phi<String>>,
) -> Result<Option<Vec<u8>>> {
    Ok(keys.fields.encrypt_text_opt(TITLE, id.uuid(), title)?)
}

/// `None` for no tags.
pub(super) fn seal_tags(keys: &FacilityKeys, id: ConversationId, tags: &[String]) -> Result<Option<Vec<u8>>> {
    if tags.is_empty() {
        return Ok(None);
    }
    let list = Phi::new(serde_json::to_string(tags)?);
    Ok(Some(keys.fields.encrypt_text(TAGS, id.uuid(), &list)?))
}

pub(super) fn open(keys: &FacilityKeys, row: ConversationRow) -> Result<Conversation> {
    let id = row.id.uuid();
    let tags = match keys.fields.decrypt_text_opt(TAGS, id, row.tags_ciphertext.as_deref())? {
        // The parser's own message may quote the text.
        Some(list) => serde_json::from_str(list.reveal()).map_err(|_| Error::internal("tags are not in their form"))?,
        None => Vec::new(),
    };
    Ok(Conversation {
        id: row.id,
        kind: row.kind,
        patient: row.patient_id,
        title: keys.fields.decrypt_text_opt(TITLE, id, row.title_ciphertext.as_deref())?,
        tags,
        priority: row.priority,
        status: row.status,
        status_changed_at: row.status_changed_at,
        status_changed_by: row.status_changed_by,
        last_sequence: row.last_sequence,
        last_activity_at: row.last_activity_at,
        held_at: row.held_at,
        created_by: row.created_by,
        created_at: row.created_at,
        version: row.version,
        assigned: row.assigned_user_id,
        contact: row.whatsapp_contact_id,
    })
}
