//! Operations on logins, named as the user would.

mod accounts;
mod guard;
mod lookups;
mod passwords;
mod second_factor;
mod sessions;
mod sign_in;

pub use accounts::{
    create_account, email_index, grant_platform_role, make_account, sweep, update_user, user, users_by_ids, viewer,
};
pub use lookups::{find_by_email_index, names_of, passed_second_factor};
pub(super) use passwords::RESET_MINUTES;
pub use passwords::{change_password, prepare_password, request_password_reset, reset_password};
pub use second_factor::{confirm_second_factor, disable_second_factor, enrol_second_factor, renew_recovery_codes};
pub use sessions::{
    access_token, count_sessions, list_sessions, refresh, remember_facility, revoke_other_sessions, revoke_session,
    session, sign_out,
};
pub use sign_in::{answer_challenge, sign_in};
