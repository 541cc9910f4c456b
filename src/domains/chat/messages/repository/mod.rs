//! SQL of messages. What is not the caller's is not there: the database's policy narrows every statement.

mod answers;
mod parts;
mod received;

pub(super) use answers::{Asker, answers_of, expect, expected, grow, insert_answer, settle, write};
pub(super) use parts::{
    Target, VersionRow, attach, attachments_of, clear_mentions, erase, forget, keep_version, mention, mentions_of,
    react, reactions_of, set_body, target, versions_of,
};
pub(super) use received::{audience, insert_of_nobody};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::sql;
use crate::domains::chat::model::{ConversationStatus, MessageKind, MessageSensitivity, MessageSystemEvent};
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, MessageId, PatientId, TypedId as _, UserId, WhatsappContactId, new_id};
use crate::pagination::{End, WindowRequest};

#[derive(Debug, QueryableByName)]
pub(super) struct MessageRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub conversation_id: ConversationId,
    /// Whom the conversation is about.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub author_user_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub contact_id: Option<WhatsappContactId>,
    #[diesel(sql_type = Text)]
    pub kind: MessageKind,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub body_ciphertext: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub system_event: Option<MessageSystemEvent>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub system_subject_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub thread_root_id: Option<MessageId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub parent_id: Option<MessageId>,
    #[diesel(sql_type = Text)]
    pub sensitivity: MessageSensitivity,
    #[diesel(sql_type = Nullable<Text>)]
    pub model_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub model_version: Option<String>,
    #[diesel(sql_type = Nullable<Double>)]
    pub confidence: Option<f64>,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub edited_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub deleted_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    pub version: i32,
}

macro_rules! columns {
    () => {
        "m.id, m.conversation_id, m.sequence, m.author_user_id, m.contact_id, m.kind, m.body_ciphertext, m.system_event, \
         m.system_subject_id, m.thread_root_id, m.parent_id, m.sensitivity, m.model_name, m.model_version, m.confidence, \
         m.created_at, m.edited_at, m.deleted_at, m.version"
    };
}

/// A conversation that has given out the number of its next message.
#[derive(Debug, QueryableByName)]
pub(super) struct Numbered {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = Text)]
    pub status: ConversationStatus,
    #[diesel(sql_type = BigInt)]
    pub last_sequence: i64,
    /// With whom outside it is.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub whatsapp_contact_id: Option<WhatsappContactId>,
}

