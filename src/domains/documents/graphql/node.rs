//! Objects of the domain by their ids, for `node`.

use uuid::Uuid;

use crate::access::RequestContext;
use crate::domains::documents::{
    amendments, batch, export, proposals, search, service, supervision, templates, versions,
};
use crate::error::Result;
use crate::graphql::node::Node;
use crate::ids::{
    AmendmentId, ChunkId, NoteTemplateId, ProposalId, RecordExportId, SavedSearchId, SignatureId, SupervisionId,
    TypedId as _, UploadBatchId, VersionId,
};

/// The object with an id of this kind; `None` when the kind is of another domain. Documents are loaded in batches.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    Some(match prefix {
        SignatureId::PREFIX => {
            service::signature(ctx, SignatureId::from_uuid(id)).await.map(|row| Node::DocumentSignature(row.into()))
        }
        SavedSearchId::PREFIX => search::saved::saved_search(ctx, SavedSearchId::from_uuid(id))
            .await
            .map(|row| Node::DocumentSavedSearch(row.into())),
        ChunkId::PREFIX => search::passage::passage(ctx, ChunkId::from_uuid(id))
            .await
            .map(|passage| Node::DocumentPassage(passage.into())),
        VersionId::PREFIX => versions::service::version(ctx, VersionId::from_uuid(id))
            .await
            .map(|version| Node::DocumentVersion(version.into())),
        SupervisionId::PREFIX => supervision::service::supervision(ctx, SupervisionId::from_uuid(id))
            .await
            .map(|supervision| Node::Supervision(supervision.into())),
        AmendmentId::PREFIX => amendments::service::amendment(ctx, AmendmentId::from_uuid(id))
            .await
            .map(|amendment| Node::AmendmentRequest(amendment.into())),
        NoteTemplateId::PREFIX => templates::service::template(ctx, NoteTemplateId::from_uuid(id))
            .await
            .map(|template| Node::NoteTemplate(template.into())),
        UploadBatchId::PREFIX => batch::service::batch(ctx, UploadBatchId::from_uuid(id))
            .await
            .map(|found| Node::DocumentUploadBatch(found.into())),
        RecordExportId::PREFIX => export::service::export(ctx, RecordExportId::from_uuid(id))
            .await
            .map(|found| Node::RecordExport(found.into())),
        ProposalId::PREFIX => proposals::service::proposal(ctx, ProposalId::from_uuid(id))
            .await
            .map(|found| Node::DocumentProposal(found.into())),
        _ => return None,
    })
}
