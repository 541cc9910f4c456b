//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use async_graphql::Request;
use async_graphql::dataloader::{DataLoader, Loader};

use super::model::MemberRole;
use super::service;
use crate::access::RequestContext;
use crate::graphql::loaders::{LoadError, spawn};
use crate::ids::MemberId;

/// Gives a request the loaders of the domain.
pub fn attach(request: Request, ctx: &RequestContext) -> Request {
    request.data(DataLoader::new(RolesLoader(ctx.clone()), spawn))
}

/// Roles by member.
#[derive(Debug)]
pub struct RolesLoader(RequestContext);

#[async_graphql::async_trait::async_trait]
impl Loader<MemberId> for RolesLoader {
    type Value = Vec<MemberRole>;
    type Error = LoadError;

    async fn load(&self, keys: &[MemberId]) -> Result<HashMap<MemberId, Vec<MemberRole>>, LoadError> {
        let mut found: HashMap<MemberId, Vec<MemberRole>> = HashMap::new();
        for role in service::roles_of(&self.0, keys).await? {
            found.entry(role.member_id).or_default().push(role);
        }
        Ok(found)
    }
}
