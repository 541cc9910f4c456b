//! Who takes part in a conversation, and how far each has read.

mod repository;
pub mod service;

use super::changes::{changed, spoken};
use super::messages::service::say;
use super::model::{MessageSystemEvent, Participant, ParticipantParty, ParticipantRole, Refusal};
use super::validation::MAX_PARTICIPANTS;
use crate::access::Tx;
use crate::error::{Result, Stop};
use crate::events::EventKind;
use crate::ids::{ConversationId, UserId};

/// Someone about to take part.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewParticipant {
    pub user: UserId,
    pub role: ParticipantRole,
    pub party: ParticipantParty,
    pub invited_by: Option<UserId>,
}

/// Those who take part in a conversation just begun.
pub(super) async fn insert(tx: &Tx, conversation: ConversationId, seats: Vec<NewParticipant>) -> Result<()> {
    repository::insert(tx.db()?, tx.ctx().facility(), conversation, seats, tx.ctx().now()).await
}

/// Who takes part now.
pub(super) async fn present_users(tx: &Tx, conversation: ConversationId) -> Result<Vec<UserId>> {
    let present = repository::present(tx.db()?, tx.ctx().facility(), &[conversation]).await?;
    Ok(present.into_iter().map(|there| there.user).collect())
}

/// Who takes part now, with their parts, in the order they joined.
pub(super) async fn present(tx: &Tx, conversation: ConversationId) -> Result<Vec<Participant>> {
    repository::present(tx.db()?, tx.ctx().facility(), &[conversation]).await
}

/// Makes staff part of a conversation that is locked, by the server itself; says so in it, and tells those who take part.
pub(super) async fn seat(tx: &Tx, conversation: ConversationId, role: ParticipantRole, users: &[UserId]) -> Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let ctx = tx.ctx();
    let joining: Vec<Option<UserId>> = users.iter().copied().map(Some).collect();
    let said = say(tx, conversation, MessageSystemEvent::ParticipantJoined, &joining).await?;
    let seats: Vec<(UserId, ParticipantParty)> = users.iter().map(|user| (*user, ParticipantParty::Staff)).collect();
    repository::join(tx.db()?, ctx.facility(), conversation, role, &seats, None, ctx.now()).await?;
    let audience = changed(tx, EventKind::ParticipantsChanged, conversation).await?;
    for message in said {
        spoken(tx, EventKind::MessageSent, conversation, message, &audience);
    }
    Ok(())
}

/// Two people in care do not meet.
pub(super) fn one_patient() -> Stop<Refusal> {
    let sentence = "at most one person in care takes part, and never without staff";
    Stop::refuse(Refusal::MayNotTakePart, &["input", "participantIds"], sentence)
}

/// There are as many as there may be.
pub(super) fn too_many() -> Stop<Refusal> {
    Stop::refuse(Refusal::TooMany, &["input", "participantIds"], format!("at most {MAX_PARTICIPANTS} take part"))
}
