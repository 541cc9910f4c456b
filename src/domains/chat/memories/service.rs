//! Remembering, looking at what is remembered, forgetting.

use serde_json::json;

use super::Memory;
use super::repository::{self, MemoryRow, NewMemory};
use crate::access::{Once, RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::chat::agents::service as agents;
use crate::domains::chat::model::Refusal;
use crate::domains::chat::policy;
use crate::error::{Error, Result, Stop};
use crate::ids::{AgentId, MemoryId, TypedId as _, new_id};
use crate::phi::Phi;

const FACT: ColumnId = ColumnId::new("conversation_memories", "fact");

/// Longest fact, in characters.
const MAX_FACT: usize = 500;
/// Most facts of one user for one assistant.
const MAX_MEMORIES: usize = 200;
/// Longest half-life: ten years.
const MAX_HALF_LIFE_DAYS: i32 = 3650;
/// As many are told to a model, and each counts this much at least.
const OFFERED: usize = 5;
const MIN_STRENGTH: f64 = 0.05;

/// Something to be kept in mind.
#[derive(Debug, Clone)]
pub struct Remember {
    pub agent: AgentId,
    pub fact: Phi<String>,
    pub importance: f64,
    pub half_life_days: i32,
}

fn open(keys: &FacilityKeys, row: &MemoryRow) -> Result<Memory> {
    Ok(Memory {
        id: row.id,
        agent: row.agent_id,
        fact: keys.fields.decrypt_text(FACT, row.id.uuid(), &row.fact_ciphertext)?,
        importance: row.importance,
        half_life_days: row.half_life_days,
        created_at: row.created_at,
    })
}

/// What the assistant is to keep in mind for the caller, what counts most now first.
///
/// # Errors
/// A denial, or a fault.
pub async fn memories(ctx: &RequestContext, agent: AgentId) -> Result<Vec<Memory>> {
    let read = ctx.read(&policy::MEMORY).await?;
    let rows = repository::of_user(read.db()?, ctx.facility(), ctx.user()?, agent).await?;
    let keys = read.keys().await?;
    let mut memories = rows.iter().map(|row| open(&keys, row)).collect::<Result<Vec<_>>>()?;
    for memory in &memories {
        ctx.note_read(Subject::of(memory.id));
    }
    let now = ctx.now();
    memories.sort_by(|one, other| other.strength(now).total_cmp(&one.strength(now)).then(other.id.cmp(&one.id)));
    Ok(memories)
}

/// One of the caller's memories.
///
/// # Errors
/// [`Error::NotFound`] when they have none such.
pub async fn memory(ctx: &RequestContext, id: MemoryId) -> Result<Memory> {
    let read = ctx.read(&policy::MEMORY).await?;
    let row = repository::find_by_ids(read.db()?, ctx.facility(), ctx.user()?, &[id]).await?.pop();
    let row = row.ok_or(Error::NotFound)?;
    ctx.note_read(Subject::of(id));
    open(&*read.keys().await?, &row)
}

/// The few that count most now.
pub(in crate::domains::chat) async fn strongest(ctx: &RequestContext, agent: AgentId) -> Result<Vec<Phi<String>>> {
    let now = ctx.now();
    let all = memories(ctx, agent).await?.into_iter();
    Ok(all.take_while(|memory| memory.strength(now) >= MIN_STRENGTH).take(OFFERED).map(|memory| memory.fact).collect())
}

/// Has an assistant keep something in mind for the caller.
///
/// # Errors
/// Refused when a value is out of its bounds, there is no such assistant, or it keeps too much in mind already.
pub async fn remember(ctx: &RequestContext, new: Remember, once: Option<Once>) -> Result<MemoryId, Stop<Refusal>> {
    ctx.write(&policy::MEMORY)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, id): (_, _, MemoryId) = (tx.ctx(), tx.db()?, new_id());
            let fact = new.fact.trimmed();
            if fact.is_blank() || fact.length_chars() > MAX_FACT || fact.reveal_str().contains('\0') {
                return Err(refuse("fact", format!("must have 1 to {MAX_FACT} characters")));
            }
            if !(0.0..=1.0).contains(&new.importance) {
                return Err(refuse("importance", "must be from 0 to 1".to_owned()));
            }
            if !(1..=MAX_HALF_LIFE_DAYS).contains(&new.half_life_days) {
                return Err(refuse("halfLifeDays", format!("must be from 1 to {MAX_HALF_LIFE_DAYS}")));
            }
            if !agents::is_there(&tx, new.agent).await? {
                let sentence = "there is no such assistant, or it answers no more";
                return Err(Stop::refuse(Refusal::AgentNotFound, &["input", "agentId"], sentence));
            }
            let user = ctx.user()?;
            if repository::of_user(db, ctx.facility(), user, new.agent).await?.len() >= MAX_MEMORIES {
                let sentence = format!("an assistant keeps at most {MAX_MEMORIES} facts in mind: have it forget some");
                return Err(Stop::refuse(Refusal::TooMany, &["input", "agentId"], sentence));
            }
            let row = NewMemory {
                facility_id: ctx.facility(),
                id,
                user_id: user,
                agent_id: new.agent,
                fact_ciphertext: tx.keys().await?.fields.encrypt_text(FACT, id.uuid(), &fact)?,
                importance: new.importance,
                half_life_days: new.half_life_days,
                created_at: ctx.now(),
            };
            repository::insert(db, row).await?;
            tx.audit(Subject::of(id), json!({ "change": "remembered", "agent": new.agent }));
            Ok(id)
        })
        .await
}

fn refuse(field: &'static str, sentence: String) -> Stop<Refusal> {
    Stop::refuse(Refusal::Invalid, &["input", field], sentence)
}

/// Deletes one of the caller's memories; it is gone.
///
/// # Errors
/// [`Error::NotFound`] when they have none such.
pub async fn forget(ctx: &RequestContext, id: MemoryId, once: Option<Once>) -> Result<MemoryId, Stop<Refusal>> {
    ctx.write(&policy::MEMORY)
        .once(once)
        .run(|tx| async move {
            tx.audit(Subject::of(id), json!({ "change": "forgotten" }));
            if !repository::delete(tx.db()?, tx.ctx().facility(), tx.ctx().user()?, id).await? {
                return Err(Error::NotFound.into());
            }
            Ok(id)
        })
        .await
}
