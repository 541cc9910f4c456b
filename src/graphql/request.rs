//! What resolvers take from the GraphQL context.

use async_graphql::Context;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::access::{Once, RequestContext};
use crate::error::{Error, Result};

/// The request's context.
///
/// # Errors
/// [`Error::Internal`] when the edge forgot to put it there.
pub fn request<'a>(ctx: &Context<'a>) -> Result<&'a RequestContext> {
    ctx.data::<RequestContext>().map_err(|_| Error::internal("no request context"))
}

/// The idempotency promise of a mutation: the client's key, and a keyed hash of the arguments it sent. Whether
/// the key can be one is asked when the write is authorized.
///
/// # Errors
/// A fault, when the arguments cannot be read.
pub fn once(ctx: &Context<'_>, key: Option<String>) -> Result<Option<Once>> {
    let Some(key) = key else { return Ok(None) };
    let mut sent = Vec::new();
    for (name, value) in ctx.field().arguments().map_err(|_| Error::bad_input("the arguments cannot be read"))? {
        sent.extend([name.to_string(), value.into_json()?.to_string()]);
    }
    Ok(Some(once_of(request(ctx)?, key, &sent)))
}

/// The same for what was sent in another way, part by part.
#[must_use]
pub fn once_of(request: &RequestContext, key: String, sent: &[String]) -> Once {
    let mut digest = Sha256::new();
    for part in sent {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    // Keyed, since what was sent may be guessed: a birth date has few values.
    let digest = URL_SAFE_NO_PAD.encode(digest.finalize());
    Once { key, fingerprint: request.app().lookup.lexeme(&digest).to_be_bytes() }
}
