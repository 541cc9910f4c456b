//! Mutations of the domain.

use async_graphql::{Context, Object, SimpleObject};

use super::inputs::{
    FacilityCreateInput, FacilityReinstateInput, FacilitySelectInput, FacilitySettingsUpdateInput,
    FacilitySuspendInput, FacilityUpdateInput, InvitationAcceptInput, InvitationInput, MemberInviteInput,
    MemberLeaveInput, MemberReinstateInput, MemberRemoveInput, MemberRoleGrantInput, MemberRoleRevokeInput,
    MemberRolesSetInput, MemberSuspendInput, MemberUpdateInput,
};
use super::types::{Facility, FacilityUserError, Invitation, Member};
use crate::access::RequestContext;
use crate::domains::facilities::model::{Accepted, FacilityChanges, Refusal, RoleGrant};
use crate::domains::facilities::service;
use crate::domains::identity::graphql::{AuthTokens, deliver_access_token};
use crate::error::{Result, Stop};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{FacilityId, InvitationId, MemberId};

payload!(
    /// What became of a change to a facility.
    FacilityPayload {
        /// The facility as it is now; null when refused.
        facility: Facility,
    } or FacilityUserError
);

payload!(
    /// What became of a change to a member.
    MemberPayload {
        /// The member as they are now; null when refused.
        member: Member,
    } or FacilityUserError
);

payload!(
    /// What became of an invitation.
    InvitationPayload {
        /// The invitation as it is now; null when refused.
        invitation: Invitation,
    } or FacilityUserError
);

payload!(
    /// What became of the end of one's own membership.
    MemberLeavePayload {
        /// Id of the membership that ended; null when refused.
        member_id: MemberId,
    } or FacilityUserError
);

payload!(
    /// What became of a choice.
    FacilitySelectPayload {
        /// What requests carry from now on; the tokens before stay what they were until they run out. Null when
        /// refused.
        tokens: AuthTokens,
    } or FacilityUserError
);

payload!(
    /// What became of an answer to an invitation.
    InvitationAcceptPayload {
        /// The membership that began; null when refused.
        membership: JoinedFacility,
    } or FacilityUserError
);

/// A facility just joined.
#[derive(Debug, SimpleObject)]
pub struct JoinedFacility {
    /// The facility: choose it by `facilitySelect`, once signed in.
    pub facility_id: FacilityId,
    /// Its name.
    pub facility_name: String,
    /// Id as a member of it.
    pub member_id: MemberId,
    /// Whether an account was made; then sign in with the address and the password given.
    pub account_created: bool,
}

#[derive(Debug, Default)]
pub struct FacilitiesMutation;

/// The chosen facility read back.
async fn chosen(request: &RequestContext, outcome: Result<FacilityId, Stop<Refusal>>) -> Result<FacilityPayload> {
    match outcome {
        Ok(id) => Ok(FacilityPayload::done(service::facility(request, id).await?.into())),
        Err(stop) => FacilityPayload::refused(stop),
    }
}

/// A member read back.
async fn member(request: &RequestContext, outcome: Result<MemberId, Stop<Refusal>>) -> Result<MemberPayload> {
    match outcome {
        Ok(id) => Ok(MemberPayload::done(service::changed_member(request, id).await?.into())),
        Err(stop) => MemberPayload::refused(stop),
    }
}

/// An invitation read back.
async fn invitation(
    request: &RequestContext,
    outcome: Result<InvitationId, Stop<Refusal>>,
) -> Result<InvitationPayload> {
    match outcome {
        Ok(id) => Ok(InvitationPayload::done(service::invitation(request, id).await?.into())),
        Err(stop) => InvitationPayload::refused(stop),
    }
}

