//! Conversations: among staff, about patients, with patients.
//!
//! Invariants: a conversation is seen by those who take part in it and nobody else, whatever their role, by the
//! database's own policy, and by who left it no more; messages of a conversation are numbered 1, 2, 3 without gaps in the
//! order of commit; what is said is encrypted like a patient's record; a patient takes part only where staff does, and in
//! no more than what is theirs: secure mail and the conversation with their care team; an assistant answers staff, never
//! where a patient takes part, and looks in the record as whoever asks it; somebody outside who writes over WhatsApp takes
//! part by what they write alone, and sees nothing but what is sent to them.
//!
//! Every change of a conversation locks its row first, and looks at who takes part afterwards: what was decided before
//! the lock was had is not believed.

pub mod agents;
mod changes;
pub mod conversations;
pub mod drafts;
pub mod export;
pub mod graphql;
pub mod keeping;
pub mod loaders;
pub mod memories;
pub mod messages;
pub mod model;
pub mod participants;
mod phrases;
pub mod policy;
pub mod search;
#[cfg(test)]
mod tests;
mod validation;
pub mod whatsapp;
