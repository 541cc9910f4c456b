//! Who may do what to conversations. What is not listed is not allowed.
//!
//! Conditions come on top: whatever is done to a conversation needs that one takes part in it, which the database holds
//! as well (`takes_part` in `src/db/replaceable/70_chat.sql`); an observer says nothing in it; removing others is for its
//! owners.

use super::model::{ConversationKind, ParticipantParty};
use crate::access::{Action, Role};
use Role::{
    Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
    SocialWorker, SystemAdmin, Technician, Therapist,
};

/// Everyone who works in the facility.
const STAFF: &[Role] = &[
    Administrator,
    BillingSpecialist,
    CaseManager,
    FrontDesk,
    Nurse,
    Pharmacist,
    Physician,
    PrivacyOfficer,
    SocialWorker,
    SystemAdmin,
    Technician,
    Therapist,
];

/// Reads the conversations one takes part in.
pub const READ: Action = Action::member("chat.read");

/// Begins a secure mail.
pub const CREATE: Action = Action::member("chat.create");

/// Begins conversations of the other kinds.
pub const CREATE_STAFF: Action = Action::roles("chat.create_staff", STAFF);

/// Changes title, priority, tags and status of a conversation.
pub const MANAGE: Action = Action::roles("chat.manage", STAFF);

/// Brings someone into a conversation, takes someone out of it, and says what they may do there.
pub const PARTICIPANTS: Action = Action::roles("chat.participants", STAFF);

/// Leaves a conversation.
pub const LEAVE: Action = Action::member("chat.leave");

/// Says that one wants no notifications of a conversation for a while.
pub const MUTE: Action = Action::member("chat.mute");

/// Sends messages, edits and deletes one's own, reacts to others.
pub const SEND: Action = Action::member("chat.send");

/// Keeps what one has begun to write.
pub const DRAFT: Action = Action::member("chat.draft");

/// Says how far one has read, or what has arrived.
pub const RECEIPT: Action = Action::member("chat.receipt");

/// Tells the others that one is writing.
pub const TYPING: Action = Action::member("chat.typing");

/// Searches the conversations one takes part in.
pub const SEARCH: Action = Action::member("chat.search");

/// Fetches a conversation one takes part in as an archive.
pub const EXPORT: Action = Action::member("chat.export");

/// Brings a message into search.
pub const INDEX: Action = Action::system("chat.index");

/// Sets assistants up.
pub const AGENTS_MANAGE: Action = Action::roles("agents.manage", &[Administrator]);

/// Reads which assistants there are.
pub const AGENTS_READ: Action = Action::member("agents.read");

/// Asks an assistant. Patients ask none: an assistant supports staff.
pub const ASK: Action = Action::roles("chat.ask", STAFF);

/// Writes what an assistant answers.
pub const ANSWER: Action = Action::system("chat.answer");

/// Reads, adds to and takes from what assistants are to keep in mind for oneself.
pub const MEMORY: Action = Action::roles("agents.memory", STAFF);

/// Places and releases legal holds, and sees which conversations there are about a patient.
pub const HOLD: Action = Action::roles("chat.hold", &[Administrator, PrivacyOfficer]);

/// Removes conversations that have been kept long enough.
pub const RETAIN: Action = Action::system("chat.retain");

/// Sets WhatsApp numbers of the facility up.
pub const WHATSAPP_MANAGE: Action = Action::roles("whatsapp.manage", &[Administrator]);

/// Says which patient somebody outside is.
pub const WHATSAPP_LINK: Action = Action::roles("whatsapp.link", STAFF);

/// Takes what the provider sends.
pub const WHATSAPP_RECEIVE: Action = Action::system("whatsapp.receive");

/// Sends to people outside.
pub const WHATSAPP_DELIVER: Action = Action::system("whatsapp.deliver");

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[
    &READ,
    &CREATE,
    &CREATE_STAFF,
    &MANAGE,
    &PARTICIPANTS,
    &LEAVE,
    &MUTE,
    &SEND,
    &DRAFT,
    &RECEIPT,
    &TYPING,
    &SEARCH,
    &EXPORT,
    &INDEX,
    &AGENTS_MANAGE,
    &AGENTS_READ,
    &ASK,
    &ANSWER,
    &MEMORY,
    &HOLD,
    &RETAIN,
    &WHATSAPP_MANAGE,
    &WHATSAPP_LINK,
    &WHATSAPP_RECEIVE,
    &WHATSAPP_DELIVER,
];

/// On which side someone with these roles stands; whoever is both works here.
#[must_use]
pub fn party(roles: &[Role]) -> ParticipantParty {
    if roles.iter().any(|role| STAFF.contains(role)) { ParticipantParty::Staff } else { ParticipantParty::Patient }
}

/// Whether an assistant may answer in a conversation of this kind: where patients take part, none does.
#[must_use]
pub const fn may_be_asked_in(kind: ConversationKind) -> bool {
    matches!(kind, ConversationKind::General | ConversationKind::Patient | ConversationKind::Administrative)
}

/// Whether someone with these roles may take part in a conversation of this kind. Whoever operates the system sees no
/// charts, and so takes no part where a patient is spoken of by design.
#[must_use]
pub fn may_take_part(roles: &[Role], kind: ConversationKind) -> bool {
    match party(roles) {
        ParticipantParty::Patient => {
            !roles.is_empty() && matches!(kind, ConversationKind::SecureMail | ConversationKind::CareTeam)
        }
        ParticipantParty::Staff => {
            let only_operates = roles.iter().all(|role| matches!(role, Role::SystemAdmin | Role::Patient));
            !only_operates || matches!(kind, ConversationKind::General | ConversationKind::Administrative)
        }
    }
}
