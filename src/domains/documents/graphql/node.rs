//! Objects of the domain by their ids, for `node`.

use uuid::Uuid;

use crate::access::RequestContext;
use crate::domains::documents::{batch, export, proposals, search, service};
use crate::error::Result;
use crate::graphql::node::Node;
use crate::ids::{ChunkId, ProposalId, RecordExportId, SavedSearchId, SignatureId, TypedId as _, UploadBatchId};

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
