//! Batched look-ups for edges.

use std::collections::HashMap;

use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::Loader;
use crate::ids::VersionId;
use crate::phi::Phi;

/// Texts of versions of notes.
#[derive(Debug)]
pub struct VersionTextLoader;

impl Loader for VersionTextLoader {
    type Key = VersionId;
    type Value = Phi<String>;

    async fn load(ctx: &RequestContext, keys: &[VersionId]) -> Result<HashMap<VersionId, Phi<String>>> {
        Ok(service::texts_of(ctx, keys).await?.into_iter().collect())
    }
}
