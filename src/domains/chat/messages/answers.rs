//! Messages of assistants: how they grow, how they end, what became of the question.

use diesel::QueryableByName;
use diesel::sql_types::{Jsonb, Nullable, Text, Uuid as SqlUuid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::repository;
use super::sealing;
use super::service::subject;
use crate::access::{Purpose, Read, RequestContext, Tx};
use crate::domains::chat::agents::model::AgentAnswerOutcome;
use crate::domains::chat::changes::spoken;
use crate::domains::chat::conversations::service::{hand_over, locked_for};
use crate::domains::chat::search::index_later;
use crate::domains::chat::{conversations, participants, policy};
use crate::error::{Error, Result, Stop};
use crate::events::{EventKind, NewEvent};
use crate::ids::{AgentId, ChunkId, ConversationId, DocumentId, MessageId, PatientId, SessionId, UserId};
use crate::phi::Phi;

/// A passage that an answer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    pub document: DocumentId,
    pub passage: ChunkId,
}

/// What became of a question.
#[derive(Debug, Clone)]
pub struct Answer {
    pub message: MessageId,
    pub question: MessageId,
    pub agent: AgentId,
    pub outcome: AgentAnswerOutcome,
    /// In the order they are first named in the text.
    pub citations: Vec<Citation>,
}

/// What became of questions, by the messages the answers are in.
///
/// # Errors
/// A denial, or a fault.
pub async fn answers_of(ctx: &RequestContext, messages: &[MessageId]) -> Result<Vec<Answer>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::answers_of(read.db()?, ctx.facility(), messages).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Answer {
                message: row.message_id,
                question: row.question_id,
                agent: row.agent_id,
                outcome: row.outcome,
                citations: row.citations.map(serde_json::from_value).transpose()?.unwrap_or_default(),
            })
        })
        .collect()
}

/// An answer that is to be written.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(in crate::domains::chat) struct Expected {
    #[diesel(sql_type = SqlUuid)]
    pub message_id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub question_id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub agent_id: AgentId,
    #[diesel(sql_type = SqlUuid)]
    pub conversation_id: ConversationId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
    #[diesel(sql_type = SqlUuid)]
    pub session_id: SessionId,
    #[diesel(sql_type = Text)]
    pub purpose: Purpose,
}

#[derive(Debug, QueryableByName)]
pub(super) struct AnswerRow {
    #[diesel(sql_type = SqlUuid)]
    pub message_id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub question_id: MessageId,
    #[diesel(sql_type = SqlUuid)]
    pub agent_id: AgentId,
    #[diesel(sql_type = Text)]
    pub outcome: AgentAnswerOutcome,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub citations: Option<Value>,
}

/// An answer that is still to be written; `None` when it is, or is gone.
pub(in crate::domains::chat) async fn expected(read: &Read, id: MessageId) -> Result<Option<Expected>> {
    repository::expected(read.db()?, read.ctx().facility(), id).await
}

/// An answer that is complete.
#[derive(Debug, Clone)]
pub(in crate::domains::chat) struct Written {
    pub outcome: AgentAnswerOutcome,
    pub body: Phi<String>,
    pub citations: Vec<Citation>,
    pub confidence: Option<f64>,
    pub model: Option<String>,
    pub model_version: Option<String>,
}

fn fault<R>(stop: Stop<R>) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("an answer was refused by a rule"),
    }
}

/// Saves the words there are so far and tells those who listen now. Nothing is done once the answer is complete.
pub(in crate::domains::chat) async fn grow(ctx: &RequestContext, answer: &Expected, body: &str) -> Result<()> {
    let (id, conversation, patient) = (answer.message_id, answer.conversation_id, answer.patient_id);
    let body = Phi::from(body);
    let audience = ctx
        .write(&policy::ANSWER)
        .run::<Vec<UserId>, std::convert::Infallible, _, _>(|tx| async move {
            let sealed = sealing::seal_body(&*tx.keys().await?, id, &body)?;
            let grown = repository::grow(tx.db()?, tx.ctx().facility(), id, sealed).await?;
            tx.audit(subject(id, patient), json!({ "grew": grown }));
            if grown { Ok(participants::present_users(&tx, conversation).await?) } else { Ok(Vec::new()) }
        })
        .await
        .map_err(fault)?;
    if audience.is_empty() {
        return Ok(());
    }
    let signal = NewEvent::new(EventKind::MessageGrew, id).about(conversation).to(audience);
    ctx.app().events.signal(ctx, signal).await
}

/// Writes the whole answer, once: who comes second finds it done. Hands the conversation over where that is what came of
/// the question.
pub(in crate::domains::chat) async fn complete(ctx: &RequestContext, answer: Expected, written: Written) -> Result<()> {
    ctx.write(&policy::ANSWER)
        .run::<(), std::convert::Infallible, _, _>(|tx| async move {
            let (ctx, db, id) = (tx.ctx(), tx.db()?, answer.message_id);
            let conversation = locked_for(&tx, answer.conversation_id, answer.user_id).await?;
            let mut detail = json!({ "agent": answer.agent_id, "outcome": written.outcome.as_str() });
            if repository::settle(db, ctx.facility(), id, written.outcome, ctx.now()).await? {
                let sealed = sealing::seal_body(&*tx.keys().await?, id, &written.body)?;
                repository::write(db, ctx.facility(), id, sealed, &written).await?;
                index_later(&tx, id).await?;
                let audience = participants::present_users(&tx, answer.conversation_id).await?;
                spoken(&tx, EventKind::MessageChanged, answer.conversation_id, id, &audience);
                if written.outcome == AgentAnswerOutcome::HandedOver {
                    detail["assigned"] = json!(handed_over(&tx, &answer, conversation).await?);
                }
            }
            tx.audit(subject(id, answer.patient_id), detail);
            Ok(())
        })
        .await
        .map_err(fault)
}

async fn handed_over(
    tx: &Tx,
    answer: &Expected,
    conversation: Option<conversations::Locked>,
) -> Result<Option<UserId>> {
    // Whoever asked has left: those who stayed decide by themselves.
    let Some(conversation) = conversation else { return Ok(None) };
    hand_over(tx, answer.conversation_id, conversation.status, answer.user_id).await
}
