//! Objects of the domain by their ids, for `node`.

use uuid::Uuid;

use crate::access::RequestContext;
use crate::domains::patients::{portal, service};
use crate::error::Result;
use crate::graphql::node::Node;
use crate::ids::{
    AllergyId, BreakGlassId, CareRelationshipId, ContactId, CoverageId, PatientUserId, TypedId as _, VisitId,
};

/// The object with an id of this kind; `None` when the kind is of another domain. Patients are loaded in batches.
pub async fn node(ctx: &RequestContext, prefix: &str, uuid: Uuid) -> Option<Result<Node>> {
    Some(match prefix {
        ContactId::PREFIX => {
            service::contact(ctx, ContactId::from_uuid(uuid)).await.map(|row| Node::PatientContact(row.into()))
        }
        CoverageId::PREFIX => {
            service::coverage(ctx, CoverageId::from_uuid(uuid)).await.map(|row| Node::PatientCoverage(row.into()))
        }
        VisitId::PREFIX => {
            service::visit(ctx, VisitId::from_uuid(uuid)).await.map(|row| Node::PatientVisit(row.into()))
        }
        AllergyId::PREFIX => {
            service::allergy(ctx, AllergyId::from_uuid(uuid)).await.map(|row| Node::PatientAllergy(row.into()))
        }
        CareRelationshipId::PREFIX => service::care_relationship(ctx, CareRelationshipId::from_uuid(uuid))
            .await
            .map(|row| Node::CareRelationship(row.into())),
        BreakGlassId::PREFIX => service::break_glass_access(ctx, BreakGlassId::from_uuid(uuid))
            .await
            .map(|row| Node::BreakGlassAccess(row.into())),
        PatientUserId::PREFIX => portal::service::patient_user(ctx, PatientUserId::from_uuid(uuid))
            .await
            .map(|row| Node::PatientUser(row.into())),
        _ => return None,
    })
}
