//! Care relationships and emergency accesses.

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, Utc};

use super::{Patient, text, user};
use crate::domains::identity::graphql::User;
use crate::domains::patients::loaders::PatientLoader;
use crate::domains::patients::model::{self, CareRelationshipKind};
use crate::graphql::connection::connection;
use crate::graphql::loaders::{load_one, or_null};
use crate::ids::{BreakGlassId, CareRelationshipId, PatientId, UserId};

/// A provider treating a patient. Needs `patients.care_team.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct CareRelationship {
    /// Typed, opaque id.
    pub id: CareRelationshipId,
    /// In which capacity.
    pub kind: CareRelationshipKind,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Until when; null while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when ending the relationship.
    pub version: i32,
    #[graphql(skip)]
    pub patient_id: PatientId,
    #[graphql(skip)]
    pub user_id: UserId,
}

#[ComplexObject]
impl CareRelationship {
    /// The provider; null when you may not see them.
    async fn user(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.user_id).await
    }

    /// Who is treated; null when you may not open the chart. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Patient> {
        or_null(ctx, load_one::<PatientLoader>(ctx, self.patient_id).await)?.map(Into::into)
    }
}

connection!(CareRelationshipConnection, CareRelationshipEdge, CareRelationship, "care relationships");

/// An emergency access to a chart: a reason, an end, a review. Needs `patients.break_glass.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct BreakGlassAccess {
    /// Typed, opaque id.
    pub id: BreakGlassId,
    /// Why.
    pub reason: String,
    /// From when the chart was open.
    pub started_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// When it was reviewed; null while it waits.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// What the review found; null while it waits.
    pub justified: Option<bool>,
    /// Remark of the reviewer; null when there is none.
    pub review_note: Option<String>,
    #[graphql(skip)]
    pub patient_id: PatientId,
    #[graphql(skip)]
    pub user_id: UserId,
    #[graphql(skip)]
    pub reviewed_by_id: Option<UserId>,
}

#[ComplexObject]
impl BreakGlassAccess {
    /// Who broke the glass; null when you may not see them.
    async fn user(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.user_id).await
    }

    /// Who reviewed it; null while it waits, or when you may not see them.
    async fn reviewed_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.reviewed_by_id?).await
    }

    /// Whose chart was opened. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Patient> {
        or_null(ctx, load_one::<PatientLoader>(ctx, self.patient_id).await)?.map(Into::into)
    }
}

connection!(BreakGlassAccessConnection, BreakGlassAccessEdge, BreakGlassAccess, "emergency accesses");

impl From<model::CareRelationship> for CareRelationship {
    fn from(relationship: model::CareRelationship) -> Self {
        let model::CareRelationship { id, patient_id, user_id, kind, started_at, ended_at, version } = relationship;
        Self { id, kind, started_at, ended_at, version, patient_id, user_id }
    }
}

impl From<model::BreakGlassAccess> for BreakGlassAccess {
    fn from(access: model::BreakGlassAccess) -> Self {
        let model::BreakGlassAccess {
            id,
            patient_id,
            user_id,
            reason,
            started_at,
            expires_at,
            reviewed_at,
            reviewed_by,
            justified,
            review_note,
        } = access;
        Self {
            id,
            reason: reason.into_revealed(),
            started_at,
            expires_at,
            reviewed_at,
            justified,
            review_note: text(review_note),
            patient_id,
            user_id,
            reviewed_by_id: reviewed_by,
        }
    }
}
