//! Batched look-ups for edges: one statement for all parents of a page.

use std::collections::HashMap;

use super::model::MemberRole;
use super::service;
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::{Loader, grouped};
use crate::ids::MemberId;

/// Roles by member.
#[derive(Debug)]
pub struct RolesLoader;

impl Loader for RolesLoader {
    type Key = MemberId;
    type Value = Vec<MemberRole>;

    async fn load(ctx: &RequestContext, keys: &[MemberId]) -> Result<HashMap<MemberId, Vec<MemberRole>>> {
        Ok(grouped(service::roles_of(ctx, keys).await?, |role| role.member_id))
    }
}
