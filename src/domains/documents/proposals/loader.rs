//! Proposals in one batch.

use std::collections::HashMap;

use super::service::{self, Proposal};
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::{Loader, grouped};
use crate::ids::DocumentId;

/// Proposals by document.
#[derive(Debug)]
pub struct ProposalsLoader;

impl Loader for ProposalsLoader {
    type Key = DocumentId;
    type Value = Vec<Proposal>;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Vec<Proposal>>> {
        Ok(grouped(service::proposals_of(ctx, keys).await?, |proposal| proposal.document))
    }
}
