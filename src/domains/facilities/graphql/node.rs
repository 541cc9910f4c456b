//! Objects of the domain by their ids, for Relay's `node`.

use uuid::Uuid;

use crate::access::RequestContext;
use crate::domains::facilities::service;
use crate::error::Result;
use crate::graphql::node::Node;
use crate::ids::{FacilityId, InvitationId, MemberId, MemberRoleId, TypedId};

/// The object with an id of this kind; `None` when the kind is of another domain.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    Some(match prefix {
        FacilityId::PREFIX => {
            service::facility(ctx, FacilityId::from_uuid(id)).await.map(|row| Node::Facility(row.into()))
        }
        MemberId::PREFIX => service::member(ctx, MemberId::from_uuid(id)).await.map(|row| Node::Member(row.into())),
        MemberRoleId::PREFIX => {
            service::role(ctx, MemberRoleId::from_uuid(id)).await.map(|row| Node::MemberRole(row.into()))
        }
        InvitationId::PREFIX => {
            service::invitation(ctx, InvitationId::from_uuid(id)).await.map(|row| Node::Invitation(row.into()))
        }
        _ => return None,
    })
}
