//! Mutations of the domain.

use async_graphql::{Context, Object};

use super::cookies::{self, Cookies};
use super::inputs::{
    PasswordChangeInput, PasswordResetInput, PasswordResetRequestInput, RecoveryCodesRegenerateInput,
    SessionRevokeInput, SessionRevokeOthersInput, SignInChallengeInput, SignInInput, SignOutInput, TokenRefreshInput,
    TotpConfirmInput, TotpDisableInput, TotpEnrollInput, UserUpdateInput, proof,
};
use super::types::{AuthTokens, IdentityUserError, TotpEnrolment, User};
use crate::crypto::token::RecoveryCode;
use crate::domains::identity::model::{AccessToken, SignedIn};
use crate::domains::identity::service;
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::SessionId;
use crate::phi::Phi;

payload!(
    /// What became of a sign-in: tokens, or a challenge when a code is still owed.
    SignInPayload {
        /// The tokens of the new session; null when refused or a code is owed.
        tokens: AuthTokens,
        /// For `signInChallenge`; null unless the second factor is on and the password was right.
        challenge_token: String,
    } or IdentityUserError
);

payload!(
    /// What became of the second step of a sign-in.
    SignInChallengePayload {
        /// The tokens of the new session; null when refused.
        tokens: AuthTokens,
    } or IdentityUserError
);

payload!(
    /// What became of a refresh token.
    TokenRefreshPayload {
        /// The next tokens of the session; null when refused.
        tokens: AuthTokens,
    } or IdentityUserError
);

payload!(
    /// What became of a sign-out.
    SignOutPayload {
        /// True: the session has ended, now or before.
        signed_out: bool,
    } or IdentityUserError
);

payload!(
    /// What became of ending a session.
    SessionRevokePayload {
        /// The session that has ended.
        session_id: SessionId,
    } or IdentityUserError
);

payload!(
    /// What became of ending the other sessions.
    SessionRevokeOthersPayload {
        /// How many were ended.
        ended: i32,
    } or IdentityUserError
);

payload!(
    /// What became of changing a password.
    PasswordChangePayload {
        /// The account; null when refused.
        user: User,
    } or IdentityUserError
);

payload!(
    /// What became of asking for a reset.
    PasswordResetRequestPayload {
        /// Always true: whether there is an account is not told.
        accepted: bool,
    } or IdentityUserError
);

payload!(
    /// What became of a reset.
    PasswordResetPayload {
        /// True when the new password is set; null when refused. Sign in with it.
        reset: bool,
    } or IdentityUserError
);

payload!(
    /// What became of beginning to turn the second factor on.
    TotpEnrollPayload {
        /// The secret, shown this once; null when refused.
        enrolment: TotpEnrolment,
    } or IdentityUserError
);

payload!(
    /// What became of turning the second factor on.
    TotpConfirmPayload {
        /// Ten recovery codes, shown this once; null when refused.
        recovery_codes: Vec<String>,
    } or IdentityUserError
);

payload!(
    /// What became of turning the second factor off.
    TotpDisablePayload {
        /// The account; null when refused.
        user: User,
    } or IdentityUserError
);

payload!(
    /// What became of making new recovery codes.
    RecoveryCodesRegeneratePayload {
        /// Ten recovery codes, shown this once; null when refused.
        recovery_codes: Vec<String>,
    } or IdentityUserError
);

payload!(
    /// What became of changing one's account.
    UserUpdatePayload {
        /// The account; null when refused.
        user: User,
    } or IdentityUserError
);

/// Hands over an access token of another facility the way the present one came: for other domains.
///
/// # Errors
/// When the edge gave no request context.
pub fn deliver_access_token(ctx: &Context<'_>, access: AccessToken) -> Result<AuthTokens> {
    let now = request(ctx)?.now();
    Ok(cookies::deliver_access(ctx, access, Cookies::of(ctx).access, now))
}

fn shown(codes: &[RecoveryCode]) -> Vec<String> {
    codes.iter().map(|code| code.expose().to_string()).collect()
}

