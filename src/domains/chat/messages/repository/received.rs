//! SQL of messages that no user wrote.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::Sent;
use crate::db::sql;
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, MessageId, WhatsappContactId};

/// A text of somebody outside, or of the server itself where nobody is named.
pub(in crate::domains::chat::messages) async fn insert_of_nobody(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    (conversation, sequence): (ConversationId, i64),
    contact: Option<WhatsappContactId>,
    body_ciphertext: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO messages (facility_id, id, conversation_id, sequence, kind, contact_id, body_ciphertext, \
             sensitivity, created_at) VALUES ($1, $2, $3, $4, 'text', $5, $6, 'normal', $7)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(conversation)
    .bind::<BigInt, _>(sequence)
    .bind::<Nullable<SqlUuid>, _>(contact)
    .bind::<Bytea, _>(body_ciphertext)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Who is there, and who of them wants notifications.
pub(in crate::domains::chat::messages) async fn audience(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    now: DateTime<Utc>,
) -> Result<Sent> {
    Ok(sql("SELECT coalesce(array_agg(user_id), '{}') AS audience, \
             coalesce(array_agg(user_id) FILTER (WHERE muted_until IS NULL OR muted_until <= $3), '{}') AS unmuted \
         FROM conversation_participants WHERE facility_id = $1 AND conversation_id = $2 AND left_at IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(conversation)
    .bind::<Timestamptz, _>(now)
    .get_result(&mut db)
    .await?)
}
