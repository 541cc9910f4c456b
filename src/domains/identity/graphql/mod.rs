//! Logins in the API: translation only.

mod cookies;
mod inputs;
mod mutation;
mod query;
mod types;

pub use cookies::{ACCESS_COOKIE, Cookies, REFRESH_COOKIE};
pub use mutation::{IdentityMutation, deliver_access_token};
pub use query::IdentityQuery;
pub use types::{AuthTokens, IdentityErrorCode, User, UserSession, Viewer};
