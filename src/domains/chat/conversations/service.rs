//! Beginning conversations, listing and changing them.

use std::collections::{BTreeSet, HashMap};

use async_graphql::MaybeUndefined;
use serde_json::json;

pub use super::repository::Filter;
use super::repository::{self, Changes, Locked, NewConversationRow};
use super::sealing;
use crate::access::{Once, RequestContext, Role, Subject, Tx};
use crate::domains::chat::changes::{changed, spoken, told};
use crate::domains::chat::messages::service::say;
use crate::domains::chat::model::{
    ActivityCursor, Conversation, ConversationKind, ConversationPriority, ConversationStatus, MessageSystemEvent,
    ParticipantParty, ParticipantRole, Refusal,
};
use crate::domains::chat::participants::{self, NewParticipant};
use crate::domains::chat::{policy, validation};
use crate::domains::notifications::model::NotificationKind;
use crate::domains::notifications::service as notifications;
use crate::domains::{facilities, patients};
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{ConversationId, PatientId, UserId, WhatsappContactId, new_id};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// A conversation to be begun.
#[derive(Debug, Clone)]
pub struct NewConversation {
    pub kind: ConversationKind,
    pub title: Option<Phi<String>>,
    pub patient: Option<PatientId>,
    pub participants: Vec<UserId>,
    pub priority: ConversationPriority,
    pub tags: Vec<String>,
}

/// What is to be changed of one.
#[derive(Debug, Clone)]
pub struct UpdateConversation {
    pub title: MaybeUndefined<Phi<String>>,
    pub priority: Option<ConversationPriority>,
    pub tags: Option<Vec<String>>,
}

/// What is done to a conversation, or a part of it, in the audit log.
pub(in crate::domains::chat) fn subject(id: ConversationId, patient: Option<PatientId>) -> Subject {
    let subject = Subject::of(id);
    match patient {
        Some(patient) => subject.in_record_of(patient),
        None => subject,
    }
}

/// A conversation about to be changed by who takes part in it.
pub(in crate::domains::chat) async fn locked(tx: &Tx, id: ConversationId) -> Result<Locked> {
    let ctx = tx.ctx();
    repository::lock(tx.db()?, ctx.facility(), id, ctx.user()?).await?.ok_or(Error::NotFound)
}

/// One conversation.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller takes part in.
pub async fn conversation(ctx: &RequestContext, id: ConversationId) -> Result<Conversation> {
    conversations_by_ids(ctx, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Conversations by id, those the caller takes part in, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn conversations_by_ids(ctx: &RequestContext, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::find_by_ids(read.db()?, ctx.facility(), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter()
        .map(|row| {
            ctx.note_read(subject(row.id, row.patient_id));
            sealing::open(&keys, row)
        })
        .collect()
}

/// A page of the caller's conversations, the last active first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_conversations(
    ctx: &RequestContext,
    filter: &Filter,
    page: PageRequest<ActivityCursor>,
) -> Result<Page<Conversation>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = page.cut(repository::list_page(read.db()?, ctx.facility(), ctx.user()?, filter, page).await?);
    let keys = read.keys().await?;
    let open = |row: repository::ConversationRow| {
        ctx.note_read(subject(row.id, row.patient_id));
        sealing::open(&keys, row)
    };
    Ok(Page { has_next: rows.has_next, rows: rows.rows.into_iter().map(open).collect::<Result<_>>()? })
}

/// How many conversations [`list_conversations`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_conversations(ctx: &RequestContext, filter: &Filter) -> Result<i64> {
    let read = ctx.read(&policy::READ).await?;
    repository::count(read.db()?, ctx.facility(), ctx.user()?, filter).await
}

