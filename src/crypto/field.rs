//! Encryption of single columns.
//!
//! Layout of a ciphertext, all integers big-endian: format (1 byte, now 1), key version (4), nonce
//! (12), encrypted bytes (as many as the plaintext), tag (16): 33 bytes more than the plaintext.
//! AES-256-GCM with a random nonce for each value. NIST SP 800-38D, 8.3, allows 2^32 values under one
//! key with random nonces; rotate a facility's data key before it has written that many.
//!
//! Associated data bind format, key version, facility, row, table and column, so a ciphertext copied to
//! another row, column or facility does not open: [`CryptoError::Tampered`]. What it does not hide:
//! the length of the plaintext, which rows have a value, and when one was rewritten. An old ciphertext
//! put back in its own place opens; the audit log is what notices that.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};
use uuid::Uuid;
use zeroize::Zeroize as _;

use super::secret::random;
use super::{CryptoError, Key32, Sealed, Unreadable};
use crate::phi::Phi;

const FORMAT: u8 = 1;
const VERSION_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + VERSION_BYTES + NONCE_BYTES;

/// How many bytes a ciphertext is longer than its plaintext.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// The longest plaintext of one field. Longer texts are files (see `stream`). A limit of ours: GCM
/// itself ends near 64 GiB.
pub const PLAINTEXT_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// Names a column. Constants of the repositories: the names are part of every ciphertext, so renaming
/// a column means re-encrypting it, or keeping the old name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnId {
    table: &'static str,
    column: &'static str,
}

impl ColumnId {
    /// Names a column of a table.
    #[must_use]
    pub const fn new(table: &'static str, column: &'static str) -> Self {
        Self { table, column }
    }

    /// The table's name.
    #[must_use]
    pub const fn table(self) -> &'static str {
        self.table
    }

    /// The column's name.
    #[must_use]
    pub const fn column(self) -> &'static str {
        self.column
    }
}

impl fmt::Display for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// A facility's data key of one version, expanded once and kept.
#[derive(Clone)]
pub struct DataKey {
    version: u32,
    cipher: Aes256Gcm,
}

impl DataKey {
    /// Expands a key.
    #[must_use]
    pub fn new(version: u32, key: &Key32) -> Self {
        Self { version, cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.expose())) }
    }

    /// Its version, written into each ciphertext.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("version", &self.version).finish_non_exhaustive()
    }
}

/// A facility's data keys: one encrypts, all decrypt.
#[derive(Debug, Clone)]
pub struct DataKeys {
    active: DataKey,
    older: Vec<DataKey>,
}

impl DataKeys {
    /// The active key and those still needed to read.
    #[must_use]
    pub const fn new(active: DataKey, older: Vec<DataKey>) -> Self {
        Self { active, older }
    }

    /// The key that encrypts.
    #[must_use]
    pub const fn active(&self) -> &DataKey {
        &self.active
    }

    fn by_version(&self, version: u32) -> Option<&DataKey> {
        std::iter::once(&self.active).chain(&self.older).find(|key| key.version == version)
    }
}

/// Encrypts and decrypts the columns of one facility. Cheap to clone.
///
/// The facility is given once, here, and not with each call: no call can name another one.
#[derive(Debug, Clone)]
pub struct FieldCipher {
    facility: Uuid,
    keys: Arc<DataKeys>,
}

impl FieldCipher {
    /// The cipher of a facility.
    #[must_use]
    pub fn new(facility: Uuid, keys: DataKeys) -> Self {
        Self { facility, keys: Arc::new(keys) }
    }

    /// Whose columns it reads.
    #[must_use]
    pub const fn facility(&self) -> Uuid {
        self.facility
    }

    /// Version of the key that encrypts.
    #[must_use]
    pub fn active_version(&self) -> u32 {
        self.keys.active.version
    }

