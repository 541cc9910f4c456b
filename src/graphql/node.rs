//! Relay's `node`: any object by its id.

use async_graphql::{Context, ID, Interface, Object};

use super::request::request;
use crate::domains::documents::graphql::Document;
use crate::domains::patients::graphql::Patient;
use crate::domains::{documents, patients};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, PatientId, TypedId as _, split};

/// An object with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Typed, opaque id."))]
pub enum Node {
    Patient(Patient),
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
        let found = match prefix {
            PatientId::PREFIX => {
                patients::service::patient(request, PatientId::from_uuid(uuid)).await.map(|row| Node::Patient(row.into()))
            }
            DocumentId::PREFIX => {
                let found = documents::service::document(request, DocumentId::from_uuid(uuid)).await;
                found.map(|document| Node::Document(document.into()))
            }
            _ => return Err(Error::bad_input("`id` is not the id of an object that can be looked up alone")),
        };
        match found {
            Ok(node) => Ok(Some(node)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
