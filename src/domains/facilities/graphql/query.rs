//! Queries of the domain.

use async_graphql::{Context, Object};

use super::types::{
    Department, Facility, FacilityConnection, Invitation, InvitationConnection, InvitationPreview, Member,
    MemberConnection, ViewerMembership,
};
use crate::access::Role;
use crate::domains::facilities::model::{FacilityStatus, InvitationStatus, MemberFilter, MemberStatus};
use crate::domains::facilities::service;
use crate::error::{Error, Result};
use crate::graphql::request::request;
use crate::ids::{InvitationId, MemberId, TypedId as _};
use crate::pagination::PageRequest;
use crate::phi::Phi;

#[derive(Debug, Default)]
pub struct FacilitiesQuery;

/// Absent is null, not an error.
fn found<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

#[Object]
impl FacilitiesQuery {
    /// The chosen facility. Needs `facilities.read`.
    async fn facility(&self, ctx: &Context<'_>) -> Result<Facility> {
        Ok(service::current_facility(request(ctx)?).await?.into())
    }

    /// All facilities of the platform, newest first. Needs `facilities.list`, outside any facility.
    async fn facilities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Facilities to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
        #[graphql(desc = "Only those in this state; all when left out.")] status: Option<FacilityStatus>,
    ) -> Result<FacilityConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let listed = service::list_facilities(request, status, page).await?.map(Facility::from);
        let total = if ctx.look_ahead().field("totalCount").exists() {
            Some(service::count_facilities(request, status).await?)
        } else {
            None
        };
        Ok(FacilityConnection::new(listed, page.after.is_some(), total, |facility| facility.id.encode()))
    }

    /// The facilities the caller works in, in the order joined, whichever is chosen now. Needs
    /// `facilities.memberships`, which everyone signed in has.
    async fn viewer_memberships(&self, ctx: &Context<'_>) -> Result<Vec<ViewerMembership>> {
        let request = request(ctx)?;
        let chosen = request.facility();
        let all = service::memberships(request).await?;
        Ok(all.into_iter().map(|membership| ViewerMembership::seen_from(chosen, membership)).collect())
    }

    /// One member; null when there is none. Needs `facilities.members.read`.
    async fn member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the member.")] id: MemberId,
    ) -> Result<Option<Member>> {
        found(service::member(request(ctx)?, id).await.map(Into::into))
    }

    /// Members of the facility, last joined first. Needs `facilities.members.read`.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Members to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
        #[graphql(
            desc = "Only those in this state; active ones when left out, all when null.",
            default_with = "Some(MemberStatus::Active)"
        )]
        status: Option<MemberStatus>,
        #[graphql(desc = "Only those who hold this role, in the facility or in any department.")] role: Option<Role>,
        #[graphql(
            desc = "Beginnings of parts of the name, in any order: `mar oka` finds María Okafor. Looks through at \
                          most 2000 members."
        )]
        search: Option<String>,
    ) -> Result<MemberConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let filter = MemberFilter { status, role, search: search.map(Phi::new) };
        let counted = ctx.look_ahead().field("totalCount").exists();
        let (listed, total) = service::list_members(request(ctx)?, &filter, page, counted).await?;
        let listed = listed.map(Member::from);
        Ok(MemberConnection::new(listed, page.after.is_some(), total, |member| member.id.encode()))
    }

    /// Departments of the facility, by name. Needs `facilities.members.read`.
    async fn departments(&self, ctx: &Context<'_>) -> Result<Vec<Department>> {
        Ok(service::departments(request(ctx)?).await?.into_iter().map(Into::into).collect())
    }

    /// One invitation; null when there is none. Needs `facilities.members.manage`.
    async fn invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the invitation.")] id: InvitationId,
    ) -> Result<Option<Invitation>> {
        found(service::invitation(request(ctx)?, id).await.map(Into::into))
    }

    /// Invitations to the facility, newest first. Needs `facilities.members.manage`.
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Invitations to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
        #[graphql(desc = "Only those in this state; all when left out.")] status: Option<InvitationStatus>,
    ) -> Result<InvitationConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let listed = service::list_invitations(request, status, page).await?.map(Invitation::from);
        let total = if ctx.look_ahead().field("totalCount").exists() {
            Some(service::count_invitations(request, status).await?)
        } else {
            None
        };
        Ok(InvitationConnection::new(listed, page.after.is_some(), total, |invitation| invitation.id.encode()))
    }

    /// What the token of an invitation invites to; null when there is no such invitation. Anyone who holds the
    /// token may ask.
    async fn invitation_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Token of the link in the mail.")] token: String,
    ) -> Result<Option<InvitationPreview>> {
        found(service::preview_invitation(request(ctx)?, &Phi::new(token)).await.map(Into::into))
    }
}
