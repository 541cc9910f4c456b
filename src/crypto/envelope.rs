//! Envelope encryption: a master key wraps the keys of each facility, so that rotating the master
//! re-wraps a few rows and no record, and deleting a facility's wrapped keys shreds its records.
//!
//! Layout of a wrapped key, 61 bytes: format (1), nonce (12), encrypted key (32), tag (16). AES-256-GCM
//! with a random nonce; NIST SP 800-38D allows 2^32 of those under one key, and a master key wraps a
//! few per facility. Associated data bind the master key's id, the facility, the purpose and the
//! version, so a wrapped key cannot be given to another facility or used for another purpose.
//!
//! It does not store wrapped keys, nor decide when to rotate.

use std::fmt;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::secret::random;
use super::{CryptoError, Key32, Sealed, Unreadable};

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Length of a wrapped key in bytes.
pub const WRAPPED_BYTES: usize = 1 + NONCE_BYTES + Key32::LENGTH_BYTES + TAG_BYTES;

/// What a facility's key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Encrypts fields and wraps the keys of files.
    Data,
    /// Makes blind indexes.
    Index,
}

impl KeyPurpose {
    /// The word kept in the database and bound into the wrapping.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Index => "index",
        }
    }

    /// Reads the word kept in the database.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "data" => Some(Self::Data),
            "index" => Some(Self::Index),
            _ => None,
        }
    }
}

/// What a wrapped key is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Whose key.
    pub facility: Uuid,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Its version, counting up from 1.
    pub version: u32,
}

/// A key that wraps facility keys. Holds the expanded AES key, not its bytes.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    cipher: Aes256Gcm,
}

impl MasterKey {
    /// A master key of the key ring.
    #[must_use]
    pub fn new(id: impl Into<String>, key: &Key32) -> Self {
        Self { id: id.into(), cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.expose())) }
    }

    /// Its id, stored beside each key it wrapped.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts a facility's key.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn wrap(&self, key: &Key32, binding: &Binding) -> Result<Vec<u8>, CryptoError> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload { msg: key.expose(), aad: &self.associated_data(binding) };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| CryptoError::UnusableKey { id: self.id.clone() })?;
        let mut wrapped = Vec::with_capacity(WRAPPED_BYTES);
        wrapped.push(FORMAT);
        wrapped.extend_from_slice(&nonce);
        wrapped.extend_from_slice(&sealed);
        Ok(wrapped)
    }

    /// Decrypts a facility's key.
    ///
    /// # Errors
    /// [`CryptoError::Unreadable`] when the bytes are not a wrapped key, [`CryptoError::Tampered`] when
    /// they were changed or wrapped for something else.
    pub fn unwrap(&self, wrapped: &[u8], binding: &Binding) -> Result<Key32, CryptoError> {
        let what = Sealed::FacilityKey { facility: binding.facility };
        let unreadable = |reason| CryptoError::Unreadable { what, reason };
        let (format, rest) = wrapped.split_first().ok_or_else(|| unreadable(Unreadable::TooShort))?;
        if *format != FORMAT {
            return Err(unreadable(Unreadable::Format(*format)));
        }
        let (nonce, sealed) =
            rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| unreadable(Unreadable::TooShort))?;
        let payload = Payload { msg: sealed, aad: &self.associated_data(binding) };
        let opened = self
            .cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| CryptoError::Tampered { what })?;
        Key32::from_slice(&opened).ok_or_else(|| unreadable(Unreadable::TooShort))
    }

    /// The id comes last: it is the only part of free length, so no two bindings read the same.
    fn associated_data(&self, binding: &Binding) -> Vec<u8> {
        let purpose = binding.purpose.as_str().as_bytes();
        let mut data = Vec::with_capacity(96);
        data.extend_from_slice(b"anamnesis key wrap\0");
        data.push(FORMAT);
        data.extend_from_slice(binding.facility.as_bytes());
        data.extend_from_slice(&binding.version.to_be_bytes());
        data.extend_from_slice(purpose);
        data.push(0);
        data.extend_from_slice(self.id.as_bytes());
        data
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// All master keys of the key ring: one wraps, all unwrap.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    active: MasterKey,
    retired: Vec<MasterKey>,
}

impl MasterKeys {
    /// The active key and those before it.
    #[must_use]
    pub const fn new(active: MasterKey, retired: Vec<MasterKey>) -> Self {
        Self { active, retired }
    }

    /// The key that wraps.
    #[must_use]
    pub const fn active(&self) -> &MasterKey {
        &self.active
    }

