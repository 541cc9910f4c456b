//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use async_graphql::Request;
use async_graphql::dataloader::{DataLoader, Loader};

use super::model::User;
use super::service;
use crate::access::RequestContext;
use crate::graphql::loaders::{LoadError, spawn};
use crate::ids::UserId;

/// Gives a request the loaders of the domain.
pub fn attach(request: Request, ctx: &RequestContext) -> Request {
    request.data(DataLoader::new(UserLoader(ctx.clone()), spawn))
}

/// Accounts by id.
#[derive(Debug)]
pub struct UserLoader(pub RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<UserId> for UserLoader {
    type Value = User;
    type Error = LoadError;

    async fn load(&self, keys: &[UserId]) -> Result<HashMap<UserId, User>, LoadError> {
        let found = service::users_by_ids(&self.0, keys).await?;
        Ok(found.into_iter().map(|user| (user.id, user)).collect())
    }
}
