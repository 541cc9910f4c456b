//! Sending messages, and reading them.

use std::collections::HashMap;

use serde_json::json;

use super::repository::{self, MessageRow, NewMessage};
use super::{parts, sealing};
use crate::access::{Once, Read, RequestContext, Subject, Tx};
use crate::crypto::FacilityKeys;
use crate::domains::chat::changes::spoken;
use crate::domains::chat::conversations::service::{locked, observer};
use crate::domains::chat::model::{
    Message, MessageKind, MessageSensitivity, MessageSystemEvent, ParticipantRole, Refusal,
};
use crate::domains::chat::search::index_later;
use crate::domains::chat::{policy, validation, whatsapp};
use crate::domains::notifications::model::NotificationKind;
use crate::domains::notifications::service as notifications;
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{ConversationId, DocumentId, MessageId, PatientId, UserId, new_id};
use crate::pagination::{End, Window, WindowRequest};
use crate::phi::Phi;

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct SendMessage {
    pub conversation: ConversationId,
    pub kind: MessageKind,
    pub body: Phi<String>,
    pub parent: Option<MessageId>,
    pub sensitivity: MessageSensitivity,
    pub mentions: Vec<UserId>,
    pub documents: Vec<DocumentId>,
}

/// A message in the audit log.
pub(in crate::domains::chat) fn subject(id: MessageId, patient: Option<PatientId>) -> Subject {
    let subject = Subject::of(id);
    match patient {
        Some(patient) => subject.in_record_of(patient),
        None => subject,
    }
}

/// Opens a message that is about to be shown.
fn shown(ctx: &RequestContext, keys: &FacilityKeys, row: MessageRow) -> Result<Message> {
    ctx.note_read(subject(row.id, row.patient_id));
    sealing::open(keys, row)
}

/// One message.
///
/// # Errors
/// [`Error::NotFound`] when there is none where the caller takes part.
pub async fn message(ctx: &RequestContext, id: MessageId) -> Result<Message> {
    messages_by_ids(ctx, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Messages by id, those of conversations the caller takes part in, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn messages_by_ids(ctx: &RequestContext, ids: &[MessageId]) -> Result<Vec<Message>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::find_by_ids(read.db()?, ctx.facility(), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| shown(ctx, &keys, row)).collect()
}

/// A message and its text, for the server itself; `None` when it is gone or has none.
pub(in crate::domains::chat) async fn to_be_indexed(
    read: &Read,
    id: MessageId,
) -> Result<Option<(Message, Phi<String>)>> {
    let found = repository::find_by_ids(read.db()?, read.ctx().facility(), &[id]).await?.pop();
    let Some(row) = found else { return Ok(None) };
    let message = sealing::open(&*read.keys().await?, row)?;
    let body = message.body.clone();
    Ok(body.map(|body| (message, body)))
}

/// The last message of each conversation that has one.
///
/// # Errors
/// A denial, or a fault.
pub async fn last_messages_of(ctx: &RequestContext, conversations: &[ConversationId]) -> Result<Vec<Message>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::last_of(read.db()?, ctx.facility(), conversations).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| shown(ctx, &keys, row)).collect()
}

/// The messages of a conversation from one number on, in the order they were sent, at most `count` of them. No read of them
/// is noted: what they are for is on record as a whole.
pub(in crate::domains::chat) async fn stretch(
    read: &Read,
    conversation: ConversationId,
    after: i64,
    count: i64,
) -> Result<Vec<Message>> {
    let window = WindowRequest { count, end: End::First, after: Some(after), before: None };
    let rows = repository::windows_of(read.db()?, read.ctx().facility(), &[conversation], window).await?;
    let keys = read.keys().await?;
    window.cut(rows).page.rows.into_iter().map(|row| sealing::open(&keys, row)).collect()
}

/// A window of the messages of each conversation, in the order they were sent.
///
/// # Errors
/// A denial, or a fault.
pub async fn messages_of(
    ctx: &RequestContext,
    conversations: &[ConversationId],
    window: WindowRequest<i64>,
) -> Result<HashMap<ConversationId, Window<Message>>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::windows_of(read.db()?, ctx.facility(), conversations, window).await?;
    let keys = read.keys().await?;
    cut(ctx, &keys, rows, window, |row| Some(row.conversation_id))
}

/// A window of the answers in the thread of each message, in the order they were sent.
///
/// # Errors
/// A denial, or a fault.
pub async fn replies_of(
    ctx: &RequestContext,
    roots: &[MessageId],
    window: WindowRequest<i64>,
) -> Result<HashMap<MessageId, Window<Message>>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::replies_of(read.db()?, ctx.facility(), roots, window).await?;
    let keys = read.keys().await?;
    cut(ctx, &keys, rows, window, |row| row.thread_root_id)
}

