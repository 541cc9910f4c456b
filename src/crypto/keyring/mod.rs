//! The key ring: one file that holds every secret of an installation.
//!
//! TOML, readable by its owner alone:
//!
//! ```toml
//! environment = "production"   # or "development"; a production server refuses the latter
//!
//! [[master]]                   # wraps the keys of facilities; exactly one is active
//! id = "master-5f0c2a9e41d7b360"
//! key = "…"                    # 32 bytes in base64
//! state = "active"             # or "retired": unwraps, wraps no more
//!
//! [[token]]                    # signs access tokens; the first active one signs, all verify
//! id = "token-81b6f3d20c955e12"
//! pkcs8 = "…"                  # Ed25519 key pair, PKCS#8 in base64
//! state = "active"
//!
//! [[audit]]                    # signs audit checkpoints; as above
//! id = "audit-c7e4190ab832f04d"
//! pkcs8 = "…"
//! state = "active"
//!
//! [url]                        # codes links to documents
//! key = "…"
//!
//! [lookup]                     # indexes the e-mail addresses of sign-ins
//! key = "…"
//! ```
//!
//! Invariants: a [`Keyring`] in memory is whole (every list has an active key, every key works, none
//! stands twice); the file is replaced as a whole or not at all, and by one process at a time, since a
//! lost master key is every record lost; secrets are redacted in `Debug`, absent from errors, and wiped.
//!
//! It does not know which keys are still in use: ask the database before [`Keyring::forget`]. Losing
//! this file loses the records; keep a copy offline.

mod file;
mod form;

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use super::blind_index::IndexKey;
use super::envelope::{MasterKey, MasterKeys};
use super::secret::random_name;
use super::signed_url::LinkKey;
use super::signing::{PUBLIC_KEY_BYTES, SigningKey, VerifyingKeys};
use super::{CryptoError, Key32, KeyringFault};
pub use crate::config::Environment;

/// The lists of a key ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyList {
    /// Keys that wrap the keys of facilities.
    Master,
    /// Key pairs that sign access tokens.
    Token,
    /// Key pairs that sign audit checkpoints.
    Audit,
}

impl KeyList {
    /// Its name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Token => "token",
            Self::Audit => "audit",
        }
    }
}

/// Whether a key makes something new or only reads what it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Active,
    Retired,
}

/// One key of a list.
#[derive(Clone)]
struct Entry<T> {
    id: String,
    state: KeyState,
    key: T,
}

impl<T> Entry<T> {
    /// An active key with a new id, `master-5f0c2a9e41d7b360`: 64 random bits keep ids apart without a clock.
    fn fresh(list: KeyList, make: impl FnOnce(&str) -> Result<T, CryptoError>) -> Result<Self, CryptoError> {
        let id = format!("{}-{}", list.as_str(), random_name()?);
        let key = make(&id)?;
        Ok(Self { id, state: KeyState::Active, key })
    }
}

/// A list with the key that is used first. The others may be active too, in hand-written files.
#[derive(Clone)]
struct Ring<T> {
    active: Entry<T>,
    others: Vec<Entry<T>>,
}

impl<T> Ring<T> {
    fn of_new(list: KeyList, make: impl FnOnce(&str) -> Result<T, CryptoError>) -> Result<Self, CryptoError> {
        Ok(Self { active: Entry::fresh(list, make)?, others: Vec::new() })
    }

    fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        std::iter::once(&self.active).chain(&self.others)
    }

    fn rotate(&mut self, list: KeyList, make: impl FnOnce(&str) -> Result<T, CryptoError>) -> Result<(), CryptoError> {
        let mut old = std::mem::replace(&mut self.active, Entry::fresh(list, make)?);
        old.state = KeyState::Retired;
        self.others.insert(0, old);
        Ok(())
    }

    fn forget(&mut self, id: &str) -> Result<(), CryptoError> {
        let before = self.others.len();
        self.others.retain(|entry| entry.id != id);
        if self.others.len() == before { Err(CryptoError::UnknownKey { id: id.to_owned() }) } else { Ok(()) }
    }
}

