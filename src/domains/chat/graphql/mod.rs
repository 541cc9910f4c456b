//! Conversations in the API: translation only.

mod inputs;
mod mutation;
mod node;
mod query;
mod types;

pub use mutation::{ChatMutation, ConversationPayload, MessagePayload};
pub(super) use mutation::{conversation, message};
pub use node::node;
pub use query::ChatQuery;
pub(super) use types::user;
pub use types::{
    ChatUserError, Conversation, ConversationConnection, ConversationParticipant, Message, MessageConnection,
};
