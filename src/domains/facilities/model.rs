//! Rows, what is known of a facility and its people, and why an operation may be refused.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};
use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::db::schema::{facilities, facility_invitations, facility_members, member_roles};
use crate::error::RefusalCode;
use crate::ids::{FacilityId, InvitationId, MemberId, MemberRoleId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// What a facility is.
    FacilityKind {
        Hospital = "hospital",
        Clinic = "clinic",
        Practice = "practice",
        CommunityMentalHealthCenter = "community_mental_health_center",
        Residential = "residential",
        /// Care by video and telephone alone.
        Telehealth = "telehealth",
        Other = "other",
    }
}

text_enum! {
    /// Whether a facility can be worked in.
    FacilityStatus {
        Active = "active",
        /// Nobody can choose it until the platform reinstates it.
        Suspended = "suspended",
        /// Its keys are destroyed: nothing that was encrypted can be read again.
        Shredded = "shredded",
    }
}

text_enum! {
    /// Why the platform suspended a facility.
    FacilitySuspensionReason {
        /// The facility asked for it.
        Requested = "requested",
        /// Its contract ended.
        ContractEnded = "contract_ended",
        /// It has not paid.
        PaymentOverdue = "payment_overdue",
        /// To protect data.
        Security = "security",
        /// The law asks for it.
        Legal = "legal",
    }
}

text_enum! {
    /// Whether a member may work in the facility.
    MemberStatus {
        Active = "active",
        /// For the time being not; an administrator can reinstate.
        Suspended = "suspended",
        /// No more; kept for the record. Comes back only by a new invitation.
        Removed = "removed",
    }
}

text_enum! {
    /// Why a member is suspended.
    MemberSuspensionReason {
        LeaveOfAbsence = "leave_of_absence",
        /// A licence or certificate has run out.
        CredentialsLapsed = "credentials_lapsed",
        /// Something is being looked into.
        UnderReview = "under_review",
        /// To protect data.
        Security = "security",
    }
}

text_enum! {
    /// Why a member is removed.
    MemberRemovalReason {
        EmploymentEnded = "employment_ended",
        ContractEnded = "contract_ended",
        /// Works in another facility now.
        Transferred = "transferred",
        /// To protect data.
        Security = "security",
        /// Should never have been a member.
        AddedInError = "added_in_error",
    }
}

text_enum! {
    /// Why a member is suspended or removed.
    MemberStatusReason {
        LeaveOfAbsence = "leave_of_absence",
        CredentialsLapsed = "credentials_lapsed",
        UnderReview = "under_review",
        Security = "security",
        EmploymentEnded = "employment_ended",
        ContractEnded = "contract_ended",
        Transferred = "transferred",
        AddedInError = "added_in_error",
        /// Left by themself.
        Left = "left",
    }
}

text_enum! {
    /// What became of an invitation.
    InvitationStatus {
        /// Waits for an answer.
        Pending = "pending",
        Accepted = "accepted",
        /// Taken back by an administrator.
        Revoked = "revoked",
        /// Ran out unanswered; it can be sent again.
        Expired = "expired",
    }
}

/// Why an operation on facilities, members or invitations was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "FacilityErrorCode")]
pub enum Refusal {
    /// A value is empty, too long or malformed.
    Invalid,
    /// The National Provider Identifier belongs to another facility.
    NpiTaken,
    /// The object changed since it was read: read it again.
    StaleVersion,
    /// The facility would be left without an administrator.
    LastAdministrator,
    /// There is no active membership of such a facility.
    NotAMember,
    /// The facility is suspended.
    FacilityNotActive,
    /// The facility is not suspended.
    FacilityNotSuspended,
    /// It takes a sign-in with a second factor, and this one was without.
    SecondFactorRequired,
    /// The address belongs to an active member already.
    AlreadyMember,
    /// The address belongs to a suspended member: reinstate them instead.
    MemberSuspended,
    /// The address has a pending invitation: send that one again.
    AlreadyInvited,
    /// Too many invitations are pending, or this one was sent a moment ago.
    TooManyInvitations,
    /// The invitation was accepted or revoked, and is not changed any more.
    InvitationClosed,
    /// There is no such invitation: the link is wrong or was replaced by a newer one.
    InvitationInvalid,
    /// The invitation ran out: ask for a new one.
    InvitationExpired,
    /// The invitation was taken back.
    InvitationRevoked,
    /// The invitation was accepted before.
    InvitationUsed,
    /// The address has an account: sign in with it, then accept.
    SignInFirst,
    /// The invitation is for another address than the one signed in with.
    WrongAccount,
    /// The password is not good enough.
    WeakPassword,
    /// The membership is suspended or ended.
    MemberNotActive,
    /// The member is not suspended.
    MemberNotSuspended,
    /// The member was removed: invite them again.
    MemberRemoved,
    /// The member holds this role in this department already.
    RoleAlreadyGranted,
    /// It is the primary role: make another one the primary first.
    PrimaryRole,
    /// A member keeps at least one role.
    OnlyRole,
}

