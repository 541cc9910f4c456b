//! SQL of drafts.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bytea, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::sql;
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, MessageId, UserId};

/// Where a draft belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub conversation: ConversationId,
    pub user: UserId,
    pub thread_root: Option<MessageId>,
}

#[derive(Debug, QueryableByName)]
pub(super) struct DraftRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub conversation_id: ConversationId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub thread_root_id: Option<MessageId>,
    #[diesel(sql_type = Bytea)]
    pub body_ciphertext: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub saved_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The id of the draft in this place, if there is one: what its text is encrypted for.
pub(super) async fn id_at(mut db: &AsyncPgConnection, facility: FacilityId, place: Place) -> Result<Option<Uuid>> {
    let found: Option<Id> = sql("SELECT id FROM message_drafts WHERE facility_id = $1 AND conversation_id = $2 \
         AND user_id = $3 AND thread_root_id IS NOT DISTINCT FROM $4 FOR UPDATE")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(place.conversation)
    .bind::<SqlUuid, _>(place.user)
    .bind::<Nullable<SqlUuid>, _>(place.thread_root)
    .get_result(&mut db)
    .await
    .optional()?;
    Ok(found.map(|found| found.id))
}

/// Whether the conversation has this message, and it begins a thread or may.
pub(super) async fn is_root(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    message: MessageId,
) -> Result<bool> {
    let found: Option<Id> = sql("SELECT id FROM messages WHERE facility_id = $1 AND conversation_id = $2 AND id = $3 \
         AND thread_root_id IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(conversation)
    .bind::<SqlUuid, _>(message)
    .get_result(&mut db)
    .await
    .optional()?;
    Ok(found.is_some())
}

/// Saves under the id the text is encrypted for; false when another was saved in this place meanwhile.
pub(super) async fn save(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: Uuid,
    place: Place,
    body_ciphertext: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let saved = sql("INSERT INTO message_drafts AS d (facility_id, id, conversation_id, user_id, thread_root_id, body_ciphertext, saved_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ON CONSTRAINT message_drafts_place_key \
         DO UPDATE SET body_ciphertext = excluded.body_ciphertext, saved_at = excluded.saved_at WHERE d.id = excluded.id")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(place.conversation)
    .bind::<SqlUuid, _>(place.user)
    .bind::<Nullable<SqlUuid>, _>(place.thread_root)
    .bind::<Bytea, _>(body_ciphertext)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(saved == 1)
}

/// Whether there was one, and it is gone.
pub(super) async fn discard(mut db: &AsyncPgConnection, facility: FacilityId, place: Place) -> Result<bool> {
    let gone = sql("DELETE FROM message_drafts WHERE facility_id = $1 AND conversation_id = $2 AND user_id = $3 \
         AND thread_root_id IS NOT DISTINCT FROM $4")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(place.conversation)
    .bind::<SqlUuid, _>(place.user)
    .bind::<Nullable<SqlUuid>, _>(place.thread_root)
    .execute(&mut db)
    .await?;
    Ok(gone == 1)
}

/// A user's drafts in these conversations, the one outside threads first.
pub(super) async fn of_conversations(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    conversations: &[ConversationId],
) -> Result<Vec<DraftRow>> {
    Ok(sql("SELECT id, conversation_id, thread_root_id, body_ciphertext, saved_at FROM message_drafts \
         WHERE facility_id = $1 AND user_id = $2 AND conversation_id = ANY ($3) \
         ORDER BY conversation_id, thread_root_id NULLS FIRST")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(user)
    .bind::<Array<SqlUuid>, _>(conversations.to_vec())
    .load(&mut db)
    .await?)
}
