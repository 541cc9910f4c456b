//! Setting assistants up, and inviting them into conversations.

use std::collections::HashMap;

use serde_json::json;

use super::model::{Agent, AgentSetup};
use super::{repository, validation};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::chat::changes::changed;
use crate::domains::chat::conversations::service::subject;
use crate::domains::chat::model::Refusal;
use crate::domains::chat::participants::service::owned;
use crate::domains::chat::policy;
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{AgentId, ConversationId, new_id};

/// Most assistants of a facility, those that answer no more among them.
const MAX_AGENTS: i64 = 100;
/// Most assistants in a conversation.
const MAX_INVITED: usize = 10;

/// The facility's assistants by name, those that answer no more too unless left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn agents(ctx: &RequestContext, active_only: bool) -> Result<Vec<Agent>> {
    let read = ctx.read(&policy::AGENTS_READ).await?;
    repository::list(read.db()?, ctx.facility(), active_only).await
}

/// One assistant.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn agent(ctx: &RequestContext, id: AgentId) -> Result<Agent> {
    agents_by_ids(ctx, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Assistants by id, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn agents_by_ids(ctx: &RequestContext, ids: &[AgentId]) -> Result<Vec<Agent>> {
    let read = ctx.read(&policy::AGENTS_READ).await?;
    repository::find_by_ids(read.db()?, ctx.facility(), ids).await
}

/// Assistants that answer in conversations of the caller's, in the order they were invited.
///
/// # Errors
/// A denial, or a fault.
pub async fn agents_of(ctx: &RequestContext, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, Agent)>> {
    let read = ctx.read(&policy::AGENTS_READ).await?;
    let seats = repository::of_conversations(read.db()?, ctx.facility(), conversations).await?;
    let ids: Vec<AgentId> = seats.iter().map(|(_, agent)| *agent).collect();
    let found = repository::find_by_ids(read.db()?, ctx.facility(), &ids).await?;
    let known: HashMap<AgentId, Agent> = found.into_iter().map(|agent| (agent.id, agent)).collect();
    let seated = |(conversation, agent)| Some((conversation, known.get(&agent)?.clone()));
    Ok(seats.into_iter().filter_map(seated).collect())
}

/// An assistant that answers in a conversation.
pub(in crate::domains::chat) async fn answering_in(
    tx: &Tx,
    conversation: ConversationId,
    id: AgentId,
) -> Result<Agent, Stop<Refusal>> {
    let (db, facility) = (tx.db()?, tx.ctx().facility());
    let invited = repository::of_conversations(db, facility, &[conversation]).await?;
    if !invited.contains(&(conversation, id)) {
        return Err(not_found("no assistant of that id answers in the conversation"));
    }
    let found = repository::find_by_ids(db, facility, &[id]).await?.pop();
    found.filter(|agent| agent.active).ok_or_else(|| not_found("the assistant answers no more"))
}

/// Whether there is such an assistant, and it answers.
pub(in crate::domains::chat) async fn is_there(tx: &Tx, id: AgentId) -> Result<bool> {
    let found = repository::find_by_ids(tx.db()?, tx.ctx().facility(), &[id]).await?;
    Ok(found.iter().any(|agent| agent.active))
}

fn not_found(sentence: &'static str) -> Stop<Refusal> {
    Stop::refuse(Refusal::AgentNotFound, &["input", "agentId"], sentence)
}

fn name_taken() -> Stop<Refusal> {
    Stop::refuse(Refusal::NameTaken, &["input", "name"], "another assistant has that name")
}

/// Sets an assistant up.
///
/// # Errors
/// Refused when a value is malformed, the name is another's, or there are too many.
pub async fn create_agent(
    ctx: &RequestContext,
    setup: AgentSetup,
    once: Option<Once>,
) -> Result<AgentId, Stop<Refusal>> {
    ctx.write(&policy::AGENTS_MANAGE)
        .once(once)
        .run(|tx| async move {
            let setup = validation::setup(setup)?;
            let (ctx, db, id): (_, _, AgentId) = (tx.ctx(), tx.db()?, new_id());
            if repository::count(db, ctx.facility()).await? >= MAX_AGENTS {
                let sentence = format!("a facility has at most {MAX_AGENTS} assistants");
                return Err(Stop::refuse(Refusal::TooMany, &["input"], sentence));
            }
            tx.audit(Subject::of(id), json!({ "scope": setup.retrieval_scope.as_str(), "model": setup.model_name }));
            if !repository::insert(db, ctx.facility(), id, setup, ctx.user()?, ctx.now()).await? {
                return Err(name_taken());
            }
            Ok(id)
        })
        .await
}

/// An assistant taken for a change, of the version that was read.
async fn taken(tx: &Tx, id: AgentId, expected_version: i32) -> Result<Agent, Stop<Refusal>> {
    let agent = repository::lock(tx.db()?, tx.ctx().facility(), id).await?.ok_or(Error::NotFound)?;
    if agent.version == expected_version {
        return Ok(agent);
    }
    let sentence = "the assistant changed since it was read";
    Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], sentence))
}

