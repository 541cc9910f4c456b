//! Inputs of the domain.

use async_graphql::{InputObject, MaybeUndefined};

use crate::domains::identity::model::{AnswerChallenge, GivenProof, SignIn, UpdateUser};
use crate::ids::SessionId;
use crate::phi::Phi;

/// What someone signs in with.
#[derive(InputObject)]
pub struct SignInInput {
    /// E-mail address of the account; case does not matter.
    pub email: String,
    /// Password.
    pub password: String,
    /// What to call the device in the list of sessions, at most 200 characters; its user agent when left out.
    pub device: Option<String>,
    /// Whether to set the tokens as cookies instead of answering them: for browser apps. Needs the header
    /// `X-Anamnesis-Csrf`.
    #[graphql(default = false)]
    pub cookie: bool,
}

/// The second step of a sign-in. Give either `code` or `recoveryCode`.
#[derive(InputObject)]
pub struct SignInChallengeInput {
    /// The `challengeToken` that `signIn` gave, good for five minutes and five attempts.
    pub challenge_token: String,
    /// Six digits of the authenticator app.
    pub code: Option<String>,
    /// One of the recovery codes; it is used up.
    pub recovery_code: Option<String>,
    /// What to call the device in the list of sessions, at most 200 characters; its user agent when left out.
    pub device: Option<String>,
    /// Whether to set the tokens as cookies instead of answering them: for browser apps. Needs the header
    /// `X-Anamnesis-Csrf`.
    #[graphql(default = false)]
    pub cookie: bool,
}

/// A refresh token to be exchanged.
#[derive(InputObject)]
pub struct TokenRefreshInput {
    /// The last refresh token; left out, the one in the cookie is taken and the new ones are set as cookies.
    pub refresh_token: Option<String>,
}

/// A session to be ended by its own device.
#[derive(InputObject)]
pub struct SignOutInput {
    /// The last refresh token, to end the session when the access token has run out; left out, the one in the
    /// cookie is taken.
    pub refresh_token: Option<String>,
}

/// A session to be ended from another device.
#[derive(InputObject)]
pub struct SessionRevokeInput {
    /// Which; one's own.
    pub id: SessionId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Every other session to be ended.
#[derive(InputObject)]
pub struct SessionRevokeOthersInput {
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A new password in place of the present one.
#[derive(InputObject)]
pub struct PasswordChangeInput {
    /// The present password.
    pub current_password: String,
    /// The new one, 12 to 128 characters, not made of common words nor of one's name or e-mail address.
    pub new_password: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A mail to be sent with which a new password can be set.
#[derive(InputObject)]
pub struct PasswordResetRequestInput {
    /// E-mail address of the account.
    pub email: String,
}

/// A new password, by the token of a mail.
#[derive(InputObject)]
pub struct PasswordResetInput {
    /// The token in the mail, good once and for 30 minutes.
    pub token: String,
    /// The new password, 12 to 128 characters, not made of common words nor of one's name or e-mail address.
    pub new_password: String,
}

/// The second factor, to be turned on.
#[derive(InputObject)]
pub struct TotpEnrollInput {
    /// The present password.
    pub password: String,
}

/// The first code of an authenticator app.
#[derive(InputObject)]
pub struct TotpConfirmInput {
    /// Six digits.
    pub code: String,
}

/// The second factor, to be turned off. Give either `code` or `recoveryCode`.
#[derive(InputObject)]
pub struct TotpDisableInput {
    /// The present password.
    pub password: String,
    /// Six digits of the authenticator app.
    pub code: Option<String>,
    /// One of the recovery codes.
    pub recovery_code: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// New recovery codes in place of the old. Give either `code` or `recoveryCode`.
#[derive(InputObject)]
pub struct RecoveryCodesRegenerateInput {
    /// The present password.
    pub password: String,
    /// Six digits of the authenticator app.
    pub code: Option<String>,
    /// One of the recovery codes.
    pub recovery_code: Option<String>,
}

/// Changes of one's own account. What is left out stays as it is; null clears where it is allowed.
#[derive(InputObject)]
pub struct UserUpdateInput {
    /// `version` of the account as it was read.
    pub expected_version: i32,
    /// Name shown to colleagues, 1 to 120 characters.
    pub display_name: Option<String>,
    /// Telephone number; ten digits are taken as a number of the United States.
    pub phone: MaybeUndefined<String>,
    /// National Provider Identifier, ten digits of which the last is a check digit.
    pub npi: MaybeUndefined<String>,
    /// Professional licence number, at most 40 characters.
    pub license_number: MaybeUndefined<String>,
    /// Language preferred, as a BCP 47 tag.
    pub locale: Option<String>,
    /// Time zone, a name of the IANA database such as `America/New_York`.
    pub time_zone: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What was given as proof of the second factor.
pub(super) fn proof(code: Option<String>, recovery_code: Option<String>) -> GivenProof {
    GivenProof { code: code.map(Phi::new), recovery_code: recovery_code.map(Phi::new) }
}

impl From<SignInInput> for SignIn {
    fn from(input: SignInInput) -> Self {
        let SignInInput { email, password, device, cookie: _ } = input;
        Self { email: Phi::new(email), password: Phi::new(password), device }
    }
}

impl From<SignInChallengeInput> for AnswerChallenge {
    fn from(input: SignInChallengeInput) -> Self {
        let SignInChallengeInput { challenge_token, code, recovery_code, device, cookie: _ } = input;
        Self { challenge_token: Phi::new(challenge_token), proof: proof(code, recovery_code), device }
    }
}

impl From<UserUpdateInput> for UpdateUser {
    fn from(input: UserUpdateInput) -> Self {
        let UserUpdateInput {
            expected_version,
            display_name,
            phone,
            npi,
            license_number,
            locale,
            time_zone,
            idempotency_key: _,
        } = input;
        Self {
            expected_version,
            display_name: display_name.map(Phi::new),
            phone: phone.map_value(Phi::new),
            npi,
            license_number,
            locale,
            time_zone,
        }
    }
}
