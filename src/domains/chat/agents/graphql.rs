//! Assistants in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::model::{self, AgentAnswerOutcome, AgentRetrievalScope, AgentSetup};
use super::service;
use crate::domains::chat::graphql::{ChatUserError, ConversationPayload, Message, conversation, user};
use crate::domains::chat::loaders::{AgentLoader, MessageLoader};
use crate::domains::chat::memories::service::{self as memories, Remember};
use crate::domains::chat::memories::{self as memory};
use crate::domains::chat::messages::answers::{Answer, Citation};
use crate::domains::chat::messages::ask::{self, Ask};
use crate::domains::chat::messages::service as messages;
use crate::domains::chat::model::{MessageSensitivity, Refusal};
use crate::domains::documents::graphql::Document;
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::search::graphql::DocumentPassage;
use crate::domains::documents::search::passage::PassageLoader;
use crate::domains::identity::graphql::User;
use crate::error::{Result, Stop};
use crate::graphql::loaders::{LoadError, load_one, or_null};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{AgentId, ConversationId, MemoryId, MessageId, UserId};
use crate::phi::Phi;

/// What every answer says of itself.
const NOTICE: &str = "Put together by software from passages of the record; not a clinician, and not advice. Read the \
    passages before you act on it.";

/// An assistant as the facility has set it up. It supports staff, is not a clinician, and looks in the record as whoever
/// asks it. Needs `agents.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Agent {
    /// Typed, opaque id.
    pub id: AgentId,
    /// What it is called.
    pub name: String,
    /// What it is for, in words that a model is told.
    pub purpose: String,
    /// How it is to answer, in words that a model is told; null for no wishes.
    pub style: Option<String>,
    /// Words and phrases it refuses to speak of.
    pub boundaries: Vec<String>,
    /// Name of the model it asks; null for the one the server is set up with.
    pub model_name: Option<String>,
    /// In which documents it may look, of those that whoever asks may see.
    pub retrieval_scope: AgentRetrievalScope,
    /// Whether it answers.
    pub active: bool,
    /// When it was set up.
    pub created_at: DateTime<Utc>,
    /// When it last changed; when it was set up while it never did.
    pub updated_at: DateTime<Utc>,
    /// Give this as `expectedVersion` when changing it.
    pub version: i32,
    #[graphql(skip)]
    created_by_id: UserId,
}

#[ComplexObject]
impl Agent {
    /// Who set it up; null only when the account cannot be shown.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.created_by_id).await
    }
}

impl From<model::Agent> for Agent {
    fn from(agent: model::Agent) -> Self {
        Self {
            id: agent.id,
            name: agent.name,
            purpose: agent.purpose,
            style: agent.style,
            boundaries: agent.boundaries,
            model_name: agent.model_name,
            retrieval_scope: agent.retrieval_scope,
            active: agent.active,
            created_at: agent.created_at,
            updated_at: agent.updated_at,
            version: agent.version,
            created_by_id: agent.created_by,
        }
    }
}

/// Something an assistant is to keep in mind when it answers the caller; nobody else sees it. Needs `agents.memory`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct AgentMemory {
    /// Typed, opaque id.
    pub id: MemoryId,
    /// What is to be kept in mind.
    pub fact: String,
    /// How much it counted when it was new, 0 to 1.
    pub importance: f64,
    /// After so many days it counts half.
    pub half_life_days: i32,
    /// When it was told.
    pub created_at: DateTime<Utc>,
    #[graphql(skip)]
    agent_id: AgentId,
    #[graphql(skip)]
    memory: memory::Memory,
}

#[ComplexObject]
impl AgentMemory {
    /// Who is to keep it in mind; null only when the assistant cannot be shown. Needs `agents.read`.
    async fn agent(&self, ctx: &Context<'_>) -> Result<Option<Agent>, LoadError> {
        Ok(load_one::<AgentLoader>(ctx, self.agent_id).await?.map(Into::into))
    }

    /// How much it counts now, 0 to 1: its importance, halved after each half-life.
    async fn strength(&self, ctx: &Context<'_>) -> Result<f64> {
        Ok(self.memory.strength(request(ctx)?.now()))
    }
}

impl From<memory::Memory> for AgentMemory {
    fn from(memory: memory::Memory) -> Self {
        Self {
            id: memory.id,
            fact: memory.fact.reveal().clone(),
            importance: memory.importance,
            half_life_days: memory.half_life_days,
            created_at: memory.created_at,
            agent_id: memory.agent,
            memory,
        }
    }
}

