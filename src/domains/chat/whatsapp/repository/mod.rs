//! SQL of numbers.

pub(super) mod contacts;
pub(super) mod deliveries;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::Value;

use super::model::{IntegrationSetup, WhatsappIntegrationStatus};
use crate::db::sql;
use crate::error::{Result, violated_constraint};
use crate::ids::{FacilityId, UserId, WhatsappIntegrationId};
use crate::whatsapp::BusinessNumber;

#[derive(Debug, QueryableByName)]
pub(super) struct IntegrationRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: WhatsappIntegrationId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub phone_number_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub business_account_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub display_phone_number: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub verified_name: Option<String>,
    #[diesel(sql_type = Bytea)]
    pub access_token_ciphertext: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub app_secret_ciphertext: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub verify_token_hash: Vec<u8>,
    #[diesel(sql_type = Text)]
    pub status: WhatsappIntegrationStatus,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub verified_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub last_fault: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_fault_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub business_hours: Option<Value>,
    #[diesel(sql_type = Nullable<Text>)]
    pub closed_reply: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub crisis_reply: Option<String>,
    #[diesel(sql_type = SqlUuid)]
    pub hand_over_to: UserId,
    #[diesel(sql_type = SqlUuid)]
    pub created_by: UserId,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    pub version: i32,
}