fn cut<K: std::hash::Hash + Eq>(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    rows: Vec<MessageRow>,
    window: WindowRequest<i64>,
    of: impl Fn(&MessageRow) -> Option<K>,
) -> Result<HashMap<K, Window<Message>>> {
    let mut groups: HashMap<K, Vec<MessageRow>> = HashMap::new();
    for row in rows {
        if let Some(key) = of(&row) {
            groups.entry(key).or_default().push(row);
        }
    }
    let open = |rows| window.cut(rows).try_map(|row| shown(ctx, keys, row));
    groups.into_iter().map(|(key, rows)| Ok((key, open(rows)?))).collect()
}

/// How many answers the threads of these messages have; messages without any are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn reply_counts(ctx: &RequestContext, roots: &[MessageId]) -> Result<HashMap<MessageId, i64>> {
    let read = ctx.read(&policy::READ).await?;
    Ok(repository::reply_counts(read.db()?, ctx.facility(), roots).await?.into_iter().collect())
}

/// Sends a message: three statements, and one more each for whom it names and what it shares. The conversation's row is taken by the first, so that messages
/// are numbered in the order they commit, and who takes part is asked by the second.
///
/// # Errors
/// Refused when the text is empty or too long, the conversation is closed, there is no such message to answer, no such
/// document to share or nobody of that name taking part, or the caller only observes; and of what goes to somebody outside,
/// when it cannot go there.
pub async fn send_message(
    ctx: &RequestContext,
    new: SendMessage,
    once: Option<Once>,
) -> Result<MessageId, Stop<Refusal>> {
    ctx.write(&policy::SEND)
        .once(once)
        .run(|tx| async move {
            validation::body(&new.body)?;
            if matches!(new.kind, MessageKind::System | MessageKind::Assistant) {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "kind"], "people send no such messages"));
            }
            if new.kind == MessageKind::Document && new.documents.is_empty() {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "documentIds"], "must name a document"));
            }
            let (ctx, db, id): (_, _, MessageId) = (tx.ctx(), tx.db()?, new_id());
            let body_ciphertext = sealing::seal_body(&*tx.keys().await?, id, &new.body)?;
            let numbered = repository::number(db, ctx.facility(), new.conversation, 1, ctx.now()).await?;
            let numbered = numbered.ok_or(Error::NotFound)?;
            tx.audit(subject(id, numbered.patient_id), json!({ "conversation": new.conversation }));
            if !numbered.status.is_open() {
                let sentence = "the conversation is archived or completed: reopen it first";
                return Err(Stop::refuse(Refusal::Closed, &["input", "conversationId"], sentence));
            }
            let row = NewMessage {
                id,
                conversation: new.conversation,
                sequence: numbered.last_sequence,
                author: ctx.user()?,
                kind: new.kind,
                body_ciphertext,
                parent: new.parent,
                sensitivity: new.sensitivity,
                now: ctx.now(),
            };
            let Some(sent) = repository::insert(db, ctx.facility(), row).await? else {
                return Err(unsent(&tx, new.conversation).await);
            };
            parts::mention(&tx, new.conversation, id, new.mentions.clone()).await?;
            parts::attach(&tx, id, &new.documents).await?;
            if let Some(contact) = numbered.whatsapp_contact_id {
                whatsapp::deliver::queue(&tx, contact, id, &new).await?;
            }
            index_later(&tx, id).await?;
            spoken(&tx, EventKind::MessageSent, new.conversation, id, &sent.audience);
            notify(&tx, new.conversation, id, &new.mentions, sent.unmuted).await?;
            Ok(id)
        })
        .await
}

/// Whoever is named is told of the message, the others of the conversation, unless they want no notifications of it.
pub(super) async fn notify(
    tx: &Tx,
    conversation: ConversationId,
    message: MessageId,
    named: &[UserId],
    mut unmuted: Vec<UserId>,
) -> Result<()> {
    unmuted.retain(|user| !named.contains(user));
    notifications::tell(tx, named, NotificationKind::Mention, message).await?;
    notifications::tell(tx, &unmuted, NotificationKind::Message, conversation).await
}

/// Why a message was not sent: whoever wrote it observes, or there is nothing to answer.
pub(super) async fn unsent(tx: &Tx, conversation: ConversationId) -> Stop<Refusal> {
    match locked(tx, conversation).await {
        Ok(found) if found.role == ParticipantRole::Observer => observer(),
        Ok(_) => {
            let sentence = "there is no such message in the conversation";
            Stop::refuse(Refusal::MessageNotFound, &["input", "parentId"], sentence)
        }
        Err(error) => error.into(),
    }
}

/// Writes into a conversation what happened to it, to each of these users as a message; `None` where nobody here did it. Those who are to hear of it are
/// told by the caller, who knows who is left.
pub(in crate::domains::chat) async fn say(
    tx: &Tx,
    conversation: ConversationId,
    event: MessageSystemEvent,
    subjects: &[Option<UserId>],
) -> Result<Vec<MessageId>> {
    let (ctx, db) = (tx.ctx(), tx.db()?);
    let count = i64::try_from(subjects.len()).map_err(Error::internal)?;
    let numbered = repository::number(db, ctx.facility(), conversation, count, ctx.now()).await?;
    let last = numbered.ok_or(Error::NotFound)?.last_sequence;
    repository::insert_events(db, ctx.facility(), conversation, last, event, subjects, ctx.now()).await
}
