//! SQL of conversations. What is not the caller's is not there: the database's policy narrows every statement.

use chrono::{DateTime, Utc};
use diesel::prelude::{
    AsChangeset, ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable, QueryableByName,
    Selectable, SelectableHelper as _,
};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::schema::conversations;
use crate::db::sql;
use crate::domains::chat::model::{
    ActivityCursor, ConversationFolder, ConversationKind, ConversationPriority, ConversationStatus, ParticipantRole,
};
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, PatientId, TypedId as _, UserId, WhatsappContactId};
use crate::pagination::PageRequest;

#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = conversations, check_for_backend(diesel::pg::Pg))]
pub(super) struct ConversationRow {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub patient_id: Option<PatientId>,
    pub title_ciphertext: Option<Vec<u8>>,
    pub tags_ciphertext: Option<Vec<u8>>,
    pub priority: ConversationPriority,
    pub status: ConversationStatus,
    pub status_changed_at: Option<DateTime<Utc>>,
    pub status_changed_by: Option<UserId>,
    pub last_sequence: i64,
    pub last_activity_at: DateTime<Utc>,
    pub held_at: Option<DateTime<Utc>>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
    pub assigned_user_id: Option<UserId>,
    pub whatsapp_contact_id: Option<WhatsappContactId>,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = conversations)]
pub(super) struct NewConversationRow {
    pub facility_id: FacilityId,
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub patient_id: Option<PatientId>,
    pub title_ciphertext: Option<Vec<u8>>,
    pub tags_ciphertext: Option<Vec<u8>>,
    pub priority: ConversationPriority,
    pub status: ConversationStatus,
    pub last_activity_at: DateTime<Utc>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub whatsapp_contact_id: Option<WhatsappContactId>,
}

/// What is changed; what is `None` stays.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = conversations)]
pub(super) struct Changes {
    pub title_ciphertext: Option<Option<Vec<u8>>>,
    pub tags_ciphertext: Option<Option<Vec<u8>>>,
    pub priority: Option<ConversationPriority>,
}

/// A conversation taken for a change, and what the caller may do in it.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(in crate::domains::chat) struct Locked {
    #[diesel(sql_type = Text)]
    pub kind: ConversationKind,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = Text)]
    pub status: ConversationStatus,
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = Text)]
    pub role: ParticipantRole,
    #[diesel(sql_type = Bool)]
    pub held: bool,
}

/// Which conversations are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    pub kind: Option<ConversationKind>,
    pub status: Option<ConversationStatus>,
    pub patient: Option<PatientId>,
    pub unread: bool,
    pub folder: Option<ConversationFolder>,
}

pub(super) async fn insert(mut db: &AsyncPgConnection, row: NewConversationRow) -> Result<()> {
    diesel::insert_into(conversations::table).values(row).execute(&mut db).await?;
    Ok(())
}

pub(super) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[ConversationId],
) -> Result<Vec<ConversationRow>> {
    Ok(conversations::table
        .filter(conversations::facility_id.eq(facility))
        .filter(conversations::id.eq_any(ids))
        .select(ConversationRow::as_select())
        .load(&mut db)
        .await?)
}