    /// The key of this id.
    ///
    /// # Errors
    /// [`CryptoError::UnknownKey`].
    pub fn by_id(&self, id: &str) -> Result<&MasterKey, CryptoError> {
        std::iter::once(&self.active)
            .chain(&self.retired)
            .find(|key| key.id == id)
            .ok_or_else(|| CryptoError::UnknownKey { id: id.to_owned() })
    }

    /// Unwraps with the key of this id and wraps under the active one. `None` when it already is.
    ///
    /// # Errors
    /// [`CryptoError::UnknownKey`], and those of [`MasterKey::unwrap`] and [`MasterKey::wrap`].
    pub fn rewrap(&self, id: &str, wrapped: &[u8], binding: &Binding) -> Result<Option<Vec<u8>>, CryptoError> {
        if id == self.active.id {
            return Ok(None);
        }
        let key = self.by_id(id)?.unwrap(wrapped, binding)?;
        self.active.wrap(&key, binding).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Binding, KeyPurpose, MasterKey, MasterKeys, WRAPPED_BYTES};
    use crate::crypto::secret::from_hex;
    use crate::crypto::{CryptoError, Key32, Sealed, Unreadable};

    fn binding() -> Binding {
        Binding { facility: Uuid::from_u128(7), purpose: KeyPurpose::Data, version: 1 }
    }

    fn master(id: &str) -> MasterKey {
        MasterKey::new(id, &Key32::from_bytes([id.as_bytes()[0]; 32]))
    }

    #[test]
    fn a_wrapped_key_comes_back_and_never_looks_the_same_twice() {
        let (master, key) = (master("a"), Key32::generate().unwrap());
        let wrapped = master.wrap(&key, &binding()).unwrap();
        assert_eq!(wrapped.len(), WRAPPED_BYTES);
        assert_eq!(master.unwrap(&wrapped, &binding()).unwrap().expose(), key.expose());
        assert_ne!(wrapped, master.wrap(&key, &binding()).unwrap());
    }

    #[test]
    fn a_wrapped_key_of_format_1_still_opens() {
        // Made by another implementation (Python's `cryptography`) from the layout in the module's text.
        let wrapped = from_hex(concat!(
            "01000102030405060708090a0bb21fe1e5558a4790dacc2a32ac9b4321b322fd399d975b581735d640c2450a68",
            "6c498865234c413811b074762170ea7d",
        ));
        assert_eq!(master("a").unwrap(&wrapped, &binding()).unwrap().expose(), &[5; 32]);
    }

    #[test]
    fn a_wrapped_key_opens_only_where_it_belongs() {
        let (master_a, key) = (master("a"), Key32::generate().unwrap());
        let wrapped = master_a.wrap(&key, &binding()).unwrap();
        let elsewhere = [
            Binding { facility: Uuid::from_u128(8), ..binding() },
            Binding { purpose: KeyPurpose::Index, ..binding() },
            Binding { version: 2, ..binding() },
        ];
        for other in elsewhere {
            let what = Sealed::FacilityKey { facility: other.facility };
            assert_eq!(master_a.unwrap(&wrapped, &other).unwrap_err(), CryptoError::Tampered { what });
        }
        // Same bytes under another id: the id itself is bound.
        let renamed = MasterKey::new("b", &Key32::from_bytes([b'a'; 32]));
        assert!(matches!(renamed.unwrap(&wrapped, &binding()), Err(CryptoError::Tampered { .. })));
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let master = master("a");
        let wrapped = master.wrap(&Key32::generate().unwrap(), &binding()).unwrap();
        for position in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[position] ^= 1;
            assert!(master.unwrap(&changed, &binding()).is_err(), "byte {position}");
            assert!(master.unwrap(&wrapped[..position], &binding()).is_err(), "cut at {position}");
        }
        let mut newer = wrapped;
        newer[0] = 9;
        let what = Sealed::FacilityKey { facility: binding().facility };
        let expected = CryptoError::Unreadable { what, reason: Unreadable::Format(9) };
        assert_eq!(master.unwrap(&newer, &binding()).unwrap_err(), expected);
    }

    #[test]
    fn rewrapping_moves_a_key_to_the_active_master() {
        let key = Key32::generate().unwrap();
        let old = master("old").wrap(&key, &binding()).unwrap();
        let masters = MasterKeys::new(master("new"), vec![master("old")]);
        let moved = masters.rewrap("old", &old, &binding()).unwrap().unwrap();
        assert_eq!(masters.by_id("new").unwrap().unwrap(&moved, &binding()).unwrap().expose(), key.expose());
        assert_eq!(masters.rewrap("new", &moved, &binding()).unwrap(), None);
        let unknown = CryptoError::UnknownKey { id: "gone".to_owned() };
        assert_eq!(masters.rewrap("gone", &old, &binding()).unwrap_err(), unknown);
        assert!(!format!("{masters:?}").contains("cipher:"));
    }
}