/// What became of a question to an assistant. Needs `chat.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct MessageAnswer {
    /// Whether and how it was answered; `PENDING` while the message grows.
    pub outcome: AgentAnswerOutcome,
    /// Passages it is from; `[1]` in the text is the first.
    pub citations: Vec<MessageCitation>,
    /// What the answer is and is not, to be shown with it.
    pub notice: &'static str,
    #[graphql(skip)]
    question_id: MessageId,
    #[graphql(skip)]
    agent_id: AgentId,
}

#[ComplexObject]
impl MessageAnswer {
    /// What was asked; null only when the caller has just left. Needs `chat.read`.
    async fn question(&self, ctx: &Context<'_>) -> Result<Option<Message>, LoadError> {
        Ok(load_one::<MessageLoader>(ctx, self.question_id).await?.map(Into::into))
    }

    /// Who answers; null only when the assistant cannot be shown. Needs `agents.read`.
    async fn agent(&self, ctx: &Context<'_>) -> Result<Option<Agent>, LoadError> {
        Ok(load_one::<AgentLoader>(ctx, self.agent_id).await?.map(Into::into))
    }
}

impl From<Answer> for MessageAnswer {
    fn from(answer: Answer) -> Self {
        Self {
            outcome: answer.outcome,
            citations: answer.citations.into_iter().map(MessageCitation).collect(),
            notice: NOTICE,
            question_id: answer.question,
            agent_id: answer.agent,
        }
    }
}

/// A passage that an answer is from.
#[derive(Debug, Clone, Copy)]
pub struct MessageCitation(Citation);

/// A passage that an answer is from. Whoever reads the answer may see less than whoever asked.
#[Object]
impl MessageCitation {
    /// The document; null when the caller may not know of it. Needs `documents.read`.
    async fn document(&self, ctx: &Context<'_>) -> Option<Document> {
        or_null(ctx, load_one::<DocumentLoader>(ctx, self.0.document).await)?.map(Into::into)
    }

    /// The passage; null when the caller may not read it, and when its document was processed anew since. Needs
    /// `documents.search`.
    async fn passage(&self, ctx: &Context<'_>) -> Option<DocumentPassage> {
        or_null(ctx, load_one::<PassageLoader>(ctx, self.0.passage).await)?.map(Into::into)
    }
}

/// Queries of assistants.
#[derive(Debug, Default)]
pub struct AgentsQuery;

#[Object]
impl AgentsQuery {
    /// The facility's assistants by name, at most 100. Needs `agents.read`.
    async fn agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those that answer; all when left out.")] active_only: Option<bool>,
    ) -> Result<Vec<Agent>> {
        let found = service::agents(request(ctx)?, active_only.unwrap_or(false)).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// One assistant; null when there is none. Needs `agents.read`.
    async fn agent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the assistant.")] id: AgentId,
    ) -> Result<Option<Agent>, LoadError> {
        Ok(load_one::<AgentLoader>(ctx, id).await?.map(Into::into))
    }

    /// What an assistant is to keep in mind for the caller, what counts most now first, at most 200. Needs
    /// `agents.memory`.
    async fn agent_memories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the assistant.")] agent_id: AgentId,
    ) -> Result<Vec<AgentMemory>> {
        Ok(memories::memories(request(ctx)?, agent_id).await?.into_iter().map(Into::into).collect())
    }
}

