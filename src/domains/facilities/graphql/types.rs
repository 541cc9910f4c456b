//! Objects of the domain.

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, Utc};

use crate::access::Role;
use crate::domains::facilities::loaders::RolesLoader;
use crate::domains::facilities::model::{
    self, FacilityKind, FacilityStatus, FacilitySuspensionReason, InvitationStatus, MemberStatus, MemberStatusReason,
    Obstacle, Refusal,
};
use crate::domains::facilities::service;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::payload::user_error;
use crate::graphql::request::request;
use crate::ids::{FacilityId, InvitationId, MemberId, MemberRoleId, UserId};

/// A tenant: a hospital, clinic or practice. Seen by whoever works in it, and by administrators of the platform.
#[derive(Debug, Clone, SimpleObject)]
pub struct Facility {
    /// Typed, opaque id.
    pub id: FacilityId,
    /// Public name.
    pub name: String,
    /// What it is.
    pub kind: FacilityKind,
    /// National Provider Identifier of the organisation; null when none is known.
    pub npi: Option<String>,
    /// Public postal address; null when none is known.
    pub address: Option<FacilityAddress>,
    /// Public telephone number in E.164; null when none is known.
    pub phone: Option<String>,
    /// Time zone its days are reckoned in, as in the IANA database, such as `America/New_York`.
    pub time_zone: String,
    /// The rules it works by.
    pub settings: FacilitySettings,
    /// Whether it can be worked in.
    pub status: FacilityStatus,
    /// Why it is suspended; null while it is not.
    pub suspension_reason: Option<FacilitySuspensionReason>,
    /// Give this as `expectedVersion` when changing the facility or its settings.
    pub version: i32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

connection!(FacilityConnection, FacilityEdge, Facility, "facilities");

/// The public postal address of a facility in the United States.
#[derive(Debug, Clone, SimpleObject)]
pub struct FacilityAddress {
    /// Street and number.
    pub line1: String,
    /// Second line; null when there is none.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// Two-letter state.
    pub state: String,
    /// ZIP code, five digits or ZIP+4.
    pub zip_code: String,
}

/// The rules a facility works by.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub struct FacilitySettings {
    /// Whether members whose only role is therapist see just the charts that a care relationship or an emergency
    /// access opens to them.
    pub restrict_therapists_to_own_patients: bool,
    /// How long an emergency access opens a chart, in minutes: 15 to 480.
    pub break_glass_minutes: i32,
    /// How long an invitation is good for, in days: 1 to 30.
    pub invitation_days: i32,
    /// Whether the facility is closed to sign-ins without a second factor.
    pub require_second_factor: bool,
    /// How long a completed conversation is kept before it is deleted, in days; 0 for good. A legal hold keeps it longer.
    pub conversation_retention_days: i32,
}

/// Someone who works, or worked, in the facility. Needs `facilities.members.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Member {
    /// Typed, opaque id.
    pub id: MemberId,
    /// Whether they may work here.
    pub status: MemberStatus,
    /// Job title shown beside the name; null when there is none.
    pub title: Option<String>,
    /// When they joined.
    pub joined_at: DateTime<Utc>,
    /// When they were suspended; null while they are not.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When they were removed, or left; null while they are here.
    pub removed_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when changing the member. Changes of their roles count too.
    pub version: i32,
    /// When they became a member for the first time.
    pub created_at: DateTime<Utc>,
    /// When the membership last changed.
    pub updated_at: DateTime<Utc>,
    #[graphql(skip)]
    user_id: UserId,
    #[graphql(skip)]
    invited_by: Option<UserId>,
    #[graphql(skip)]
    reason: Option<MemberStatusReason>,
}

