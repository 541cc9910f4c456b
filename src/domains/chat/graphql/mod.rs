//! Conversations in the API: translation only.

mod inputs;
mod mutation;
mod node;
mod query;
mod types;

pub use mutation::ChatMutation;
pub use node::node;
pub use query::ChatQuery;
pub use types::{
    ChatUserError, Conversation, ConversationConnection, ConversationParticipant, Message, MessageConnection,
};
