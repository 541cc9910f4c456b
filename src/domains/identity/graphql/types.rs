//! Objects of the domain.

use async_graphql::{ComplexObject, Context, Enum, SimpleObject};
use chrono::{DateTime, Utc};

use crate::access::{Actor, PlatformRole};
use crate::domains::identity::model::{self, Refusal, UserStatus};
use crate::error::{Refused, Result};
use crate::graphql::connection::connection;
use crate::graphql::request::request;
use crate::ids::{FacilityId, SessionId, UserId};
use crate::phi::Phi;

/// A login. Visible to themself, to members of a facility they work or worked in, and to the platform.
#[derive(Debug, Clone, SimpleObject)]
pub struct User {
    /// Typed, opaque id.
    pub id: UserId,
    /// Name shown to colleagues.
    pub display_name: String,
    /// E-mail address; null unless it is one's own or one has `identity.contacts.read`.
    pub email: Option<String>,
    /// Telephone number in E.164; null when none is known, or unless it is one's own or one has
    /// `identity.contacts.read`.
    pub phone: Option<String>,
    /// Whether the account may be used.
    pub status: UserStatus,
    /// National Provider Identifier; null when none is known.
    pub npi: Option<String>,
    /// Professional licence number; null when none is known.
    pub license_number: Option<String>,
    /// Language preferred, as a BCP 47 tag.
    pub locale: String,
    /// Time zone, a name of the IANA database.
    pub time_zone: String,
    /// Give this as `expectedVersion` when changing the account.
    pub version: i32,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Whoever is signed in.
#[derive(Debug, Clone, SimpleObject)]
pub struct Viewer {
    /// The account.
    pub user: User,
    /// Roles on the platform itself; empty for most.
    pub platform_roles: Vec<PlatformRole>,
    /// The session of this request.
    pub session: UserSession,
    /// The facility chosen; null outside any.
    pub facility_id: Option<FacilityId>,
    /// Whether the second factor is on.
    pub second_factor: bool,
    /// Recovery codes not yet used; 0 when the second factor is off.
    pub recovery_codes_left: i64,
    /// When the password was last set; null when it never was.
    pub password_changed_at: Option<DateTime<Utc>>,
}

/// A sign-in on a device that still runs. One's own only.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct UserSession {
    /// Typed, opaque id.
    pub id: SessionId,
    /// What the device called itself at sign-in, else its user agent; null when it sent neither.
    pub device: Option<String>,
    /// Network address of the client at sign-in; null when unknown.
    pub ip_address: Option<String>,
    /// Whether a second factor was passed at sign-in.
    pub second_factor: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When its access token was last renewed.
    pub last_refreshed_at: DateTime<Utc>,
    /// When it ends however it is used.
    pub expires_at: DateTime<Utc>,
}

#[ComplexObject]
impl UserSession {
    /// Whether it is the session of this request.
    async fn current(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(matches!(request(ctx)?.parts().actor, Actor::User { session, .. } if session == self.id))
    }
}

connection!(UserSessionConnection, UserSessionEdge, UserSession, "sessions");

/// What a session is used with.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuthTokens {
    /// Goes into the `Authorization` header, after `Bearer`; null when it was set as a cookie.
    pub access_token: Option<String>,
    /// When the access token runs out; renew it by `tokenRefresh` before.
    pub access_token_expires_at: DateTime<Utc>,
    /// Good for one `tokenRefresh`; null when it was set as a cookie, or stays as it is.
    pub refresh_token: Option<String>,
}

/// What an authenticator app is given, once.
#[derive(Debug, Clone, SimpleObject)]
pub struct TotpEnrolment {
    /// The shared secret in base32, for typing.
    pub secret: String,
    /// The same as an `otpauth://` URL, for a QR code.
    pub url: String,
}

/// Why an operation on a login was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum IdentityErrorCode {
    /// E-mail address or password is wrong, or the account cannot be used. Says not which.
    InvalidCredentials,
    /// Too many attempts have failed; see `retryAfterSeconds`.
    TryLater,
    /// The token is unknown, used, expired or of an ended session. Says not which.
    InvalidToken,
    /// The one-time code or recovery code is wrong or was used before.
    InvalidCode,
    /// The password is too easy to guess; the message says why.
    WeakPassword,
    /// A value is empty, too long or malformed.
    Invalid,
    /// The account changed since it was read: read it again.
    StaleVersion,
    /// The second factor is on already.
    SecondFactorOn,
    /// The second factor is not on, or enrolment has not begun.
    SecondFactorOff,
    /// An account with this e-mail address exists.
    EmailTaken,
}

/// Why an operation on a login was refused.
#[derive(Debug, Clone, SimpleObject)]
pub struct IdentityUserError {
    /// What is wrong, for programs.
    pub code: IdentityErrorCode,
    /// Path into the input, such as `["input", "newPassword"]`; empty when it is about the whole.
    pub field: Vec<String>,
    /// What is wrong, for people. Holds none of the values sent.
    pub message: String,
    /// Seconds until another attempt is looked at; null unless the code is `TRY_LATER`.
    pub retry_after_seconds: Option<u32>,
}

impl From<Refused<Refusal>> for IdentityUserError {
    fn from(refused: Refused<Refusal>) -> Self {
        let retry_after_seconds = match refused.code {
            Refusal::TryLater { seconds } => Some(seconds),
            _ => None,
        };
        Self {
            code: refused.code.into(),
            field: refused.field.into_iter().map(std::borrow::Cow::into_owned).collect(),
            message: refused.message.into_owned(),
            retry_after_seconds,
        }
    }
}

impl From<Refusal> for IdentityErrorCode {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidCredentials => Self::InvalidCredentials,
            Refusal::TryLater { .. } => Self::TryLater,
            Refusal::InvalidToken => Self::InvalidToken,
            Refusal::InvalidCode => Self::InvalidCode,
            Refusal::WeakPassword => Self::WeakPassword,
            Refusal::Invalid => Self::Invalid,
            Refusal::StaleVersion => Self::StaleVersion,
            Refusal::SecondFactorOn => Self::SecondFactorOn,
            Refusal::SecondFactorOff => Self::SecondFactorOff,
            Refusal::EmailTaken => Self::EmailTaken,
        }
    }
}

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        let model::User {
            id,
            display_name,
            email,
            phone,
            status,
            npi,
            license_number,
            locale,
            time_zone,
            password_changed_at: _,
            version,
            created_at,
            updated_at,
        } = user;
        Self {
            id,
            display_name: display_name.into_revealed(),
            email: email.map(Phi::into_revealed),
            phone: phone.map(Phi::into_revealed),
            status,
            npi,
            license_number,
            locale,
            time_zone,
            version,
            created_at,
            updated_at,
        }
    }
}

impl From<model::UserSession> for UserSession {
    fn from(session: model::UserSession) -> Self {
        let model::UserSession { id, device, ip_address, second_factor, created_at, last_refreshed_at, expires_at } =
            session;
        Self { id, device, ip_address, second_factor, created_at, last_refreshed_at, expires_at }
    }
}

impl From<model::Viewer> for Viewer {
    fn from(viewer: model::Viewer) -> Self {
        let model::Viewer { user, platform_roles, session, facility, second_factor, recovery_codes_left } = viewer;
        Self {
            password_changed_at: user.password_changed_at,
            user: user.into(),
            platform_roles,
            session: session.into(),
            facility_id: facility,
            second_factor,
            recovery_codes_left,
        }
    }
}