impl RefusalCode for Refusal {
    const INVALID: Self = Self::Invalid;
}

/// The rules a facility works by. Kept as JSON; SQL reads some of the keys, so they are not renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Whether therapists see only the charts that a care relationship opens
    /// (`bind_user` in `src/db/replaceable/10_context.sql`).
    pub restrict_therapists_to_own_patients: bool,
    /// How long an emergency access opens a chart, in minutes.
    pub break_glass_minutes: i32,
    /// How long an invitation is good for, in days.
    pub invitation_days: i32,
    /// Whether a sign-in without a second factor is kept out (`bind_user`, too).
    pub require_second_factor: bool,
    /// How long a completed conversation is kept, in days; 0 for good.
    pub conversation_retention_days: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            restrict_therapists_to_own_patients: false,
            break_glass_minutes: 60,
            invitation_days: 7,
            require_second_factor: false,
            conversation_retention_days: 0,
        }
    }
}

/// A facility as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = facilities, check_for_backend(diesel::pg::Pg))]
pub struct FacilityRow {
    pub id: FacilityId,
    pub name: String,
    pub kind: FacilityKind,
    pub npi: Option<String>,
    pub address_line1: Option<String>,
    pub address_line2: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub zip_code: Option<String>,
    pub phone: Option<String>,
    pub time_zone: String,
    pub settings: serde_json::Value,
    pub status: FacilityStatus,
    pub status_reason: Option<FacilitySuspensionReason>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A facility.
#[derive(Debug, Clone)]
pub struct Facility {
    pub id: FacilityId,
    pub profile: Profile,
    pub settings: Settings,
    pub status: FacilityStatus,
    pub suspension_reason: Option<FacilitySuspensionReason>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a facility says of itself, to anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub kind: FacilityKind,
    pub npi: Option<String>,
    pub address: Option<Address>,
    pub phone: Option<String>,
    /// Name in the IANA time zone database.
    pub time_zone: String,
}

/// The public postal address of a facility in the United States.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub line1: String,
    pub line2: Option<String>,
    pub city: String,
    pub state: String,
    pub zip_code: String,
}

/// The columns of a profile; `None` clears.
#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = facilities, treat_none_as_null = true)]
pub struct ProfileColumns {
    pub name: String,
    pub kind: FacilityKind,
    pub npi: Option<String>,
    pub address_line1: Option<String>,
    pub address_line2: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub zip_code: Option<String>,
    pub phone: Option<String>,
    pub time_zone: String,
}

/// A facility row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = facilities)]
pub struct NewFacility {
    pub id: FacilityId,
    #[diesel(embed)]
    pub profile: ProfileColumns,
    pub settings: serde_json::Value,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A facility to be created.
#[derive(Debug, Clone)]
pub struct CreateFacility {
    pub profile: Profile,
    pub settings: Settings,
    /// Whoever is invited to administer it. `None` only for the demo's loader and operator commands, which add
    /// members themselves.
    pub administrator: Option<FirstAdministrator>,
}

/// Whoever is invited to administer a new facility.
#[derive(Debug, Clone)]
pub struct FirstAdministrator {
    pub email: Phi<String>,
    pub title: Option<String>,
}

/// Changes to a facility. Absent leaves a value as it is, null clears it.
#[derive(Debug, Clone, Default)]
pub struct FacilityChanges {
    pub name: MaybeUndefined<String>,
    pub kind: MaybeUndefined<FacilityKind>,
    pub npi: MaybeUndefined<String>,
    pub address: MaybeUndefined<Address>,
    pub phone: MaybeUndefined<String>,
    pub time_zone: MaybeUndefined<String>,
}

/// Changes to the settings. Absent leaves a value as it is, null puts the default back.
#[derive(Debug, Clone, Default)]
pub struct SettingsChanges {
    pub restrict_therapists_to_own_patients: MaybeUndefined<bool>,
    pub break_glass_minutes: MaybeUndefined<i32>,
    pub invitation_days: MaybeUndefined<i32>,
    pub require_second_factor: MaybeUndefined<bool>,
    pub conversation_retention_days: MaybeUndefined<i32>,
}

/// A role to be held, in the whole facility or in one department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleGrant {
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The role shown first. Exactly one is, of all that a member holds.
    #[serde(default)]
    pub primary: bool,
}

/// A member.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = facility_members, check_for_backend(diesel::pg::Pg))]
pub struct Member {
    pub id: MemberId,
    pub user_id: UserId,
    pub status: MemberStatus,
    pub status_reason: Option<MemberStatusReason>,
    pub title: Option<String>,
    pub invited_by: Option<UserId>,
    pub version: i32,
    pub joined_at: DateTime<Utc>,
    pub suspended_at: Option<DateTime<Utc>>,
    pub removed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A member row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = facility_members)]
