//! What the server does of itself when somebody outside writes: a conversation with those who are to see to it, an alarm
//! at words of danger, a word that nobody is there.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::WhatsappAutomaticReply;
use super::receive::Receiving;
use super::repository::contacts::{self, ContactRow, Current};
use super::repository::{self, deliveries};
use super::{crisis, deliver_later, hours};
use crate::access::Role;
use crate::domains::chat::conversations::service as conversations;
use crate::domains::chat::messages::received;
use crate::domains::chat::model::{
    ConversationKind, ConversationStatus, Participant, ParticipantParty, ParticipantRole,
};
use crate::domains::chat::participants::{self, NewParticipant};
use crate::domains::chat::policy;
use crate::domains::facilities;
use crate::error::Result;
use crate::ids::{ConversationId, UserId};
use crate::phi::Phi;

/// They are told again that nobody is there when so much time has passed.
const CLOSED_AGAIN: TimeDelta = TimeDelta::hours(12);
/// The same person raises an alarm once in so much time.
const ALARM_AGAIN: TimeDelta = TimeDelta::hours(1);

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Closed,
    Alarm,
}

/// Who of the staff may take part.
async fn entitled(receiving: &Receiving<'_>, users: &[UserId]) -> Result<Vec<UserId>> {
    let roles = facilities::service::roles_of_users(receiving.tx, users).await?;
    let may = |user: &UserId| {
        roles.get(user).is_some_and(|roles: &Vec<Role>| policy::may_take_part(roles, ConversationKind::Whatsapp))
    };
    Ok(users.iter().copied().filter(may).collect())
}

/// Who is to take part in what is written to the number: whoever it is handed over to first. Nobody only when all of them,
/// and whoever set it up, have left.
async fn staff(receiving: &Receiving<'_>) -> Result<Vec<UserId>> {
    let (tx, integration) = (receiving.tx, &receiving.integration);
    let members = repository::members_of(tx.db()?, tx.ctx().facility(), &[integration.id]).await?;
    let mut users = vec![integration.hand_over_to];
    users.extend(members.into_iter().map(|(_, user)| user).filter(|user| *user != integration.hand_over_to));
    let found = entitled(receiving, &users).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    let found = entitled(receiving, &[integration.created_by]).await?;
    if found.is_empty() {
        tracing::warn!("nobody is left who could read what comes over WhatsApp");
    }
    Ok(found)
}

fn seats(users: &[UserId]) -> Vec<NewParticipant> {
    let seat = |(place, user): (usize, &UserId)| NewParticipant {
        user: *user,
        role: if place == 0 { ParticipantRole::Owner } else { ParticipantRole::Member },
        party: ParticipantParty::Staff,
        invited_by: None,
    };
    users.iter().enumerate().map(seat).collect()
}

/// The conversation with somebody, locked and open: the one that goes on, the one that was put away, or a new one. There
/// is somebody in it who may read it, as far as there is anybody.
pub(super) async fn conversation(receiving: &Receiving<'_>, contact: &ContactRow) -> Result<Current> {
    let tx = receiving.tx;
    let (db, facility) = (tx.db()?, tx.ctx().facility());
    let Some(mut found) = contacts::current(db, facility, contact.id).await? else {
        let seats = seats(&staff(receiving).await?);
        let id = conversations::begin_with(tx, contact.id, contact.patient_id, seats).await?;
        return Ok(Current { id, status: ConversationStatus::Active, patient_id: contact.patient_id });
    };
    let present: Vec<UserId> = participants::present_users(tx, found.id).await?;
    if entitled(receiving, &present).await?.is_empty() {
        let users = staff(receiving).await?;
        let missing: Vec<UserId> = users.into_iter().filter(|user| !present.contains(user)).collect();
        participants::seat(tx, found.id, ParticipantRole::Owner, &missing).await?;
    }
    if !found.status.is_open() {
        conversations::become_of(tx, found.id, ConversationStatus::Active, None, None).await?;
        found.status = ConversationStatus::Active;
    }
    Ok(found)
}

/// Whether a text raises an alarm now.
pub(super) fn raises_alarm(contact: &ContactRow, text: &str, now: DateTime<Utc>) -> bool {
    crisis::is_crisis(text) && contact.crisis_at.is_none_or(|last| last + ALARM_AGAIN <= now)
}

/// Makes whoever is to see to it part of the conversation, before there is anything to miss in it.
pub(super) async fn bring_in(receiving: &Receiving<'_>, conversation: ConversationId) -> Result<()> {
    let (tx, wanted) = (receiving.tx, receiving.integration.hand_over_to);
    let present = participants::present_users(tx, conversation).await?;
    if present.contains(&wanted) || entitled(receiving, &[wanted]).await?.is_empty() {
        return Ok(());
    }
    participants::seat(tx, conversation, ParticipantRole::Member, &[wanted]).await
}

/// Hands the conversation to a person, and answers at once.
pub(super) async fn alarm(receiving: &Receiving<'_>, contact: &ContactRow, found: Current) -> Result<Heard> {
    let (tx, integration) = (receiving.tx, &receiving.integration);
    let present = participants::present(tx, found.id).await?;
    conversations::press(tx, found.id).await?;
    let assignee = assignee(&present, integration.hand_over_to);
    conversations::become_of(tx, found.id, ConversationStatus::Escalated, assignee, None).await?;
    let text = integration.crisis_reply.as_deref().unwrap_or(crisis::REPLY);
    answer(receiving, contact, found.id, text, WhatsappAutomaticReply::Crisis).await?;
    Ok(Heard::Alarm)
}

/// Whoever the facility named, else the owner who is there longest, else whoever of the staff is.
fn assignee(present: &[Participant], wanted: UserId) -> Option<UserId> {
    let staff = || present.iter().filter(|one| one.party == ParticipantParty::Staff);
    let owner = || staff().find(|one| one.role == ParticipantRole::Owner);
    staff().find(|one| one.user == wanted).or_else(owner).or_else(|| staff().next()).map(|one| one.user)
}

/// Says that nobody is there, where that is so and was not said lately.
pub(super) async fn closed(receiving: &Receiving<'_>, contact: &ContactRow, found: Current) -> Result<Heard> {
    let (integration, now) = (&receiving.integration, receiving.tx.ctx().now());
    let (Some(hours), Some(text)) = (&integration.business_hours, &integration.closed_reply) else {
        return Ok(Heard::Nothing);
    };
    let lately = contact.closed_replied_at.is_some_and(|last| last + CLOSED_AGAIN > now);
    if lately || hours::is_open(hours, receiving.zone, now) {
        return Ok(Heard::Nothing);
    }
    answer(receiving, contact, found.id, text, WhatsappAutomaticReply::Closed).await?;
    Ok(Heard::Closed)
}

async fn answer(
    receiving: &Receiving<'_>,
    contact: &ContactRow,
    conversation: ConversationId,
    text: &str,
    automatic: WhatsappAutomaticReply,
) -> Result<()> {
    let (tx, ctx) = (receiving.tx, receiving.tx.ctx());
    let id = received::answer(tx, conversation, &Phi::from(text)).await?;
    deliveries::insert(tx.db()?, ctx.facility(), id, contact.id, Some(automatic), ctx.now()).await?;
    deliver_later(tx, id).await
}
