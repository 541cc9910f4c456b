//! Who asks: a bearer token in the header (mobile, servers) or in a `__Host-` cookie (browser apps).

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use uuid::Uuid;

use crate::access::{Actor, Bearer, ContextParts, Purpose};
use crate::app::App;
use crate::domains::identity::graphql::{ACCESS_COOKIE, Cookies, REFRESH_COOKIE};
use crate::error::{Error, Result};
use crate::ids::FacilityId;
use crate::phi::Phi;

/// A request with the cookie must carry this header, which another site's form cannot send.
pub(crate) const CSRF_HEADER: &str = "x-anamnesis-csrf";
const PURPOSE_HEADER: &str = "x-purpose-of-use";
const MAX_USER_AGENT: usize = 200;

/// Builds what a request is known by.
///
/// # Errors
/// [`Error::Unauthenticated`] for a token in the header that is not valid: it is never taken for none.
pub(crate) fn identify(app: &App, parts: &Parts) -> Result<ContextParts> {
    let headers = &parts.headers;
    let (actor, facility) = match token(headers)? {
        Given::Nothing => (Actor::Anonymous, FacilityId::PLATFORM),
        Given::Header(token) => signed_in(app.tokens.verify(token, app.clock.now())?),
        // A browser sends a cookie whether its app wants to or not: a stale one must not bar the way to signing
        // in. Whoever it let in is nobody without it.
        Given::Cookie(token) => {
            app.tokens.verify(token, app.clock.now()).map_or((Actor::Anonymous, FacilityId::PLATFORM), signed_in)
        }
    };
    let purpose = match headers.get(PURPOSE_HEADER).map(|value| value.to_str()) {
        None => Purpose::Treatment,
        Some(Ok(text)) => Purpose::parse(text)
            .ok_or_else(|| Error::bad_input("X-Purpose-Of-Use must be treatment, payment, operations or emergency"))?,
        Some(Err(_)) => return Err(Error::bad_input("X-Purpose-Of-Use is not text")),
    };
    let request_id = Uuid::now_v7();
    super::observe::identified(request_id);
    Ok(ContextParts {
        actor,
        facility,
        purpose,
        request_id,
        ip_address: client_address(app, parts).map(|address| address.to_string()),
        user_agent: headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(|text| text.chars().take(MAX_USER_AGENT).collect()),
    })
}

const fn signed_in(bearer: Bearer) -> (Actor, FacilityId) {
    (Actor::User { user: bearer.user, session: bearer.session }, bearer.facility)
}

/// An access token and the way it came.
enum Given<'a> {
    Nothing,
    Header(&'a str),
    Cookie(&'a str),
}

/// The header wins over the cookie; the cookie needs the CSRF header.
fn token(headers: &HeaderMap) -> Result<Given<'_>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| Error::Unauthenticated)?;
        return match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Given::Header(token.trim())),
            _ => Err(Error::Unauthenticated),
        };
    }
    match cookie(headers, ACCESS_COOKIE) {
        None => Ok(Given::Nothing),
        Some(_) if !headers.contains_key(CSRF_HEADER) => Err(Error::Forbidden("csrf")),
        Some(token) => Ok(Given::Cookie(token)),
    }
}

/// What the cookies of a request hold. Without the CSRF header they count for nothing: another site's page
/// can have them sent, but cannot add the header.
pub(crate) fn cookies(headers: &HeaderMap) -> Cookies {
    if !headers.contains_key(CSRF_HEADER) {
        return Cookies::default();
    }
    Cookies {
        allowed: true,
        access: !headers.contains_key(header::AUTHORIZATION) && cookie(headers, ACCESS_COOKIE).is_some(),
        refresh: cookie(headers, REFRESH_COOKIE).map(Phi::from),
    }
}

/// Whose token is in the header or the cookie, for a request that does not rely on it: a cookie needs no CSRF header
/// here, and one that has expired counts as none.
///
/// # Errors
/// [`Error::Unauthenticated`] for a header that is given and not valid.
pub(crate) fn bearer(app: &App, headers: &HeaderMap) -> Result<Option<Bearer>> {
    if headers.contains_key(header::AUTHORIZATION) {
        return match token(headers)? {
            Given::Header(token) | Given::Cookie(token) => app.tokens.verify(token, app.clock.now()).map(Some),
            Given::Nothing => Ok(None),
        };
    }
    Ok(cookie(headers, ACCESS_COOKIE).and_then(|token| app.tokens.verify(token, app.clock.now()).ok()))
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The client's address: the peer, or the last hop a trusted proxy names.
pub(crate) fn client_address(app: &App, parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if !app.config.trust_forwarded_for {
        return peer;
    }
    parts
        .headers
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.rsplit(',').next())
        .and_then(|hop| hop.trim().parse().ok())
        .or(peer)
}