/// An assistant to be set up. Nothing of a patient belongs in it.
#[derive(InputObject)]
pub struct AgentCreateInput {
    /// What to call it, 1 to 100 characters on one line; no other assistant of the facility has that name.
    pub name: String,
    /// What it is for, 1 to 2,000 characters; a model is told.
    pub purpose: String,
    /// How it is to answer, 1 to 2,000 characters; a model is told. No wishes when left out.
    pub style: Option<String>,
    /// Words and phrases it refuses to speak of, at most 50 of at most 100 characters; none when left out.
    pub boundaries: Option<Vec<String>>,
    /// Name of the model it asks, 1 to 100 characters; the one the server is set up with when left out.
    pub model_name: Option<String>,
    /// In which documents it may look, of those that whoever asks may see; in those of the patient the conversation is
    /// about when left out.
    pub retrieval_scope: Option<AgentRetrievalScope>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What is to be changed of an assistant. What is left out stays.
#[derive(InputObject)]
pub struct AgentUpdateInput {
    /// Id of the assistant.
    pub id: AgentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// What to call it, 1 to 100 characters on one line.
    pub name: Option<String>,
    /// What it is for, 1 to 2,000 characters.
    pub purpose: Option<String>,
    /// How it is to answer, 1 to 2,000 characters; null for no wishes.
    pub style: MaybeUndefined<String>,
    /// Words and phrases it refuses to speak of, at most 50 of at most 100 characters; all of them.
    pub boundaries: Option<Vec<String>>,
    /// Name of the model it asks; null for the one the server is set up with.
    pub model_name: MaybeUndefined<String>,
    /// In which documents it may look, of those that whoever asks may see.
    pub retrieval_scope: Option<AgentRetrievalScope>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// An assistant that is to answer, or not.
#[derive(InputObject)]
pub struct AgentStatusInput {
    /// Id of the assistant.
    pub id: AgentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// An assistant in a conversation.
#[derive(InputObject)]
pub struct ConversationAgentInput {
    /// Id of the conversation.
    pub id: ConversationId,
    /// Id of the assistant.
    pub agent_id: AgentId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A question to an assistant.
#[derive(InputObject)]
pub struct MessageAskInput {
    /// Id of the conversation.
    pub conversation_id: ConversationId,
    /// Id of an assistant that answers in it.
    pub agent_id: AgentId,
    /// The question, 1 to 1,000 characters.
    pub body: String,
    /// How carefully question and answer are to be handled; like the rest when left out. A sensitive question is sent to
    /// no model: passages are quoted.
    pub sensitivity: Option<MessageSensitivity>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Something an assistant is to keep in mind for the caller.
#[derive(InputObject)]
pub struct AgentRememberInput {
    /// Id of the assistant.
    pub agent_id: AgentId,
    /// What to keep in mind, 1 to 500 characters.
    pub fact: String,
    /// How much it counts, 0 to 1; 0.5 when left out.
    pub importance: Option<f64>,
    /// After so many days it counts half, 1 to 3,650; 90 when left out.
    pub half_life_days: Option<i32>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Something an assistant is to forget.
#[derive(InputObject)]
pub struct AgentForgetInput {
    /// Id of what it keeps in mind.
    pub memory_id: MemoryId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of an assistant.
    AgentPayload {
        /// The assistant; null when refused.
        agent: Agent,
    } or ChatUserError
);

payload!(
    /// What became of a question.
    MessageAskPayload {
        /// The question; null when refused.
        question: Message,
        /// The message its answer will be in: it grows, of which subscribers are told; null when refused.
        answer: Message,
    } or ChatUserError
);

payload!(
    /// What is to be kept in mind.
    AgentMemoryPayload {
        /// The memory; null when refused.
        memory: AgentMemory,
    } or ChatUserError
);

payload!(
    /// What is forgotten.
    AgentForgetPayload {
        /// Id of what it kept in mind; null when refused.
        forgotten_id: MemoryId,
    } or ChatUserError
);

async fn agent(ctx: &Context<'_>, outcome: Result<AgentId, Stop<Refusal>>) -> Result<AgentPayload> {
    match outcome {
        Ok(id) => Ok(AgentPayload::done(service::agent(request(ctx)?, id).await?.into())),
        Err(stop) => AgentPayload::refused(stop),
    }
}

async fn set_active(ctx: &Context<'_>, input: AgentStatusInput, active: bool) -> Result<AgentPayload> {
    let AgentStatusInput { id, expected_version, idempotency_key } = input;
    let once = once(ctx, idempotency_key)?;
    agent(ctx, service::set_active(request(ctx)?, id, expected_version, active, once).await).await
}

/// Mutations of assistants.
#[derive(Debug, Default)]
pub struct AgentsMutation;

#[Object]
impl AgentsMutation {
    /// Sets an assistant up. Needs `agents.manage`.
    async fn agent_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assistant.")] input: AgentCreateInput,
    ) -> Result<AgentPayload> {
        let AgentCreateInput { name, purpose, style, boundaries, model_name, retrieval_scope, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let setup = AgentSetup {
            name,
            purpose,
            style,
            boundaries: boundaries.unwrap_or_default(),
            model_name,
            retrieval_scope: retrieval_scope.unwrap_or(AgentRetrievalScope::Patient),
        };
        agent(ctx, service::create_agent(request(ctx)?, setup, once).await).await
    }

    /// Sets an assistant up differently. Needs `agents.manage`.
    async fn agent_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: AgentUpdateInput,
    ) -> Result<AgentPayload> {
        let AgentUpdateInput {
            id,
            expected_version,
            name,
            purpose,
            style,
            boundaries,
            model_name,
            retrieval_scope,
            idempotency_key,
        } = input;
        let once = once(ctx, idempotency_key)?;
        let or = |given: MaybeUndefined<String>, was: Option<String>| match given {
            MaybeUndefined::Undefined => was,
            MaybeUndefined::Null => None,
            MaybeUndefined::Value(given) => Some(given),
        };
        let change = move |was: AgentSetup| AgentSetup {
            name: name.unwrap_or(was.name),
            purpose: purpose.unwrap_or(was.purpose),
            style: or(style, was.style),
            boundaries: boundaries.unwrap_or(was.boundaries),
            model_name: or(model_name, was.model_name),
            retrieval_scope: retrieval_scope.unwrap_or(was.retrieval_scope),
        };
        agent(ctx, service::update_agent(request(ctx)?, id, expected_version, change, once).await).await
    }

