//! The contract: assembles the domains' types into one schema and decides nothing.

pub mod connection;
pub mod errors;
pub mod events;
pub mod limits;
pub mod loaders;
pub mod node;
pub mod observe;
pub mod payload;
pub mod persisted;
pub mod request;

use async_graphql::{MergedObject, Schema, SchemaBuilder};

use crate::domains::{chat, compliance, documents, facilities, identity, notifications, operations, patients};

/// The query root, nested by area: one flat merge of many roots overflows at code generation.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    identity::graphql::IdentityQuery,
    facilities::graphql::FacilitiesQuery,
    notifications::graphql::NotificationsQuery,
    patients::graphql::PatientsQuery,
    patients::portal::graphql::PortalQuery,
    documents::graphql::DocumentsQuery,
    documents::work::graphql::DocumentWorkQuery,
    documents::batch::graphql::DocumentBatchQuery,
    documents::export::graphql::RecordExportQuery,
    documents::search::SearchQuery,
    documents::versions::graphql::DocumentVersionsQuery,
    documents::templates::graphql::NoteTemplatesQuery,
    documents::supervision::graphql::SupervisionQuery,
    documents::amendments::graphql::AmendmentsQuery,
    documents::portal::graphql::PortalDocumentsQuery,
    chat::graphql::ChatQuery,
    chat::agents::graphql::AgentsQuery,
    chat::whatsapp::graphql::WhatsappQuery,
    compliance::graphql::ComplianceQuery,
    operations::graphql::OperationsQuery,
);

/// The mutation root.
#[derive(MergedObject, Default)]
pub struct Mutation(
    identity::graphql::IdentityMutation,
    facilities::graphql::FacilitiesMutation,
    notifications::graphql::NotificationsMutation,
    patients::graphql::PatientsMutation,
    patients::portal::graphql::PortalMutation,
    documents::graphql::DocumentsMutation,
    documents::versions::graphql::DocumentVersionsMutation,
    documents::templates::graphql::NoteTemplatesMutation,
    documents::supervision::graphql::SupervisionMutation,
    documents::amendments::graphql::AmendmentsMutation,
    documents::portal::graphql::PortalDocumentsMutation,
    documents::work::graphql::DocumentWorkMutation,
    documents::batch::graphql::DocumentBatchMutation,
    documents::export::graphql::RecordExportMutation,
    documents::proposals::graphql::DocumentProposalMutation,
    documents::search::saved::SavedSearchMutation,
    chat::graphql::ChatMutation,
    chat::agents::graphql::AgentsMutation,
    chat::whatsapp::graphql::WhatsappMutation,
    operations::graphql::OperationsMutation,
);

/// The subscription root: one stream, of everything that happens.
pub type Subscription = events::EventsSubscription;

/// The schema the server answers with.
pub type AnamnesisSchema = Schema<Query, Mutation, Subscription>;

/// The types alone; the edge adds limits and data.
#[must_use]
pub fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
}

/// The schema in the schema definition language, as committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    builder().finish().sdl_with_options(options)
}
