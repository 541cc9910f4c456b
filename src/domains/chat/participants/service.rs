//! Coming and going, muting, receipts.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::json;

pub use super::repository::Receipt;
use super::{one_patient, repository, too_many};
use crate::access::{Once, RequestContext, Tx};
use crate::domains::chat::changes::{changed, spoken, told};
use crate::domains::chat::conversations::Locked;
use crate::domains::chat::conversations::service::{admitted, locked, observer, subject};
use crate::domains::chat::messages::service::say;
use crate::domains::chat::model::{MessageSystemEvent, Participant, ParticipantParty, ParticipantRole, Refusal};
use crate::domains::chat::policy;
use crate::domains::chat::validation::MAX_PARTICIPANTS;
use crate::domains::facilities;
use crate::domains::notifications::model::NotificationKind;
use crate::domains::notifications::service as notifications;
use crate::error::{Error, Result, Stop};
use crate::events::{EventKind, NewEvent};
use crate::ids::{ConversationId, MessageId, UserId};

/// Who takes part in these conversations, the caller's own, in the order they joined.
///
/// # Errors
/// A denial, or a fault.
pub async fn participants_of(ctx: &RequestContext, conversations: &[ConversationId]) -> Result<Vec<Participant>> {
    let read = ctx.read(&policy::READ).await?;
    repository::present(read.db()?, ctx.facility(), conversations).await
}

/// How many messages of each conversation the caller has not read; those they take no part in are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn unread_of(ctx: &RequestContext, conversations: &[ConversationId]) -> Result<HashMap<ConversationId, i64>> {
    let read = ctx.read(&policy::READ).await?;
    repository::unread_of(read.db()?, ctx.facility(), ctx.user()?, conversations).await
}

/// How many messages the caller has not read, and in how many conversations.
///
/// # Errors
/// A denial, or a fault.
pub async fn unread_total(ctx: &RequestContext) -> Result<(i64, i64)> {
    let read = ctx.read(&policy::READ).await?;
    repository::unread_total(read.db()?, ctx.facility(), ctx.user()?).await
}

/// Brings users into a conversation.
///
/// # Errors
/// Refused when the caller only observes, somebody is no member, may not take part or does already, or there are too
/// many.
pub async fn invite(
    ctx: &RequestContext,
    conversation: ConversationId,
    users: Vec<UserId>,
    role: ParticipantRole,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::PARTICIPANTS)
        .once(once)
        .run(|tx| async move {
            let found = locked(&tx, conversation).await?;
            if found.role == ParticipantRole::Observer {
                return Err(observer());
            }
            if role == ParticipantRole::Owner && found.role != ParticipantRole::Owner {
                return Err(not_owner());
            }
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let users: Vec<UserId> = users.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            let roles = facilities::service::roles_of_users(&tx, &users).await?;
            let seats = admitted(&users, &roles, found.kind)?;
            if seats.is_empty() {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "participantIds"], "must name somebody"));
            }
            let present = repository::present(db, ctx.facility(), &[conversation]).await?;
            if present.iter().any(|there| users.contains(&there.user)) {
                let sentence = "somebody named takes part already";
                return Err(Stop::refuse(Refusal::AlreadyThere, &["input", "participantIds"], sentence));
            }
            if present.len() + seats.len() > MAX_PARTICIPANTS {
                return Err(too_many());
            }
            let parties = present.iter().map(|there| there.party).chain(seats.iter().map(|(_, party)| *party));
            if parties.filter(|party| *party == ParticipantParty::Patient).count() > 1 {
                return Err(one_patient());
            }
            let joining: Vec<Option<UserId>> = users.iter().copied().map(Some).collect();
            let said = say(&tx, conversation, MessageSystemEvent::ParticipantJoined, &joining).await?;
            repository::join(db, ctx.facility(), conversation, role, &seats, Some(ctx.user()?), ctx.now()).await?;
            let audience = changed(&tx, EventKind::ParticipantsChanged, conversation).await?;
            for message in said {
                spoken(&tx, EventKind::MessageSent, conversation, message, &audience);
            }
            notifications::tell(&tx, &users, NotificationKind::Participation, conversation).await?;
            tx.audit(subject(conversation, found.patient_id), json!({ "change": "invited", "users": users }));
            Ok(conversation)
        })
        .await
}

