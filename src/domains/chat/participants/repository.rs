//! SQL of who takes part. What is not the caller's is not there: the database's policy narrows every statement.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable, QueryableByName, Selectable,
    SelectableHelper as _,
};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::NewParticipant;
use crate::db::schema::conversation_participants;
use crate::db::sql;
use crate::domains::chat::model::{Participant, ParticipantParty, ParticipantRole};
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, MessageId, UserId};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = conversation_participants, check_for_backend(diesel::pg::Pg))]
struct ParticipantRow {
    conversation_id: ConversationId,
    user_id: UserId,
    role: ParticipantRole,
    party: ParticipantParty,
    joined_at: DateTime<Utc>,
    invited_by: Option<UserId>,
    muted_until: Option<DateTime<Utc>>,
    last_read_sequence: i64,
    seen_sequence: i64,
    delivered_sequence: i64,
}

impl From<ParticipantRow> for Participant {
    fn from(row: ParticipantRow) -> Self {
        Self {
            conversation: row.conversation_id,
            user: row.user_id,
            role: row.role,
            party: row.party,
            joined_at: row.joined_at,
            invited_by: row.invited_by,
            muted_until: row.muted_until,
            last_read_sequence: row.last_read_sequence,
            seen_sequence: row.seen_sequence,
            delivered_sequence: row.delivered_sequence,
        }
    }
}

#[derive(Debug, Insertable)]
#[diesel(table_name = conversation_participants)]
struct NewRow {
    facility_id: FacilityId,
    conversation_id: ConversationId,
    user_id: UserId,
    role: ParticipantRole,
    party: ParticipantParty,
    joined_at: DateTime<Utc>,
    invited_by: Option<UserId>,
}

/// Those of a conversation just begun.
pub(super) async fn insert(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    seats: Vec<NewParticipant>,
    now: DateTime<Utc>,
) -> Result<()> {
    let rows: Vec<NewRow> = seats
        .into_iter()
        .map(|seat| NewRow {
            facility_id: facility,
            conversation_id: conversation,
            user_id: seat.user,
            role: seat.role,
            party: seat.party,
            joined_at: now,
            invited_by: seat.invited_by,
        })
        .collect();
    diesel::insert_into(conversation_participants::table).values(rows).execute(&mut db).await?;
    Ok(())
}

