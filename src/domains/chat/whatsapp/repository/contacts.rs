//! SQL of people outside, of their conversations, and of what has come from them.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::sql;
use crate::domains::chat::model::ConversationStatus;
use crate::domains::chat::whatsapp::model::WhatsappIntegrationStatus;
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, PatientId, UserId, WhatsappContactId, WhatsappIntegrationId};

#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::whatsapp) struct ContactRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: WhatsappContactId,
    #[diesel(sql_type = Bytea)]
    pub phone_ciphertext: Vec<u8>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub name_ciphertext: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub linked_by: Option<UserId>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub linked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    pub last_received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub opted_out_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub closed_replied_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub crisis_at: Option<DateTime<Utc>>,
}

pub(in crate::domains::chat::whatsapp) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[WhatsappContactId],
) -> Result<Vec<ContactRow>> {
    Ok(sql("SELECT * FROM whatsapp_contacts WHERE facility_id = $1 AND id = ANY ($2)")
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<SqlUuid>, _>(ids.to_vec())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::chat::whatsapp) async fn lock(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappContactId,
) -> Result<Option<ContactRow>> {
    Ok(sql("SELECT * FROM whatsapp_contacts WHERE facility_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?)
}

/// Makes whoever has that number known unless they are; who makes them at the same time waits, and finds them.
pub(in crate::domains::chat::whatsapp) async fn make(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappContactId,
    integration: WhatsappIntegrationId,
    (phone_ciphertext, phone_term): (Vec<u8>, i64),
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO whatsapp_contacts (facility_id, id, integration_id, phone_ciphertext, phone_term, last_received_at, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (facility_id, integration_id, phone_term) DO NOTHING")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(integration)
    .bind::<Bytea, _>(phone_ciphertext)
    .bind::<BigInt, _>(phone_term)
    .bind::<Timestamptz, _>(at)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(in crate::domains::chat::whatsapp) async fn lock_by_phone(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    integration: WhatsappIntegrationId,
    phone_term: i64,
) -> Result<Option<ContactRow>> {
    Ok(sql("SELECT * FROM whatsapp_contacts WHERE facility_id = $1 AND integration_id = $2 AND phone_term = $3 \
         FOR NO KEY UPDATE")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(integration)
    .bind::<BigInt, _>(phone_term)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// What a message changes of whoever wrote it.
#[derive(Debug)]
pub(in crate::domains::chat::whatsapp) struct Heard {
    pub at: DateTime<Utc>,
    /// `None` leaves it.
    pub name_ciphertext: Option<Vec<u8>>,
    pub opted_out_at: Option<DateTime<Utc>>,
    pub closed_replied_at: Option<DateTime<Utc>>,
    pub crisis_at: Option<DateTime<Utc>>,
}

pub(in crate::domains::chat::whatsapp) async fn set_heard(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappContactId,
    heard: Heard,
) -> Result<()> {
    sql("UPDATE whatsapp_contacts SET last_received_at = greatest(last_received_at, $3), \
             name_ciphertext = coalesce($4, name_ciphertext), opted_out_at = $5, closed_replied_at = $6, crisis_at = $7 \
         WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(heard.at)
    .bind::<Nullable<Bytea>, _>(heard.name_ciphertext)
    .bind::<Nullable<Timestamptz>, _>(heard.opted_out_at)
    .bind::<Nullable<Timestamptz>, _>(heard.closed_replied_at)
    .bind::<Nullable<Timestamptz>, _>(heard.crisis_at)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Says which patient somebody is, or that it is not known, also in what goes on with them.
pub(in crate::domains::chat::whatsapp) async fn set_patient(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappContactId,
    patient: Option<PatientId>,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    for statement in [
        "UPDATE whatsapp_contacts SET patient_id = $3, linked_by = CASE WHEN $3 IS NOT NULL THEN $4 END, \
             linked_at = CASE WHEN $3 IS NOT NULL THEN $5 END WHERE facility_id = $1 AND id = $2",
        "UPDATE conversations SET patient_id = $3, version = version + 1 \
         WHERE facility_id = $1 AND whatsapp_contact_id = $2 AND status <> 'completed' \
           AND $4 IS NOT NULL AND $5 IS NOT NULL",
    ] {
        sql(statement)
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(id)
            .bind::<Nullable<SqlUuid>, _>(patient)
            .bind::<SqlUuid, _>(by)
            .bind::<Timestamptz, _>(now)
            .execute(&mut db)
            .await?;
    }
    Ok(())
}

/// A conversation with somebody outside that is not over.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(in crate::domains::chat::whatsapp) struct Current {
    #[diesel(sql_type = SqlUuid)]
    pub id: ConversationId,
    #[diesel(sql_type = Text)]
    pub status: ConversationStatus,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
}

/// The one begun last, taken for this transaction.
pub(in crate::domains::chat::whatsapp) async fn current(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    contact: WhatsappContactId,
) -> Result<Option<Current>> {
    Ok(sql("SELECT id, status, patient_id FROM conversations WHERE facility_id = $1 AND whatsapp_contact_id = $2 \
         AND status <> 'completed' ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(contact)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// Takes a conversation for this transaction; whether it is there.
pub(in crate::domains::chat::whatsapp) async fn lock_conversation(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ConversationId,
) -> Result<Option<Current>> {
    Ok(sql("SELECT id, status, patient_id FROM conversations WHERE facility_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?)
}

/// Whether somebody may be written to, and how they are reached.
#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::whatsapp) struct Reach {
    #[diesel(sql_type = Timestamptz)]
    pub last_received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub opted_out_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    pub status: WhatsappIntegrationStatus,
}

pub(in crate::domains::chat::whatsapp) async fn reach(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    contact: WhatsappContactId,
) -> Result<Option<Reach>> {
    Ok(sql("SELECT c.last_received_at, c.opted_out_at, i.status FROM whatsapp_contacts c \
         JOIN whatsapp_integrations i ON i.facility_id = c.facility_id AND i.id = c.integration_id \
         WHERE c.facility_id = $1 AND c.id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(contact)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// Whether a message comes for the first time.
pub(in crate::domains::chat::whatsapp) async fn is_first(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    integration: WhatsappIntegrationId,
    wamid_term: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let inserted = sql("INSERT INTO whatsapp_receipts (facility_id, integration_id, wamid_term, received_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(integration)
    .bind::<BigInt, _>(wamid_term)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(inserted == 1)
}

/// Forgets what came so long ago that it would not be taken again.
pub(in crate::domains::chat::whatsapp) async fn forget_before(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    integration: WhatsappIntegrationId,
    before: DateTime<Utc>,
) -> Result<()> {
    sql("DELETE FROM whatsapp_receipts WHERE facility_id = $1 AND integration_id = $2 AND received_at < $3")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(integration)
        .bind::<Timestamptz, _>(before)
        .execute(&mut db)
        .await?;
    Ok(())
}
