//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use super::model::User;
use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::Loader;
use crate::ids::UserId;

/// Accounts by id.
#[derive(Debug)]
pub struct UserLoader;

impl Loader for UserLoader {
    type Key = UserId;
    type Value = User;

    async fn load(ctx: &RequestContext, keys: &[UserId]) -> Result<HashMap<UserId, User>> {
        let found = service::users_by_ids(ctx, keys).await?;
        Ok(found.into_iter().map(|user| (user.id, user)).collect())
    }
}
