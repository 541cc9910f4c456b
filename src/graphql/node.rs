//! Relay's `node` and `nodes`: any object by its id.
//!
//! Every type with an id of its own is here; a test goes over the schema and finds each by its id.

use async_graphql::{Context, ID, Interface, Object};
use futures::future::{BoxFuture, FutureExt as _};

use uuid::Uuid;

use super::loaders::{LoadError, Loader, load_one};
use super::request::request;
use crate::access::RequestContext;
use crate::domains::chat::agents::graphql::{Agent, AgentMemory};
use crate::domains::chat::graphql::{Conversation, Message};
use crate::domains::chat::loaders::{ConversationLoader, MessageLoader};
use crate::domains::chat::whatsapp::graphql::{WhatsappContact, WhatsappIntegration};
use crate::domains::compliance::graphql::AuditEntry;
use crate::domains::documents::amendments::graphql::AmendmentRequest;
use crate::domains::documents::batch::graphql::DocumentUploadBatch;
use crate::domains::documents::export::graphql::RecordExport;
use crate::domains::documents::graphql::{Document, DocumentSignature};
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::proposals::graphql::DocumentProposal;
use crate::domains::documents::search::graphql::DocumentPassage;
use crate::domains::documents::search::saved::DocumentSavedSearch;
use crate::domains::documents::supervision::graphql::Supervision;
use crate::domains::documents::templates::graphql::NoteTemplate;
use crate::domains::documents::versions::graphql::DocumentVersion;
use crate::domains::facilities::graphql::{Facility, Invitation, Member, MemberRole};
use crate::domains::identity::graphql::{User, UserSession};
use crate::domains::identity::loaders::UserLoader;
use crate::domains::notifications::graphql::Notification;
use crate::domains::operations::graphql::Job;
use crate::domains::patients::graphql::{
    BreakGlassAccess, CareRelationship, Patient, PatientAllergy, PatientContact, PatientCoverage, PatientVisit,
};
use crate::domains::patients::loaders::PatientLoader;
use crate::domains::patients::portal::graphql::PatientUser;
use crate::domains::{chat, compliance, documents, facilities, identity, notifications, operations, patients};
use crate::error::{Error, Result};
use crate::ids::{ConversationId, DocumentId, MessageId, PatientId, TypedId as _, UserId, split};

/// An object with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Typed, opaque id."))]
pub enum Node {
    User(User),
    UserSession(UserSession),
    Facility(Facility),
    Member(Member),
    MemberRole(MemberRole),
    Invitation(Invitation),
    Patient(Patient),
    PatientContact(PatientContact),
    PatientCoverage(PatientCoverage),
    PatientVisit(PatientVisit),
    PatientAllergy(PatientAllergy),
    CareRelationship(CareRelationship),
    BreakGlassAccess(BreakGlassAccess),
    PatientUser(PatientUser),
    Document(Document),
    DocumentPassage(DocumentPassage),
    DocumentSignature(DocumentSignature),
    DocumentVersion(DocumentVersion),
    NoteTemplate(NoteTemplate),
    Supervision(Supervision),
    AmendmentRequest(AmendmentRequest),
    DocumentUploadBatch(DocumentUploadBatch),
    RecordExport(RecordExport),
    DocumentProposal(DocumentProposal),
    DocumentSavedSearch(DocumentSavedSearch),
    Conversation(Conversation),
    Message(Message),
    Agent(Agent),
    AgentMemory(AgentMemory),
    WhatsappIntegration(WhatsappIntegration),
    WhatsappContact(WhatsappContact),
    AuditEntry(AuditEntry),
    Notification(Notification),
    Job(Job),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none the caller may see. Needs what the object itself needs.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of any object.")] id: ID,
    ) -> Result<Option<Node>, LoadError> {
        find(ctx, &id).await
    }

    /// Objects by their ids, in the order asked; null for each that is none the caller may see. Needs what each of
    /// the objects needs.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of any objects; as many as a list may have values.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>, LoadError> {
        futures::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}

/// One object by its id, loaded together with others of the answer where there may be many.
///
/// # Errors
/// As [`find_one`], and for what is no id.
pub fn find<'a>(ctx: &'a Context<'_>, id: &'a str) -> BoxFuture<'a, Result<Option<Node>, LoadError>> {
    together(ctx, id).boxed()
}

async fn together(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, LoadError> {
    let (prefix, uuid) = split(id).ok_or_else(|| Error::bad_input("`id` is not a valid id"))?;
    // What there may be many of in one question is loaded together.
    match prefix {
        UserId::PREFIX => {
            Ok(load_one::<UserLoader>(ctx, UserId::from_uuid(uuid)).await?.map(|row| Node::User(row.into())))
        }
        PatientId::PREFIX => {
            let found = load_one::<PatientLoader>(ctx, PatientId::from_uuid(uuid)).await?;
            Ok(found.map(|row| Node::Patient(row.into())))
        }
        DocumentId::PREFIX => {
            let found = load_one::<DocumentLoader>(ctx, DocumentId::from_uuid(uuid)).await?;
            Ok(found.map(|row| Node::Document(row.into())))
        }
        ConversationId::PREFIX => {
            let found = load_one::<ConversationLoader>(ctx, ConversationId::from_uuid(uuid)).await?;
            Ok(found.map(|row| Node::Conversation(row.into())))
        }
        MessageId::PREFIX => {
            let found = load_one::<MessageLoader>(ctx, MessageId::from_uuid(uuid)).await?;
            Ok(found.map(|row| Node::Message(row.into())))
        }
        _ => Ok(find_one(request(ctx)?, prefix, uuid).await?),
    }
}

/// One object by itself; none when there is none the caller may see.
///
/// # Errors
/// Denials, faults, and [`Error::BadInput`] for a kind of object that is not looked up alone.
pub fn find_one<'a>(request: &'a RequestContext, prefix: &'a str, uuid: Uuid) -> BoxFuture<'a, Result<Option<Node>>> {
    one(request, prefix, uuid).boxed()
}

async fn one(request: &RequestContext, prefix: &str, uuid: Uuid) -> Result<Option<Node>> {
    match prefix {
        UserId::PREFIX => return loaded::<UserLoader, _>(request, UserId::from_uuid(uuid), Node::User).await,
        PatientId::PREFIX => {
            return loaded::<PatientLoader, _>(request, PatientId::from_uuid(uuid), Node::Patient).await;
        }
        DocumentId::PREFIX => {
            return loaded::<DocumentLoader, _>(request, DocumentId::from_uuid(uuid), Node::Document).await;
        }
        _ => {}
    }
    let found = if let Some(found) = identity::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = facilities::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = notifications::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = patients::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = documents::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = chat::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = compliance::graphql::node(request, prefix, uuid).await {
        found
    } else if let Some(found) = operations::graphql::node(request, prefix, uuid).await {
        found
    } else {
        return Err(Error::bad_input("`id` is not the id of an object that can be looked up alone"));
    };
    match found {
        Ok(node) => Ok(Some(node)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn loaded<L, T>(request: &RequestContext, key: L::Key, node: impl FnOnce(T) -> Node) -> Result<Option<Node>>
where
    L: Loader<Value: Into<T>>,
{
    let mut found = L::load(request, std::slice::from_ref(&key)).await?;
    Ok(found.remove(&key).map(|row| node(row.into())))
}