/// Leaves a conversation. Where the last owner leaves, whoever of the staff is there longest owns it.
///
/// # Errors
/// Refused when nobody of the staff would be left.
pub async fn leave(
    ctx: &RequestContext,
    conversation: ConversationId,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::LEAVE)
        .once(once)
        .run(|tx| async move {
            let found = locked(&tx, conversation).await?;
            let own = tx.ctx().user()?;
            go(&tx, conversation, own, MessageSystemEvent::ParticipantLeft).await?;
            tx.audit(subject(conversation, found.patient_id), json!({ "change": "left" }));
            Ok(conversation)
        })
        .await
}

/// Takes someone out of a conversation.
///
/// # Errors
/// Refused when the caller does not own it, the user does not take part, or nobody of the staff would be left.
pub async fn remove(
    ctx: &RequestContext,
    conversation: ConversationId,
    user: UserId,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::PARTICIPANTS)
        .once(once)
        .run(|tx| async move {
            let found = owned(&tx, conversation).await?;
            if user == tx.ctx().user()? {
                return Err(Stop::refuse(
                    Refusal::Invalid,
                    &["input", "userId"],
                    "is your own: leave the conversation",
                ));
            }
            go(&tx, conversation, user, MessageSystemEvent::ParticipantRemoved).await?;
            tx.audit(subject(conversation, found.patient_id), json!({ "change": "removed", "user": user }));
            Ok(conversation)
        })
        .await
}

/// Ends somebody's part in a conversation that is locked.
async fn go(
    tx: &Tx,
    conversation: ConversationId,
    user: UserId,
    event: MessageSystemEvent,
) -> Result<(), Stop<Refusal>> {
    let (ctx, db) = (tx.ctx(), tx.db()?);
    let present = repository::present(db, ctx.facility(), &[conversation]).await?;
    if !present.iter().any(|there| there.user == user) {
        return Err(Stop::refuse(Refusal::NotThere, &["input", "userId"], "the user does not take part"));
    }
    let left: Vec<&Participant> = present.iter().filter(|there| there.user != user).collect();
    let Some(longest) = left.iter().find(|there| there.party == ParticipantParty::Staff) else {
        let sentence = "nobody of the staff would be left: bring somebody in first";
        return Err(Stop::refuse(Refusal::LastParticipant, &["input"], sentence));
    };
    // While whoever goes is still there: they may not speak, nor be told of, afterwards.
    let said = say(tx, conversation, event, &[Some(user)]).await?;
    if !left.iter().any(|there| there.role == ParticipantRole::Owner) {
        repository::set_role(db, ctx.facility(), conversation, longest.user, ParticipantRole::Owner).await?;
    }
    repository::set_left(db, ctx.facility(), conversation, user, ctx.now()).await?;
    let audience: Vec<UserId> = left.iter().map(|there| there.user).collect();
    told(tx, EventKind::ParticipantsChanged, conversation, &audience);
    for message in said {
        spoken(tx, EventKind::MessageSent, conversation, message, &audience);
    }
    Ok(())
}

/// Says what someone may do in a conversation.
///
/// # Errors
/// Refused when the caller does not own it, the user does not take part, or nobody would own it.
pub async fn set_role(
    ctx: &RequestContext,
    conversation: ConversationId,
    user: UserId,
    role: ParticipantRole,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::PARTICIPANTS)
        .once(once)
        .run(|tx| async move {
            let found = owned(&tx, conversation).await?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let present = repository::present(db, ctx.facility(), &[conversation]).await?;
            let Some(there) = present.iter().find(|there| there.user == user) else {
                return Err(Stop::refuse(Refusal::NotThere, &["input", "userId"], "the user does not take part"));
            };
            if role == ParticipantRole::Owner && there.party == ParticipantParty::Patient {
                let sentence = "a conversation is owned by staff";
                return Err(Stop::refuse(Refusal::MayNotTakePart, &["input", "role"], sentence));
            }
            let owners = present.iter().filter(|there| there.role == ParticipantRole::Owner);
            if role != ParticipantRole::Owner
                && owners.clone().count() == 1
                && owners.clone().any(|one| one.user == user)
            {
                return Err(Stop::refuse(Refusal::LastOwner, &["input", "role"], "nobody else owns the conversation"));
            }
            repository::set_role(db, ctx.facility(), conversation, user, role).await?;
            changed(&tx, EventKind::ParticipantsChanged, conversation).await?;
            let detail = json!({ "change": "role", "user": user, "role": role.as_str() });
            tx.audit(subject(conversation, found.patient_id), detail);
            Ok(conversation)
        })
        .await
}