/// Takes the conversation for a change, then asks who the user is in it: whoever was taken out while this waited is not
/// in it any more.
pub(super) async fn lock(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ConversationId,
    user: UserId,
) -> Result<Option<Locked>> {
    #[derive(QueryableByName)]
    struct There {
        #[diesel(sql_type = SqlUuid)]
        #[expect(dead_code, reason = "the lock is what is wanted")]
        id: Uuid,
    }
    let there: Option<There> = sql("SELECT id FROM conversations WHERE facility_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?;
    if there.is_none() {
        return Ok(None);
    }
    Ok(sql("SELECT c.kind, c.patient_id, c.status, c.version, p.role, c.held_at IS NOT NULL AS held \
         FROM conversations c JOIN conversation_participants p \
           ON p.facility_id = c.facility_id AND p.conversation_id = c.id \
         WHERE c.facility_id = $1 AND c.id = $2 AND p.user_id = $3 AND p.left_at IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(user)
    .get_result(&mut db)
    .await
    .optional()?)
}

pub(super) async fn change(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ConversationId,
    changes: Changes,
) -> Result<()> {
    diesel::update(conversations::table)
        .filter(conversations::facility_id.eq(facility))
        .filter(conversations::id.eq(id))
        .set((changes, conversations::version.eq(conversations::version + 1)))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(super) async fn set_status(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ConversationId,
    status: ConversationStatus,
    assigned: Option<UserId>,
    by: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(conversations::table)
        .filter(conversations::facility_id.eq(facility))
        .filter(conversations::id.eq(id))
        .set((
            conversations::status.eq(status),
            conversations::status_changed_at.eq(now),
            conversations::status_changed_by.eq(by),
            conversations::assigned_user_id.eq(assigned),
            conversations::version.eq(conversations::version + 1),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// The caller's conversations that the filter lets through: `$1` facility, `$2` the caller, `$3` kind, `$4` status, `$5`
/// patient, `$6` unread alone, `$7` folder.
macro_rules! listed {
    () => {
        " FROM conversation_participants p JOIN conversations c ON c.facility_id = p.facility_id AND c.id = p.conversation_id \
          WHERE p.facility_id = $1 AND p.user_id = $2 AND p.left_at IS NULL \
            AND ($3::text IS NULL OR c.kind = $3) AND ($4::text IS NULL OR c.status = $4) \
            AND ($5::uuid IS NULL OR c.patient_id = $5) \
            AND (NOT $6 OR (c.last_sequence > p.last_read_sequence AND EXISTS (SELECT FROM messages m \
                WHERE m.facility_id = $1 AND m.conversation_id = c.id AND m.sequence > p.last_read_sequence \
                  AND m.deleted_at IS NULL AND m.author_user_id IS DISTINCT FROM $2))) \
            AND CASE $7::text WHEN 'inbox' THEN c.kind = 'secure_mail' AND c.status <> 'archived' \
                    AND EXISTS (SELECT FROM messages m WHERE m.facility_id = $1 AND m.conversation_id = c.id \
                        AND m.author_user_id IS DISTINCT FROM $2 AND m.kind <> 'system') \
                WHEN 'sent' THEN c.kind = 'secure_mail' AND EXISTS (SELECT FROM messages m WHERE m.facility_id = $1 \
                        AND m.conversation_id = c.id AND m.author_user_id = $2) \
                WHEN 'archived' THEN c.kind = 'secure_mail' AND c.status = 'archived' ELSE true END"
    };
}

fn listing<'a>(
    statement: crate::db::Sql<'a>,
    facility: FacilityId,
    user: UserId,
    filter: &Filter,
) -> crate::db::Sql<'a> {
    statement
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(user)
        .bind::<Nullable<Text>, _>(filter.kind)
        .bind::<Nullable<Text>, _>(filter.status)
        .bind::<Nullable<SqlUuid>, _>(filter.patient)
        .bind::<Bool, _>(filter.unread)
        .bind::<Nullable<Text>, _>(filter.folder)
}

/// The last active first. As many rows are looked at as the user has conversations: some thousands at most.
pub(super) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    filter: &Filter,
    page: PageRequest<ActivityCursor>,
) -> Result<Vec<ConversationRow>> {
    let (at, id) = page.after.map_or((None, Uuid::max()), |after| (Some(after.last_activity_at), after.id.uuid()));
    let statement = sql(concat!(
        "SELECT c.*",
        listed!(),
        " AND (c.last_activity_at, c.id) < (coalesce($8, 'infinity'), $9) \
          ORDER BY c.last_activity_at DESC, c.id DESC LIMIT $10"
    ));
    Ok(listing(statement, facility, user, filter)
        .bind::<Nullable<Timestamptz>, _>(at)
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(page.limit())
        .load(&mut db)
        .await?)
}

pub(super) async fn count(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    filter: &Filter,
) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        conversations: i64,
    }
    let statement = sql(concat!("SELECT count(*) AS conversations", listed!()));
    let counted: Counted = listing(statement, facility, user, filter).get_result(&mut db).await?;
    Ok(counted.conversations)
}
