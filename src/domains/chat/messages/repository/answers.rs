//! SQL of messages of assistants.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{Array, BigInt, Bytea, Double, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::access::Purpose;
use crate::db::sql;
use crate::domains::chat::agents::model::AgentAnswerOutcome;
use crate::domains::chat::messages::answers::{AnswerRow, Expected, Written};
use crate::domains::chat::model::MessageSensitivity;
use crate::error::Result;
use crate::ids::{AgentId, ConversationId, FacilityId, MessageId, SessionId, UserId};

/// The message an answer will be in: its conversation, its number and the question it answers are known.
pub(in crate::domains::chat::messages) async fn insert_answer(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    (conversation, sequence, question): (ConversationId, i64, MessageId),
    body_ciphertext: Vec<u8>,
    sensitivity: MessageSensitivity,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO messages (facility_id, id, conversation_id, sequence, kind, body_ciphertext, thread_root_id, parent_id, \
             sensitivity, created_at) VALUES ($1, $2, $3, $4, 'assistant', $6, $5, $5, $7, $8)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(conversation)
    .bind::<BigInt, _>(sequence)
    .bind::<SqlUuid, _>(question)
    .bind::<Bytea, _>(body_ciphertext)
    .bind::<Text, _>(sensitivity)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// As whom the record is looked at.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::chat::messages) struct Asker {
    pub user: UserId,
    pub session: SessionId,
    pub purpose: Purpose,
}

pub(in crate::domains::chat::messages) async fn expect(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    answer: MessageId,
    question: MessageId,
    agent: AgentId,
    asker: Asker,
) -> Result<()> {
    sql(
        "INSERT INTO assistant_answers (facility_id, message_id, question_id, agent_id, user_id, session_id, purpose, \
             outcome) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending')",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(answer)
    .bind::<SqlUuid, _>(question)
    .bind::<SqlUuid, _>(agent)
    .bind::<SqlUuid, _>(asker.user)
    .bind::<SqlUuid, _>(asker.session)
    .bind::<Text, _>(asker.purpose)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(in crate::domains::chat::messages) async fn expected(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    answer: MessageId,
) -> Result<Option<Expected>> {
    Ok(sql(
        "SELECT a.message_id, a.question_id, a.agent_id, m.conversation_id, c.patient_id, a.user_id, a.session_id, \
             a.purpose FROM assistant_answers a \
         JOIN messages m ON m.facility_id = a.facility_id AND m.id = a.message_id \
         JOIN conversations c ON c.facility_id = m.facility_id AND c.id = m.conversation_id \
         WHERE a.facility_id = $1 AND a.message_id = $2 AND a.outcome = 'pending' AND m.deleted_at IS NULL",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(answer)
    .get_result(&mut db)
    .await
    .optional()?)
}

pub(in crate::domains::chat::messages) async fn answers_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    messages: &[MessageId],
) -> Result<Vec<AnswerRow>> {
    Ok(sql("SELECT a.message_id, a.question_id, a.agent_id, a.outcome, m.citations FROM assistant_answers a \
         JOIN messages m ON m.facility_id = a.facility_id AND m.id = a.message_id \
         WHERE a.facility_id = $1 AND a.message_id = ANY ($2)")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(messages.to_vec())
    .load(&mut db)
    .await?)
}

/// False when the answer is complete already, or deleted.
pub(in crate::domains::chat::messages) async fn grow(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    body_ciphertext: Vec<u8>,
) -> Result<bool> {
    let grown = sql("UPDATE messages m SET body_ciphertext = $3 WHERE m.facility_id = $1 AND m.id = $2 \
         AND m.deleted_at IS NULL AND EXISTS (SELECT FROM assistant_answers a \
             WHERE a.facility_id = $1 AND a.message_id = $2 AND a.outcome = 'pending')")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Bytea, _>(body_ciphertext)
    .execute(&mut db)
    .await?;
    Ok(grown == 1)
}

/// Says what came of a question; false when that is said already, or the message deleted.
pub(in crate::domains::chat::messages) async fn settle(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    outcome: AgentAnswerOutcome,
    now: DateTime<Utc>,
) -> Result<bool> {
    let settled = sql("UPDATE assistant_answers a SET outcome = $3, finished_at = $4 \
         WHERE a.facility_id = $1 AND a.message_id = $2 AND a.outcome = 'pending' AND EXISTS (SELECT FROM messages m \
             WHERE m.facility_id = $1 AND m.id = $2 AND m.deleted_at IS NULL)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(outcome)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(settled == 1)
}

pub(in crate::domains::chat::messages) async fn write(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    body_ciphertext: Vec<u8>,
    written: &Written,
) -> Result<()> {
    sql("UPDATE messages SET body_ciphertext = $3, citations = $4, confidence = $5, model_name = $6, model_version = $7, \
             version = version + 1 WHERE facility_id = $1 AND id = $2 AND deleted_at IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Bytea, _>(body_ciphertext)
    .bind::<Jsonb, _>(serde_json::to_value(&written.citations)?)
    .bind::<Nullable<Double>, _>(written.confidence)
    .bind::<Nullable<Text>, _>(written.model.clone())
    .bind::<Nullable<Text>, _>(written.model_version.clone())
    .execute(&mut db)
    .await?;
    Ok(())
}