/// Locked, by one of its owners.
pub(in crate::domains::chat) async fn owned(tx: &Tx, conversation: ConversationId) -> Result<Locked, Stop<Refusal>> {
    let found = locked(tx, conversation).await?;
    if found.role == ParticipantRole::Owner { Ok(found) } else { Err(not_owner()) }
}

fn not_owner() -> Stop<Refusal> {
    Stop::refuse(Refusal::NotOwner, &["input"], "this is for the owners of the conversation")
}

/// Says until when the caller wants no notifications of a conversation; `None` for that they do again.
///
/// # Errors
/// Refused when the instant is past.
pub async fn mute(
    ctx: &RequestContext,
    conversation: ConversationId,
    until: Option<DateTime<Utc>>,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::MUTE)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            tx.audit(
                subject(conversation, None),
                json!({ "change": if until.is_some() { "muted" } else { "unmuted" } }),
            );
            if until.is_some_and(|until| until <= ctx.now()) {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "until"], "must be later than now"));
            }
            if !repository::mute(tx.db()?, ctx.facility(), conversation, ctx.user()?, until).await? {
                return Err(Error::NotFound.into());
            }
            told(&tx, EventKind::ParticipantsChanged, conversation, &[ctx.user()?]);
            Ok(conversation)
        })
        .await
}

/// Says how far the caller has got: all up to a message.
///
/// # Errors
/// [`Error::NotFound`] when there is no such message where the caller takes part.
pub async fn receive(
    ctx: &RequestContext,
    message: MessageId,
    receipt: Receipt,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::RECEIPT)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let found = repository::receive(tx.db()?, ctx.facility(), message, ctx.user()?, receipt).await?;
            let (conversation, present) = found.ok_or(Error::NotFound)?;
            // What one wants to read again is nobody else's business.
            let audience = if receipt == Receipt::Unread { vec![ctx.user()?] } else { present };
            told(&tx, EventKind::ReceiptsChanged, conversation, &audience);
            if receipt == Receipt::Read {
                notifications::seen(&tx, conversation).await?;
            }
            let word = match receipt {
                Receipt::Delivered => "delivered",
                Receipt::Read => "read",
                Receipt::Unread => "unread",
            };
            tx.audit(subject(conversation, None), json!({ "receipt": word }));
            Ok(conversation)
        })
        .await
}

/// Tells those who take part that the caller is writing. Nothing is written down.
///
/// # Errors
/// [`Error::NotFound`] when the caller takes no part in it, which is on record.
pub async fn typing(ctx: &RequestContext, conversation: ConversationId) -> Result<ConversationId, Stop<Refusal>> {
    let read = ctx.read(&policy::TYPING).await?;
    let own = ctx.user()?;
    let present = repository::present(read.db()?, ctx.facility(), &[conversation]).await?;
    drop(read);
    if !present.iter().any(|there| there.user == own) {
        return ctx
            .write(&policy::TYPING)
            .run(|tx| async move {
                tx.audit(subject(conversation, None), json!({}));
                Err(Error::NotFound.into())
            })
            .await;
    }
    let audience = present.iter().map(|there| there.user).filter(|user| *user != own).collect();
    let signal = NewEvent::new(EventKind::Typing, conversation).to(audience);
    ctx.app().events.signal(ctx, signal).await?;
    Ok(conversation)
}
