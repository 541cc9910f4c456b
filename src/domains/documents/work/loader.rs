//! The work on documents in one batch.

use std::collections::HashMap;

use super::model::Work;
use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::Loader;
use crate::ids::DocumentId;

/// Work by document.
#[derive(Debug)]
pub struct WorkLoader;

impl Loader for WorkLoader {
    type Key = DocumentId;
    type Value = Work;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Work>> {
        Ok(service::work_of(ctx, keys).await?.into_iter().map(|work| (work.document, work)).collect())
    }
}