    /// Has an assistant answer no more; what it has said stays. Needs `agents.manage`.
    async fn agent_deactivate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assistant.")] input: AgentStatusInput,
    ) -> Result<AgentPayload> {
        set_active(ctx, input, false).await
    }

    /// Has an assistant answer again. Needs `agents.manage`.
    async fn agent_activate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assistant.")] input: AgentStatusInput,
    ) -> Result<AgentPayload> {
        set_active(ctx, input, true).await
    }

    /// Invites an assistant into a conversation of staff. Needs `chat.participants`, and that the caller owns it.
    async fn conversation_invite_agent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation and the assistant.")] input: ConversationAgentInput,
    ) -> Result<ConversationPayload> {
        let ConversationAgentInput { id, agent_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        conversation(ctx, service::invite(request(ctx)?, id, agent_id, once).await).await
    }

    /// Takes an assistant out of a conversation; what it has said stays. Needs `chat.participants`, and that the caller
    /// owns it.
    async fn conversation_remove_agent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation and the assistant.")] input: ConversationAgentInput,
    ) -> Result<ConversationPayload> {
        let ConversationAgentInput { id, agent_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        conversation(ctx, service::remove(request(ctx)?, id, agent_id, once).await).await
    }

    /// Asks an assistant. The question is a message, and so is the answer, which is empty at first and grows by sentences
    /// that can be held against passages of the record, looked up as the caller. Others who take part read both. Needs
    /// `chat.ask`; of an assistant that looks in documents, `documents.ask` too.
    async fn message_ask(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, whom and what.")] input: MessageAskInput,
    ) -> Result<MessageAskPayload> {
        let MessageAskInput { conversation_id, agent_id, body, sensitivity, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let new = Ask {
            conversation: conversation_id,
            agent: agent_id,
            body: Phi::new(body),
            sensitivity: sensitivity.unwrap_or(MessageSensitivity::Normal),
        };
        match ask::ask(request(ctx)?, new, once).await {
            Ok((question, answer)) => {
                let request = request(ctx)?;
                let question = messages::message(request, question).await?;
                let answer = messages::message(request, answer).await?;
                Ok(MessageAskPayload::done(question.into(), answer.into()))
            }
            Err(stop) => MessageAskPayload::refused(stop),
        }
    }

    /// Has an assistant keep something in mind when it answers the caller. Nothing is remembered unasked. Needs
    /// `agents.memory`.
    async fn agent_remember(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to keep what in mind.")] input: AgentRememberInput,
    ) -> Result<AgentMemoryPayload> {
        let AgentRememberInput { agent_id, fact, importance, half_life_days, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let new = Remember {
            agent: agent_id,
            fact: Phi::new(fact),
            importance: importance.unwrap_or(0.5),
            half_life_days: half_life_days.unwrap_or(90),
        };
        match memories::remember(request(ctx)?, new, once).await {
            Ok(id) => Ok(AgentMemoryPayload::done(memories::memory(request(ctx)?, id).await?.into())),
            Err(stop) => AgentMemoryPayload::refused(stop),
        }
    }

    /// Has an assistant forget something of the caller's; it is gone. Needs `agents.memory`.
    async fn agent_forget(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to forget.")] input: AgentForgetInput,
    ) -> Result<AgentForgetPayload> {
        let AgentForgetInput { memory_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match memories::forget(request(ctx)?, memory_id, once).await {
            Ok(id) => Ok(AgentForgetPayload::done(id)),
            Err(stop) => AgentForgetPayload::refused(stop),
        }
    }
}
