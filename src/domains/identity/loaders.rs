//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use super::model::User;
use super::service;
use crate::access::RequestContext;
use crate::graphql::loaders::LoadError;
use crate::ids::UserId;

/// Accounts by id.
#[derive(Debug)]
pub struct UserLoader(pub RequestContext);

impl Loader<UserId> for UserLoader {
    type Value = User;
    type Error = LoadError;

    async fn load(&self, keys: &[UserId]) -> Result<HashMap<UserId, User>, LoadError> {
        let found = service::users_by_ids(&self.0, keys).await?;
        Ok(found.into_iter().map(|user| (user.id, user)).collect())
    }
}