/// By name.
pub(super) async fn list(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<Vec<IntegrationRow>> {
    Ok(sql("SELECT * FROM whatsapp_integrations WHERE facility_id = $1 ORDER BY name, id")
        .bind::<SqlUuid, _>(facility)
        .load(&mut db)
        .await?)
}

pub(super) async fn count(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        integrations: i64,
    }
    let counted: Counted = sql("SELECT count(*) AS integrations FROM whatsapp_integrations WHERE facility_id = $1")
        .bind::<SqlUuid, _>(facility)
        .get_result(&mut db)
        .await?;
    Ok(counted.integrations)
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
) -> Result<Option<IntegrationRow>> {
    Ok(sql("SELECT * FROM whatsapp_integrations WHERE facility_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?)
}

/// The same, taken for this transaction.
pub(super) async fn lock(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
) -> Result<Option<IntegrationRow>> {
    Ok(sql("SELECT * FROM whatsapp_integrations WHERE facility_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?)
}

/// What is stored of a new number beside what the facility says of it.
pub(super) struct NewRow {
    pub id: WhatsappIntegrationId,
    pub phone_number_id: String,
    pub access_token_ciphertext: Vec<u8>,
    pub app_secret_ciphertext: Vec<u8>,
    pub verify_token_hash: Vec<u8>,
    pub created_by: UserId,
}

/// False when the number is set up already.
pub(super) async fn insert(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    new: NewRow,
    setup: &IntegrationSetup,
    now: DateTime<Utc>,
) -> Result<bool> {
    let inserted =
        sql("INSERT INTO whatsapp_integrations (facility_id, id, name, phone_number_id, business_account_id, \
             access_token_ciphertext, app_secret_ciphertext, verify_token_hash, status, business_hours, closed_reply, \
             crisis_reply, hand_over_to, created_by, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $12, $13, $14, $14)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(new.id)
        .bind::<Text, _>(setup.name.clone())
        .bind::<Text, _>(new.phone_number_id)
        .bind::<Nullable<Text>, _>(setup.business_account_id.clone())
        .bind::<Bytea, _>(new.access_token_ciphertext)
        .bind::<Bytea, _>(new.app_secret_ciphertext)
        .bind::<Bytea, _>(new.verify_token_hash)
        .bind::<Nullable<Jsonb>, _>(hours(setup)?)
        .bind::<Nullable<Text>, _>(setup.closed_reply.clone())
        .bind::<Nullable<Text>, _>(setup.crisis_reply.clone())
        .bind::<SqlUuid, _>(setup.hand_over_to)
        .bind::<SqlUuid, _>(new.created_by)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if violated_constraint(&error) == Some("whatsapp_integrations_facility_id_phone_number_id_key") => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn hours(setup: &IntegrationSetup) -> Result<Option<Value>> {
    Ok(setup.business_hours.as_ref().map(serde_json::to_value).transpose()?)
}

/// What is `None` of the secrets stays.
pub(super) async fn update(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    setup: &IntegrationSetup,
    (access_token, app_secret): (Option<Vec<u8>>, Option<Vec<u8>>),
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_integrations SET name = $3, business_account_id = $4, \
             access_token_ciphertext = coalesce($5, access_token_ciphertext), \
             app_secret_ciphertext = coalesce($6, app_secret_ciphertext), business_hours = $7, closed_reply = $8, \
             crisis_reply = $9, hand_over_to = $10, updated_at = $11, version = version + 1 \
         WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(setup.name.clone())
    .bind::<Nullable<Text>, _>(setup.business_account_id.clone())
    .bind::<Nullable<Bytea>, _>(access_token)
    .bind::<Nullable<Bytea>, _>(app_secret)
    .bind::<Nullable<Jsonb>, _>(hours(setup)?)
    .bind::<Nullable<Text>, _>(setup.closed_reply.clone())
    .bind::<Nullable<Text>, _>(setup.crisis_reply.clone())
    .bind::<SqlUuid, _>(setup.hand_over_to)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(super) async fn set_token(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_integrations SET verify_token_hash = $3, updated_at = $4, version = version + 1 \
         WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Bytea, _>(hash)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(super) async fn set_status(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    status: WhatsappIntegrationStatus,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_integrations SET status = $3, updated_at = $4, version = version + 1 \
         WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(status)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// The provider has shown the token.
pub(super) async fn set_verified(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql(
        "UPDATE whatsapp_integrations SET status = 'active', verified_at = $3, updated_at = $3, version = version + 1 \
         WHERE facility_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// The provider has told of the number: the credentials are good.
pub(super) async fn set_number(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    number: BusinessNumber,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE whatsapp_integrations SET display_phone_number = $3, verified_name = $4, last_fault = NULL, \
             last_fault_at = NULL, updated_at = $5, version = version + 1 WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(number.display_phone_number)
    .bind::<Nullable<Text>, _>(number.verified_name)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// By which code the provider refuses the credentials; `None` when it takes them. No change anybody read the version for.
pub(super) async fn set_fault(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    fault: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql(
        "UPDATE whatsapp_integrations SET last_fault = $3, last_fault_at = CASE WHEN $3::text IS NOT NULL THEN $4 END \
         WHERE facility_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Nullable<Text>, _>(fault.map(ToOwned::to_owned))
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(super) async fn set_members(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: WhatsappIntegrationId,
    users: &[UserId],
) -> Result<()> {
    sql("DELETE FROM whatsapp_integration_members WHERE facility_id = $1 AND integration_id = $2 AND user_id <> ALL ($3)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<Array<SqlUuid>, _>(users.to_vec())
        .execute(&mut db)
        .await?;
    sql("INSERT INTO whatsapp_integration_members (facility_id, integration_id, user_id) \
         SELECT $1, $2, u FROM unnest($3::uuid[]) AS u ON CONFLICT DO NOTHING")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Array<SqlUuid>, _>(users.to_vec())
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Who takes part in new conversations, by number.
pub(super) async fn members_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[WhatsappIntegrationId],
) -> Result<Vec<(WhatsappIntegrationId, UserId)>> {
    #[derive(QueryableByName)]
    struct Seat {
        #[diesel(sql_type = SqlUuid)]
        integration_id: WhatsappIntegrationId,
        #[diesel(sql_type = SqlUuid)]
        user_id: UserId,
    }
    let seats: Vec<Seat> = sql("SELECT integration_id, user_id FROM whatsapp_integration_members \
         WHERE facility_id = $1 AND integration_id = ANY ($2) ORDER BY integration_id, user_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(ids.to_vec())
    .load(&mut db)
    .await?;
    Ok(seats.into_iter().map(|seat| (seat.integration_id, seat.user_id)).collect())
}