/// Those who take part in a conversation that goes on, from now on or again. What was said before counts as read.
pub(super) async fn join(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    role: ParticipantRole,
    seats: &[(UserId, ParticipantParty)],
    by: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let (users, parties): (Vec<UserId>, Vec<&str>) = seats.iter().map(|(user, party)| (*user, party.as_str())).unzip();
    sql("INSERT INTO conversation_participants AS p (facility_id, conversation_id, user_id, role, party, joined_at, \
             invited_by, last_read_sequence, seen_sequence, delivered_sequence) \
         SELECT c.facility_id, c.id, s.user_id, $3, s.party, $6, $7, c.last_sequence, c.last_sequence, c.last_sequence \
         FROM conversations c CROSS JOIN unnest($4::uuid[], $5::text[]) AS s (user_id, party) \
         WHERE c.facility_id = $1 AND c.id = $2 \
         ON CONFLICT (facility_id, conversation_id, user_id) DO UPDATE SET role = excluded.role, party = excluded.party, \
             joined_at = excluded.joined_at, invited_by = excluded.invited_by, left_at = NULL, muted_until = NULL, \
             last_read_sequence = excluded.last_read_sequence, seen_sequence = excluded.seen_sequence, \
             delivered_sequence = excluded.delivered_sequence")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(conversation)
    .bind::<Text, _>(role)
    .bind::<Array<SqlUuid>, _>(users)
    .bind::<Array<Text>, _>(parties)
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<SqlUuid>, _>(by)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Who takes part in these conversations now, in the order they joined.
pub(super) async fn present(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversations: &[ConversationId],
) -> Result<Vec<Participant>> {
    let rows: Vec<ParticipantRow> = conversation_participants::table
        .filter(conversation_participants::facility_id.eq(facility))
        .filter(conversation_participants::conversation_id.eq_any(conversations))
        .filter(conversation_participants::left_at.is_null())
        .order((conversation_participants::joined_at, conversation_participants::user_id))
        .select(ParticipantRow::as_select())
        .load(&mut db)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn set_left(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(conversation_participants::table)
        .filter(conversation_participants::facility_id.eq(facility))
        .filter(conversation_participants::conversation_id.eq(conversation))
        .filter(conversation_participants::user_id.eq(user))
        .set(conversation_participants::left_at.eq(now))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(super) async fn set_role(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    user: UserId,
    role: ParticipantRole,
) -> Result<()> {
    diesel::update(conversation_participants::table)
        .filter(conversation_participants::facility_id.eq(facility))
        .filter(conversation_participants::conversation_id.eq(conversation))
        .filter(conversation_participants::user_id.eq(user))
        .set(conversation_participants::role.eq(role))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// False when the user does not take part.
pub(super) async fn mute(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    user: UserId,
    until: Option<DateTime<Utc>>,
) -> Result<bool> {
    let muted = diesel::update(conversation_participants::table)
        .filter(conversation_participants::facility_id.eq(facility))
        .filter(conversation_participants::conversation_id.eq(conversation))
        .filter(conversation_participants::user_id.eq(user))
        .filter(conversation_participants::left_at.is_null())
        .set(conversation_participants::muted_until.eq(until))
        .execute(&mut db)
        .await?;
    Ok(muted == 1)
}

/// How far someone has got with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It reached a device of theirs.
    Delivered,
    /// They read it, and so what came before it.
    Read,
    /// They want to read it again later.
    Unread,
}

macro_rules! receipt {
    ($set:literal) => {
        concat!(
            "UPDATE conversation_participants p SET ",
            $set,
            " FROM messages m WHERE m.facility_id = $1 AND m.id = $2 AND p.facility_id = $1 \
               AND p.conversation_id = m.conversation_id AND p.user_id = $3 AND p.left_at IS NULL \
             RETURNING p.conversation_id AS id, ARRAY(SELECT a.user_id FROM conversation_participants a \
               WHERE a.facility_id = $1 AND a.conversation_id = p.conversation_id AND a.left_at IS NULL) AS present"
        )
    };
}

/// The conversation, and who takes part in it; `None` when there is no such message where the user takes part.
pub(super) async fn receive(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    user: UserId,
    receipt: Receipt,
) -> Result<Option<(ConversationId, Vec<UserId>)>> {
    #[derive(QueryableByName)]
    struct Of {
        #[diesel(sql_type = SqlUuid)]
        id: ConversationId,
        #[diesel(sql_type = Array<SqlUuid>)]
        present: Vec<UserId>,
    }
    let statement = match receipt {
        Receipt::Delivered => receipt!("delivered_sequence = greatest(p.delivered_sequence, m.sequence)"),
        Receipt::Read => receipt!(
            "last_read_sequence = greatest(p.last_read_sequence, m.sequence), \
             seen_sequence = greatest(p.seen_sequence, m.sequence), \
             delivered_sequence = greatest(p.delivered_sequence, m.sequence)"
        ),
        Receipt::Unread => receipt!("last_read_sequence = least(p.last_read_sequence, m.sequence - 1)"),
    };
    let of: Option<Of> = sql(statement)
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(message)
        .bind::<SqlUuid, _>(user)
        .get_result(&mut db)
        .await
        .optional()?;
    Ok(of.map(|of| (of.id, of.present)))
}

/// Messages after the last one read, less one's own and the deleted ones of others. Messages are numbered without gaps, so
/// what came after is a difference; only the exceptions are counted, each in an index that holds nothing else.
macro_rules! unread {
    () => {
        "c.last_sequence - p.last_read_sequence \
         - (SELECT count(*) FROM messages m WHERE m.author_user_id = p.user_id AND m.facility_id = p.facility_id \
              AND m.conversation_id = p.conversation_id AND m.sequence > p.last_read_sequence) \
         - (SELECT count(*) FROM messages m WHERE m.facility_id = p.facility_id AND m.conversation_id = p.conversation_id \
              AND m.sequence > p.last_read_sequence AND m.deleted_at IS NOT NULL \
              AND m.author_user_id IS DISTINCT FROM p.user_id)"
    };
}

/// How many messages of each conversation the user has not read.
pub(super) async fn unread_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, i64>> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = SqlUuid)]
        id: ConversationId,
        #[diesel(sql_type = BigInt)]
        unread: i64,
    }
    let counted: Vec<Counted> = sql(concat!(
        "SELECT c.id, ",
        unread!(),
        " AS unread FROM conversation_participants p \
          JOIN conversations c ON c.facility_id = p.facility_id AND c.id = p.conversation_id \
          WHERE p.facility_id = $1 AND p.user_id = $2 AND p.conversation_id = ANY ($3) AND p.left_at IS NULL"
    ))
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(user)
    .bind::<Array<SqlUuid>, _>(conversations.to_vec())
    .load(&mut db)
    .await?;
    Ok(counted.into_iter().map(|row| (row.id, row.unread)).collect())
}

/// How many messages the user has not read, in how many conversations.
pub(super) async fn unread_total(mut db: &AsyncPgConnection, facility: FacilityId, user: UserId) -> Result<(i64, i64)> {
    #[derive(QueryableByName)]
    struct Total {
        #[diesel(sql_type = BigInt)]
        messages: i64,
        #[diesel(sql_type = BigInt)]
        conversations: i64,
    }
    let total: Total = sql(concat!(
        "SELECT coalesce(sum(unread), 0)::bigint AS messages, count(*) FILTER (WHERE unread > 0) AS conversations FROM ( \
         SELECT ",
        unread!(),
        " AS unread FROM conversation_participants p \
          JOIN conversations c ON c.facility_id = p.facility_id AND c.id = p.conversation_id \
          WHERE p.facility_id = $1 AND p.user_id = $2 AND p.left_at IS NULL \
            AND c.last_sequence > p.last_read_sequence) u"
    ))
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(user)
    .get_result(&mut db)
    .await?;
    Ok((total.messages, total.conversations))
}
