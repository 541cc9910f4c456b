//! Ed25519 signatures (RFC 8032) over audit checkpoints and signed documents, by `aws-lc-rs`.
//!
//! The text of a signature names its key: `ed25519:<key id>:<64 bytes in base64url>`, so it can be
//! verified after any number of key rotations, and by others who hold only the public keys. What is
//! signed is the purpose, a zero byte, and the message: a signature made for one purpose is worth
//! nothing for another.
//!
//! It does not sign access tokens (`jsonwebtoken` does, with keys of the same key ring) and keeps no
//! record of what was signed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::CryptoError;

/// Length of an Ed25519 signature in bytes.
pub const SIGNATURE_BYTES: usize = 64;
/// Length of an Ed25519 public key in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;

const ALGORITHM: &str = "ed25519";

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningPurpose {
    /// A checkpoint of the audit log.
    AuditCheckpoint,
    /// A sealed block of the audit log.
    AuditBlock,
    /// A clinician's signature on a document, sealed by the server.
    DocumentSignature,
}

impl SigningPurpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AuditCheckpoint => b"anamnesis audit checkpoint\0",
            Self::AuditBlock => b"anamnesis audit block\0",
            Self::DocumentSignature => b"anamnesis document signature\0",
        }
    }

    fn message(self, message: &[u8]) -> Vec<u8> {
        [self.label(), message].concat()
    }
}

/// A signature and the id of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key_id: String,
    bytes: [u8; SIGNATURE_BYTES],
}

impl Signature {
    /// A signature kept in two columns.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`] when the bytes are not as many as a signature has.
    pub fn from_parts(key_id: impl Into<String>, bytes: &[u8]) -> Result<Self, CryptoError> {
        let bytes = bytes.try_into().map_err(|_| CryptoError::BadSignature)?;
        Ok(Self { key_id: key_id.into(), bytes })
    }

    /// The signature itself.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.bytes
    }

    /// Which key made it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}:{}:{}", self.key_id, URL_SAFE_NO_PAD.encode(self.bytes))
    }
}

impl FromStr for Signature {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (key_id, signature) = text.strip_prefix(ALGORITHM)?.strip_prefix(':')?.split_once(':')?;
            let bytes = URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?;
            Some(Self { key_id: key_id.to_owned(), bytes })
        };
        read().ok_or(CryptoError::BadSignature)
    }
}

