//! Rows, what is known of a login, and why an operation may be refused.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use super::HashedPassword;
use crate::access::PlatformRole;
use crate::crypto::token::Token;
use crate::db::schema::{refresh_tokens, user_sessions, user_totp, users};
use crate::error::{Error, RefusalCode, Result};
use crate::ids::{FacilityId, SessionId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// Whether an account may be used.
    UserStatus {
        /// In use.
        Active = "active",
        /// Stopped by the platform: it cannot sign in and its sessions have ended.
        Suspended = "suspended",
    }
}

/// Why an operation on a login was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Account or password is wrong. Says not which, and not whether the account exists.
    InvalidCredentials,
    /// Too many failures; the next attempt is looked at after so many seconds.
    TryLater { seconds: u32 },
    /// The token is unknown, used, expired or of an ended session. Says not which.
    InvalidToken,
    /// The one-time code or recovery code is wrong, used or expired.
    InvalidCode,
    /// The password is too easy to guess.
    WeakPassword,
    /// A value is empty, too long or malformed.
    Invalid,
    /// The account changed since it was read: read it again.
    StaleVersion,
    /// The second factor is on already.
    SecondFactorOn,
    /// The second factor is not on, or enrolment has not begun.
    SecondFactorOff,
    /// An account with this e-mail address exists. Never told to someone who is not signed in.
    EmailTaken,
}

impl RefusalCode for Refusal {
    const INVALID: Self = Self::Invalid;
}

/// An account as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct UserRow {
    pub id: UserId,
    pub email_ciphertext: Vec<u8>,
    pub display_name_ciphertext: Vec<u8>,
    pub phone_ciphertext: Option<Vec<u8>>,
    pub status: UserStatus,
    pub npi: Option<String>,
    pub license_number: Option<String>,
    pub locale: String,
    pub time_zone: String,
    pub password_changed_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An account, decrypted as far as the reader may see it.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub display_name: Phi<String>,
    /// `None` when it is not the reader's to see.
    pub email: Option<Phi<String>>,
    /// `None` when there is none, or it is not the reader's to see.
    pub phone: Option<Phi<String>>,
    pub status: UserStatus,
    pub npi: Option<String>,
    pub license_number: Option<String>,
    pub locale: String,
    pub time_zone: String,
    pub password_changed_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a password is checked with.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct CredentialsRow {
    pub id: UserId,
    pub email_index: i64,
    pub password_hash: Option<String>,
    pub status: UserStatus,
}

/// An account to insert.
#[derive(Insertable)]
#[diesel(table_name = users)]
pub struct NewUser {
    pub id: UserId,
    pub email_ciphertext: Vec<u8>,
    pub email_index: i64,
    pub display_name_ciphertext: Vec<u8>,
    pub phone_ciphertext: Option<Vec<u8>>,
    pub password_hash: Option<String>,
    pub npi: Option<String>,
    pub license_number: Option<String>,
    pub locale: String,
    pub time_zone: String,
    pub password_changed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Changes of an account; `None` leaves a column as it is, `Some(None)` clears it.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = users)]
#[expect(clippy::option_option, reason = "how diesel tells leaving a column from clearing it")]
pub struct UserChanges {
    pub display_name_ciphertext: Option<Vec<u8>>,
    pub phone_ciphertext: Option<Option<Vec<u8>>>,
    pub npi: Option<Option<String>>,
    pub license_number: Option<Option<String>>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub email: Phi<String>,
    pub display_name: Phi<String>,
    pub phone: Option<Phi<String>>,
    /// From [`super::service::prepare_password`]; without one nobody can sign in until a reset.
    pub password: Option<HashedPassword>,
    /// BCP 47 tag; `en-US` when `None`.
    pub locale: Option<String>,
    /// IANA zone; `UTC` when `None`.
    pub time_zone: Option<String>,
    pub npi: Option<String>,
    pub license_number: Option<String>,
}

/// What a user changes of their own account. Absent leaves as it is, null clears.
#[derive(Debug)]
pub struct UpdateUser {
    pub expected_version: i32,
    pub display_name: Option<Phi<String>>,
    pub phone: MaybeUndefined<Phi<String>>,
    pub npi: MaybeUndefined<String>,
    pub license_number: MaybeUndefined<String>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
}