/// Takes the next `count` numbers of a conversation, and its row until the transaction ends.
pub(super) async fn number(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    count: i64,
    now: DateTime<Utc>,
) -> Result<Option<Numbered>> {
    Ok(sql("UPDATE conversations SET last_sequence = last_sequence + $3, last_activity_at = greatest(last_activity_at, $4) \
         WHERE facility_id = $1 AND id = $2 RETURNING patient_id, status, last_sequence, whatsapp_contact_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(conversation)
    .bind::<BigInt, _>(count)
    .bind::<Timestamptz, _>(now)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// A message about to be sent.
#[derive(Debug)]
pub(super) struct NewMessage {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub sequence: i64,
    pub author: UserId,
    pub kind: MessageKind,
    pub body_ciphertext: Vec<u8>,
    pub parent: Option<MessageId>,
    pub sensitivity: MessageSensitivity,
    pub now: DateTime<Utc>,
}

/// Who takes part when it is sent. `None` when whoever sends it takes no part any more or only observes, or there is no
/// such message to answer. Asked with the number in hand, so after whoever was taken out meanwhile is gone.
/// Who was there when a message was sent.
#[derive(QueryableByName)]
pub(super) struct Sent {
    #[diesel(sql_type = Array<SqlUuid>)]
    pub audience: Vec<UserId>,
    /// Those of them who want notifications.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub unmuted: Vec<UserId>,
}

pub(super) async fn insert(mut db: &AsyncPgConnection, facility: FacilityId, new: NewMessage) -> Result<Option<Sent>> {
    let sent = sql(
        "INSERT INTO messages (facility_id, id, conversation_id, sequence, author_user_id, kind, body_ciphertext, \
             thread_root_id, parent_id, sensitivity, created_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, coalesce(m.thread_root_id, m.id), m.id, $9, $10 \
         FROM conversation_participants p LEFT JOIN messages m \
           ON m.facility_id = $1 AND m.id = $8 AND m.conversation_id = $3 \
         WHERE p.facility_id = $1 AND p.conversation_id = $3 AND p.user_id = $5 AND p.left_at IS NULL \
           AND p.role <> 'observer' AND ($8 IS NULL OR m.id IS NOT NULL) \
         RETURNING ARRAY(SELECT a.user_id FROM conversation_participants a WHERE a.facility_id = $1 \
           AND a.conversation_id = $3 AND a.left_at IS NULL) AS audience, \
           ARRAY(SELECT a.user_id FROM conversation_participants a WHERE a.facility_id = $1 \
           AND a.conversation_id = $3 AND a.left_at IS NULL AND (a.muted_until IS NULL OR a.muted_until <= $10)) \
           AS unmuted",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(new.id)
    .bind::<SqlUuid, _>(new.conversation)
    .bind::<BigInt, _>(new.sequence)
    .bind::<SqlUuid, _>(new.author)
    .bind::<Text, _>(new.kind)
    .bind::<Bytea, _>(new.body_ciphertext)
    .bind::<Nullable<SqlUuid>, _>(new.parent)
    .bind::<Text, _>(new.sensitivity)
    .bind::<Timestamptz, _>(new.now)
    .get_result(&mut db)
    .await
    .optional()?;
    Ok(sent)
}

/// What happened to a conversation, to each of these users; the last number given out is the last one's.
pub(super) async fn insert_events(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    last_sequence: i64,
    event: MessageSystemEvent,
    subjects: &[Option<UserId>],
    now: DateTime<Utc>,
) -> Result<Vec<MessageId>> {
    let ids: Vec<MessageId> = subjects.iter().map(|_| new_id()).collect();
    let before = last_sequence - i64::try_from(subjects.len()).unwrap_or(i64::MAX);
    sql("INSERT INTO messages (facility_id, id, conversation_id, sequence, kind, system_event, system_subject_id, \
             sensitivity, created_at) \
         SELECT $1, e.id, $2, $3 + e.place, 'system', $4, e.subject, 'normal', $7 \
         FROM unnest($5::uuid[], $6::uuid[]) WITH ORDINALITY AS e (id, subject, place)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(conversation)
    .bind::<BigInt, _>(before)
    .bind::<Text, _>(event)
    .bind::<Array<SqlUuid>, _>(ids.clone())
    .bind::<Array<Nullable<SqlUuid>>, _>(subjects.to_vec())
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(ids)
}

pub(super) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[MessageId],
) -> Result<Vec<MessageRow>> {
    Ok(sql(concat!(
        "SELECT c.patient_id, ",
        columns!(),
        " FROM messages m JOIN conversations c ON c.facility_id = m.facility_id AND c.id = m.conversation_id \
          WHERE m.facility_id = $1 AND m.id = ANY ($2)"
    ))
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(ids.to_vec())
    .load(&mut db)
    .await?)
}

/// The last message of each conversation that has one.
pub(super) async fn last_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversations: &[ConversationId],
) -> Result<Vec<MessageRow>> {
    Ok(sql(concat!(
        "SELECT c.patient_id, ",
        columns!(),
        " FROM conversations c JOIN messages m ON m.facility_id = c.facility_id AND m.conversation_id = c.id \
            AND m.sequence = c.last_sequence WHERE c.facility_id = $1 AND c.id = ANY ($2)"
    ))
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(conversations.to_vec())
    .load(&mut db)
    .await?)
}

/// Messages of conversations between two numbers, from one end: `$2` conversations, `$3` after, `$4` before, `$5` how many.
macro_rules! of_conversations {
    ($order:literal) => {
        concat!(
            "SELECT c.patient_id, m.* FROM conversations c CROSS JOIN LATERAL (SELECT ",
            columns!(),
            " FROM messages m WHERE m.facility_id = $1 AND m.conversation_id = c.id AND m.sequence > $3 \
                AND m.sequence < $4 ORDER BY m.sequence ",
            $order,
            " LIMIT $5) m WHERE c.facility_id = $1 AND c.id = ANY ($2) ORDER BY m.conversation_id, m.sequence ",
            $order
        )
    };
}

/// The same of threads, without their first messages: `$2` first messages.
macro_rules! of_threads {
    ($order:literal) => {
        concat!(
            "SELECT c.patient_id, m.* FROM messages r JOIN conversations c \
               ON c.facility_id = r.facility_id AND c.id = r.conversation_id CROSS JOIN LATERAL (SELECT ",
            columns!(),
            " FROM messages m WHERE m.facility_id = $1 AND m.thread_root_id = r.id AND m.sequence > $3 \
                AND m.sequence < $4 ORDER BY m.sequence ",
            $order,
            " LIMIT $5) m WHERE r.facility_id = $1 AND r.id = ANY ($2) ORDER BY m.thread_root_id, m.sequence ",
            $order
        )
    };
}

/// One end of the window of each conversation: one statement for all.
pub(super) async fn windows_of(
    db: &AsyncPgConnection,
    facility: FacilityId,
    conversations: &[ConversationId],
    window: WindowRequest<i64>,
) -> Result<Vec<MessageRow>> {
    let statement = match window.end {
        End::First => of_conversations!("ASC"),
        End::Last => of_conversations!("DESC"),
    };
    let ids = conversations.iter().map(|id| id.uuid()).collect();
    windows(db, statement, facility, ids, window).await
}

/// One end of the window of each thread: one statement for all.
pub(super) async fn replies_of(
    db: &AsyncPgConnection,
    facility: FacilityId,
    roots: &[MessageId],
    window: WindowRequest<i64>,
) -> Result<Vec<MessageRow>> {
    let statement = match window.end {
        End::First => of_threads!("ASC"),
        End::Last => of_threads!("DESC"),
    };
    let ids = roots.iter().map(|id| id.uuid()).collect();
    windows(db, statement, facility, ids, window).await
}

async fn windows(
    mut db: &AsyncPgConnection,
    statement: &'static str,
    facility: FacilityId,
    ids: Vec<Uuid>,
    window: WindowRequest<i64>,
) -> Result<Vec<MessageRow>> {
    Ok(sql(statement)
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<BigInt, _>(window.after.unwrap_or(0))
        .bind::<BigInt, _>(window.before.unwrap_or(i64::MAX))
        .bind::<BigInt, _>(window.limit())
        .load(&mut db)
        .await?)
}

/// How many answers the threads of these messages have; messages without any are not listed.
pub(super) async fn reply_counts(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    roots: &[MessageId],
) -> Result<Vec<(MessageId, i64)>> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = SqlUuid)]
        id: MessageId,
        #[diesel(sql_type = BigInt)]
        replies: i64,
    }
    let counted: Vec<Counted> = sql("SELECT thread_root_id AS id, count(*) AS replies FROM messages \
         WHERE facility_id = $1 AND thread_root_id = ANY ($2) GROUP BY thread_root_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(roots.to_vec())
    .load(&mut db)
    .await?;
    Ok(counted.into_iter().map(|row| (row.id, row.replies)).collect())
}
