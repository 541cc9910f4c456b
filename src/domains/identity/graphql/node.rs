//! Objects of the domain by their ids, for `node`.

use uuid::Uuid;

use crate::access::RequestContext;
use crate::domains::identity::service;
use crate::error::Result;
use crate::graphql::node::Node;
use crate::ids::{SessionId, TypedId as _};

/// The object with an id of this kind; `None` when the kind is of another domain. Users are loaded in batches.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    Some(match prefix {
        SessionId::PREFIX => {
            service::session(ctx, SessionId::from_uuid(id)).await.map(|row| Node::UserSession(row.into()))
        }
        _ => return None,
    })
}
