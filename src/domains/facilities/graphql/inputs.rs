//! Inputs of the domain.

use async_graphql::{InputObject, MaybeUndefined};

use crate::access::Role;
use crate::domains::facilities::model::{
    self, AcceptInvitation, CreateFacility, FacilityChanges, FacilityKind, FacilitySuspensionReason,
    FirstAdministrator, InviteMember, MemberRemovalReason, MemberSuspensionReason, Profile, RoleGrant, Settings,
    SettingsChanges,
};
use crate::ids::{FacilityId, InvitationId, MemberId, MemberRoleId};
use crate::phi::Phi;

/// A facility to be created.
#[derive(InputObject)]
pub struct FacilityCreateInput {
    /// Public name, 1 to 200 characters.
    pub name: String,
    /// What it is.
    pub kind: FacilityKind,
    /// National Provider Identifier of the organisation, ten digits.
    pub npi: Option<String>,
    /// Public postal address.
    pub address: Option<FacilityAddressInput>,
    /// Public telephone number; ten digits are taken as a number of the United States.
    pub phone: Option<String>,
    /// Time zone of the IANA database, such as `America/New_York`.
    pub time_zone: String,
    /// E-mail address of whoever will administer it; they are invited at once.
    pub administrator_email: String,
    /// Job title of theirs, at most 100 characters.
    pub administrator_title: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// The public postal address of a facility in the United States.
#[derive(InputObject)]
pub struct FacilityAddressInput {
    /// Street and number, 1 to 120 characters.
    pub line1: String,
    /// Second line.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// Two-letter state.
    pub state: String,
    /// ZIP code, five digits or ZIP+4.
    pub zip_code: String,
}

/// Changes to the chosen facility. What is left out stays; null clears what may be absent.
#[derive(InputObject)]
pub struct FacilityUpdateInput {
    /// `version` of the facility as it was read.
    pub expected_version: i32,
    /// Public name; null is refused.
    pub name: MaybeUndefined<String>,
    /// What it is; null is refused.
    pub kind: MaybeUndefined<FacilityKind>,
    /// National Provider Identifier; null clears it.
    pub npi: MaybeUndefined<String>,
    /// Public postal address, as a whole; null clears it.
    pub address: MaybeUndefined<FacilityAddressInput>,
    /// Public telephone number; null clears it.
    pub phone: MaybeUndefined<String>,
    /// Time zone of the IANA database; null is refused.
    pub time_zone: MaybeUndefined<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Changes to the rules the chosen facility works by. What is left out stays; null puts the default back.
#[derive(InputObject)]
pub struct FacilitySettingsUpdateInput {
    /// `version` of the facility as it was read.
    pub expected_version: i32,
    /// Whether members whose only role is therapist see just the charts that are opened to them; by default not.
    pub restrict_therapists_to_own_patients: MaybeUndefined<bool>,
    /// How long an emergency access opens a chart, in minutes: 15 to 480, by default 60.
    pub break_glass_minutes: MaybeUndefined<i32>,
    /// How long an invitation is good for, in days: 1 to 30, by default 7.
    pub invitation_days: MaybeUndefined<i32>,
    /// Whether the facility is closed to sign-ins without a second factor; by default not. Whoever turns it on
    /// must have signed in with one.
    pub require_second_factor: MaybeUndefined<bool>,
    /// How long a completed conversation is kept before it is deleted, in days: 30 to 36,500, or 0 for good, which is
    /// the default. A legal hold keeps it longer.
    pub conversation_retention_days: MaybeUndefined<i32>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A facility to be suspended.
#[derive(InputObject)]
pub struct FacilitySuspendInput {
    /// The facility.
    pub facility_id: FacilityId,
    /// Why.
    pub reason: FacilitySuspensionReason,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A facility to be reinstated.
#[derive(InputObject)]
pub struct FacilityReinstateInput {
    /// The facility.
    pub facility_id: FacilityId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Where to work.
#[derive(InputObject)]
pub struct FacilitySelectInput {
    /// The facility to work in; null for none, as before any choice.
    pub facility_id: Option<FacilityId>,
}

/// A role to be held.
#[derive(InputObject)]
pub struct RoleGrantInput {
    /// The role.
    pub role: Role,
    /// Department it is held in, 1 to 100 characters; left out for the whole facility.
    pub department: Option<String>,
    /// Whether it is the role shown first. Exactly one of several is; a single one is without saying so.
    #[graphql(default)]
    pub primary: bool,
}

/// Someone to be invited.
#[derive(InputObject)]
pub struct MemberInviteInput {
    /// E-mail address the invitation is sent to; it can be accepted with this address alone.
    pub email: String,
    /// Roles granted on acceptance: 1 to 20, exactly one of them primary.
    pub roles: Vec<RoleGrantInput>,
    /// Job title given on acceptance, at most 100 characters.
    pub title: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// An invitation to be sent again, or taken back.
#[derive(InputObject)]
pub struct InvitationInput {
    /// The invitation.
    pub invitation_id: InvitationId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// An answer to an invitation.
#[derive(InputObject)]
pub struct InvitationAcceptInput {
    /// Token of the link in the mail.
    pub token: String,
    /// Password of the account to be made; not looked at when the address has one.
    pub password: Option<String>,
    /// Name shown to colleagues, of the account to be made; not looked at when the address has one.
    pub display_name: Option<String>,
}

/// Changes to a member. What is left out stays; null clears.
#[derive(InputObject)]
pub struct MemberUpdateInput {
    /// The member.
    pub member_id: MemberId,
    /// `version` of the member as it was read.
    pub expected_version: i32,
    /// Job title, at most 100 characters; null clears it.
    pub title: MaybeUndefined<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A member to be suspended.
#[derive(InputObject)]
pub struct MemberSuspendInput {
    /// The member.
    pub member_id: MemberId,
    /// Why. Shown to administrators alone.
    pub reason: MemberSuspensionReason,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A member to be reinstated.
#[derive(InputObject)]
pub struct MemberReinstateInput {
    /// The member.
    pub member_id: MemberId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A member to be removed.
#[derive(InputObject)]
pub struct MemberRemoveInput {
    /// The member.
    pub member_id: MemberId,
    /// Why. Shown to administrators alone.
    pub reason: MemberRemovalReason,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// One's own membership to be ended.
#[derive(InputObject)]
pub struct MemberLeaveInput {
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Roles to be put in the place of all that a member holds.
#[derive(InputObject)]
pub struct MemberRolesSetInput {
    /// The member.
    pub member_id: MemberId,
    /// `version` of the member as it was read.
    pub expected_version: i32,
    /// All roles from now on: 1 to 20, exactly one of them primary.
    pub roles: Vec<RoleGrantInput>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A further role for a member.
#[derive(InputObject)]
pub struct MemberRoleGrantInput {
    /// The member.
    pub member_id: MemberId,
    /// The role.
    pub role: Role,
    /// Department it is held in, 1 to 100 characters; left out for the whole facility.
    pub department: Option<String>,
    /// Whether it becomes the role shown first, in the place of the other.
    #[graphql(default)]
    pub primary: bool,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A role to be taken away.
#[derive(InputObject)]
pub struct MemberRoleRevokeInput {
    /// Id of the role a member holds: `Member.roles` names it.
    pub role_id: MemberRoleId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

impl From<FacilityCreateInput> for CreateFacility {
    fn from(input: FacilityCreateInput) -> Self {
        let FacilityCreateInput {
            name,
            kind,
            npi,
            address,
            phone,
            time_zone,
            administrator_email,
            administrator_title,
            idempotency_key: _,
        } = input;
        Self {
            profile: Profile { name, kind, npi, address: address.map(Into::into), phone, time_zone },
            settings: Settings::default(),
            administrator: Some(FirstAdministrator {
                email: Phi::new(administrator_email),
                title: administrator_title,
            }),
        }
    }
}

impl From<FacilityAddressInput> for model::Address {
    fn from(input: FacilityAddressInput) -> Self {
        let FacilityAddressInput { line1, line2, city, state, zip_code } = input;
        Self { line1, line2, city, state, zip_code }
    }
}

impl From<FacilityUpdateInput> for FacilityChanges {
    fn from(input: FacilityUpdateInput) -> Self {
        let FacilityUpdateInput { expected_version: _, name, kind, npi, address, phone, time_zone, idempotency_key: _ } =
            input;
        Self { name, kind, npi, address: address.map_value(Into::into), phone, time_zone }
    }
}

impl From<FacilitySettingsUpdateInput> for SettingsChanges {
    fn from(input: FacilitySettingsUpdateInput) -> Self {
        let FacilitySettingsUpdateInput {
            expected_version: _,
            restrict_therapists_to_own_patients,
            break_glass_minutes,
            invitation_days,
            require_second_factor,
            conversation_retention_days,
            idempotency_key: _,
        } = input;
        Self {
            restrict_therapists_to_own_patients,
            break_glass_minutes,
            invitation_days,
            require_second_factor,
            conversation_retention_days,
        }
    }
}

impl From<RoleGrantInput> for RoleGrant {
    fn from(input: RoleGrantInput) -> Self {
        let RoleGrantInput { role, department, primary } = input;
        Self { role, department, primary }
    }
}

impl From<MemberInviteInput> for InviteMember {
    fn from(input: MemberInviteInput) -> Self {
        let MemberInviteInput { email, roles, title, idempotency_key: _ } = input;
        Self { email: Phi::new(email), roles: roles.into_iter().map(Into::into).collect(), title }
    }
}

impl From<InvitationAcceptInput> for AcceptInvitation {
    fn from(input: InvitationAcceptInput) -> Self {
        let InvitationAcceptInput { token, password, display_name } = input;
        Self { token: Phi::new(token), password: password.map(Phi::new), display_name: display_name.map(Phi::new) }
    }
}
