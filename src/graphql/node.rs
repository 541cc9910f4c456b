//! Relay's `node`: any object by its id.

use async_graphql::{Context, ID, Interface, Object};

use super::request::request;
use crate::domains::documents::graphql::Document;
use crate::domains::facilities::graphql::{Facility, Invitation, Member};
use crate::domains::identity::graphql::User;
use crate::domains::patients::graphql::{
    BreakGlassAccess, CareRelationship, Patient, PatientAllergy, PatientContact, PatientCoverage, PatientVisit,
};
use crate::domains::{documents, facilities, identity, patients};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, TypedId as _, UserId, split};

/// An object with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Typed, opaque id."))]
pub enum Node {
    User(User),
    Facility(Facility),
    Member(Member),
    Invitation(Invitation),
    Patient(Patient),
    PatientContact(PatientContact),
    PatientCoverage(PatientCoverage),
    PatientVisit(PatientVisit),
    PatientAllergy(PatientAllergy),
    CareRelationship(CareRelationship),
    BreakGlassAccess(BreakGlassAccess),
    Document(Document),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none the caller may see. Needs what the object itself needs.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Id of any object.")] id: ID) -> Result<Option<Node>> {
        let request = request(ctx)?;
        let (prefix, uuid) = split(&id).ok_or_else(|| Error::bad_input("`id` is not a valid id"))?;
        let found = if prefix == UserId::PREFIX {
            identity::service::user(request, UserId::from_uuid(uuid)).await.map(|row| Node::User(row.into()))
        } else if prefix == DocumentId::PREFIX {
            documents::service::document(request, DocumentId::from_uuid(uuid))
                .await
                .map(|row| Node::Document(row.into()))
        } else if let Some(found) = facilities::graphql::node(request, prefix, uuid).await {
            found
        } else if let Some(found) = patients::graphql::node(request, prefix, uuid).await {
            found
        } else {
            return Err(Error::bad_input("`id` is not the id of an object that can be looked up alone"));
        };
        match found {
            Ok(node) => Ok(Some(node)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