#[ComplexObject]
impl Member {
    /// The login; null when the caller may not see it. Needs `identity.users.read`.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, LoadError> {
        load_user(ctx, Some(self.user_id)).await
    }

    /// Roles held, the primary one first; for a removed member those held last. Needs `facilities.members.read`.
    async fn roles(&self, ctx: &Context<'_>) -> Result<Vec<MemberRole>, LoadError> {
        Ok(load_one::<RolesLoader>(ctx, self.id).await?.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// Who invited them; null when it was the platform, or someone who never worked here. Needs
    /// `identity.users.read`.
    async fn invited_by(&self, ctx: &Context<'_>) -> Result<Option<User>, LoadError> {
        load_user(ctx, self.invited_by).await
    }

    /// Why they are suspended or removed; null while active, and for whoever lacks `facilities.members.manage`.
    async fn status_reason(&self, ctx: &Context<'_>) -> Result<Option<MemberStatusReason>> {
        Ok(if service::may_manage(request(ctx)?).await? { self.reason } else { None })
    }
}

async fn load_user(ctx: &Context<'_>, id: Option<UserId>) -> Result<Option<User>, LoadError> {
    let Some(id) = id else { return Ok(None) };
    Ok(load_one::<UserLoader>(ctx, id).await?.map(Into::into))
}

connection!(MemberConnection, MemberEdge, Member, "members");

/// A role a member holds.
#[derive(Debug, Clone, SimpleObject)]
pub struct MemberRole {
    /// Typed, opaque id.
    pub id: MemberRoleId,
    /// The role.
    pub role: Role,
    /// Department it is held in; null for the whole facility. What the role permits is the same in both.
    pub department: Option<String>,
    /// Whether it is the role shown first: exactly one of a member's is.
    pub primary: bool,
    /// When it was granted.
    pub granted_at: DateTime<Utc>,
}

/// A role that an invitation grants.
#[derive(Debug, Clone, SimpleObject)]
pub struct InvitedRole {
    /// The role.
    pub role: Role,
    /// Department it will be held in; null for the whole facility.
    pub department: Option<String>,
    /// Whether it will be the role shown first.
    pub primary: bool,
}

/// An invitation to work in the facility. Needs `facilities.members.manage`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Invitation {
    /// Typed, opaque id.
    pub id: InvitationId,
    /// Address it was sent to.
    pub email: String,
    /// Roles granted on acceptance.
    pub roles: Vec<InvitedRole>,
    /// Job title given on acceptance; null for none.
    pub title: Option<String>,
    /// What became of it.
    pub status: InvitationStatus,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// When it was accepted; null while it is not.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    #[graphql(skip)]
    invited_by: Option<UserId>,
}

#[ComplexObject]
impl Invitation {
    /// Who invited; null when it was the platform. Needs `identity.users.read`.
    async fn invited_by(&self, ctx: &Context<'_>) -> Result<Option<User>, LoadError> {
        load_user(ctx, self.invited_by).await
    }
}

connection!(InvitationConnection, InvitationEdge, Invitation, "invitations");

/// What the holder of an invitation's token may know before accepting.
#[derive(Debug, Clone, SimpleObject)]
pub struct InvitationPreview {
    /// Name of the facility.
    pub facility_name: String,
    /// Roles granted on acceptance.
    pub roles: Vec<InvitedRole>,
    /// Job title given on acceptance; null for none.
    pub title: Option<String>,
    /// Whether it can still be accepted.
    pub status: InvitationStatus,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// Whether the address has an account. Then sign in with it before accepting; otherwise accepting makes one.
    pub account_exists: bool,
}

/// A facility the caller works in.
#[derive(Debug, Clone, SimpleObject)]
pub struct ViewerMembership {
    /// The facility.
    pub facility: Facility,
    /// Id of the caller as a member of it.
    pub member_id: MemberId,
    /// Job title there; null when there is none.
    pub title: Option<String>,
    /// Roles held there, the primary one first.
    pub roles: Vec<MemberRole>,
    /// Why it cannot be chosen now; null when it can.
    pub obstacle: Option<Obstacle>,
    /// Whether it is the one chosen in this request's token.
    pub selected: bool,
}