/// Begins a conversation; who begins it owns it.
///
/// # Errors
/// Refused when a value is malformed, the patient cannot be opened or is missing, somebody is no member or may not
/// take part, or there are too many.
pub async fn create_conversation(
    ctx: &RequestContext,
    new: NewConversation,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    let action = if new.kind == ConversationKind::SecureMail { &policy::CREATE } else { &policy::CREATE_STAFF };
    ctx.write(action)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, id): (_, _, ConversationId) = (tx.ctx(), tx.db()?, new_id());
            if new.kind == ConversationKind::Whatsapp {
                let sentence = "such a conversation begins when somebody writes to a number of the facility";
                return Err(Stop::refuse(Refusal::Invalid, &["input", "kind"], sentence));
            }
            let title = validation::title(new.title)?;
            if title.is_none() && new.kind == ConversationKind::SecureMail {
                return Err(Stop::refuse(Refusal::Invalid, &["input", "title"], "a secure mail needs a subject"));
            }
            let tags = validation::tags(new.tags)?;
            about(&tx, new.kind, new.patient).await?;
            let seats = seats(&tx, new.kind, &new.participants).await?;
            let keys = tx.keys().await?;
            let row = NewConversationRow {
                facility_id: ctx.facility(),
                id,
                kind: new.kind,
                patient_id: new.patient,
                title_ciphertext: sealing::seal_title(&keys, id, title.as_ref())?,
                tags_ciphertext: sealing::seal_tags(&keys, id, &tags)?,
                priority: new.priority,
                status: ConversationStatus::Active,
                last_activity_at: ctx.now(),
                created_by: Some(ctx.user()?),
                created_at: ctx.now(),
                whatsapp_contact_id: None,
            };
            repository::insert(db, row).await?;
            let audience: Vec<UserId> = seats.iter().map(|seat| seat.user).collect();
            participants::insert(&tx, id, seats).await?;
            told(&tx, EventKind::ConversationChanged, id, &audience);
            notifications::tell(&tx, &audience, NotificationKind::Participation, id).await?;
            tx.audit(subject(id, new.patient), json!({ "kind": new.kind.as_str() }));
            Ok(id)
        })
        .await
}

/// Refused unless the patient is given where one is needed, and can be opened where one is given.
async fn about(tx: &Tx, kind: ConversationKind, patient: Option<PatientId>) -> Result<(), Stop<Refusal>> {
    let field = &["input", "patientId"];
    let Some(patient) = patient else {
        if matches!(kind, ConversationKind::Patient | ConversationKind::CareTeam) {
            return Err(Stop::refuse(Refusal::PatientRequired, field, "such a conversation is about a patient"));
        }
        return Ok(());
    };
    if tx.may(&patients::policy::READ) && patients::service::are_open(tx, &[patient]).await? {
        return Ok(());
    }
    Err(Stop::refuse(Refusal::PatientNotFound, field, "there is no such patient"))
}

/// Who takes part from the beginning: who begins it, and whom they name.
async fn seats(tx: &Tx, kind: ConversationKind, named: &[UserId]) -> Result<Vec<NewParticipant>, Stop<Refusal>> {
    let own = tx.ctx().user()?;
    let named: BTreeSet<UserId> = named.iter().copied().filter(|user| *user != own).collect();
    if named.len() >= validation::MAX_PARTICIPANTS {
        let most = validation::MAX_PARTICIPANTS;
        let sentence = format!("at most {most} take part, with whoever begins it");
        return Err(Stop::refuse(Refusal::TooMany, &["input", "participantIds"], sentence));
    }
    let own_roles = tx.roles();
    if !policy::may_take_part(&own_roles, kind) {
        return Err(Stop::refuse(Refusal::MayNotTakePart, &["input", "kind"], "your roles take no part in such"));
    }
    let users: Vec<UserId> = named.into_iter().collect();
    let roles = facilities::service::roles_of_users(tx, &users).await?;
    let others = admitted(&users, &roles, kind)?;
    let own_seat =
        NewParticipant { user: own, role: ParticipantRole::Owner, party: policy::party(&own_roles), invited_by: None };
    let patients = std::iter::once(own_seat.party)
        .chain(others.iter().map(|(_, party)| *party))
        .filter(|party| *party == ParticipantParty::Patient)
        .count();
    if patients > 1 {
        return Err(participants::one_patient());
    }
    if patients == 1 && others.is_empty() {
        let sentence = "name someone who works here";
        return Err(Stop::refuse(Refusal::MayNotTakePart, &["input", "participantIds"], sentence));
    }
    let others = others.into_iter().map(|(user, party)| NewParticipant {
        user,
        role: ParticipantRole::Member,
        party,
        invited_by: Some(own),
    });
    Ok(std::iter::once(own_seat).chain(others).collect())
}

