//! What is known of an assistant, and what can come of a question to one.

use chrono::{DateTime, Utc};

use crate::ids::{AgentId, UserId};
use crate::text_enum::text_enum;

text_enum! {
    /// In which documents an assistant may look, of those that whoever asks may see.
    AgentRetrievalScope {
        /// In none.
        None = "none",
        /// In those of the patient the conversation is about.
        Patient = "patient",
        /// In all.
        All = "all",
    }
}

text_enum! {
    /// What came of a question to an assistant.
    AgentAnswerOutcome {
        /// It is being answered.
        Pending = "pending",
        /// The sentences answer it, each from the passages it names.
        Answered = "answered",
        /// Passages are quoted: no model was asked, or what it said could not be held against them.
        Quoted = "quoted",
        /// The record does not answer it, as far as whoever asked may read it.
        NotFound = "not_found",
        /// It lies outside what the assistant speaks of.
        Refused = "refused",
        /// A person must see to it: the conversation is escalated.
        HandedOver = "handed_over",
        /// The model fell silent midway; what it had said can be held against the passages.
        BrokenOff = "broken_off",
        /// It could not be answered.
        Failed = "failed",
    }
}

/// An assistant.
#[derive(Debug, Clone)]
pub struct Agent {
    pub id: AgentId,
    pub name: String,
    pub purpose: String,
    pub style: Option<String>,
    /// Words and phrases it refuses to speak of.
    pub boundaries: Vec<String>,
    /// `None` for the one the server is set up with.
    pub model_name: Option<String>,
    pub retrieval_scope: AgentRetrievalScope,
    pub active: bool,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i32,
}

/// How an assistant is set up.
#[derive(Debug, Clone)]
pub struct AgentSetup {
    pub name: String,
    pub purpose: String,
    pub style: Option<String>,
    pub boundaries: Vec<String>,
    pub model_name: Option<String>,
    pub retrieval_scope: AgentRetrievalScope,
}
