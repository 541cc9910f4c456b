//! SQL of what is on its way to people outside.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::sql;
use crate::domains::chat::whatsapp::model::{
    Delivery, WhatsappAutomaticReply, WhatsappDeliveryStatus, WhatsappIntegrationStatus,
};
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, MessageId, PatientId, WhatsappContactId, WhatsappIntegrationId};

#[derive(Debug, QueryableByName)]
struct DeliveryRow {
    #[diesel(sql_type = SqlUuid)]
    message_id: MessageId,
    #[diesel(sql_type = Nullable<Text>)]
    automatic: Option<WhatsappAutomaticReply>,
    #[diesel(sql_type = Text)]
    status: WhatsappDeliveryStatus,
    #[diesel(sql_type = Nullable<Text>)]
    error_code: Option<String>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    queued_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    sent_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    delivered_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    read_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    failed_at: Option<DateTime<Utc>>,
}

pub(in crate::domains::chat::whatsapp) async fn of_messages(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    messages: &[MessageId],
) -> Result<Vec<Delivery>> {
    let rows: Vec<DeliveryRow> =
        sql("SELECT * FROM whatsapp_deliveries WHERE facility_id = $1 AND message_id = ANY ($2)")
            .bind::<SqlUuid, _>(facility)
            .bind::<Array<SqlUuid>, _>(messages.to_vec())
            .load(&mut db)
            .await?;
    let delivery = |row: DeliveryRow| Delivery {
        message: row.message_id,
        automatic: row.automatic,
        status: row.status,
        error_code: row.error_code,
        attempts: row.attempts,
        queued_at: row.queued_at,
        sent_at: row.sent_at,
        delivered_at: row.delivered_at,
        read_at: row.read_at,
        failed_at: row.failed_at,
    };
    Ok(rows.into_iter().map(delivery).collect())
}

pub(in crate::domains::chat::whatsapp) async fn insert(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    contact: WhatsappContactId,
    automatic: Option<WhatsappAutomaticReply>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO whatsapp_deliveries (facility_id, message_id, contact_id, automatic, status, queued_at) \
         VALUES ($1, $2, $3, $4, 'queued', $5)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<SqlUuid, _>(contact)
    .bind::<Nullable<Text>, _>(automatic)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// A message on its way, with all it takes to send it.
#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::whatsapp) struct Line {
    #[diesel(sql_type = SqlUuid)]
    pub message_id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub contact_id: WhatsappContactId,
    #[diesel(sql_type = SqlUuid)]
    pub conversation_id: ConversationId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = SqlUuid)]
    pub integration_id: WhatsappIntegrationId,
    #[diesel(sql_type = Text)]
    pub integration_status: WhatsappIntegrationStatus,
    #[diesel(sql_type = Nullable<Text>)]
    pub last_fault: Option<String>,
    #[diesel(sql_type = Text)]
    pub phone_number_id: String,
    #[diesel(sql_type = Bytea)]
    pub access_token_ciphertext: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub phone_ciphertext: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub last_received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub opted_out_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub deleted_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub automatic: Option<WhatsappAutomaticReply>,
    #[diesel(sql_type = Text)]
    pub status: WhatsappDeliveryStatus,
    #[diesel(sql_type = Nullable<Text>)]
    pub error_code: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub uncertain_at: Option<DateTime<Utc>>,
}

