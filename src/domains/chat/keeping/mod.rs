//! How long conversations are kept: as long as the facility's rule says after they were completed, and for as long as a
//! legal hold lasts.
//!
//! Whoever places a hold need not take part in the conversation, and learns nothing of what is said in it.

mod repository;
pub mod service;
mod sweep;

pub use sweep::sweep;

use chrono::{DateTime, Utc};

use super::model::{ConversationKind, ConversationStatus};
use crate::ids::ConversationId;
use crate::phi::Phi;

/// A conversation as whoever may place a hold on it knows it.
#[derive(Debug, Clone)]
pub struct OnRecord {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub status: ConversationStatus,
    pub messages: i64,
    pub created_at: DateTime<Utc>,
    pub last_activity_at: DateTime<Utc>,
    pub held_at: Option<DateTime<Utc>>,
    pub hold_reason: Option<Phi<String>>,
}
