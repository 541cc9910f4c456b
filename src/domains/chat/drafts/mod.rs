//! What somebody has begun to write and not sent: one text for each conversation and thread, encrypted, its writer's
//! alone by the database's own policy, and gone from sight when they leave.

mod repository;
pub mod service;

use chrono::{DateTime, Utc};

use crate::ids::{ConversationId, MessageId};
use crate::phi::Phi;

/// A draft.
#[derive(Debug, Clone)]
pub struct Draft {
    pub conversation: ConversationId,
    pub thread_root: Option<MessageId>,
    pub body: Phi<String>,
    pub saved_at: DateTime<Utc>,
}