/// A key pair that signs. Wiped by `aws-lc-rs` when dropped.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    /// A key pair from PKCS#8 (RFC 8410), with or without the public key in it.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`].
    pub fn from_pkcs8(id: impl Into<String>, pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let id = id.into();
        match Ed25519KeyPair::from_pkcs8(pkcs8) {
            Ok(pair) => Ok(Self { id, pair: Arc::new(pair) }),
            Err(_) => Err(CryptoError::UnusableKey { id }),
        }
    }

    /// A new key pair, as PKCS#8 for the key ring.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate_pkcs8() -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| CryptoError::Random)?;
        let document = pair.to_pkcs8().map_err(|_| CryptoError::Random)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> [u8; PUBLIC_KEY_BYTES] {
        let mut public = [0; PUBLIC_KEY_BYTES];
        public.copy_from_slice(self.pair.public_key().as_ref());
        public
    }

    /// Signs.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`] when the library refuses the key.
    pub fn sign(&self, purpose: SigningPurpose, message: &[u8]) -> Result<Signature, CryptoError> {
        let unusable = || CryptoError::UnusableKey { id: self.id.clone() };
        let made = self.pair.try_sign(&purpose.message(message)).map_err(|_| unusable())?;
        let bytes = made.as_ref().try_into().map_err(|_| unusable())?;
        Ok(Signature { key_id: self.id.clone(), bytes })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Public keys by id: all that a verifier needs, safe to export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyingKeys {
    by_id: BTreeMap<String, [u8; PUBLIC_KEY_BYTES]>,
}

impl VerifyingKeys {
    /// No keys yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a public key, replacing one of the same id.
    pub fn add(&mut self, id: impl Into<String>, public_key: [u8; PUBLIC_KEY_BYTES]) {
        self.by_id.insert(id.into(), public_key);
    }

    /// Ids and public keys in standard base64, in the order of the ids, for export.
    pub fn export(&self) -> impl Iterator<Item = (&str, String)> {
        self.by_id.iter().map(|(id, key)| (id.as_str(), STANDARD.encode(key)))
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// [`CryptoError::UnknownKey`] when the key is not among these, [`CryptoError::BadSignature`].
    pub fn verify(&self, purpose: SigningPurpose, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        let public_key = self
            .by_id
            .get(&signature.key_id)
            .ok_or_else(|| CryptoError::UnknownKey { id: signature.key_id.clone() })?;
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(&purpose.message(message), &signature.bytes)
            .map_err(|_| CryptoError::BadSignature)
    }
}

impl<'a> FromIterator<&'a SigningKey> for VerifyingKeys {
    fn from_iter<I: IntoIterator<Item = &'a SigningKey>>(keys: I) -> Self {
        let mut all = Self::new();
        for key in keys {
            all.add(key.id(), key.public_key());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{Signature, SigningKey, SigningPurpose, VerifyingKeys};
    use crate::crypto::CryptoError;

    fn key(id: &str) -> SigningKey {
        SigningKey::from_pkcs8(id, &SigningKey::generate_pkcs8().unwrap()).unwrap()
    }

    #[test]
    fn a_signature_survives_its_text_and_verifies() {
        let key = key("audit-1");
        let signature = key.sign(SigningPurpose::AuditCheckpoint, b"block 7").unwrap();
        let read: Signature = signature.to_string().parse().unwrap();
        assert_eq!(read, signature);
        assert_eq!(read.key_id(), "audit-1");
        let keys: VerifyingKeys = [&key].into_iter().collect();
        assert_eq!(keys.verify(SigningPurpose::AuditCheckpoint, b"block 7", &read), Ok(()));
        assert!(!format!("{key:?}").contains("pair"));
    }

    #[test]
    fn another_message_purpose_or_key_is_refused() {
        let (one, two) = (key("audit-1"), key("audit-2"));
        let keys: VerifyingKeys = [&one, &two].into_iter().collect();
        let signature = one.sign(SigningPurpose::AuditCheckpoint, b"block 7").unwrap();
        let verify = |purpose, message: &[u8], signature: &Signature| keys.verify(purpose, message, signature);
        let bad = Err(CryptoError::BadSignature);
        assert_eq!(verify(SigningPurpose::AuditCheckpoint, b"block 8", &signature), bad);
        assert_eq!(verify(SigningPurpose::AuditBlock, b"block 7", &signature), bad);
        let renamed: Signature = signature.to_string().replace("audit-1", "audit-2").parse().unwrap();
        assert_eq!(verify(SigningPurpose::AuditCheckpoint, b"block 7", &renamed), bad);
        let unknown: Signature = signature.to_string().replace("audit-1", "audit-3").parse().unwrap();
        let missing = Err(CryptoError::UnknownKey { id: "audit-3".to_owned() });
        assert_eq!(verify(SigningPurpose::AuditCheckpoint, b"block 7", &unknown), missing);
    }

    #[test]
    fn text_that_is_no_signature_is_refused() {
        for text in ["", "ed25519", "ed25519:a", "ed25519:a:AAAA", "rsa:a:AAAA", "ed25519:a:not base64"] {
            assert_eq!(text.parse::<Signature>(), Err(CryptoError::BadSignature), "{text}");
        }
        let unusable = SigningKey::from_pkcs8("x", b"no key").unwrap_err();
        assert_eq!(unusable, CryptoError::UnusableKey { id: "x".to_owned() });
    }

    #[test]
    fn public_keys_can_be_exported() {
        let key = key("audit-1");
        let keys: VerifyingKeys = [&key].into_iter().collect();
        let exported: Vec<_> = keys.export().collect();
        assert_eq!(exported.len(), 1);
        assert_eq!((exported[0].0, exported[0].1.len()), ("audit-1", 44));
    }
}
