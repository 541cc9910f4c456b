//! SQL of assistants.

use chrono::{DateTime, Utc};
use diesel::prelude::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable, QueryableByName, Selectable,
    SelectableHelper as _,
};
use diesel::sql_types::{Array, BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::Value;

use super::model::{Agent, AgentRetrievalScope, AgentSetup};
use crate::db::schema::agents;
use crate::db::sql;
use crate::error::{Error, Result, violated_constraint};
use crate::ids::{AgentId, ConversationId, FacilityId, UserId};

#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = agents, check_for_backend(diesel::pg::Pg))]
struct AgentRow {
    id: AgentId,
    name: String,
    purpose: String,
    style: Option<String>,
    boundaries: Value,
    model_name: Option<String>,
    retrieval_scope: AgentRetrievalScope,
    active: bool,
    created_by: UserId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

impl TryFrom<AgentRow> for Agent {
    type Error = Error;

    fn try_from(row: AgentRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            purpose: row.purpose,
            style: row.style,
            boundaries: serde_json::from_value(row.boundaries)?,
            model_name: row.model_name,
            retrieval_scope: row.retrieval_scope,
            active: row.active,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

#[derive(Debug, Insertable)]
#[diesel(table_name = agents)]
struct NewRow {
    facility_id: FacilityId,
    id: AgentId,
    name: String,
    purpose: String,
    style: Option<String>,
    boundaries: Value,
    model_name: Option<String>,
    retrieval_scope: AgentRetrievalScope,
    created_by: UserId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Whether that was done, or the name is another's.
fn unless_named<T>(done: diesel::QueryResult<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if violated_constraint(&error) == Some("agents_facility_id_name_key") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// False when another has that name.
pub(super) async fn insert(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AgentId,
    setup: AgentSetup,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = NewRow {
        facility_id: facility,
        id,
        name: setup.name,
        purpose: setup.purpose,
        style: setup.style,
        boundaries: serde_json::to_value(setup.boundaries)?,
        model_name: setup.model_name,
        retrieval_scope: setup.retrieval_scope,
        created_by: by,
        created_at: now,
        updated_at: now,
    };
    Ok(unless_named(diesel::insert_into(agents::table).values(row).execute(&mut db).await)?.is_some())
}

/// False when another has that name.
pub(super) async fn update(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AgentId,
    setup: AgentSetup,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = diesel::update(agents::table)
        .filter(agents::facility_id.eq(facility))
        .filter(agents::id.eq(id))
        .set((
            agents::name.eq(setup.name),
            agents::purpose.eq(setup.purpose),
            agents::style.eq(setup.style),
            agents::boundaries.eq(serde_json::to_value(setup.boundaries)?),
            agents::model_name.eq(setup.model_name),
            agents::retrieval_scope.eq(setup.retrieval_scope),
            agents::updated_at.eq(now),
            agents::version.eq(agents::version + 1),
        ))
        .execute(&mut db)
        .await;
    Ok(unless_named(updated)?.is_some())
}

pub(super) async fn set_active(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: AgentId,
    active: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(agents::table)
        .filter(agents::facility_id.eq(facility))
        .filter(agents::id.eq(id))
        .set((agents::active.eq(active), agents::updated_at.eq(now), agents::version.eq(agents::version + 1)))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(super) async fn count(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        agents: i64,
    }
    let counted: Counted = sql("SELECT count(*) AS agents FROM agents WHERE facility_id = $1")
        .bind::<SqlUuid, _>(facility)
        .get_result(&mut db)
        .await?;
    Ok(counted.agents)
}

/// The version, of one taken for a change.
pub(super) async fn lock(mut db: &AsyncPgConnection, facility: FacilityId, id: AgentId) -> Result<Option<Agent>> {
    let row: Option<AgentRow> = sql("SELECT * FROM agents WHERE facility_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .get_result(&mut db)
        .await
        .optional()?;
    row.map(TryInto::try_into).transpose()
}

/// By name.
pub(super) async fn list(mut db: &AsyncPgConnection, facility: FacilityId, active_only: bool) -> Result<Vec<Agent>> {
    let rows: Vec<AgentRow> =
        sql("SELECT * FROM agents WHERE facility_id = $1 AND (active OR NOT $2) ORDER BY name, id")
            .bind::<SqlUuid, _>(facility)
            .bind::<Bool, _>(active_only)
            .load(&mut db)
            .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub(super) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[AgentId],
) -> Result<Vec<Agent>> {
    let rows: Vec<AgentRow> = agents::table
        .filter(agents::facility_id.eq(facility))
        .filter(agents::id.eq_any(ids))
        .select(AgentRow::as_select())
        .load(&mut db)
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Those that answer in conversations, in the order they were invited.
pub(super) async fn of_conversations(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversations: &[ConversationId],
) -> Result<Vec<(ConversationId, AgentId)>> {
    #[derive(QueryableByName)]
    struct Seat {
        #[diesel(sql_type = SqlUuid)]
        conversation_id: ConversationId,
        #[diesel(sql_type = SqlUuid)]
        agent_id: AgentId,
    }
    let seats: Vec<Seat> = sql("SELECT conversation_id, agent_id FROM conversation_agents \
         WHERE facility_id = $1 AND conversation_id = ANY ($2) ORDER BY conversation_id, joined_at, agent_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(conversations.to_vec())
    .load(&mut db)
    .await?;
    Ok(seats.into_iter().map(|seat| (seat.conversation_id, seat.agent_id)).collect())
}

/// False when it is there already.
pub(super) async fn join(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    agent: AgentId,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let joined =
        sql("INSERT INTO conversation_agents (facility_id, conversation_id, agent_id, invited_by, joined_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(conversation)
        .bind::<SqlUuid, _>(agent)
        .bind::<SqlUuid, _>(by)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
    Ok(joined == 1)
}

/// False when it is not there.
pub(super) async fn leave(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: ConversationId,
    agent: AgentId,
) -> Result<bool> {
    let left = sql("DELETE FROM conversation_agents WHERE facility_id = $1 AND conversation_id = $2 AND agent_id = $3")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(conversation)
        .bind::<SqlUuid, _>(agent)
        .execute(&mut db)
        .await?;
    Ok(left == 1)
}