/// A key pair, and the form it is written in.
#[derive(Clone)]
struct Pair {
    pkcs8: Zeroizing<Vec<u8>>,
    key: SigningKey,
}

impl Pair {
    fn generate(id: &str) -> Result<Self, CryptoError> {
        let pkcs8 = SigningKey::generate_pkcs8()?;
        let key = SigningKey::from_pkcs8(id, &pkcs8)?;
        Ok(Self { pkcs8, key })
    }
}

impl Ring<Pair> {
    fn public_keys(&self) -> impl Iterator<Item = (&str, [u8; PUBLIC_KEY_BYTES])> {
        self.iter().map(|entry| (entry.id.as_str(), entry.key.key.public_key()))
    }
}

/// A key pair of another library's format: for `jsonwebtoken`.
#[derive(Clone, Copy)]
pub struct TokenKey<'a> {
    /// Goes into the `kid` of the token's header.
    pub id: &'a str,
    /// Ed25519 key pair, PKCS#8 in DER.
    pub pkcs8: &'a [u8],
}

impl fmt::Debug for TokenKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Every secret of an installation.
#[derive(Clone)]
pub struct Keyring {
    environment: Environment,
    masters: Ring<Key32>,
    tokens: Ring<Pair>,
    audits: Ring<Pair>,
    url: Key32,
    lookup: Key32,
}

