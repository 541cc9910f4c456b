//! Logins in the API: translation only.

mod cookies;
mod inputs;
mod mutation;
mod node;
mod query;
mod types;

pub use cookies::{ACCESS_COOKIE, Cookies, REFRESH_COOKIE};
pub use mutation::{
    IdentityMutation, PasswordChangePayload, PasswordResetPayload, PasswordResetRequestPayload,
    RecoveryCodesRegeneratePayload, SessionRevokeOthersPayload, SessionRevokePayload, SignInChallengePayload,
    SignInPayload, SignOutPayload, TokenRefreshPayload, TotpConfirmPayload, TotpDisablePayload, TotpEnrollPayload,
    UserUpdatePayload, deliver_access_token,
};
pub use node::node;
pub use query::IdentityQuery;
pub use types::{
    AuthTokens, IdentityErrorCode, IdentityUserError, TotpEnrolment, User, UserSession, UserSessionConnection,
    UserSessionEdge, Viewer,
};
