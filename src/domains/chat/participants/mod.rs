//! Who takes part in a conversation, and how far each has read.

mod repository;
pub mod service;

use super::model::{Participant, ParticipantParty, ParticipantRole, Refusal};
use super::validation::MAX_PARTICIPANTS;
use crate::access::Tx;
use crate::error::{Result, Stop};
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

/// Two people in care do not meet.
pub(super) fn one_patient() -> Stop<Refusal> {
    let sentence = "at most one person in care takes part, and never without staff";
    Stop::refuse(Refusal::MayNotTakePart, &["input", "participantIds"], sentence)
}

/// There are as many as there may be.
pub(super) fn too_many() -> Stop<Refusal> {
    Stop::refuse(Refusal::TooMany, &["input", "participantIds"], format!("at most {MAX_PARTICIPANTS} take part"))
}
