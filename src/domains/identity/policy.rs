//! Who may do what to logins. What is not listed is not allowed.

use crate::access::{Action, PlatformRole, Role};
use Role::{
    Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
    SocialWorker, SystemAdmin, Technician, Therapist,
};

/// Signs in, in one step or two.
pub const SIGN_IN: Action = Action::anyone("identity.sign_in");
/// Exchanges a refresh token.
pub const TOKEN_REFRESH: Action = Action::anyone("identity.token_refresh");
/// Ends the session a refresh token belongs to.
pub const SIGN_OUT_BY_TOKEN: Action = Action::anyone("identity.sign_out_by_token");
/// Asks for a password reset.
pub const PASSWORD_RESET_REQUEST: Action = Action::anyone("identity.password_reset_request");
/// Sets a new password by the token of a reset.
pub const PASSWORD_RESET: Action = Action::anyone("identity.password_reset");

/// Reads one's own account and sessions.
pub const VIEWER: Action = Action::user("identity.viewer");
/// Reads the names of those one may see: oneself, members of the same facility.
pub const USERS_READ: Action = Action::user("identity.users.read");
/// Ends one's own session.
pub const SIGN_OUT: Action = Action::user("identity.sign_out");
/// Ends other sessions of one's own.
pub const SESSION_REVOKE: Action = Action::user("identity.session_revoke");
/// Changes one's own account.
pub const USER_UPDATE: Action = Action::user("identity.user_update");
/// Changes one's own password.
pub const PASSWORD_CHANGE: Action = Action::user("identity.password_change");
/// Turns one's own second factor on.
pub const SECOND_FACTOR_ENABLE: Action = Action::user("identity.second_factor_enable");
/// Turns one's own second factor off.
pub const SECOND_FACTOR_DISABLE: Action = Action::user("identity.second_factor_disable");
/// Makes new recovery codes for oneself.
pub const RECOVERY_CODES: Action = Action::user("identity.recovery_codes");

/// Reads e-mail addresses and telephone numbers of colleagues: staff, not people in care.
pub const CONTACTS_READ: Action = Action::roles(
    "identity.contacts.read",
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
/// Reads the accounts of the platform.
pub const ACCOUNTS_READ: Action =
    Action::platform("identity.accounts.read", &[PlatformRole::SuperAdmin, PlatformRole::SupportAdmin]);

/// Makes an account, or gives it a platform role, from the command line.
pub const ACCOUNT_CREATE: Action = Action::system("identity.account_create");
/// Opens the mail that a job is to send.
pub const MAIL: Action = Action::system("identity.mail");
/// Deletes what has run out: tokens, challenges, resets, counts of failures.
pub const SWEEP: Action = Action::system("identity.sweep");

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[
    &SIGN_IN,
    &TOKEN_REFRESH,
    &SIGN_OUT_BY_TOKEN,
    &PASSWORD_RESET_REQUEST,
    &PASSWORD_RESET,
    &VIEWER,
    &USERS_READ,
    &SIGN_OUT,
    &SESSION_REVOKE,
    &USER_UPDATE,
    &PASSWORD_CHANGE,
    &SECOND_FACTOR_ENABLE,
    &SECOND_FACTOR_DISABLE,
    &RECOVERY_CODES,
    &CONTACTS_READ,
    &ACCOUNTS_READ,
    &ACCOUNT_CREATE,
    &MAIL,
    &SWEEP,
];