/// Sets an assistant up differently.
///
/// # Errors
/// Refused when a value is malformed, the name is another's, or the version is stale.
pub async fn update_agent(
    ctx: &RequestContext,
    id: AgentId,
    expected_version: i32,
    change: impl FnOnce(AgentSetup) -> AgentSetup + Send,
    once: Option<Once>,
) -> Result<AgentId, Stop<Refusal>> {
    ctx.write(&policy::AGENTS_MANAGE)
        .once(once)
        .run(|tx| async move {
            tx.audit(Subject::of(id), json!({ "change": "updated" }));
            let agent = taken(&tx, id, expected_version).await?;
            let setup = AgentSetup {
                name: agent.name,
                purpose: agent.purpose,
                style: agent.style,
                boundaries: agent.boundaries,
                model_name: agent.model_name,
                retrieval_scope: agent.retrieval_scope,
            };
            let setup = validation::setup(change(setup))?;
            if !repository::update(tx.db()?, tx.ctx().facility(), id, setup, tx.ctx().now()).await? {
                return Err(name_taken());
            }
            Ok(id)
        })
        .await
}

/// Lets an assistant answer, or not. Once is enough for either.
///
/// # Errors
/// Refused when the version is stale.
pub async fn set_active(
    ctx: &RequestContext,
    id: AgentId,
    expected_version: i32,
    active: bool,
    once: Option<Once>,
) -> Result<AgentId, Stop<Refusal>> {
    ctx.write(&policy::AGENTS_MANAGE)
        .once(once)
        .run(|tx| async move {
            tx.audit(Subject::of(id), json!({ "active": active }));
            if taken(&tx, id, expected_version).await?.active != active {
                repository::set_active(tx.db()?, tx.ctx().facility(), id, active, tx.ctx().now()).await?;
            }
            Ok(id)
        })
        .await
}

/// Invites an assistant into a conversation.
///
/// # Errors
/// Refused when the caller does not own it, patients may take part in it, the assistant answers no more or is there
/// already, or there are too many.
pub async fn invite(
    ctx: &RequestContext,
    conversation: ConversationId,
    agent: AgentId,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::PARTICIPANTS)
        .once(once)
        .run(|tx| async move {
            let found = owned(&tx, conversation).await?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            tx.audit(subject(conversation, found.patient_id), json!({ "change": "invited", "agent": agent }));
            if !policy::may_be_asked_in(found.kind) {
                let sentence =
                    "an assistant answers staff among themselves: patients may take part in this conversation";
                return Err(Stop::refuse(Refusal::MayNotTakePart, &["input", "id"], sentence));
            }
            let known = repository::find_by_ids(db, ctx.facility(), &[agent]).await?;
            if !known.iter().any(|agent| agent.active) {
                return Err(not_found("there is no such assistant, or it answers no more"));
            }
            if repository::of_conversations(db, ctx.facility(), &[conversation]).await?.len() >= MAX_INVITED {
                let sentence = format!("at most {MAX_INVITED} assistants answer in a conversation");
                return Err(Stop::refuse(Refusal::TooMany, &["input", "agentId"], sentence));
            }
            if !repository::join(db, ctx.facility(), conversation, agent, ctx.user()?, ctx.now()).await? {
                let sentence = "the assistant answers in the conversation already";
                return Err(Stop::refuse(Refusal::AlreadyThere, &["input", "agentId"], sentence));
            }
            changed(&tx, EventKind::ParticipantsChanged, conversation).await?;
            Ok(conversation)
        })
        .await
}

/// Takes an assistant out of a conversation; what it has said stays.
///
/// # Errors
/// Refused when the caller does not own it, or the assistant is not there.
pub async fn remove(
    ctx: &RequestContext,
    conversation: ConversationId,
    agent: AgentId,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::PARTICIPANTS)
        .once(once)
        .run(|tx| async move {
            let found = owned(&tx, conversation).await?;
            tx.audit(subject(conversation, found.patient_id), json!({ "change": "removed", "agent": agent }));
            if !repository::leave(tx.db()?, tx.ctx().facility(), conversation, agent).await? {
                let sentence = "no assistant of that id answers in the conversation";
                return Err(Stop::refuse(Refusal::NotThere, &["input", "agentId"], sentence));
            }
            changed(&tx, EventKind::ParticipantsChanged, conversation).await?;
            Ok(conversation)
        })
        .await
}
