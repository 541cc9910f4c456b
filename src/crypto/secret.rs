//! A 32-byte secret, and the random source that makes one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::CryptoError;

/// A 256-bit secret: master, data, index or file key. Wiped when dropped, redacted in `Debug`,
/// compared with nothing (there is no `PartialEq`).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key32([u8; 32]);

impl Key32 {
    /// Length in bytes.
    pub const LENGTH_BYTES: usize = 32;

    /// A new random key.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the system has no randomness.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self(random()?))
    }

    /// A key from outside; the caller wipes its own copy.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key from a slice of exactly 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A key from standard base64 with padding.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
        Self::from_slice(&bytes)
    }

    /// The key as standard base64 with padding, for the key ring file alone.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }

    /// The bytes, to be used on the spot.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it can be a real key: a run of one byte is a placeholder someone forgot to replace.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.0.iter().all(|byte| *byte == self.0[0])
    }
}

impl fmt::Debug for Key32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key32(…)")
    }
}

/// Random bytes from the generator of `aws-lc-rs`.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CryptoError::Random)?;
    Ok(bytes)
}

/// 64 random bits in hexadecimal, for names that must not meet. Not for secrets: nothing wipes it.
pub(super) fn random_name() -> Result<String, CryptoError> {
    Ok(format!("{:016x}", u64::from_be_bytes(random()?)))
}

/// Reads a test vector in hexadecimal.
#[cfg(test)]
pub(super) fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    text.as_bytes().chunks_exact(2).filter_map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::Key32;

    #[test]
    fn a_key_survives_base64_and_debug_shows_nothing() {
        let key = Key32::generate().unwrap();
        let text = key.to_base64();
        assert_eq!(Key32::from_base64(&text).unwrap().expose(), key.expose());
        assert_eq!(format!("{key:?}"), "Key32(…)");
    }

    #[test]
    fn two_keys_differ_and_a_placeholder_is_seen() {
        assert_ne!(Key32::generate().unwrap().expose(), Key32::generate().unwrap().expose());
        assert!(Key32::from_bytes([7; 32]).is_placeholder());
        assert!(!Key32::generate().unwrap().is_placeholder());
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(Key32::from_slice(&[1; 31]).is_none());
        assert!(Key32::from_base64("AAAA").is_none());
        assert!(Key32::from_base64("not base64!").is_none());
    }
}
