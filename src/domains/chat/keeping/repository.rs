//! SQL of holds and of retention.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::sql;
use crate::domains::chat::model::{ConversationKind, ConversationStatus};
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, PatientId};

/// What came of a hold.
#[derive(Debug, QueryableByName)]
pub(super) struct Held {
    #[diesel(sql_type = Bool)]
    pub there: bool,
    #[diesel(sql_type = Bool)]
    pub changed: bool,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
}

/// Places a hold, or releases it when no reason is given.
pub(super) async fn hold(
    mut db: &AsyncPgConnection,
    conversation: ConversationId,
    reason_ciphertext: Option<Vec<u8>>,
) -> Result<Held> {
    Ok(sql("SELECT there, changed, patient_id FROM hold_conversation($1, $2)")
        .bind::<SqlUuid, _>(conversation)
        .bind::<Nullable<Bytea>, _>(reason_ciphertext)
        .get_result(&mut db)
        .await?)
}

#[derive(Debug, QueryableByName)]
pub(super) struct RecordRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: ConversationId,
    #[diesel(sql_type = Text)]
    pub kind: ConversationKind,
    #[diesel(sql_type = Text)]
    pub status: ConversationStatus,
    #[diesel(sql_type = BigInt)]
    pub last_sequence: i64,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub last_activity_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub held_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub hold_reason_ciphertext: Option<Vec<u8>>,
}

pub(super) async fn about(mut db: &AsyncPgConnection, patient: PatientId) -> Result<Vec<RecordRow>> {
    Ok(sql("SELECT id, kind, status, last_sequence, created_at, last_activity_at, held_at, hold_reason_ciphertext \
         FROM conversations_about($1)")
    .bind::<SqlUuid, _>(patient)
    .load(&mut db)
    .await?)
}

/// A conversation that has been kept long enough.
#[derive(Debug, QueryableByName)]
pub(super) struct Overdue {
    #[diesel(sql_type = SqlUuid)]
    pub id: ConversationId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
}

/// Some of those completed before an instant and under no hold, taken for their removal.
pub(super) async fn overdue(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    before: DateTime<Utc>,
    most: i64,
    lock: bool,
) -> Result<Vec<Overdue>> {
    let statement = if lock {
        "SELECT id, patient_id FROM conversations WHERE facility_id = $1 AND status = 'completed' \
         AND status_changed_at < $2 AND held_at IS NULL ORDER BY status_changed_at LIMIT $3 FOR UPDATE"
    } else {
        "SELECT id, patient_id FROM conversations WHERE facility_id = $1 AND status = 'completed' \
         AND status_changed_at < $2 AND held_at IS NULL ORDER BY status_changed_at LIMIT $3"
    };
    Ok(sql(statement)
        .bind::<SqlUuid, _>(facility)
        .bind::<Timestamptz, _>(before)
        .bind::<BigInt, _>(most)
        .load(&mut db)
        .await?)
}

/// What belongs to messages goes before them, and they before their conversation.
const REMOVE: &[&str] = &[
    "DELETE FROM message_terms WHERE facility_id = $1 AND conversation_id = ANY ($2)",
    "DELETE FROM message_embeddings WHERE facility_id = $1 AND conversation_id = ANY ($2)",
    "DELETE FROM message_drafts WHERE facility_id = $1 AND conversation_id = ANY ($2)",
    "DELETE FROM message_versions v USING messages m WHERE v.facility_id = $1 AND m.facility_id = $1 \
     AND m.id = v.message_id AND m.conversation_id = ANY ($2)",
    "DELETE FROM message_reactions r USING messages m WHERE r.facility_id = $1 AND m.facility_id = $1 \
     AND m.id = r.message_id AND m.conversation_id = ANY ($2)",
    "DELETE FROM message_mentions n USING messages m WHERE n.facility_id = $1 AND m.facility_id = $1 \
     AND m.id = n.message_id AND m.conversation_id = ANY ($2)",
    "DELETE FROM message_attachments a USING messages m WHERE a.facility_id = $1 AND m.facility_id = $1 \
     AND m.id = a.message_id AND m.conversation_id = ANY ($2)",
    "DELETE FROM assistant_answers a USING messages m WHERE a.facility_id = $1 AND m.facility_id = $1 \
     AND m.id = a.message_id AND m.conversation_id = ANY ($2)",
    "DELETE FROM whatsapp_deliveries d USING messages m WHERE d.facility_id = $1 AND m.facility_id = $1 \
     AND m.id = d.message_id AND m.conversation_id = ANY ($2)",
    "DELETE FROM messages WHERE facility_id = $1 AND conversation_id = ANY ($2)",
    "DELETE FROM conversation_agents WHERE facility_id = $1 AND conversation_id = ANY ($2)",
    "DELETE FROM conversation_participants WHERE facility_id = $1 AND conversation_id = ANY ($2)",
    "DELETE FROM conversations WHERE facility_id = $1 AND id = ANY ($2)",
];

pub(super) async fn remove(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversations: &[ConversationId],
) -> Result<()> {
    for statement in REMOVE {
        sql(statement)
            .bind::<SqlUuid, _>(facility)
            .bind::<Array<SqlUuid>, _>(conversations.to_vec())
            .execute(&mut db)
            .await?;
    }
    Ok(())
}