pub struct NewMember {
    pub facility_id: FacilityId,
    pub id: MemberId,
    pub user_id: UserId,
    pub status: MemberStatus,
    pub title: Option<String>,
    pub invited_by: Option<UserId>,
    pub joined_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A change of a member's status.
#[derive(Debug, Clone, Copy, AsChangeset)]
#[diesel(table_name = facility_members, treat_none_as_null = true)]
pub struct StatusChange {
    pub status: MemberStatus,
    pub status_reason: Option<MemberStatusReason>,
    pub suspended_at: Option<DateTime<Utc>>,
    pub removed_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// A role held by a member.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = member_roles, check_for_backend(diesel::pg::Pg))]
pub struct MemberRole {
    pub id: MemberRoleId,
    pub member_id: MemberId,
    pub role: Role,
    pub department: Option<String>,
    pub primary_role: bool,
    pub created_at: DateTime<Utc>,
}

/// A role row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = member_roles)]
pub struct NewMemberRole {
    pub facility_id: FacilityId,
    pub id: MemberRoleId,
    pub member_id: MemberId,
    pub role: Role,
    pub department: Option<String>,
    pub primary_role: bool,
    pub created_at: DateTime<Utc>,
}

/// Which members are listed.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter {
    pub status: Option<MemberStatus>,
    pub role: Option<Role>,
    /// Beginnings of the parts of a name, in any order.
    pub search: Option<Phi<String>>,
}

/// Someone to be invited.
#[derive(Debug, Clone)]
pub struct InviteMember {
    pub email: Phi<String>,
    pub roles: Vec<RoleGrant>,
    pub title: Option<String>,
}

/// An invitation as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = facility_invitations, check_for_backend(diesel::pg::Pg))]
pub struct InvitationRow {
    pub facility_id: FacilityId,
    pub id: InvitationId,
    pub email_ciphertext: Vec<u8>,
    pub email_index: i64,
    pub roles: serde_json::Value,
    pub title: Option<String>,
    pub invited_by: Option<UserId>,
    pub status: InvitationStatus,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl InvitationRow {
    /// What became of it by now: nobody writes down that a pending one ran out.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> InvitationStatus {
        match self.status {
            InvitationStatus::Pending if self.expires_at <= now => InvitationStatus::Expired,
            status => status,
        }
    }
}

/// An invitation, decrypted.
#[derive(Debug, Clone)]
pub struct Invitation {
    pub id: InvitationId,
    pub email: Phi<String>,
    pub roles: Vec<RoleGrant>,
    pub title: Option<String>,
    pub invited_by: Option<UserId>,
    pub status: InvitationStatus,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// An invitation row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = facility_invitations)]
pub struct NewInvitation {
    pub facility_id: FacilityId,
    pub id: InvitationId,
    pub token_hash: Vec<u8>,
    pub email_ciphertext: Vec<u8>,
    pub email_index: i64,
    pub roles: serde_json::Value,
    pub title: Option<String>,
    pub invited_by: Option<UserId>,
    pub status: InvitationStatus,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What the holder of a token may know before accepting.
#[derive(Debug, Clone)]
pub struct InvitationPreview {
    pub facility_name: String,
    pub roles: Vec<RoleGrant>,
    pub title: Option<String>,
    pub status: InvitationStatus,
    pub expires_at: DateTime<Utc>,
    /// Whether the address has an account, which then has to be signed in to.
    pub account_exists: bool,
}

/// An answer to an invitation.
#[derive(Debug, Clone)]
pub struct AcceptInvitation {
    pub token: Phi<String>,
    /// For whoever has no account yet.
    pub password: Option<Phi<String>>,
    pub display_name: Option<Phi<String>>,
}

/// Someone has joined.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Accepted {
    pub facility: FacilityId,
    pub facility_name: String,
    pub member: MemberId,
    /// Whether an account was made by it.
    pub account_created: bool,
}

/// A facility as one of its members sees it from outside.
#[derive(Debug, Clone)]
pub struct Membership {
    pub facility: Facility,
    pub member: Member,
    pub roles: Vec<MemberRole>,
    /// Why it cannot be chosen now; `None` when it can.
    pub obstacle: Option<Obstacle>,
}

/// Why a facility cannot be chosen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "MembershipObstacle")]
pub enum Obstacle {
    /// The membership is suspended.
    MembershipSuspended,
    /// The platform suspended the facility.
    FacilitySuspended,
    /// The facility asks for a second factor, and this sign-in was without one.
    SecondFactorRequired,
}

/// A department, as the roles of active members name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    pub name: String,
    pub member_count: i64,
}
