//! SQL of memories: each user's own, by the database's policy too.

use chrono::{DateTime, Utc};
use diesel::prelude::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::conversation_memories;
use crate::error::Result;
use crate::ids::{AgentId, FacilityId, MemoryId, UserId};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = conversation_memories, check_for_backend(diesel::pg::Pg))]
pub(super) struct MemoryRow {
    pub id: MemoryId,
    pub agent_id: AgentId,
    pub fact_ciphertext: Vec<u8>,
    pub importance: f64,
    pub half_life_days: i32,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = conversation_memories)]
pub(super) struct NewMemory {
    pub facility_id: FacilityId,
    pub id: MemoryId,
    pub user_id: UserId,
    pub agent_id: AgentId,
    pub fact_ciphertext: Vec<u8>,
    pub importance: f64,
    pub half_life_days: i32,
    pub created_at: DateTime<Utc>,
}

pub(super) async fn insert(mut db: &AsyncPgConnection, row: NewMemory) -> Result<()> {
    diesel::insert_into(conversation_memories::table).values(row).execute(&mut db).await?;
    Ok(())
}

/// Those of a user for one assistant, in the order they were made.
pub(super) async fn of_user(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    agent: AgentId,
) -> Result<Vec<MemoryRow>> {
    Ok(conversation_memories::table
        .filter(conversation_memories::facility_id.eq(facility))
        .filter(conversation_memories::user_id.eq(user))
        .filter(conversation_memories::agent_id.eq(agent))
        .order(conversation_memories::id)
        .select(MemoryRow::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    ids: &[MemoryId],
) -> Result<Vec<MemoryRow>> {
    Ok(conversation_memories::table
        .filter(conversation_memories::facility_id.eq(facility))
        .filter(conversation_memories::user_id.eq(user))
        .filter(conversation_memories::id.eq_any(ids))
        .select(MemoryRow::as_select())
        .load(&mut db)
        .await?)
}

/// False when there is none such.
pub(super) async fn delete(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    id: MemoryId,
) -> Result<bool> {
    let deleted = diesel::delete(conversation_memories::table)
        .filter(conversation_memories::facility_id.eq(facility))
        .filter(conversation_memories::user_id.eq(user))
        .filter(conversation_memories::id.eq(id))
        .execute(&mut db)
        .await?;
    Ok(deleted == 1)
}
