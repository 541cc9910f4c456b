//! Keyed blind indexes: equality search over encrypted values.
//!
//! A term is the first 64 bits of HMAC-SHA256 over its kind and the normalised value, kept as a
//! `bigint`: equality of `bigint` is leak-proof in the database, so an index on it is used under row-level
//! security, and it is a quarter of the size of the full hash. Two values of one facility share a term
//! by accident with probability 2^-64; that costs a candidate which decryption rules out.
//!
//! Invariants:
//! - the key of a facility is derived from its index key and its id, so the same name has other terms
//!   in another facility, and terms cannot be joined across facilities;
//! - the kind is inside the hash, so the same digits as a telephone number and as a record number do
//!   not meet, and the kind need not be stored beside the term.
//!
//! What it leaks to whoever reads the table: which patients of one facility share some term, how many
//! terms a patient has (prefixes tell the length of short names), and how frequent each term is, which
//! with a list of common names is a good guess at the common ones. Whoever also has the index key can
//! test any guess. It hides nothing about access patterns.
//!
//! It does not store terms or query them, and the normalised forms belong to [`normalise`].

pub mod normalise;
mod terms;

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use terms::{AllOf, AnyOf, Identity, NameMatch, Search, Unsearchable};

use super::{CryptoError, Key32};

/// What a term stands for. The number is inside every term: never reuse or change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TermKind {
    /// A given name, whole or in part.
    GivenName = 1,
    /// Its first 2 to 8 letters.
    GivenNamePrefix = 2,
    /// How it sounds.
    GivenNameSound = 3,
    /// A family name, whole or in part.
    FamilyName = 4,
    /// Its first 2 to 8 letters.
    FamilyNamePrefix = 5,
    /// How it sounds.
    FamilyNameSound = 6,
    /// Date of birth.
    BirthDate = 7,
    /// Telephone number in E.164.
    Phone = 8,
    /// Its last seven digits.
    PhoneLastSeven = 9,
    /// E-mail address.
    Email = 10,
    /// Social security number.
    Ssn = 11,
    /// Its last four digits.
    SsnLastFour = 12,
    /// Medical record number.
    Mrn = 13,
    /// A word of a document's full-text index.
    Lexeme = 14,
    /// E-mail address someone signs in with, over all facilities.
    LoginEmail = 15,
    /// Network address someone tries to sign in from, over all facilities.
    SignInAddress = 16,
    /// A word of a document, or what is left of one without a letter.
    Spelling = 17,
    /// Id that WhatsApp gave a message: it holds a telephone number, so that it is kept as this alone.
    Wamid = 18,
}

/// One blind index term: what to store or to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// What it stands for. Inside the hash already; storing it would only leak it.
    pub kind: TermKind,
    /// The keyed hash, as the database's `bigint`.
    pub hash: i64,
}

/// Makes the terms of one facility, or those of the sign-in. Cheap to clone; set up once and kept.
#[derive(Clone)]
pub struct IndexKey {
    /// HMAC with its key already taken in: two of the four compressions of a short message are saved.
    keyed: Hmac<Sha256>,
}

impl IndexKey {
    /// The index key of a facility, derived by HKDF-SHA256 (RFC 5869) with its id.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`], which the fixed lengths rule out.
    pub fn of_facility(secret: &Key32, facility: Uuid) -> Result<Self, CryptoError> {
        Self::derive(secret, b"facility\0", facility.as_bytes())
    }

    /// The index key for what belongs to no facility: e-mail addresses of sign-ins.
    ///
    /// # Errors
    /// [`CryptoError::UnusableKey`], which the fixed lengths rule out.
    pub fn global(secret: &Key32) -> Result<Self, CryptoError> {
        Self::derive(secret, b"global\0", &[])
    }

    fn derive(secret: &Key32, scope: &[u8], id: &[u8]) -> Result<Self, CryptoError> {
        let unusable = || CryptoError::UnusableKey { id: "index".to_owned() };
        let mut derived = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(Some(b"anamnesis blind index 1"), secret.expose())
            .expand_multi_info(&[scope, id], derived.as_mut_slice())
            .map_err(|_| unusable())?;
        let keyed = Hmac::new_from_slice(derived.as_slice()).map_err(|_| unusable())?;
        Ok(Self { keyed })
    }

    /// The term of a normalised value.
    #[must_use]
    pub fn term(&self, kind: TermKind, normalised: &str) -> Term {
        let mut mac = self.keyed.clone();
        mac.update(&[kind as u8]);
        mac.update(normalised.as_bytes());
        let hash = mac.finalize().into_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Term { kind, hash: i64::from_be_bytes(first) }
    }

    /// The term of a lexeme of full-text search. The lexer normalises: this takes it as it is.
    #[must_use]
    pub fn lexeme(&self, lexeme: &str) -> i64 {
        self.term(TermKind::Lexeme, lexeme).hash
    }

    /// The term of a spelling of a word.
    #[must_use]
    pub fn spelling(&self, spelling: &str) -> i64 {
        self.term(TermKind::Spelling, spelling).hash
    }

    /// The term of an e-mail address someone signs in with; `None` when it is not an address. For the
    /// key of [`IndexKey::global`].
    #[must_use]
    pub fn login_email(&self, address: &str) -> Option<i64> {
        Some(self.term(TermKind::LoginEmail, &normalise::email(address)?).hash)
    }

    /// The term of a medical record number, for its unique column; `None` when it is blank.
    #[must_use]
    pub fn mrn(&self, number: &str) -> Option<i64> {
        Some(self.term(TermKind::Mrn, &normalise::mrn(number)?).hash)
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{IndexKey, TermKind};
    use crate::crypto::Key32;

    fn key(facility: u128) -> IndexKey {
        IndexKey::of_facility(&Key32::from_bytes([3; 32]), Uuid::from_u128(facility)).unwrap()
    }

    #[test]
    fn the_same_name_has_other_terms_in_another_facility() {
        let term = |key: &IndexKey| key.term(TermKind::FamilyName, "obrien");
        assert_eq!(term(&key(1)), term(&key(1)));
        assert_ne!(term(&key(1)), term(&key(2)));
        let global = IndexKey::global(&Key32::from_bytes([3; 32])).unwrap();
        assert_ne!(term(&key(0)), term(&global));
        let other_secret = IndexKey::of_facility(&Key32::from_bytes([4; 32]), Uuid::from_u128(1)).unwrap();
        assert_ne!(term(&key(1)), term(&other_secret));
        assert_eq!(format!("{:?}", key(1)), "IndexKey(…)");
    }

    #[test]
    fn the_same_value_of_another_kind_is_another_term() {
        let key = key(1);
        let hashes = [TermKind::Phone, TermKind::Mrn, TermKind::Ssn, TermKind::Lexeme]
            .map(|kind| key.term(kind, "999123456").hash);
        assert_eq!(std::collections::HashSet::from(hashes).len(), 4);
    }

    #[test]
    fn terms_stay_what_they_were() {
        // Computed by another implementation (Python's `hmac`). Stored terms are looked up by these very
        // numbers: a change here needs a new index of every patient and document.
        assert_eq!(key(1).lexeme("diabetes"), -5_399_275_063_830_998_332);
        assert_eq!(key(1).mrn(" mrn-0042 ").unwrap(), 6_782_172_930_718_181_667);
    }

    #[test]
    fn login_addresses_agree_whatever_their_case() {
        let global = IndexKey::global(&Key32::from_bytes([3; 32])).unwrap();
        assert_eq!(global.login_email(" Ada@Example.ORG"), global.login_email("ada@example.org"));
        assert_eq!(global.login_email("ada"), None);
    }
}