#[Object]
impl FacilitiesMutation {
    /// Creates a facility, with keys of its own, and invites its first administrator. Needs `facilities.create`,
    /// outside any facility.
    async fn facility_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is created.")] input: FacilityCreateInput,
    ) -> Result<FacilityPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        chosen(request, service::create_facility(request, input.into(), once).await).await
    }

    /// Changes what the chosen facility says of itself. Needs `facilities.update`.
    async fn facility_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: FacilityUpdateInput,
    ) -> Result<FacilityPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let expected_version = input.expected_version;
        let changes = FacilityChanges::from(input);
        chosen(request, service::update_facility(request, expected_version, changes, once).await).await
    }

    /// Changes the rules the chosen facility works by; they hold from the next request on. Needs
    /// `facilities.settings.update`.
    async fn facility_settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: FacilitySettingsUpdateInput,
    ) -> Result<FacilityPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        let expected_version = input.expected_version;
        chosen(request, service::update_settings(request, expected_version, input.into(), once).await).await
    }

    /// Suspends a facility: whoever works in it is out at their next request. Needs `facilities.suspend`, outside
    /// any facility.
    async fn facility_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: FacilitySuspendInput,
    ) -> Result<FacilityPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        chosen(request, service::suspend_facility(request, input.facility_id, input.reason, once).await).await
    }

    /// Ends the suspension of a facility. Needs `facilities.reinstate`, outside any facility.
    async fn facility_reinstate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: FacilityReinstateInput,
    ) -> Result<FacilityPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        chosen(request, service::reinstate_facility(request, input.facility_id, once).await).await
    }

    /// Chooses the facility to work in, or none, and gives an access token bound to it, in a cookie if the
    /// present one came in a cookie. Remembered for the tokens to come. Takes no idempotency key: the answer is a secret, and
    /// choosing again does no harm. Needs `facilities.select`, which everyone signed in has, and an active
    /// membership.
    async fn facility_select(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, or none.")] input: FacilitySelectInput,
    ) -> Result<FacilitySelectPayload> {
        match service::select_facility(request(ctx)?, input.facility_id).await {
            Ok(token) => Ok(FacilitySelectPayload::done(deliver_access_token(ctx, token)?)),
            Err(stop) => FacilitySelectPayload::refused(stop),
        }
    }

    /// Invites someone by e-mail to work in the chosen facility. Needs `facilities.members.invite`.
    async fn member_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, with which roles.")] input: MemberInviteInput,
    ) -> Result<InvitationPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        invitation(request, service::invite_member(request, input.into(), once).await).await
    }

    /// Sends an invitation again, also one that has run out; the link in the earlier mail ends. Needs
    /// `facilities.invitations.resend`.
    async fn invitation_resend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: InvitationInput,
    ) -> Result<InvitationPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        invitation(request, service::resend_invitation(request, input.invitation_id, once).await).await
    }

    /// Takes an invitation back. Needs `facilities.invitations.revoke`.
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: InvitationInput,
    ) -> Result<InvitationPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        invitation(request, service::revoke_invitation(request, input.invitation_id, once).await).await
    }

    /// Accepts an invitation: joins whoever is signed in with its address, or makes an account for an address
    /// that has none. Anyone who holds the token may; an address with an account has to be signed in to first.
    /// Takes no idempotency key: the token works once.
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and what a new account needs.")] input: InvitationAcceptInput,
    ) -> Result<InvitationAcceptPayload> {
        match service::accept_invitation(request(ctx)?, input.into()).await {
            Ok(Accepted { facility, facility_name, member, account_created }) => {
                Ok(InvitationAcceptPayload::done(JoinedFacility {
                    facility_id: facility,
                    facility_name,
                    member_id: member,
                    account_created,
                }))
            }
            Err(stop) => InvitationAcceptPayload::refused(stop),
        }
    }

    /// Changes what is shown beside a member's name. Needs `facilities.members.update`.
    async fn member_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: MemberUpdateInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        let MemberUpdateInput { member_id, expected_version, title, idempotency_key: _ } = input;
        member(request, service::update_member(request, member_id, expected_version, title, once).await).await
    }

    /// Keeps a member out for the time being, from their next request on. Needs `facilities.members.suspend`.
    async fn member_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and why.")] input: MemberSuspendInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        member(request, service::suspend_member(request, input.member_id, input.reason, once).await).await
    }

    /// Lets a suspended member work again. Needs `facilities.members.reinstate`.
    async fn member_reinstate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: MemberReinstateInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        member(request, service::reinstate_member(request, input.member_id, once).await).await
    }

    /// Ends a membership, from the member's next request on; the record of it stays. They can come back by a new
    /// invitation. Needs `facilities.members.remove`.
    async fn member_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and why.")] input: MemberRemoveInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        member(request, service::remove_member(request, input.member_id, input.reason, once).await).await
    }

    /// Ends one's own membership of the chosen facility. Needs `facilities.members.leave`, which every member has.
    async fn member_leave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Nothing but the key.")] input: MemberLeaveInput,
    ) -> Result<MemberLeavePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        // Not read back: from here on the caller is no member.
        match service::leave(request, once).await {
            Ok(id) => Ok(MemberLeavePayload::done(id)),
            Err(stop) => MemberLeavePayload::refused(stop),
        }
    }

    /// Puts roles in the place of all that a member holds, from their next request on. Needs
    /// `facilities.members.roles.set`.
    async fn member_roles_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and which.")] input: MemberRolesSetInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        let roles = input.roles.into_iter().map(Into::into).collect();
        member(request, service::set_roles(request, input.member_id, input.expected_version, roles, once).await).await
    }

    /// Grants a member a further role, from their next request on. Needs `facilities.members.roles.grant`.
    async fn member_role_grant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and which.")] input: MemberRoleGrantInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        let MemberRoleGrantInput { member_id, role, department, primary, idempotency_key: _ } = input;
        member(request, service::grant_role(request, member_id, RoleGrant { role, department, primary }, once).await)
            .await
    }

    /// Takes a role away, from the member's next request on. Needs `facilities.members.roles.revoke`.
    async fn member_role_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: MemberRoleRevokeInput,
    ) -> Result<MemberPayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        member(request, service::revoke_role(request, input.role_id, once).await).await
    }
}
