//! SQL of one message about to be changed, and of what belongs to messages.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::sql;
use crate::domains::chat::messages::parts::Reaction;
use crate::domains::chat::model::MessageKind;
use crate::error::Result;
use crate::ids::{ConversationId, DocumentId, FacilityId, MessageId, UserId};

/// A message about to be changed.
#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::messages) struct Target {
    #[diesel(sql_type = SqlUuid)]
    pub conversation_id: ConversationId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub author_user_id: Option<UserId>,
    #[diesel(sql_type = Text)]
    pub kind: MessageKind,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub body_ciphertext: Option<Vec<u8>>,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub edited_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub deleted_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    pub version: i32,
}

pub(in crate::domains::chat::messages) async fn target(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
) -> Result<Option<Target>> {
    Ok(sql(
        "SELECT conversation_id, author_user_id, kind, body_ciphertext, created_at, edited_at, deleted_at, version \
         FROM messages WHERE facility_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .get_result(&mut db)
    .await
    .optional()?)
}

pub(in crate::domains::chat::messages) async fn set_body(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    body_ciphertext: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE messages SET body_ciphertext = $3, edited_at = $4, version = version + 1 WHERE facility_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<Bytea, _>(body_ciphertext)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::chat::messages) async fn keep_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: Uuid,
    message: MessageId,
    body_ciphertext: Vec<u8>,
    written_at: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO message_versions (facility_id, id, message_id, body_ciphertext, written_at) VALUES ($1, $2, $3, $4, $5)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(message)
        .bind::<Bytea, _>(body_ciphertext)
        .bind::<Timestamptz, _>(written_at)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Takes a message out of search.
pub(in crate::domains::chat::messages) async fn forget(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
) -> Result<()> {
    for statement in [
        "DELETE FROM message_terms WHERE facility_id = $1 AND message_id = $2",
        "DELETE FROM message_embeddings WHERE facility_id = $1 AND message_id = $2",
    ] {
        sql(statement).bind::<SqlUuid, _>(facility).bind::<SqlUuid, _>(id).execute(&mut db).await?;
    }
    Ok(())
}

/// What belongs to a message, and goes with its text.
const ERASE: &[&str] = &[
    "DELETE FROM message_versions WHERE facility_id = $1 AND message_id = $2",
    "DELETE FROM message_reactions WHERE facility_id = $1 AND message_id = $2",
    "DELETE FROM message_mentions WHERE facility_id = $1 AND message_id = $2",
    "DELETE FROM message_attachments WHERE facility_id = $1 AND message_id = $2",
];

pub(in crate::domains::chat::messages) async fn erase(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MessageId,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    for statement in ERASE {
        sql(statement).bind::<SqlUuid, _>(facility).bind::<SqlUuid, _>(id).execute(&mut db).await?;
    }
    sql("UPDATE messages SET body_ciphertext = NULL, citations = NULL, deleted_at = $4, deleted_by = $3, version = version + 1 \
         WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(by)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Whether that changed anything.
pub(in crate::domains::chat::messages) async fn react(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    user: UserId,
    emoji: &str,
    wanted: bool,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = if wanted {
        sql("INSERT INTO message_reactions (facility_id, message_id, user_id, emoji, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(message)
        .bind::<SqlUuid, _>(user)
        .bind::<Text, _>(emoji)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?
    } else {
        sql("DELETE FROM message_reactions WHERE facility_id = $1 AND message_id = $2 AND user_id = $3 AND emoji = $4")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(message)
            .bind::<SqlUuid, _>(user)
            .bind::<Text, _>(emoji)
            .execute(&mut db)
            .await?
    };
    Ok(changed == 1)
}

/// How many of the users take part, and are named now.
pub(in crate::domains::chat::messages) async fn mention(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    message: MessageId,
    users: &[UserId],
) -> Result<usize> {
    Ok(sql("INSERT INTO message_mentions (facility_id, message_id, user_id) \
         SELECT $1, $3, p.user_id FROM conversation_participants p WHERE p.facility_id = $1 \
           AND p.conversation_id = $2 AND p.user_id = ANY ($4) AND p.left_at IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(conversation)
    .bind::<SqlUuid, _>(message)
    .bind::<Array<SqlUuid>, _>(users.to_vec())
    .execute(&mut db)
    .await?)
}

pub(in crate::domains::chat::messages) async fn clear_mentions(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
) -> Result<()> {
    sql("DELETE FROM message_mentions WHERE facility_id = $1 AND message_id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(message)
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::chat::messages) async fn attach(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    documents: &[DocumentId],
) -> Result<()> {
    sql("INSERT INTO message_attachments (facility_id, message_id, document_id, position) \
         SELECT $1, $2, d.id, d.place - 1 FROM unnest($3::uuid[]) WITH ORDINALITY AS d (id, place)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<Array<SqlUuid>, _>(documents.to_vec())
    .execute(&mut db)
    .await?;
    Ok(())
}

#[derive(Debug, QueryableByName)]
pub(in crate::domains::chat::messages) struct VersionRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub message_id: MessageId,
    #[diesel(sql_type = Bytea)]
    pub body_ciphertext: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub written_at: DateTime<Utc>,
}

pub(in crate::domains::chat::messages) async fn versions_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    messages: &[MessageId],
) -> Result<Vec<VersionRow>> {
    Ok(sql("SELECT id, message_id, body_ciphertext, written_at FROM message_versions \
         WHERE facility_id = $1 AND message_id = ANY ($2) ORDER BY message_id, id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(messages.to_vec())
    .load(&mut db)
    .await?)
}

pub(in crate::domains::chat::messages) async fn reactions_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    messages: &[MessageId],
) -> Result<Vec<Reaction>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        message_id: MessageId,
        #[diesel(sql_type = SqlUuid)]
        user_id: UserId,
        #[diesel(sql_type = Text)]
        emoji: String,
    }
    let rows: Vec<Row> = sql("SELECT message_id, user_id, emoji FROM message_reactions \
         WHERE facility_id = $1 AND message_id = ANY ($2) ORDER BY message_id, created_at, user_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(messages.to_vec())
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| Reaction { message: row.message_id, user: row.user_id, emoji: row.emoji }).collect())
}

/// Rows of a message and something of its own.
macro_rules! pairs {
    ($db:expr, $statement:literal, $facility:expr, $messages:expr, $other:ty) => {{
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = SqlUuid)]
            message_id: MessageId,
            #[diesel(sql_type = SqlUuid)]
            other_id: $other,
        }
        let rows: Vec<Row> = sql($statement)
            .bind::<SqlUuid, _>($facility)
            .bind::<Array<SqlUuid>, _>($messages.to_vec())
            .load(&mut $db)
            .await?;
        Ok(rows.into_iter().map(|row| (row.message_id, row.other_id)).collect())
    }};
}

pub(in crate::domains::chat::messages) async fn mentions_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    messages: &[MessageId],
) -> Result<Vec<(MessageId, UserId)>> {
    pairs!(
        db,
        "SELECT message_id, user_id AS other_id FROM message_mentions \
         WHERE facility_id = $1 AND message_id = ANY ($2) ORDER BY message_id, user_id",
        facility,
        messages,
        UserId
    )
}

pub(in crate::domains::chat::messages) async fn attachments_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    messages: &[MessageId],
) -> Result<Vec<(MessageId, DocumentId)>> {
    pairs!(
        db,
        "SELECT message_id, document_id AS other_id FROM message_attachments \
         WHERE facility_id = $1 AND message_id = ANY ($2) ORDER BY message_id, position",
        facility,
        messages,
        DocumentId
    )
}