/// A department, as the roles of active members name it.
#[derive(Debug, Clone, SimpleObject)]
pub struct Department {
    /// Its name.
    pub name: String,
    /// Active members who hold a role in it.
    pub member_count: i64,
}

user_error!(
    /// Why an operation on facilities, members or invitations was refused.
    FacilityUserError(Refusal)
);

impl From<model::Facility> for Facility {
    fn from(facility: model::Facility) -> Self {
        let model::Facility { id, profile, settings, status, suspension_reason, version, created_at, updated_at } =
            facility;
        let model::Profile { name, kind, npi, address, phone, time_zone } = profile;
        Self {
            id,
            name,
            kind,
            npi,
            address: address.map(Into::into),
            phone,
            time_zone,
            settings: settings.into(),
            status,
            suspension_reason,
            version,
            created_at,
            updated_at,
        }
    }
}

impl From<model::Address> for FacilityAddress {
    fn from(address: model::Address) -> Self {
        let model::Address { line1, line2, city, state, zip_code } = address;
        Self { line1, line2, city, state, zip_code }
    }
}

impl From<model::Settings> for FacilitySettings {
    fn from(settings: model::Settings) -> Self {
        let model::Settings {
            restrict_therapists_to_own_patients,
            break_glass_minutes,
            invitation_days,
            require_second_factor,
            conversation_retention_days,
        } = settings;
        Self {
            restrict_therapists_to_own_patients,
            break_glass_minutes,
            invitation_days,
            require_second_factor,
            conversation_retention_days,
        }
    }
}

impl From<model::Member> for Member {
    fn from(member: model::Member) -> Self {
        Self {
            id: member.id,
            status: member.status,
            title: member.title,
            joined_at: member.joined_at,
            suspended_at: member.suspended_at,
            removed_at: member.removed_at,
            version: member.version,
            created_at: member.created_at,
            updated_at: member.updated_at,
            user_id: member.user_id,
            invited_by: member.invited_by,
            reason: member.status_reason,
        }
    }
}

impl From<model::MemberRole> for MemberRole {
    fn from(role: model::MemberRole) -> Self {
        Self {
            id: role.id,
            role: role.role,
            department: role.department,
            primary: role.primary_role,
            granted_at: role.created_at,
        }
    }
}

impl From<model::RoleGrant> for InvitedRole {
    fn from(grant: model::RoleGrant) -> Self {
        let model::RoleGrant { role, department, primary } = grant;
        Self { role, department, primary }
    }
}

impl From<model::Invitation> for Invitation {
    fn from(invitation: model::Invitation) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email.into_revealed(),
            roles: invitation.roles.into_iter().map(Into::into).collect(),
            title: invitation.title,
            status: invitation.status,
            expires_at: invitation.expires_at,
            accepted_at: invitation.accepted_at,
            created_at: invitation.created_at,
            invited_by: invitation.invited_by,
        }
    }
}

impl From<model::InvitationPreview> for InvitationPreview {
    fn from(preview: model::InvitationPreview) -> Self {
        let model::InvitationPreview { facility_name, roles, title, status, expires_at, account_exists } = preview;
        let roles = roles.into_iter().map(Into::into).collect();
        Self { facility_name, roles, title, status, expires_at, account_exists }
    }
}

impl From<model::Department> for Department {
    fn from(department: model::Department) -> Self {
        let model::Department { name, member_count } = department;
        Self { name, member_count }
    }
}

impl ViewerMembership {
    /// A membership, as seen with one facility chosen.
    pub(super) fn seen_from(chosen: FacilityId, membership: model::Membership) -> Self {
        let model::Membership { facility, member, roles, obstacle } = membership;
        let selected = facility.id == chosen;
        Self {
            facility: facility.into(),
            member_id: member.id,
            title: member.title,
            roles: roles.into_iter().map(Into::into).collect(),
            obstacle,
            selected,
        }
    }
}