/// These users with the side they stand on, as long as each may take part.
pub(in crate::domains::chat) fn admitted(
    users: &[UserId],
    roles: &HashMap<UserId, Vec<Role>>,
    kind: ConversationKind,
) -> Result<Vec<(UserId, ParticipantParty)>, Stop<Refusal>> {
    let field = &["input", "participantIds"];
    users
        .iter()
        .map(|user| {
            let Some(held) = roles.get(user) else {
                return Err(Stop::refuse(Refusal::NotMember, field, "nobody of that id works or is cared for here"));
            };
            if !policy::may_take_part(held, kind) {
                return Err(Stop::refuse(Refusal::MayNotTakePart, field, "somebody named takes no part in such"));
            }
            Ok((*user, policy::party(held)))
        })
        .collect()
}

/// Changes title, tags or priority.
///
/// # Errors
/// Refused when a value is malformed, the caller only observes, or the version is stale.
pub async fn update_conversation(
    ctx: &RequestContext,
    id: ConversationId,
    expected_version: i32,
    update: UpdateConversation,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::MANAGE)
        .once(once)
        .run(|tx| async move {
            let conversation = manageable(&tx, id, expected_version).await?;
            let keys = tx.keys().await?;
            let mut changes = Changes { priority: update.priority, ..Changes::default() };
            let title = match update.title {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(title) => Some(validation::title(Some(title))?),
            };
            if let Some(title) = title {
                if title.is_none() && conversation.kind == ConversationKind::SecureMail {
                    return Err(Stop::refuse(Refusal::Invalid, &["input", "title"], "a secure mail needs a subject"));
                }
                changes.title_ciphertext = Some(sealing::seal_title(&keys, id, title.as_ref())?);
            }
            if let Some(tags) = update.tags {
                changes.tags_ciphertext = Some(sealing::seal_tags(&keys, id, &validation::tags(tags)?)?);
            }
            repository::change(tx.db()?, tx.ctx().facility(), id, changes).await?;
            changed(&tx, EventKind::ConversationChanged, id).await?;
            tx.audit(subject(id, conversation.patient_id), json!({ "change": "updated" }));
            Ok(id)
        })
        .await
}

/// Puts a conversation away, completes it, says that somebody must see to it, or lets it go on. Whoever is named is to see
/// to it; else nobody in particular.
///
/// # Errors
/// Refused when it has that status already, the caller only observes, whoever is named takes no part as staff, or the
/// version is stale.
pub async fn set_status(
    ctx: &RequestContext,
    id: ConversationId,
    expected_version: i32,
    status: ConversationStatus,
    assignee: Option<UserId>,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::MANAGE)
        .once(once)
        .run(|tx| async move {
            let conversation = manageable(&tx, id, expected_version).await?;
            if conversation.status == status {
                return Err(Stop::refuse(Refusal::SameStatus, &["input", "id"], "the conversation has that status"));
            }
            let present = participants::present(&tx, id).await?;
            let may_see_to_it = |user: UserId| {
                let found = present.iter().find(|one| one.user == user);
                found.is_some_and(|one| one.party == ParticipantParty::Staff && one.role != ParticipantRole::Observer)
            };
            if assignee.is_some_and(|user| !may_see_to_it(user)) {
                let sentence = "nobody of the staff of that id takes part and may write";
                return Err(Stop::refuse(Refusal::NotThere, &["input", "assigneeId"], sentence));
            }
            let by = tx.ctx().user()?;
            become_of(&tx, id, status, assignee, Some(by)).await?;
            tx.audit(subject(id, conversation.patient_id), json!({ "status": status.as_str(), "assigned": assignee }));
            Ok(id)
        })
        .await
}

