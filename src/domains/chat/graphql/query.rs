//! Queries of the domain.

use async_graphql::{Context, InputObject, Object};

use super::types::{Conversation, ConversationConnection, ConversationOnRecord, ConversationUnreadTotal, Message};
use crate::domains::chat::conversations::service::{self, Filter};
use crate::domains::chat::keeping::service as keeping;
use crate::domains::chat::loaders::ConversationLoader;
use crate::domains::chat::model::{ActivityCursor, ConversationFolder, ConversationKind, ConversationStatus};
use crate::domains::chat::participants::service as participants;
use crate::domains::chat::search::service as search;
use crate::error::Result;
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::request::request;
use crate::ids::{ConversationId, PatientId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// Which conversations are listed. What is left out holds for every conversation.
#[derive(Debug, Default, InputObject)]
pub struct ConversationFilterInput {
    /// Only of this kind.
    pub kind: Option<ConversationKind>,
    /// Only with this status.
    pub status: Option<ConversationStatus>,
    /// Only about this patient.
    pub patient_id: Option<PatientId>,
    /// Only with something that the caller has not read.
    pub unread_only: Option<bool>,
    /// Only secure mail in this folder.
    pub folder: Option<ConversationFolder>,
}

impl From<ConversationFilterInput> for Filter {
    fn from(input: ConversationFilterInput) -> Self {
        let ConversationFilterInput { kind, status, patient_id, unread_only, folder } = input;
        Self { kind, status, patient: patient_id, unread: unread_only.unwrap_or(false), folder }
    }
}

/// Queries of conversations.
#[derive(Debug, Default)]
pub struct ChatQuery;

#[Object]
impl ChatQuery {
    /// One conversation; null when there is none the caller takes part in. Needs `chat.read`.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the conversation.")] id: ConversationId,
    ) -> Result<Option<Conversation>, LoadError> {
        Ok(load_one::<ConversationLoader>(ctx, id).await?.map(Into::into))
    }

    /// Conversations the caller takes part in, the last active first. Needs `chat.read`.
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which to list; all when left out.")] filter: Option<ConversationFilterInput>,
        #[graphql(desc = "Conversations to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<ConversationConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse_with(first, after.as_deref(), ActivityCursor::decode)?;
        let filter = Filter::from(filter.unwrap_or_default());
        let found = service::list_conversations(request, &filter, page).await?.map(Conversation::from);
        let counted = ctx.look_ahead().field("totalCount").exists();
        let total = if counted { Some(service::count_conversations(request, &filter).await?) } else { None };
        let cursor =
            |one: &Conversation| ActivityCursor { last_activity_at: one.last_activity_at, id: one.id }.encode();
        Ok(ConversationConnection::new(found, page.after.is_some(), total, cursor))
    }

    /// Which conversations there are about a patient, last begun first, at most 500, whoever takes part in them; nothing
    /// of what is said. Needs `chat.hold`.
    async fn conversations_about(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the patient.")] patient_id: PatientId,
    ) -> Result<Vec<ConversationOnRecord>> {
        let found = keeping::conversations_about(request(ctx)?, patient_id).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Messages found by their words and by what they mean, best first, in the conversations the caller takes part in.
    /// A message just sent is found a moment later. The audit log learns what was found, never the query. Needs
    /// `chat.search`.
    async fn message_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is looked for, 1 to 1,000 characters.")] query: String,
        #[graphql(desc = "Only in this conversation; in all when left out.")] conversation_id: Option<ConversationId>,
        #[graphql(desc = "Messages to return, 1 to 100; 20 when left out.")] first: Option<i32>,
    ) -> Result<Vec<Message>> {
        let first = PageRequest::<ConversationId>::parse(first, None)?.first;
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let found = search::search(request(ctx)?, &Phi::new(query), conversation_id, first).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// What the caller has not read, in all their conversations. Needs `chat.read`.
    async fn conversations_unread(&self, ctx: &Context<'_>) -> Result<ConversationUnreadTotal> {
        let (messages, conversations) = participants::unread_total(request(ctx)?).await?;
        Ok(ConversationUnreadTotal { messages, conversations })
    }
}