/// A sign-in on a device.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = user_sessions, check_for_backend(diesel::pg::Pg))]
pub struct UserSession {
    pub id: SessionId,
    pub device: Option<String>,
    pub ip_address: Option<String>,
    pub second_factor: bool,
    pub created_at: DateTime<Utc>,
    pub last_refreshed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A session to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = user_sessions)]
pub struct NewSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub device: Option<String>,
    pub ip_address: Option<String>,
    pub second_factor: bool,
    pub created_at: DateTime<Utc>,
    pub last_refreshed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

text_enum! {
    /// Why a session was ended before its time.
    RevokedReason {
        /// By its own device.
        SignedOut = "signed_out",
        /// From another device of the user.
        Revoked = "revoked",
        /// A refresh token was used twice: someone has a copy.
        TokenReuse = "token_reuse",
        /// The password was changed or reset.
        PasswordChanged = "password_changed",
        /// The account was suspended.
        Suspended = "suspended",
    }
}

/// A refresh token to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub struct NewRefreshToken {
    pub token_hash: Vec<u8>,
    pub session_id: SessionId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// The second factor of a user, as stored.
#[derive(Queryable, Selectable)]
#[diesel(table_name = user_totp, check_for_backend(diesel::pg::Pg))]
pub struct TotpRow {
    pub secret_ciphertext: Vec<u8>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub last_used_step: Option<i64>,
}

/// What someone signs in with.
#[derive(Debug)]
pub struct SignIn {
    pub email: Phi<String>,
    pub password: Phi<String>,
    /// What the device calls itself; the user agent when `None`.
    pub device: Option<String>,
}

/// The second step of a sign-in.
#[derive(Debug)]
pub struct AnswerChallenge {
    pub challenge_token: Phi<String>,
    pub proof: GivenProof,
    pub device: Option<String>,
}

/// A proof of the second factor as it was sent. Whether it is one is asked once the caller is known.
#[derive(Debug, Clone, Default)]
pub struct GivenProof {
    pub code: Option<Phi<String>>,
    pub recovery_code: Option<Phi<String>>,
}

impl GivenProof {
    /// The input field a refusal is about.
    pub(super) const fn field(&self) -> &'static [&'static str] {
        if self.recovery_code.is_some() { &["input", "recoveryCode"] } else { &["input", "code"] }
    }

    /// # Errors
    /// [`Error::BadInput`] unless it is exactly one of the two.
    pub(super) fn read(self) -> Result<Proof> {
        match (self.code, self.recovery_code) {
            (Some(code), None) => Ok(Proof::Code(code)),
            (None, Some(code)) => Ok(Proof::RecoveryCode(code)),
            _ => Err(Error::bad_input("give either `code` or `recoveryCode`")),
        }
    }
}

/// Proof of the second factor.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Six digits of the authenticator app.
    Code(Phi<String>),
    /// One of the codes kept for a lost device.
    RecoveryCode(Phi<String>),
}

/// How a sign-in went on.
#[derive(Debug)]
pub enum SignedIn {
    Tokens(Tokens),
    /// The password is right, a code is owed.
    Challenge(Token),
}

/// What a session is used with.
#[derive(Debug)]
pub struct Tokens {
    pub access: AccessToken,
    pub refresh: Token,
    /// When the refresh token runs out, unless it is exchanged before.
    pub refresh_expires_at: DateTime<Utc>,
}

/// A signed access token.
#[derive(Debug)]
pub struct AccessToken {
    pub token: Phi<String>,
    pub expires_at: DateTime<Utc>,
}

/// A user about themself.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub user: User,
    pub platform_roles: Vec<PlatformRole>,
    pub session: UserSession,
    /// The chosen facility; `None` outside any.
    pub facility: Option<FacilityId>,
    /// Whether the second factor is on.
    pub second_factor: bool,
    /// Recovery codes not yet used.
    pub recovery_codes_left: i64,
}
