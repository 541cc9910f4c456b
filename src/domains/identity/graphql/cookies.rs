//! Tokens of browser apps, in cookies that scripts cannot read.
//!
//! `__Host-` cookies go to this host alone, over HTTPS, from pages of the same site. Each lives as long as the
//! token in it, so that a browser stops sending an access token that has run out, and the refresh token is
//! what is left.

use async_graphql::Context;
use axum::http::header::SET_COOKIE;
use chrono::{DateTime, Utc};

use super::types::AuthTokens;
use crate::domains::identity::model::{AccessToken, Tokens};
use crate::domains::identity::policy;
use crate::error::{Error, Result};
use crate::graphql::request::request;
use crate::phi::Phi;

/// Holds the access token.
pub const ACCESS_COOKIE: &str = "__Host-anamnesis";
/// Holds the refresh token.
pub const REFRESH_COOKIE: &str = "__Host-anamnesis-refresh";

/// What the edge found in the cookies of a request that carried the CSRF header; without it nothing.
#[derive(Debug, Clone, Default)]
pub struct Cookies {
    /// Whether the request carried the CSRF header. Without it cookies are neither read nor set nor taken back:
    /// a page of another site can neither use a session, nor end it, nor begin one of its own in its place.
    pub allowed: bool,
    /// Whether the access token came in a cookie: then a new one goes back in a cookie.
    pub access: bool,
    /// The refresh token.
    pub refresh: Option<Phi<String>>,
}

impl Cookies {
    /// Those of the request.
    pub(super) fn of(ctx: &Context<'_>) -> Self {
        ctx.data_opt::<Self>().cloned().unwrap_or_default()
    }
}

/// Refuses to set cookies for a request that another site's page could have sent; on record as a denied sign-in.
pub(super) fn require(ctx: &Context<'_>) -> Result<()> {
    if Cookies::of(ctx).allowed {
        return Ok(());
    }
    Err(request(ctx)?.denied(&policy::SIGN_IN, Error::Forbidden("csrf")))
}

fn set(ctx: &Context<'_>, name: &str, value: &str, seconds: i64) {
    let cookie = format!("{name}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Strict");
    ctx.append_http_header(SET_COOKIE, cookie);
}

/// Whole seconds from `now` to the end of a token.
fn life(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (expires_at - now).num_seconds().max(0)
}

/// Hands tokens over: in the payload, or in cookies and not in the payload.
pub(super) fn deliver(ctx: &Context<'_>, tokens: Tokens, in_cookies: bool, now: DateTime<Utc>) -> AuthTokens {
    let Tokens { access, refresh, refresh_expires_at } = tokens;
    let refresh_token = if in_cookies {
        set(ctx, REFRESH_COOKIE, refresh.expose(), life(refresh_expires_at, now));
        None
    } else {
        Some(refresh.expose().to_owned())
    };
    AuthTokens { refresh_token, ..deliver_access(ctx, access, in_cookies, now) }
}

/// Hands an access token over, in the payload or in a cookie.
pub(super) fn deliver_access(
    ctx: &Context<'_>,
    access: AccessToken,
    in_cookie: bool,
    now: DateTime<Utc>,
) -> AuthTokens {
    let AccessToken { token, expires_at } = access;
    let access_token = if in_cookie {
        set(ctx, ACCESS_COOKIE, token.reveal_str(), life(expires_at, now));
        None
    } else {
        Some(token.into_revealed())
    };
    AuthTokens { access_token, access_token_expires_at: expires_at, refresh_token: None }
}

/// Takes both cookies back.
pub(super) fn clear(ctx: &Context<'_>) {
    if !Cookies::of(ctx).allowed {
        return;
    }
    set(ctx, ACCESS_COOKIE, "", 0);
    set(ctx, REFRESH_COOKIE, "", 0);
}
