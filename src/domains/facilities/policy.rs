//! Who may do what to facilities and their members. What is not listed is not allowed.

use crate::access::{Action, PlatformRole, Role};
use PlatformRole::{SuperAdmin, SupportAdmin};
use Role::{
    Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
    SocialWorker, SystemAdmin, Technician, Therapist,
};

/// Reads the chosen facility.
pub const READ: Action = Action::member("facilities.read");

/// Reads which facilities one works in.
pub const MEMBERSHIPS: Action = Action::user("facilities.memberships");

/// Chooses the facility to work in, or none.
pub const SELECT: Action = Action::user("facilities.select");

/// Lists every facility of the platform.
pub const LIST: Action = Action::platform("facilities.list", &[SuperAdmin, SupportAdmin]);

/// Creates a facility and invites its first administrator.
pub const CREATE: Action = Action::platform("facilities.create", &[SuperAdmin]);

/// Suspends and reinstates a facility.
pub const SUSPEND: Action = Action::platform("facilities.suspend", &[SuperAdmin]);
pub const REINSTATE: Action = Action::platform("facilities.reinstate", &[SuperAdmin]);

/// Changes name, address, number and time zone of the facility.
pub const UPDATE: Action = Action::roles("facilities.update", &[Administrator]);

/// Changes the rules the facility works by.
pub const SETTINGS_UPDATE: Action = Action::roles("facilities.settings.update", &[Administrator]);

/// Reads the staff of the facility. Patients who use the portal do not.
pub const MEMBERS_READ: Action = Action::roles(
    "facilities.members.read",
    &[
        Administrator,
        BillingSpecialist,
        CaseManager,
        FrontDesk,
        Nurse,
        Pharmacist,
        Physician,
        PrivacyOfficer,
        SocialWorker,
        SystemAdmin,
        Technician,
        Therapist,
    ],
);

/// Reads why someone was suspended or removed, and who was invited.
pub const MEMBERS_MANAGE: Action = Action::roles("facilities.members.manage", &[Administrator]);

/// Invites someone, sends an invitation again, takes one back.
pub const INVITE: Action = Action::roles("facilities.members.invite", &[Administrator]);
pub const INVITATION_RESEND: Action = Action::roles("facilities.invitations.resend", &[Administrator]);
pub const INVITATION_REVOKE: Action = Action::roles("facilities.invitations.revoke", &[Administrator]);

/// Looks at an invitation with its token, and accepts it. The token is what proves it.
pub const INVITATION_PREVIEW: Action = Action::anyone("facilities.invitations.preview");
pub const INVITATION_ACCEPT: Action = Action::anyone("facilities.invitations.accept");

/// Changes members and their roles.
pub const MEMBER_UPDATE: Action = Action::roles("facilities.members.update", &[Administrator]);
pub const MEMBER_SUSPEND: Action = Action::roles("facilities.members.suspend", &[Administrator]);
pub const MEMBER_REINSTATE: Action = Action::roles("facilities.members.reinstate", &[Administrator]);
pub const MEMBER_REMOVE: Action = Action::roles("facilities.members.remove", &[Administrator]);
pub const ROLES_SET: Action = Action::roles("facilities.members.roles.set", &[Administrator]);
pub const ROLE_GRANT: Action = Action::roles("facilities.members.roles.grant", &[Administrator]);
pub const ROLE_REVOKE: Action = Action::roles("facilities.members.roles.revoke", &[Administrator]);

/// Ends one's own membership.
pub const MEMBER_LEAVE: Action = Action::member("facilities.members.leave");

/// Makes someone a member without an invitation: the demo's loader and operator commands.
pub const MEMBER_ADD: Action = Action::system("facilities.members.add");

/// Opens the mail that a job is to send.
pub const MAIL: Action = Action::system("facilities.mail");

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[
    &READ,
    &MEMBERSHIPS,
    &SELECT,
    &LIST,
    &CREATE,
    &SUSPEND,
    &REINSTATE,
    &UPDATE,
    &SETTINGS_UPDATE,
    &MEMBERS_READ,
    &MEMBERS_MANAGE,
    &INVITE,
    &INVITATION_RESEND,
    &INVITATION_REVOKE,
    &INVITATION_PREVIEW,
    &INVITATION_ACCEPT,
    &MEMBER_UPDATE,
    &MEMBER_SUSPEND,
    &MEMBER_REINSTATE,
    &MEMBER_REMOVE,
    &ROLES_SET,
    &ROLE_GRANT,
    &ROLE_REVOKE,
    &MEMBER_LEAVE,
    &MEMBER_ADD,
    &MAIL,
];

/// Looks up where someone stands, for work of the server.
pub const STANDING: Action = Action::system("facilities.standing");
