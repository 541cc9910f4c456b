//! Asking an assistant: the question and the message its answer will be in, together or not at all.

use serde_json::json;

use super::repository::{self, NewMessage};
use super::sealing;
use super::service::{notify, subject, unsent};
use crate::access::{Actor, Once, RequestContext, Tx};
use crate::domains::chat::agents::model::{Agent, AgentRetrievalScope};
use crate::domains::chat::agents::service as agents;
use crate::domains::chat::agents::{self as assistants};
use crate::domains::chat::changes::spoken;
use crate::domains::chat::model::{MessageKind, MessageSensitivity, Refusal};
use crate::domains::chat::search::index_later;
use crate::domains::chat::{policy, validation};
use crate::domains::documents::search::service::MAX_QUERY_CHARS;
use crate::domains::{documents, patients};
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{AgentId, ConversationId, MessageId, PatientId, new_id};
use crate::phi::Phi;

/// A question to an assistant.
#[derive(Debug, Clone)]
pub struct Ask {
    pub conversation: ConversationId,
    pub agent: AgentId,
    pub body: Phi<String>,
    pub sensitivity: MessageSensitivity,
}

/// Asks an assistant of a conversation. Gives the question and the message that will be the answer, which a job writes.
///
/// # Errors
/// Refused when the text is empty or too long, the conversation is closed, the assistant does not answer in it, whoever
/// asks only observes or may not ask the record, or there is no patient whose record could be looked in.
pub async fn ask(ctx: &RequestContext, ask: Ask, once: Option<Once>) -> Result<(MessageId, MessageId), Stop<Refusal>> {
    ctx.write(&policy::ASK)
        .once(once)
        .run(|tx| async move {
            validation::body(&ask.body)?;
            if ask.body.length_chars() > MAX_QUERY_CHARS {
                let sentence = format!("a question has at most {MAX_QUERY_CHARS} characters");
                return Err(Stop::refuse(Refusal::Invalid, &["input", "body"], sentence));
            }
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let (question, answer): (MessageId, MessageId) = (new_id(), new_id());
            let numbered = repository::number(db, ctx.facility(), ask.conversation, 2, ctx.now()).await?;
            let numbered = numbered.ok_or(Error::NotFound)?;
            let detail = json!({ "conversation": ask.conversation, "agent": ask.agent });
            tx.audit(subject(question, numbered.patient_id), detail);
            if !numbered.status.is_open() {
                let sentence = "the conversation is archived or completed: reopen it first";
                return Err(Stop::refuse(Refusal::Closed, &["input", "conversationId"], sentence));
            }
            let keys = tx.keys().await?;
            let row = NewMessage {
                id: question,
                conversation: ask.conversation,
                sequence: numbered.last_sequence - 1,
                author: ctx.user()?,
                kind: MessageKind::Text,
                body_ciphertext: sealing::seal_body(&keys, question, &ask.body)?,
                parent: None,
                sensitivity: ask.sensitivity,
                now: ctx.now(),
            };
            // First, as it is here that one learns whether the caller takes part at all.
            let Some(sent) = repository::insert(db, ctx.facility(), row).await? else {
                return Err(unsent(&tx, ask.conversation).await);
            };
            let agent = agents::answering_in(&tx, ask.conversation, ask.agent).await?;
            able(&tx, &agent, numbered.patient_id).await?;
            let empty = sealing::seal_body(&keys, answer, &Phi::new(String::new()))?;
            let place = (ask.conversation, numbered.last_sequence, question);
            repository::insert_answer(db, ctx.facility(), answer, place, empty, ask.sensitivity, ctx.now()).await?;
            let Actor::User { user, session } = ctx.parts().actor else { return Err(Error::Unauthenticated.into()) };
            let asker = repository::Asker { user, session, purpose: ctx.parts().purpose };
            repository::expect(db, ctx.facility(), answer, question, agent.id, asker).await?;
            index_later(&tx, question).await?;
            assistants::answer_later(&tx, answer).await?;
            spoken(&tx, EventKind::MessageSent, ask.conversation, question, &sent.audience);
            spoken(&tx, EventKind::MessageSent, ask.conversation, answer, &sent.audience);
            notify(&tx, ask.conversation, question, &[], sent.unmuted).await?;
            Ok((question, answer))
        })
        .await
}

/// Refused unless the assistant can look where it is to look, as whoever asks.
async fn able(tx: &Tx, agent: &Agent, patient: Option<PatientId>) -> Result<(), Stop<Refusal>> {
    let field = &["input", "conversationId"];
    if agent.retrieval_scope == AgentRetrievalScope::None {
        return Ok(());
    }
    if !tx.may(&documents::policy::ASK) {
        let sentence = "your roles do not let you ask the record";
        return Err(Stop::refuse(Refusal::MayNotAsk, &["input", "agentId"], sentence));
    }
    if agent.retrieval_scope == AgentRetrievalScope::All {
        return Ok(());
    }
    let Some(patient) = patient else {
        let sentence = "the assistant looks in the record of a patient, and the conversation is about none";
        return Err(Stop::refuse(Refusal::PatientRequired, field, sentence));
    };
    if tx.may(&patients::policy::READ) && patients::service::are_open(tx, &[patient]).await? {
        return Ok(());
    }
    Err(Stop::refuse(Refusal::PatientNotFound, field, "you may not open the chart the conversation is about"))
}