    /// Encrypts a value for its place.
    ///
    /// # Errors
    /// [`CryptoError::Random`]; [`CryptoError::TooLong`] over [`PLAINTEXT_LIMIT_BYTES`].
    pub fn encrypt(&self, column: ColumnId, row: Uuid, plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let too_long =
            || CryptoError::TooLong { what: Sealed::Field { column, row }, limit_bytes: PLAINTEXT_LIMIT_BYTES as u64 };
        if plaintext.len() > PLAINTEXT_LIMIT_BYTES {
            return Err(too_long());
        }
        let key = &self.keys.active;
        let nonce = random::<NONCE_BYTES>()?;
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&key.version.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let aad = self.associated_data(key.version, column, row);
        let body = InOutBuf::from(&mut sealed[HEADER_BYTES..]);
        let tag = key.cipher.encrypt_inout_detached(&Nonce::from(nonce), &aad, body).map_err(|_| too_long())?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Decrypts a value in its place.
    ///
    /// # Errors
    /// [`CryptoError::Unreadable`] when the bytes are no ciphertext of ours or their key is not at hand,
    /// [`CryptoError::Tampered`] when they were changed or belong to another place.
    pub fn decrypt(&self, column: ColumnId, row: Uuid, sealed: &[u8]) -> Result<Phi<Vec<u8>>, CryptoError> {
        self.open(column, row, sealed).map(Phi::new)
    }

    /// Encrypts a text.
    ///
    /// # Errors
    /// Those of [`FieldCipher::encrypt`].
    pub fn encrypt_text(&self, column: ColumnId, row: Uuid, text: &Phi<String>) -> Result<Vec<u8>, CryptoError> {
        self.encrypt(column, row, text.reveal_str().as_bytes())
    }

    /// Encrypts a text that may be absent: `None` stays `None`.
    ///
    /// # Errors
    /// Those of [`FieldCipher::encrypt`].
    pub fn encrypt_text_opt(
        &self,
        column: ColumnId,
        row: Uuid,
        text: Option<&Phi<String>>,
    ) -> Result<Option<Vec<u8>>, CryptoError> {
        text.map(|text| self.encrypt_text(column, row, text)).transpose()
    }

    /// Decrypts a text.
    ///
    /// # Errors
    /// Those of [`FieldCipher::decrypt`], and [`Unreadable::NotText`].
    pub fn decrypt_text(&self, column: ColumnId, row: Uuid, sealed: &[u8]) -> Result<Phi<String>, CryptoError> {
        let bytes = self.open(column, row, sealed)?;
        String::from_utf8(bytes).map(Phi::new).map_err(|error| {
            error.into_bytes().zeroize();
            unreadable(column, row, Unreadable::NotText)
        })
    }

    /// Decrypts a text that may be absent.
    ///
    /// # Errors
    /// Those of [`FieldCipher::decrypt_text`].
    pub fn decrypt_text_opt(
        &self,
        column: ColumnId,
        row: Uuid,
        sealed: Option<&[u8]>,
    ) -> Result<Option<Phi<String>>, CryptoError> {
        sealed.map(|sealed| self.decrypt_text(column, row, sealed)).transpose()
    }

    /// Encrypts again under the active key, for rotation. `None` when it already is.
    ///
    /// # Errors
    /// Those of [`FieldCipher::decrypt`] and [`FieldCipher::encrypt`].
    pub fn reencrypt(&self, column: ColumnId, row: Uuid, sealed: &[u8]) -> Result<Option<Vec<u8>>, CryptoError> {
        let plaintext = self.decrypt(column, row, sealed)?;
        if key_version_of(sealed) == Some(self.active_version()) {
            return Ok(None);
        }
        self.encrypt(column, row, plaintext.reveal()).map(Some)
    }

    fn open(&self, column: ColumnId, row: Uuid, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let too_short = || unreadable(column, row, Unreadable::TooShort);
        let (format, rest) = sealed.split_first().ok_or_else(too_short)?;
        if *format != FORMAT {
            return Err(unreadable(column, row, Unreadable::Format(*format)));
        }
        let (version, rest) = rest.split_first_chunk::<VERSION_BYTES>().ok_or_else(too_short)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(too_short)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or_else(too_short)?;
        let version = u32::from_be_bytes(*version);
        let key =
            self.keys.by_version(version).ok_or_else(|| unreadable(column, row, Unreadable::KeyVersion(version)))?;
        let aad = self.associated_data(version, column, row);
        let mut plaintext = body.to_vec();
        let buffer = InOutBuf::from(plaintext.as_mut_slice());
        // The tag is checked before anything is decrypted, so a failure leaves only ciphertext behind.
        key.cipher
            .decrypt_inout_detached(&Nonce::from(*nonce), &aad, buffer, &Tag::from(*tag))
            .map_err(|_| CryptoError::Tampered { what: Sealed::Field { column, row } })?;
        Ok(plaintext)
    }

    /// Parts of fixed length first, then each name behind its length: no two places read the same.
    fn associated_data(&self, version: u32, column: ColumnId, row: Uuid) -> Vec<u8> {
        let mut data = Vec::with_capacity(128);
        data.extend_from_slice(b"anamnesis field\0");
        data.push(FORMAT);
        data.extend_from_slice(&version.to_be_bytes());
        data.extend_from_slice(self.facility.as_bytes());
        data.extend_from_slice(row.as_bytes());
        for name in [column.table, column.column] {
            data.extend_from_slice(&(name.len() as u64).to_be_bytes());
            data.extend_from_slice(name.as_bytes());
        }
        data
    }
}

const fn unreadable(column: ColumnId, row: Uuid, reason: Unreadable) -> CryptoError {
    CryptoError::Unreadable { what: Sealed::Field { column, row }, reason }
}

/// The key version a ciphertext was written under, without opening it; `None` when it is no ciphertext
/// of ours. Not authenticated: good for choosing what to rotate, not for trust.
#[must_use]
pub fn key_version_of(sealed: &[u8]) -> Option<u32> {
    if sealed.len() < OVERHEAD_BYTES {
        return None;
    }
    match sealed.split_first() {
        Some((&FORMAT, rest)) => rest.first_chunk::<VERSION_BYTES>().map(|version| u32::from_be_bytes(*version)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{ColumnId, DataKey, DataKeys, FieldCipher, OVERHEAD_BYTES, key_version_of};
    use crate::crypto::secret::from_hex;
    use crate::crypto::{CryptoError, Key32, Sealed, Unreadable};
    use crate::phi::Phi;

    const NAME: ColumnId = ColumnId::new("patients", "family_name");
    const ROW: Uuid = Uuid::from_u128(11);

    fn key(version: u8) -> DataKey {
        DataKey::new(u32::from(version), &Key32::from_bytes([version; 32]))
    }

    fn cipher(facility: u128) -> FieldCipher {
        FieldCipher::new(Uuid::from_u128(facility), DataKeys::new(key(2), vec![key(1)]))
    }

    fn tampered(column: ColumnId, row: Uuid) -> CryptoError {
        CryptoError::Tampered { what: Sealed::Field { column, row } }
    }

    #[test]
    fn the_layout_is_as_documented() {
        let sealed = cipher(1).encrypt(NAME, ROW, b"Maria").unwrap();
        assert_eq!(sealed.len(), 5 + OVERHEAD_BYTES);
        assert_eq!(sealed[..5], [1, 0, 0, 0, 2]);
        assert_eq!(key_version_of(&sealed), Some(2));
        assert_eq!(key_version_of(&sealed[..10]), None);
        assert_eq!(key_version_of(&[9; 60]), None);
    }

    #[test]
    fn a_ciphertext_of_format_1_still_opens() {
        // Made by another implementation (Python's `cryptography`) from the layout in the module's text.
        let sealed = from_hex("0100000002000102030405060708090a0b06ea6263933be521459877e4954fc50572ba29220e65cf6e4b");
        assert_eq!(cipher(1).decrypt_text(NAME, ROW, &sealed).unwrap(), Phi::from("O’Brien"));
    }

    #[test]
    fn a_ciphertext_moved_to_another_place_is_tampered() {
        let text = Phi::from("O’Brien");
        let sealed = cipher(1).encrypt_text(NAME, ROW, &text).unwrap();
        assert_eq!(cipher(1).decrypt_text(NAME, ROW, &sealed).unwrap(), text);

        let other_row = Uuid::from_u128(12);
        assert_eq!(cipher(1).decrypt(NAME, other_row, &sealed).unwrap_err(), tampered(NAME, other_row));
        assert_eq!(cipher(2).decrypt(NAME, ROW, &sealed).unwrap_err(), tampered(NAME, ROW));
        // Names that read the same when put together are still two places.
        for other in [
            ColumnId::new("patients", "given_name"),
            ColumnId::new("contacts", "family_name"),
            ColumnId::new("patientsfamily_", "name"),
            ColumnId::new("", "patientsfamily_name"),
        ] {
            assert_eq!(cipher(1).decrypt(other, ROW, &sealed).unwrap_err(), tampered(other, ROW));
        }
    }

    #[test]
    fn a_changed_key_version_is_tampered_or_unreadable() {
        let mut sealed = cipher(1).encrypt(NAME, ROW, b"Maria").unwrap();
        sealed[4] = 1;
        assert_eq!(cipher(1).decrypt(NAME, ROW, &sealed).unwrap_err(), tampered(NAME, ROW));
        sealed[4] = 3;
        let error = cipher(1).decrypt(NAME, ROW, &sealed).unwrap_err();
        let what = Sealed::Field { column: NAME, row: ROW };
        assert_eq!(error, CryptoError::Unreadable { what, reason: Unreadable::KeyVersion(3) });
    }

    #[test]
    fn errors_name_the_column_and_nothing_else() {
        let sealed = cipher(1).encrypt(NAME, ROW, b"Maria").unwrap();
        let error = cipher(2).decrypt(NAME, ROW, &sealed).unwrap_err();
        assert_eq!(error.to_string(), "patients.family_name was changed, or does not belong here");
        let error = cipher(2).decrypt(NAME, ROW, b"Maria").unwrap_err();
        assert_eq!(error.to_string(), "patients.family_name cannot be read: format 77 is not known");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_as_text_only() {
        let sealed = cipher(1).encrypt(NAME, ROW, &[0xff, 0xfe]).unwrap();
        let what = Sealed::Field { column: NAME, row: ROW };
        let expected = CryptoError::Unreadable { what, reason: Unreadable::NotText };
        assert_eq!(cipher(1).decrypt_text(NAME, ROW, &sealed).unwrap_err(), expected);
        assert_eq!(cipher(1).decrypt(NAME, ROW, &sealed).unwrap().reveal(), &[0xff, 0xfe]);
    }

    #[test]
    fn rotation_reads_the_old_key_and_writes_the_new() {
        let old = FieldCipher::new(Uuid::from_u128(1), DataKeys::new(key(1), vec![]));
        let sealed = old.encrypt(NAME, ROW, b"Maria").unwrap();
        let moved = cipher(1).reencrypt(NAME, ROW, &sealed).unwrap().unwrap();
        assert_eq!(key_version_of(&moved), Some(2));
        assert_eq!(cipher(1).decrypt(NAME, ROW, &moved).unwrap().reveal(), b"Maria");
        assert_eq!(cipher(1).reencrypt(NAME, ROW, &moved).unwrap(), None);
        assert!(old.decrypt(NAME, ROW, &moved).is_err());
    }

    #[test]
    fn absent_stays_absent() {
        assert_eq!(cipher(1).encrypt_text_opt(NAME, ROW, None).unwrap(), None);
        assert_eq!(cipher(1).decrypt_text_opt(NAME, ROW, None).unwrap(), None);
        let sealed = cipher(1).encrypt_text_opt(NAME, ROW, Some(&Phi::from(""))).unwrap().unwrap();
        assert_eq!(cipher(1).decrypt_text_opt(NAME, ROW, Some(&sealed)).unwrap(), Some(Phi::from("")));
    }

    #[test]
    fn a_thousand_ciphertexts_of_one_value_share_nothing() {
        let all: std::collections::HashSet<_> =
            (0..1000).map(|_| cipher(1).encrypt(NAME, ROW, b"Maria").unwrap()[5..].to_vec()).collect();
        assert_eq!(all.len(), 1000);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(plaintext in prop::collection::vec(any::<u8>(), 0..300), row: u128) {
            let row = Uuid::from_u128(row);
            let sealed = cipher(1).encrypt(NAME, row, &plaintext).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD_BYTES);
            let opened = cipher(1).decrypt(NAME, row, &sealed).unwrap();
            prop_assert_eq!(opened.reveal(), &plaintext);
        }

        #[test]
        fn one_changed_bit_anywhere_is_refused(
            plaintext in prop::collection::vec(any::<u8>(), 0..80), at: prop::sample::Index, bit in 0_u8..8,
        ) {
            let mut sealed = cipher(1).encrypt(NAME, ROW, &plaintext).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1_u8 << bit;
            prop_assert!(cipher(1).decrypt(NAME, ROW, &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(cipher(1).decrypt(NAME, ROW, &bytes).is_err());
        }
    }
}