pub(in crate::domains::chat::whatsapp) async fn line(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
) -> Result<Option<Line>> {
    Ok(sql(
        "SELECT d.message_id, d.contact_id, m.conversation_id, v.patient_id, c.integration_id, \
             i.status AS integration_status, i.last_fault, i.phone_number_id, i.access_token_ciphertext, \
             c.phone_ciphertext, c.last_received_at, c.opted_out_at, m.deleted_at, d.automatic, d.status, d.error_code, \
             d.uncertain_at \
         FROM whatsapp_deliveries d \
         JOIN messages m ON m.facility_id = d.facility_id AND m.id = d.message_id \
         JOIN conversations v ON v.facility_id = m.facility_id AND v.id = m.conversation_id \
         JOIN whatsapp_contacts c ON c.facility_id = d.facility_id AND c.id = d.contact_id \
         JOIN whatsapp_integrations i ON i.facility_id = c.facility_id AND i.id = c.integration_id \
         WHERE d.facility_id = $1 AND d.message_id = $2",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// Which message to somebody is first in line: the oldest that waits or is being sent. One of which nobody knows whether
/// it was sent holds up nothing: it was tried before what comes after it.
pub(in crate::domains::chat::whatsapp) async fn first_in_line(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    contact: WhatsappContactId,
) -> Result<Option<MessageId>> {
    #[derive(QueryableByName)]
    struct First {
        #[diesel(sql_type = SqlUuid)]
        message_id: MessageId,
    }
    let first: Option<First> = sql("SELECT d.message_id FROM whatsapp_deliveries d \
         JOIN messages m ON m.facility_id = d.facility_id AND m.id = d.message_id \
         WHERE d.facility_id = $1 AND d.contact_id = $2 AND d.status IN ('queued', 'sending') \
           AND (d.status = 'queued' OR d.uncertain_at IS NULL) \
         ORDER BY m.conversation_id, m.sequence LIMIT 1")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(contact)
    .get_result(&mut db)
    .await
    .optional()?;
    Ok(first.map(|first| first.message_id))
}

pub(in crate::domains::chat::whatsapp) async fn set_sending(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_deliveries SET status = 'sending', sending_at = $3, uncertain_at = NULL, error_code = NULL, \
             attempts = attempts + 1 WHERE facility_id = $1 AND message_id = $2 AND status = 'queued'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Nobody knows whether it was sent.
pub(in crate::domains::chat::whatsapp) async fn set_uncertain(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_deliveries SET uncertain_at = $3 \
         WHERE facility_id = $1 AND message_id = $2 AND status = 'sending' AND uncertain_at IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// It was not taken and waits again, unless there was news meanwhile.
pub(in crate::domains::chat::whatsapp) async fn set_waiting(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    error_code: &str,
) -> Result<()> {
    sql("UPDATE whatsapp_deliveries SET status = 'queued', error_code = $3, uncertain_at = NULL \
         WHERE facility_id = $1 AND message_id = $2 AND status = 'sending'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<Text, _>(error_code)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// It is given up, unless there was news meanwhile.
pub(in crate::domains::chat::whatsapp) async fn set_failed(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    error_code: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let failed = sql("UPDATE whatsapp_deliveries SET status = 'failed', error_code = $3, failed_at = $4 \
         WHERE facility_id = $1 AND message_id = $2 AND status IN ('queued', 'sending')")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<Text, _>(error_code)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(failed == 1)
}

/// The provider has taken it. Whether that is news: it may have told of it before it answered.
pub(in crate::domains::chat::whatsapp) async fn set_taken(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    wamid_term: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Was {
        #[diesel(sql_type = Text)]
        status: WhatsappDeliveryStatus,
    }
    let was: Option<Was> =
        sql("SELECT status FROM whatsapp_deliveries WHERE facility_id = $1 AND message_id = $2 FOR NO KEY UPDATE")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(message)
            .get_result(&mut db)
            .await
            .optional()?;
    sql("UPDATE whatsapp_deliveries SET wamid_term = coalesce(wamid_term, $3), sent_at = coalesce(sent_at, $4), \
             uncertain_at = NULL, error_code = CASE WHEN status = 'failed' THEN error_code END, \
             status = CASE WHEN status IN ('queued', 'sending') THEN 'sent' ELSE status END \
         WHERE facility_id = $1 AND message_id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<BigInt, _>(wamid_term)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(was.is_some_and(|was| was.status.moves_to(WhatsappDeliveryStatus::Sent, false)))
}

/// A message there is news of.
#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::whatsapp) struct Known {
    #[diesel(sql_type = SqlUuid)]
    pub message_id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub conversation_id: ConversationId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
}

/// By how it was named when it was sent, or by the id the provider gave it; of this number alone.
pub(in crate::domains::chat::whatsapp) async fn known(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    integration: WhatsappIntegrationId,
    reference: Option<MessageId>,
    wamid_term: i64,
) -> Result<Option<Known>> {
    Ok(sql("SELECT d.message_id, m.conversation_id, v.patient_id FROM whatsapp_deliveries d \
         JOIN whatsapp_contacts c ON c.facility_id = d.facility_id AND c.id = d.contact_id \
         JOIN messages m ON m.facility_id = d.facility_id AND m.id = d.message_id \
         JOIN conversations v ON v.facility_id = m.facility_id AND v.id = m.conversation_id \
         WHERE d.facility_id = $1 AND c.integration_id = $2 AND (d.message_id = $3 OR d.wamid_term = $4) \
         ORDER BY d.wamid_term = $4 DESC NULLS LAST LIMIT 1")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(integration)
    .bind::<Nullable<SqlUuid>, _>(reference)
    .bind::<BigInt, _>(wamid_term)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// How far a message has got, and why it failed if it did; taken for this transaction.
#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::whatsapp) struct Standing {
    #[diesel(sql_type = Text)]
    pub status: WhatsappDeliveryStatus,
    #[diesel(sql_type = Nullable<Text>)]
    pub error_code: Option<String>,
    #[diesel(sql_type = SqlUuid)]
    pub contact_id: WhatsappContactId,
}

pub(in crate::domains::chat::whatsapp) async fn lock(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
) -> Result<Option<Standing>> {
    Ok(sql(
        "SELECT status, error_code, contact_id FROM whatsapp_deliveries WHERE facility_id = $1 AND message_id = $2 \
         FOR NO KEY UPDATE",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// What the provider says of a message; the status stays where `status` is `None`, its time is kept all the same.
pub(in crate::domains::chat::whatsapp) async fn set_news(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    wamid_term: i64,
    (told, moves): (WhatsappDeliveryStatus, bool),
    error_code: Option<String>,
    at: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_deliveries SET wamid_term = coalesce(wamid_term, $3), \
             status = CASE WHEN $5 THEN $4 ELSE status END, \
             sent_at = CASE WHEN $4 = 'sent' THEN coalesce(sent_at, $7) ELSE sent_at END, \
             delivered_at = CASE WHEN $4 = 'delivered' THEN coalesce(delivered_at, $7) ELSE delivered_at END, \
             read_at = CASE WHEN $4 = 'read' THEN coalesce(read_at, $7) ELSE read_at END, \
             failed_at = CASE WHEN NOT $5 THEN failed_at WHEN $4 = 'failed' THEN $7 END, \
             error_code = CASE WHEN $5 THEN $6 ELSE error_code END, \
             uncertain_at = CASE WHEN $5 THEN NULL ELSE uncertain_at END \
         WHERE facility_id = $1 AND message_id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<BigInt, _>(wamid_term)
    .bind::<Text, _>(told)
    .bind::<diesel::sql_types::Bool, _>(moves)
    .bind::<Nullable<Text>, _>(error_code)
    .bind::<Timestamptz, _>(at)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// A message that failed is to be sent once more.
pub(in crate::domains::chat::whatsapp) async fn set_queued_again(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let queued = sql("UPDATE whatsapp_deliveries SET status = 'queued', queued_at = $3, failed_at = NULL, \
             error_code = NULL, uncertain_at = NULL, wamid_term = NULL \
         WHERE facility_id = $1 AND message_id = $2 AND status = 'failed'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(queued == 1)
}

/// To whom a message goes; `None` when it goes nowhere.
pub(in crate::domains::chat::whatsapp) async fn contact_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
) -> Result<Option<WhatsappContactId>> {
    #[derive(QueryableByName)]
    struct To {
        #[diesel(sql_type = SqlUuid)]
        contact_id: WhatsappContactId,
    }
    let to: Option<To> = sql("SELECT contact_id FROM whatsapp_deliveries WHERE facility_id = $1 AND message_id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(message)
        .get_result(&mut db)
        .await
        .optional()?;
    Ok(to.map(|to| to.contact_id))
}