impl Keyring {
    /// A new key ring: one key of each kind.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate(environment: Environment) -> Result<Self, CryptoError> {
        Ok(Self {
            environment,
            masters: Ring::of_new(KeyList::Master, |_| Key32::generate())?,
            tokens: Ring::of_new(KeyList::Token, Pair::generate)?,
            audits: Ring::of_new(KeyList::Audit, Pair::generate)?,
            url: Key32::generate()?,
            lookup: Key32::generate()?,
        })
    }

    /// Reads the text of a key ring file.
    ///
    /// # Errors
    /// [`CryptoError::Keyring`] with every fault found.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        form::read(text).map_err(|faults| CryptoError::Keyring { faults })
    }

    /// Reads a key ring file.
    ///
    /// # Errors
    /// [`CryptoError::KeyringFile`], [`CryptoError::KeyringExposed`] when group or others may read it (on
    /// Unix), [`CryptoError::Keyring`] with every fault found.
    pub fn load(path: &Path) -> Result<Self, CryptoError> {
        Self::parse(&file::read(path)?)
    }

    /// Writes a new key ring file with mode 0600. Never replaces one: that would lose its keys.
    ///
    /// # Errors
    /// [`CryptoError::KeyringFile`], also when the file exists (`AlreadyExists`).
    pub fn save_new(&self, path: &Path) -> Result<(), CryptoError> {
        file::write(path, &form::write(self)?, file::Existing::Refuse)
    }

    /// Writes the key ring file in one step, replacing the one before. Whoever changes a file that others
    /// may change uses [`Keyring::update`].
    ///
    /// # Errors
    /// [`CryptoError::KeyringFile`].
    pub fn save(&self, path: &Path) -> Result<(), CryptoError> {
        file::write(path, &form::write(self)?, file::Existing::Replace)
    }

    /// Reads, changes and writes a key ring file while no other process can. The file stays as it was
    /// when `change` fails.
    ///
    /// # Errors
    /// [`CryptoError::KeyringBusy`] when another process is at it; those of [`Keyring::load`],
    /// [`Keyring::save`] and `change`.
    pub fn update<R>(path: &Path, change: impl FnOnce(&mut Self) -> Result<R, CryptoError>) -> Result<R, CryptoError> {
        let _lock = file::lock(path)?;
        let mut keyring = Self::load(path)?;
        let result = change(&mut keyring)?;
        keyring.save(path)?;
        Ok(result)
    }

    /// Refuses a key ring made for another environment: development keys may have been shown around.
    ///
    /// # Errors
    /// [`CryptoError::Keyring`] with [`KeyringFault::WrongEnvironment`].
    pub fn require(&self, environment: Environment) -> Result<(), CryptoError> {
        if self.environment == environment {
            Ok(())
        } else {
            Err(CryptoError::Keyring { faults: vec![KeyringFault::WrongEnvironment] })
        }
    }

    /// What it was made for.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// A new active master key; the one before is retired. Facility keys are re-wrapped afterwards.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn rotate_master(&mut self) -> Result<(), CryptoError> {
        self.masters.rotate(KeyList::Master, |_| Key32::generate())
    }

    /// A new key pair for access tokens; tokens of the one before stay valid until they expire.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn rotate_token(&mut self) -> Result<(), CryptoError> {
        self.tokens.rotate(KeyList::Token, Pair::generate)
    }

    /// A new key pair for audit checkpoints; the one before verifies what it signed.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn rotate_audit(&mut self) -> Result<(), CryptoError> {
        self.audits.rotate(KeyList::Audit, Pair::generate)
    }

    /// Removes a key that is no longer the active one. What it wrapped or signed cannot be read or
    /// verified afterwards: the caller has made sure that there is nothing.
    ///
    /// # Errors
    /// [`CryptoError::UnknownKey`] when there is none, or it is the active one.
    pub fn forget(&mut self, list: KeyList, id: &str) -> Result<(), CryptoError> {
        match list {
            KeyList::Master => self.masters.forget(id),
            KeyList::Token => self.tokens.forget(id),
            KeyList::Audit => self.audits.forget(id),
        }
    }

    /// The ids of a list, the active one first.
    #[must_use]
    pub fn ids(&self, list: KeyList) -> Vec<&str> {
        match list {
            KeyList::Master => self.masters.iter().map(|entry| entry.id.as_str()).collect(),
            KeyList::Token => self.tokens.iter().map(|entry| entry.id.as_str()).collect(),
            KeyList::Audit => self.audits.iter().map(|entry| entry.id.as_str()).collect(),
        }
    }

    /// The master keys, expanded.
    #[must_use]
    pub fn master_keys(&self) -> MasterKeys {
        let expand = |entry: &Entry<Key32>| MasterKey::new(entry.id.clone(), &entry.key);
        MasterKeys::new(expand(&self.masters.active), self.masters.others.iter().map(expand).collect())
    }

    /// The key pair that signs access tokens.
    #[must_use]
    pub fn token_key(&self) -> TokenKey<'_> {
        TokenKey { id: &self.tokens.active.id, pkcs8: &self.tokens.active.key.pkcs8 }
    }

    /// Ids and public keys that verify access tokens.
    pub fn token_public_keys(&self) -> impl Iterator<Item = (&str, [u8; PUBLIC_KEY_BYTES])> {
        self.tokens.public_keys()
    }

    /// The key pair that signs audit checkpoints.
    #[must_use]
    pub const fn audit_key(&self) -> &SigningKey {
        &self.audits.active.key.key
    }

    /// The public keys that verify audit checkpoints.
    #[must_use]
    pub fn audit_public_keys(&self) -> VerifyingKeys {
        self.audits.iter().map(|entry| &entry.key.key).collect()
    }

    /// The key of links to documents.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`], which the fixed length rules out.
    pub fn link_key(&self) -> Result<LinkKey, CryptoError> {
        LinkKey::new(&self.url)
    }

    /// The index key for e-mail addresses of sign-ins.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`], which the fixed length rules out.
    pub fn lookup_key(&self) -> Result<IndexKey, CryptoError> {
        IndexKey::global(&self.lookup)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("environment", &self.environment)
            .field("master", &self.ids(KeyList::Master))
            .field("token", &self.ids(KeyList::Token))
            .field("audit", &self.ids(KeyList::Audit))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
