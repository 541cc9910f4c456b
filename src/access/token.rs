//! Access tokens: short-lived JWTs signed with Ed25519, naming user, session and chosen facility. They
//! prove who asks; whether the session and membership still hold is asked of the database each time.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::crypto::Keyring;
use crate::error::{Error, Result};
use crate::ids::{FacilityId, SessionId, TypedId as _, UserId};

const ISSUER: &str = "anamnesis";
/// Tokens whose signature is remembered: some hundred bytes each.
const REMEMBERED: u64 = 20_000;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// User.
    sub: Uuid,
    /// Session.
    sid: Uuid,
    /// Chosen facility; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fac: Option<Uuid>,
    iat: i64,
    exp: i64,
}

/// Who a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    pub user: UserId,
    pub session: SessionId,
    /// [`FacilityId::PLATFORM`] when none is chosen.
    pub facility: FacilityId,
}

/// Issues and verifies access tokens.
pub struct AccessTokens {
    signing: (String, EncodingKey),
    verifying: Vec<(String, DecodingKey)>,
    lifetime: TimeDelta,
    /// What tokens say whose signature was found good, by their hash, and when they run out. Verifying one costs some
    /// 40 microseconds, a third of the smallest request, and a client sends the same one over and over.
    verified: Cache<[u8; 32], (Bearer, i64)>,
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTokens").field("signing", &self.signing.0).finish_non_exhaustive()
    }
}

impl AccessTokens {
    /// The active token key of the ring signs; all verify, so that rotating signs nobody out.
    #[must_use]
    pub fn new(keyring: &Keyring, lifetime: TimeDelta) -> Self {
        let active = keyring.token_key();
        Self {
            signing: (active.id.to_owned(), EncodingKey::from_ed_der(active.pkcs8)),
            verifying: keyring
                .token_public_keys()
                .map(|(id, key)| (id.to_owned(), DecodingKey::from_ed_der(&key)))
                .collect(),
            lifetime,
            verified: Cache::new(REMEMBERED),
        }
    }

    /// How long a token lives.
    #[must_use]
    pub const fn lifetime(&self) -> TimeDelta {
        self.lifetime
    }

    /// A token for the bearer, from now on.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(&self, bearer: Bearer, now: DateTime<Utc>) -> Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.signing.0.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: bearer.user.uuid(),
            sid: bearer.session.uuid(),
            fac: (bearer.facility != FacilityId::PLATFORM).then(|| bearer.facility.uuid()),
            iat: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, &self.signing.1).map_err(Error::internal)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] whatever is wrong with it.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Bearer> {
        let hash = Sha256::digest(token).into();
        let known = self.verified.get(&hash);
        let (bearer, runs_out) = known.map_or_else(|| self.read(token), Ok)?;
        if runs_out <= now.timestamp() {
            return Err(Error::Unauthenticated);
        }
        if known.is_none() {
            self.verified.insert(hash, (bearer, runs_out));
        }
        Ok(bearer)
    }

    /// What a token says, and when it runs out, if one of our keys signed it.
    fn read(&self, token: &str) -> Result<(Bearer, i64)> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Error::Unauthenticated)?;
        let (_, key) = self
            .verifying
            .iter()
            .find(|(id, _)| header.kid.as_deref() == Some(id.as_str()))
            .ok_or(Error::Unauthenticated)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        // The library reads the system clock; ours is asked by the caller.
        validation.validate_exp = false;
        let claims =
            jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|_| Error::Unauthenticated)?.claims;
        let bearer = Bearer {
            user: UserId::from_uuid(claims.sub),
            session: SessionId::from_uuid(claims.sid),
            facility: claims.fac.map_or(FacilityId::PLATFORM, FacilityId::from_uuid),
        };
        Ok((bearer, claims.exp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keyring::Environment;

    #[test]
    fn a_remembered_token_runs_out_and_its_neighbour_is_none() {
        let ring = Keyring::generate(Environment::Development).unwrap();
        let tokens = AccessTokens::new(&ring, TimeDelta::minutes(5));
        let facility = FacilityId::from_uuid(Uuid::now_v7());
        let (user, session) = (UserId::from_uuid(Uuid::now_v7()), SessionId::from_uuid(Uuid::now_v7()));
        let bearer = Bearer { user, session, facility };
        let now: DateTime<Utc> = "2026-03-09T14:00:00Z".parse().unwrap();
        let token = tokens.issue(bearer, now).unwrap();
        for _ in 0..2 {
            assert_eq!(tokens.verify(&token, now).unwrap(), bearer);
        }
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{signed}.{other}{}", &signature[1..]);
        assert!(matches!(tokens.verify(&forged, now), Err(Error::Unauthenticated)));
        let later = now + TimeDelta::minutes(5);
        assert!(matches!(tokens.verify(&token, later), Err(Error::Unauthenticated)));
        let others = AccessTokens::new(&Keyring::generate(Environment::Development).unwrap(), TimeDelta::minutes(5));
        assert!(matches!(others.verify(&token, now), Err(Error::Unauthenticated)));
    }
}
