//! What resolvers take from the GraphQL context.

use async_graphql::Context;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::access::{Once, RequestContext};
use crate::error::{Error, Result};

/// The request's context.
///
/// # Errors
/// [`Error::Internal`] when the edge forgot to put it there.
pub fn request<'a>(ctx: &Context<'a>) -> Result<&'a RequestContext> {
    ctx.data::<RequestContext>().map_err(|_| Error::internal("no request context"))
}

/// Longest idempotency key, in characters.
const MAX_KEY: usize = 200;

/// The idempotency promise of a mutation: the client's key, and a keyed hash of the arguments it sent.
///
/// # Errors
/// [`Error::BadInput`] when the key is empty or too long.
pub fn once(ctx: &Context<'_>, key: Option<String>) -> Result<Option<Once>> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
        return Err(Error::bad_input(format!("`idempotencyKey` must be 1 to {MAX_KEY} printable characters")));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(request(ctx)?.app().keyring.lookup_key())
        .map_err(|_| Error::internal("the lookup key has no length"))?;
    for (name, value) in ctx.field().arguments().map_err(|_| Error::bad_input("the arguments cannot be read"))? {
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(value.into_json()?.to_string().as_bytes());
        mac.update(&[0]);
    }
    Ok(Some(Once { key, fingerprint: mac.finalize().into_bytes().into() }))
}