#[derive(Debug, Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Signs in. For anyone. Answers the same, and takes as long, whether or not there is such an account.
    /// Takes no `idempotencyKey`: it answers secrets, and a retry begins another session.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SignInInput,
    ) -> Result<SignInPayload> {
        let request = request(ctx)?;
        let in_cookies = input.cookie;
        if in_cookies {
            cookies::require(ctx)?;
        }
        match service::sign_in(request, input.into()).await {
            Ok(SignedIn::Tokens(tokens)) => Ok(SignInPayload {
                tokens: Some(cookies::deliver(ctx, tokens, in_cookies, request.now())),
                challenge_token: None,
                user_errors: Vec::new(),
            }),
            Ok(SignedIn::Challenge(token)) => Ok(SignInPayload {
                tokens: None,
                challenge_token: Some(token.expose().to_owned()),
                user_errors: Vec::new(),
            }),
            Err(stop) => SignInPayload::refused(stop),
        }
    }

    /// Gives the code that a sign-in still owes. For anyone with a challenge. Takes no `idempotencyKey`: it
    /// answers secrets, and a challenge is good once.
    async fn sign_in_challenge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The challenge and its code.")] input: SignInChallengeInput,
    ) -> Result<SignInChallengePayload> {
        let request = request(ctx)?;
        let in_cookies = input.cookie;
        if in_cookies {
            cookies::require(ctx)?;
        }
        match service::answer_challenge(request, input.into()).await {
            Ok(tokens) => Ok(SignInChallengePayload::done(cookies::deliver(ctx, tokens, in_cookies, request.now()))),
            Err(stop) => SignInChallengePayload::refused(stop),
        }
    }

    /// Exchanges a refresh token for the next one and a new access token, for the facility last chosen if the
    /// user still works there. For anyone with a refresh token; send no access token that has run out. A token
    /// used twice ends its session, also when both come at once: let one refresh end before the next begins.
    /// Takes no `idempotencyKey`: it answers secrets.
    async fn token_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: TokenRefreshInput,
    ) -> Result<TokenRefreshPayload> {
        let request = request(ctx)?;
        let in_cookies = input.refresh_token.is_none();
        let token = input.refresh_token.map(Phi::new).or_else(|| Cookies::of(ctx).refresh).unwrap_or_default();
        match service::refresh(request, &token).await {
            Ok(tokens) => Ok(TokenRefreshPayload::done(cookies::deliver(ctx, tokens, in_cookies, request.now()))),
            Err(stop) => {
                if in_cookies {
                    cookies::clear(ctx);
                }
                TokenRefreshPayload::refused(stop)
            }
        }
    }

    /// Ends the session of this request, or the one of a refresh token, and takes the cookies back. For anyone.
    /// Takes no `idempotencyKey`: signing out twice is signing out once.
    async fn sign_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, when the access token has run out.")] input: SignOutInput,
    ) -> Result<SignOutPayload> {
        let carried = Cookies::of(ctx);
        let refresh = input.refresh_token.map(Phi::new).or(carried.refresh);
        service::sign_out(request(ctx)?, refresh.as_ref()).await?;
        cookies::clear(ctx);
        Ok(SignOutPayload::done(true))
    }

    /// Ends one of one's own sessions, on whatever device. Needs `identity.session_revoke`, which every
    /// signed-in user has.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: SessionRevokeInput,
    ) -> Result<SessionRevokePayload> {
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::revoke_session(request(ctx)?, input.id, once).await {
            Ok(id) => Ok(SessionRevokePayload::done(id)),
            Err(stop) => SessionRevokePayload::refused(stop),
        }
    }

    /// Ends every session of one's own but this one. Needs `identity.session_revoke`.
    async fn session_revoke_others(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Options.")] input: SessionRevokeOthersInput,
    ) -> Result<SessionRevokeOthersPayload> {
        let once = once(ctx, input.idempotency_key)?;
        match service::revoke_other_sessions(request(ctx)?, once).await {
            Ok(ended) => Ok(SessionRevokeOthersPayload::done(i32::try_from(ended).unwrap_or(i32::MAX))),
            Err(stop) => SessionRevokeOthersPayload::refused(stop),
        }
    }

    /// Changes one's own password and ends the other sessions. Needs `identity.password_change`, which every
    /// signed-in user has. A wrong present password counts as a failed sign-in.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The present password and the new one.")] input: PasswordChangeInput,
    ) -> Result<PasswordChangePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        let (current, new) = (Phi::new(input.current_password), Phi::new(input.new_password));
        match service::change_password(request, &current, &new, once).await {
            Ok(id) => Ok(PasswordChangePayload::done(service::user(request, id).await?.into())),
            Err(stop) => PasswordChangePayload::refused(stop),
        }
    }

    /// Asks for a mail with which a new password can be set. For anyone. Answers the same whether or not there
    /// is such an account, so it needs no `idempotencyKey`.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose password.")] input: PasswordResetRequestInput,
    ) -> Result<PasswordResetRequestPayload> {
        service::request_password_reset(request(ctx)?, &Phi::new(input.email)).await?;
        Ok(PasswordResetRequestPayload::done(true))
    }

    /// Sets a new password by the token of a mail, ends every session of the account and forgets its failed
    /// attempts. For anyone with such a token, which is good once: so it takes no `idempotencyKey`.
    async fn password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token and the new password.")] input: PasswordResetInput,
    ) -> Result<PasswordResetPayload> {
        let (token, new) = (Phi::new(input.token), Phi::new(input.new_password));
        match service::reset_password(request(ctx)?, &token, &new).await {
            Ok(()) => Ok(PasswordResetPayload::done(true)),
            Err(stop) => PasswordResetPayload::refused(stop),
        }
    }

    /// Begins to turn the second factor on: gives a secret for an authenticator app. Nothing changes until
    /// `totpConfirm`. Needs `identity.second_factor_enable`, which every signed-in user has. Takes no
    /// `idempotencyKey`: it answers a secret.
    async fn totp_enroll(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The present password.")] input: TotpEnrollInput,
    ) -> Result<TotpEnrollPayload> {
        match service::enrol_second_factor(request(ctx)?, &Phi::new(input.password)).await {
            Ok(enrolment) => Ok(TotpEnrollPayload::done(TotpEnrolment {
                secret: enrolment.secret.into_revealed(),
                url: enrolment.url.into_revealed(),
            })),
            Err(stop) => TotpEnrollPayload::refused(stop),
        }
    }

    /// Turns the second factor on by a first code, and gives ten recovery codes. Needs
    /// `identity.second_factor_enable`. Takes no `idempotencyKey`: it answers secrets.
    async fn totp_confirm(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A code of the authenticator app.")] input: TotpConfirmInput,
    ) -> Result<TotpConfirmPayload> {
        match service::confirm_second_factor(request(ctx)?, &Phi::new(input.code)).await {
            Ok(codes) => Ok(TotpConfirmPayload::done(shown(&codes))),
            Err(stop) => TotpConfirmPayload::refused(stop),
        }
    }

    /// Turns the second factor off. Needs `identity.second_factor_disable`, which every signed-in user has.
    async fn totp_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password and a code.")] input: TotpDisableInput,
    ) -> Result<TotpDisablePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key)?;
        let proof = proof(input.code, input.recovery_code);
        match service::disable_second_factor(request, &Phi::new(input.password), proof, once).await {
            Ok(id) => Ok(TotpDisablePayload::done(service::user(request, id).await?.into())),
            Err(stop) => TotpDisablePayload::refused(stop),
        }
    }

    /// Gives ten new recovery codes; the old ones are void. Needs `identity.recovery_codes`, which every
    /// signed-in user has. Takes no `idempotencyKey`: it answers secrets.
    async fn recovery_codes_regenerate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password and a code.")] input: RecoveryCodesRegenerateInput,
    ) -> Result<RecoveryCodesRegeneratePayload> {
        let proof = proof(input.code, input.recovery_code);
        match service::renew_recovery_codes(request(ctx)?, &Phi::new(input.password), proof).await {
            Ok(codes) => Ok(RecoveryCodesRegeneratePayload::done(shown(&codes))),
            Err(stop) => RecoveryCodesRegeneratePayload::refused(stop),
        }
    }

    /// Changes one's own account. Needs `identity.user_update`, which every signed-in user has.
    async fn user_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UserUpdateInput,
    ) -> Result<UserUpdatePayload> {
        let request = request(ctx)?;
        let once = once(ctx, input.idempotency_key.clone())?;
        match service::update_user(request, input.into(), once).await {
            Ok(id) => Ok(UserUpdatePayload::done(service::user(request, id).await?.into())),
            Err(stop) => UserUpdatePayload::refused(stop),
        }
    }
}