/// Gives a conversation that is locked a status, says so in it, and tells those who take part. Nobody is named where the
/// server does it of itself.
pub(in crate::domains::chat) async fn become_of(
    tx: &Tx,
    id: ConversationId,
    status: ConversationStatus,
    assignee: Option<UserId>,
    by: Option<UserId>,
) -> Result<()> {
    let ctx = tx.ctx();
    repository::set_status(tx.db()?, ctx.facility(), id, status, assignee, by, ctx.now()).await?;
    let event = match status {
        ConversationStatus::Active => MessageSystemEvent::Reopened,
        ConversationStatus::Archived => MessageSystemEvent::Archived,
        ConversationStatus::Escalated => MessageSystemEvent::Escalated,
        ConversationStatus::Completed => MessageSystemEvent::Completed,
    };
    let said = say(tx, id, event, &[by]).await?;
    let audience = changed(tx, EventKind::ConversationChanged, id).await?;
    for message in said {
        spoken(tx, EventKind::MessageSent, id, message, &audience);
    }
    if status == ConversationStatus::Escalated {
        notifications::tell(tx, &audience, NotificationKind::ConversationEscalated, id).await?;
    }
    Ok(())
}

/// Takes a conversation for a change by the server itself, on behalf of somebody who may have left it since.
pub(in crate::domains::chat) async fn locked_for(tx: &Tx, id: ConversationId, user: UserId) -> Result<Option<Locked>> {
    repository::lock(tx.db()?, tx.ctx().facility(), id, user).await
}

/// Hands a conversation that is locked over to a person: the owner who is there longest, whoever asked last of all. Is
/// done once: who sees to it already goes on. Gives who it is.
pub(in crate::domains::chat) async fn hand_over(
    tx: &Tx,
    id: ConversationId,
    status: ConversationStatus,
    asked: UserId,
) -> Result<Option<UserId>> {
    let present = participants::present(tx, id).await?;
    let owners = present.iter().filter(|one| one.role == ParticipantRole::Owner).map(|one| one.user);
    let assignee = owners.clone().find(|user| *user != asked).or_else(|| owners.clone().next());
    if status.is_open() && status != ConversationStatus::Escalated {
        become_of(tx, id, ConversationStatus::Escalated, assignee, Some(asked)).await?;
    }
    Ok(assignee)
}

/// Locked, of the version that was read, by somebody who does more than observe.
async fn manageable(tx: &Tx, id: ConversationId, expected_version: i32) -> Result<Locked, Stop<Refusal>> {
    let conversation = locked(tx, id).await?;
    if conversation.role == ParticipantRole::Observer {
        return Err(observer());
    }
    if conversation.version != expected_version {
        let sentence = "the conversation changed since it was read";
        return Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], sentence));
    }
    Ok(conversation)
}

pub(in crate::domains::chat) fn observer() -> Stop<Refusal> {
    Stop::refuse(Refusal::Observer, &["input"], "an observer only reads")
}

/// Begins a conversation with somebody outside, by the server itself.
pub(in crate::domains::chat) async fn begin_with(
    tx: &Tx,
    contact: WhatsappContactId,
    patient: Option<PatientId>,
    seats: Vec<NewParticipant>,
) -> Result<ConversationId> {
    let (ctx, id): (_, ConversationId) = (tx.ctx(), new_id());
    let row = NewConversationRow {
        facility_id: ctx.facility(),
        id,
        kind: ConversationKind::Whatsapp,
        patient_id: patient,
        title_ciphertext: None,
        tags_ciphertext: None,
        priority: ConversationPriority::Normal,
        status: ConversationStatus::Active,
        last_activity_at: ctx.now(),
        created_by: None,
        created_at: ctx.now(),
        whatsapp_contact_id: Some(contact),
    };
    repository::insert(tx.db()?, row).await?;
    let audience: Vec<UserId> = seats.iter().map(|seat| seat.user).collect();
    if !seats.is_empty() {
        participants::insert(tx, id, seats).await?;
    }
    told(tx, EventKind::ConversationChanged, id, &audience);
    Ok(id)
}

/// Says that a conversation that is locked presses, by the server itself. Those who take part are told by the caller.
pub(in crate::domains::chat) async fn press(tx: &Tx, id: ConversationId) -> Result<()> {
    let changes = Changes { priority: Some(ConversationPriority::Urgent), ..Changes::default() };
    repository::change(tx.db()?, tx.ctx().facility(), id, changes).await
}
