//! Short-lived links to one document for one signed-in user, so that a browser can download without
//! an `Authorization` header.
//!
//! A token is base64url of: format (1 byte, now 1), purpose (1), document, facility, user and session
//! (16 each), expiry in Unix seconds (8, big-endian), HMAC-SHA256 over all of it (32): 142 letters. It
//! holds ids only and is readable by its bearer. The edge still checks that the session and the
//! permission hold: a link shortens the way to a document, it does not open it.
//!
//! It does not read the clock, and a token can be used again until it expires.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use super::{CryptoError, Key32};

const FORMAT: u8 = 1;
const ID_BYTES: usize = 16;
const CLAIMS_BYTES: usize = 2 + 4 * ID_BYTES + 8;
const MAC_BYTES: usize = 32;

/// Length of a token in letters.
pub const TOKEN_LENGTH: usize = ((CLAIMS_BYTES + MAC_BYTES) * 4).div_ceil(3);

/// The longest life of a link, in seconds: links end up in histories and logs of others.
pub const LIFETIME_LIMIT_SECONDS: i64 = 15 * 60;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkPurpose {
    /// Download of the stored file.
    Download = 1,
    /// Display inside the page.
    Preview = 2,
}

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkClaims {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Which document.
    pub document: Uuid,
    /// In which facility.
    pub facility: Uuid,
    /// For whom.
    pub user: Uuid,
    /// In which session: it ends with it.
    pub session: Uuid,
}

/// The key that makes and checks links.
#[derive(Clone)]
pub struct LinkKey {
    keyed: Hmac<Sha256>,
}

impl LinkKey {
    /// Takes in a key of the key ring.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`], which the fixed length rules out.
    pub fn new(key: &Key32) -> Result<Self, CryptoError> {
        let keyed =
            Hmac::new_from_slice(key.expose()).map_err(|_| CryptoError::UnusableKey { id: "url".to_owned() })?;
        Ok(Self { keyed })
    }

    /// Makes a token that lives for `lifetime` from `now` on.
    ///
    /// # Errors
    /// [`CryptoError::LinkLifetime`] for less than a second or more than [`LIFETIME_LIMIT_SECONDS`].
    pub fn issue(&self, claims: &LinkClaims, now: DateTime<Utc>, lifetime: TimeDelta) -> Result<String, CryptoError> {
        let seconds = lifetime.num_seconds();
        if !(1..=LIFETIME_LIMIT_SECONDS).contains(&seconds) {
            return Err(CryptoError::LinkLifetime { limit_seconds: LIFETIME_LIMIT_SECONDS });
        }
        let expires = now.timestamp().saturating_add(seconds);
        let mut token = Vec::with_capacity(CLAIMS_BYTES + MAC_BYTES);
        token.push(FORMAT);
        token.push(claims.purpose as u8);
        for id in [claims.document, claims.facility, claims.user, claims.session] {
            token.extend_from_slice(id.as_bytes());
        }
        token.extend_from_slice(&expires.to_be_bytes());
        let mac = self.mac_of(&token).finalize().into_bytes();
        token.extend_from_slice(&mac);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// Reads a token. The code is compared in constant time, and before anything in it is believed.
    ///
    /// # Errors
    /// [`CryptoError::LinkInvalid`] when it is not ours, was changed or is for another purpose,
    /// [`CryptoError::LinkExpired`] from its last second on.
    pub fn verify(&self, token: &str, purpose: LinkPurpose, now: DateTime<Utc>) -> Result<LinkClaims, CryptoError> {
        let (claims, expires) = self.read(token, purpose).ok_or(CryptoError::LinkInvalid)?;
        if now.timestamp() >= expires { Err(CryptoError::LinkExpired) } else { Ok(claims) }
    }

    fn read(&self, token: &str, purpose: LinkPurpose) -> Option<(LinkClaims, i64)> {
        if token.len() != TOKEN_LENGTH {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = token.split_last_chunk::<MAC_BYTES>()?;
        self.mac_of(signed).verify_slice(mac).ok()?;
        let (head, rest) = signed.split_first_chunk::<2>()?;
        if *head != [FORMAT, purpose as u8] {
            return None;
        }
        let (document, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (facility, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (user, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (session, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let expires = i64::from_be_bytes(rest.try_into().ok()?);
        let claims = LinkClaims {
            purpose,
            document: Uuid::from_bytes(*document),
            facility: Uuid::from_bytes(*facility),
            user: Uuid::from_bytes(*user),
            session: Uuid::from_bytes(*session),
        };
        Some((claims, expires))
    }

    fn mac_of(&self, claims: &[u8]) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(b"anamnesis link\0").chain_update(claims)
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{LIFETIME_LIMIT_SECONDS, LinkClaims, LinkKey, LinkPurpose, TOKEN_LENGTH};
    use crate::crypto::{CryptoError, Key32};

    fn key(byte: u8) -> LinkKey {
        LinkKey::new(&Key32::from_bytes([byte; 32])).unwrap()
    }

    fn claims() -> LinkClaims {
        LinkClaims {
            purpose: LinkPurpose::Download,
            document: Uuid::from_u128(1),
            facility: Uuid::from_u128(2),
            user: Uuid::from_u128(3),
            session: Uuid::from_u128(4),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_link_lives_until_its_last_second() {
        let token = key(1).issue(&claims(), at(0), TimeDelta::seconds(60)).unwrap();
        assert_eq!(token.len(), TOKEN_LENGTH);
        let verify = |now| key(1).verify(&token, LinkPurpose::Download, now);
        assert_eq!(verify(at(0)), Ok(claims()));
        assert_eq!(verify(at(59)), Ok(claims()));
        assert_eq!(verify(at(60)), Err(CryptoError::LinkExpired));
    }

    #[test]
    fn a_link_is_for_one_purpose_and_one_key() {
        let token = key(1).issue(&claims(), at(0), TimeDelta::seconds(60)).unwrap();
        let invalid = Err(CryptoError::LinkInvalid);
        assert_eq!(key(1).verify(&token, LinkPurpose::Preview, at(0)), invalid);
        assert_eq!(key(2).verify(&token, LinkPurpose::Download, at(0)), invalid);
        assert_eq!(format!("{:?}", key(1)), "LinkKey(…)");
    }

    #[test]
    fn every_changed_letter_makes_it_invalid() {
        let token = key(1).issue(&claims(), at(0), TimeDelta::seconds(60)).unwrap();
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                key(1).verify(&changed, LinkPurpose::Download, at(0)),
                Err(CryptoError::LinkInvalid),
                "{position}"
            );
        }
        for wrong in ["", "AAAA", &token[1..], &format!("{token}A"), &"é".repeat(TOKEN_LENGTH / 2)] {
            assert_eq!(key(1).verify(wrong, LinkPurpose::Download, at(0)), Err(CryptoError::LinkInvalid));
        }
    }

    #[test]
    fn a_forged_expiry_is_invalid_and_not_merely_expired() {
        let token = key(1).issue(&claims(), at(0), TimeDelta::seconds(60)).unwrap();
        let expired_and_forged = key(2).verify(&token, LinkPurpose::Download, at(90));
        assert_eq!(expired_and_forged, Err(CryptoError::LinkInvalid));
    }

    #[test]
    fn lifetimes_outside_the_limit_are_refused() {
        for seconds in [-1, 0, LIFETIME_LIMIT_SECONDS + 1] {
            let error = key(1).issue(&claims(), at(0), TimeDelta::seconds(seconds)).unwrap_err();
            assert_eq!(error, CryptoError::LinkLifetime { limit_seconds: LIFETIME_LIMIT_SECONDS });
        }
    }
}
