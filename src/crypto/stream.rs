//! Encryption of files as a stream, so that a file of any size passes through a few buffers.
//!
//! The STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption
//! and its Nonce-Reuse Misuse-Resistance" (CRYPTO 2015, section 7), over AES-256-GCM. The plaintext is
//! cut into segments of 64 KiB, each sealed with its own tag; the nonce of a segment is a random prefix
//! of the file (7 bytes), the segment's number (4, big-endian) and whether it is the last (1). Stored:
//! format (1 byte, now 1), prefix (7), then the sealed segments, each 16 bytes longer than its
//! plaintext; only the last may be shorter than 64 KiB, and an empty file is one empty segment.
//!
//! Invariants:
//! - a segment changed, left out, doubled, reordered or cut off does not open, nor does one of another
//!   file or facility (both ids are associated data): [`CryptoError::Tampered`];
//! - each file has a key of its own, random, so nonces cannot meet those of another file. The caller
//!   wraps it with the facility's [`FieldCipher`](super::field::FieldCipher) and stores it;
//! - what [`Opener::push`] gives is authentic and in its place, but only [`Opener::finish`] says that
//!   nothing is missing behind it. Whoever must not act on a part waits for it.
//!
//! It neither reads nor writes: bytes are pushed in and come out. It does not compress, and does not
//! hide how long a file is.

use std::fmt;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};
use bytes::Bytes;
use uuid::Uuid;

use super::secret::random;
use super::{CryptoError, Key32, Sealed, Unreadable};

const FORMAT: u8 = 1;
const PREFIX_BYTES: usize = 7;
const TAG_BYTES: usize = 16;

/// Plaintext bytes of a full segment.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// Bytes before the first segment.
pub const HEADER_BYTES: usize = 1 + PREFIX_BYTES;

/// Stored length of a file, both in bytes.
#[must_use]
pub const fn sealed_length(plaintext_bytes: u64) -> u64 {
    let segments = match plaintext_bytes.div_ceil(SEGMENT_BYTES as u64) {
        0 => 1,
        segments => segments,
    };
    HEADER_BYTES as u64 + plaintext_bytes + segments * TAG_BYTES as u64
}

/// What both directions share: key, names, and where in the file they are.
struct Position {
    cipher: Aes256Gcm,
    file: Uuid,
    associated_data: Vec<u8>,
    prefix: [u8; PREFIX_BYTES],
    /// Number of the next segment; `None` when the counter has run out.
    next: Option<u32>,
    segment_bytes: usize,
}

impl Position {
    fn new(key: &Key32, file: Uuid, facility: Uuid, prefix: [u8; PREFIX_BYTES], segment_bytes: usize) -> Self {
        let mut associated_data = Vec::with_capacity(64);
        associated_data.extend_from_slice(b"anamnesis file\0");
        associated_data.push(FORMAT);
        associated_data.extend_from_slice(file.as_bytes());
        associated_data.extend_from_slice(facility.as_bytes());
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.expose()));
        Self { cipher, file, associated_data, prefix, next: Some(0), segment_bytes }
    }

    /// The nonce of the next segment; moves on.
    fn step(&mut self, last: bool) -> Result<[u8; 12], CryptoError> {
        let number = self.next.ok_or(CryptoError::TooLong {
            what: Sealed::File { file: self.file },
            limit_bytes: (1 << 32) * self.segment_bytes as u64,
        })?;
        self.next = number.checked_add(1);
        let mut nonce = [0; 12];
        nonce[..PREFIX_BYTES].copy_from_slice(&self.prefix);
        nonce[PREFIX_BYTES..11].copy_from_slice(&number.to_be_bytes());
        nonce[11] = u8::from(last);
        Ok(nonce)
    }

    /// Seals in place and puts the tag behind.
    fn seal(&mut self, mut segment: Vec<u8>, last: bool) -> Result<Bytes, CryptoError> {
        let nonce = Nonce::from(self.step(last)?);
        let body = InOutBuf::from(segment.as_mut_slice());
        let tag =
            self.cipher.encrypt_inout_detached(&nonce, &self.associated_data, body).map_err(|_| self.tampered())?;
        segment.extend_from_slice(&tag);
        Ok(Bytes::from(segment))
    }

    /// Checks the tag, opens in place and takes the tag off.
    fn open(&mut self, mut segment: Vec<u8>, last: bool) -> Result<Bytes, CryptoError> {
        let nonce = Nonce::from(self.step(last)?);
        let cut = segment.len().checked_sub(TAG_BYTES).ok_or_else(|| self.tampered())?;
        let (body, tag) = segment.split_at_mut(cut);
        let tag = Tag::try_from(&*tag).map_err(|_| self.tampered())?;
        self.cipher
            .decrypt_inout_detached(&nonce, &self.associated_data, InOutBuf::from(body), &tag)
            .map_err(|_| self.tampered())?;
        segment.truncate(cut);
        Ok(Bytes::from(segment))
    }

    const fn tampered(&self) -> CryptoError {
        CryptoError::Tampered { what: Sealed::File { file: self.file } }
    }
}

/// Fills segments from chunks of any size. A full segment is held back until more arrives, because the
/// last one is sealed differently.
struct Segments {
    held: Vec<u8>,
    full_bytes: usize,
    capacity_bytes: usize,
}

impl Segments {
    const fn new(full_bytes: usize, capacity_bytes: usize) -> Self {
        Self { held: Vec::new(), full_bytes, capacity_bytes }
    }

    /// Takes from `chunk` until a segment is known not to be the last; that segment, if there is one.
    fn fill(&mut self, chunk: &mut Bytes) -> Option<Vec<u8>> {
        while !chunk.is_empty() {
            if self.held.len() == self.full_bytes {
                return Some(std::mem::take(&mut self.held));
            }
            if self.held.capacity() == 0 {
                self.held.reserve_exact(self.capacity_bytes);
            }
            let take = chunk.len().min(self.full_bytes - self.held.len());
            self.held.extend_from_slice(&chunk.split_to(take));
        }
        None
    }
}

/// Encrypts a file: [`Sealer::push`] each chunk, store what comes out in order, then [`Sealer::finish`].
pub struct Sealer {
    position: Position,
    segments: Segments,
    header: Option<Bytes>,
}

impl Sealer {
    /// Starts a file under a key used for no other file.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn new(key: &Key32, file: Uuid, facility: Uuid) -> Result<Self, CryptoError> {
        Self::with_segments_of(SEGMENT_BYTES, key, file, facility)
    }

    fn with_segments_of(bytes: usize, key: &Key32, file: Uuid, facility: Uuid) -> Result<Self, CryptoError> {
        let prefix = random::<PREFIX_BYTES>()?;
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.push(FORMAT);
        header.extend_from_slice(&prefix);
        Ok(Self {
            position: Position::new(key, file, facility, prefix, bytes),
            segments: Segments::new(bytes, bytes + TAG_BYTES),
            header: Some(Bytes::from(header)),
        })
    }

    /// Takes a chunk of plaintext; gives what is ready to store, perhaps nothing.
    ///
    /// # Errors
    /// [`CryptoError::TooLong`] past 2^32 segments (256 TiB). The file is then of no use.
    pub fn push(&mut self, mut chunk: Bytes) -> Result<Vec<Bytes>, CryptoError> {
        let mut ready: Vec<Bytes> = self.header.take().into_iter().collect();
        while let Some(segment) = self.segments.fill(&mut chunk) {
            ready.push(self.position.seal(segment, false)?);
        }
        Ok(ready)
    }

    /// Ends the file; gives the rest to store.
    ///
    /// # Errors
    /// Those of [`Sealer::push`].
    pub fn finish(mut self) -> Result<Vec<Bytes>, CryptoError> {
        let mut ready: Vec<Bytes> = self.header.take().into_iter().collect();
        let last = std::mem::take(&mut self.segments.held);
        ready.push(self.position.seal(last, true)?);
        Ok(ready)
    }
}

/// Decrypts a file: [`Opener::push`] each stored chunk, then [`Opener::finish`].
///
/// After an error every further call gives [`CryptoError::Tampered`]: nothing behind a bad segment is
/// ever opened.
pub struct Opener {
    key: Key32,
    file: Uuid,
    facility: Uuid,
    segment_bytes: usize,
    header: Vec<u8>,
    state: OpenerState,
}

enum OpenerState {
    Header,
    Body { position: Box<Position>, segments: Segments },
    Failed,
}

impl Opener {
    /// Starts reading a file.
    #[must_use]
    pub const fn new(key: Key32, file: Uuid, facility: Uuid) -> Self {
        Self::with_segments_of(SEGMENT_BYTES, key, file, facility)
    }

    const fn with_segments_of(segment_bytes: usize, key: Key32, file: Uuid, facility: Uuid) -> Self {
        Self { key, file, facility, segment_bytes, header: Vec::new(), state: OpenerState::Header }
    }

    /// Takes a chunk of the stored file; gives the plaintext that is certain, perhaps none.
    ///
    /// # Errors
    /// [`CryptoError::Unreadable`] for an unknown format, [`CryptoError::Tampered`] for a segment that
    /// does not belong where it stands.
    pub fn push(&mut self, chunk: Bytes) -> Result<Vec<Bytes>, CryptoError> {
        let opened = self.advance(chunk);
        if opened.is_err() {
            self.state = OpenerState::Failed;
        }
        opened
    }

    fn advance(&mut self, mut chunk: Bytes) -> Result<Vec<Bytes>, CryptoError> {
        if matches!(self.state, OpenerState::Header) {
            self.read_header(&mut chunk)?;
        }
        let mut ready = Vec::new();
        match &mut self.state {
            OpenerState::Header => {}
            OpenerState::Body { position, segments } => {
                while let Some(segment) = segments.fill(&mut chunk) {
                    ready.push(position.open(segment, false)?);
                }
            }
            OpenerState::Failed => return Err(self.tampered()),
        }
        Ok(ready)
    }

    fn read_header(&mut self, chunk: &mut Bytes) -> Result<(), CryptoError> {
        let take = chunk.len().min(HEADER_BYTES - self.header.len());
        self.header.extend_from_slice(&chunk.split_to(take));
        if let Some(format) = self.header.first().filter(|format| **format != FORMAT) {
            let what = Sealed::File { file: self.file };
            return Err(CryptoError::Unreadable { what, reason: Unreadable::Format(*format) });
        }
        if let Some((_, prefix)) = self.header.split_first()
            && let Ok(prefix) = <[u8; PREFIX_BYTES]>::try_from(prefix)
        {
            let sealed_bytes = self.segment_bytes + TAG_BYTES;
            self.state = OpenerState::Body {
                position: Box::new(Position::new(&self.key, self.file, self.facility, prefix, self.segment_bytes)),
                segments: Segments::new(sealed_bytes, sealed_bytes),
            };
        }
        Ok(())
    }

    /// Ends the file; gives the last plaintext. Only this says that the file is whole.
    ///
    /// # Errors
    /// [`CryptoError::Tampered`] when the end is missing.
    pub fn finish(mut self) -> Result<Bytes, CryptoError> {
        let tampered = self.tampered();
        match &mut self.state {
            OpenerState::Body { position, segments } => {
                let last = std::mem::take(&mut segments.held);
                position.open(last, true)
            }
            OpenerState::Header | OpenerState::Failed => Err(tampered),
        }
    }

    const fn tampered(&self) -> CryptoError {
        CryptoError::Tampered { what: Sealed::File { file: self.file } }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("file", &self.position.file).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{HEADER_BYTES, Opener, SEGMENT_BYTES, Sealer, TAG_BYTES, sealed_length};
    use crate::crypto::secret::from_hex;
    use crate::crypto::{CryptoError, Key32, Sealed, Unreadable};

    const FILE: Uuid = Uuid::from_u128(1);
    const FACILITY: Uuid = Uuid::from_u128(2);
    /// Small segments make many of them out of little data.
    const SMALL: usize = 16;

    fn key() -> Key32 {
        Key32::from_bytes([5; 32])
    }

    fn tampered() -> CryptoError {
        CryptoError::Tampered { what: Sealed::File { file: FILE } }
    }

    /// Cuts `data` at any places, empty pieces included.
    fn pieces(data: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        at.push(0);
        at.push(data.len());
        at.sort_unstable();
        at.windows(2).map(|pair| Bytes::copy_from_slice(&data[pair[0]..pair[1]])).collect()
    }

    fn seal(segment_bytes: usize, parts: &[Bytes]) -> Vec<u8> {
        let mut sealer = Sealer::with_segments_of(segment_bytes, &key(), FILE, FACILITY).unwrap();
        let mut stored = Vec::new();
        for part in parts {
            stored.extend(sealer.push(part.clone()).unwrap());
        }
        stored.extend(sealer.finish().unwrap());
        stored.concat()
    }

    fn open_with(mut opener: Opener, parts: &[Bytes]) -> Result<Vec<u8>, CryptoError> {
        let mut plaintext = Vec::new();
        for part in parts {
            plaintext.extend(opener.push(part.clone())?);
        }
        plaintext.push(opener.finish()?);
        Ok(plaintext.concat())
    }

    fn open(segment_bytes: usize, parts: &[Bytes]) -> Result<Vec<u8>, CryptoError> {
        open_with(Opener::with_segments_of(segment_bytes, key(), FILE, FACILITY), parts)
    }

    fn whole(stored: &[u8]) -> Vec<Bytes> {
        vec![Bytes::copy_from_slice(stored)]
    }

    /// A header and six segments (five full, one of seven bytes).
    fn six_segments() -> (Vec<u8>, Vec<Vec<u8>>) {
        let stored = seal(SMALL, &whole(&(0..87).collect::<Vec<u8>>()));
        let segments = stored[HEADER_BYTES..].chunks(SMALL + TAG_BYTES).map(<[u8]>::to_vec).collect();
        (stored[..HEADER_BYTES].to_vec(), segments)
    }

    #[test]
    fn lengths_around_the_segment_size_are_kept() {
        for length in [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES] {
            let plaintext: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let stored = seal(SEGMENT_BYTES, &whole(&plaintext));
            assert_eq!(stored.len() as u64, sealed_length(length as u64), "{length}");
            let opener = Opener::new(key(), FILE, FACILITY);
            assert!(open_with(opener, &whole(&stored)).unwrap() == plaintext, "{length}");
        }
    }

    #[test]
    fn a_file_of_format_1_still_opens() {
        // Made by another implementation (Python's `cryptography`) from the layout in the module's text.
        let stored = from_hex(concat!(
            "010001020304050617f565fd5d563cdc75ec8e32ab82d18352e1e3dfdbb9ef3962eea0d3d3ceeb45",
            "c83beee4fe75178a65c27cf05914be1b2e045ed4",
        ));
        assert_eq!(open(SMALL, &whole(&stored)).unwrap(), b"twenty letters here.");
    }

    #[test]
    fn the_first_output_is_the_header_and_a_full_segment_waits_for_more() {
        let mut sealer = Sealer::new(&key(), FILE, FACILITY).unwrap();
        let first = sealer.push(Bytes::from(vec![0; SEGMENT_BYTES])).unwrap();
        assert_eq!(first.iter().map(Bytes::len).collect::<Vec<_>>(), [HEADER_BYTES]);
        let second = sealer.push(Bytes::from_static(b"x")).unwrap();
        assert_eq!(second.iter().map(Bytes::len).collect::<Vec<_>>(), [SEGMENT_BYTES + TAG_BYTES]);
        assert_eq!(sealer.finish().unwrap().concat().len(), 1 + TAG_BYTES);
    }

    #[test]
    fn segments_left_out_doubled_or_swapped_are_refused() {
        let (header, segments) = six_segments();
        assert_eq!(segments.len(), 6);
        let join = |order: &[usize]| {
            let mut stored = header.clone();
            for at in order {
                stored.extend_from_slice(&segments[*at]);
            }
            open(SMALL, &whole(&stored))
        };
        assert_eq!(join(&[0, 1, 2, 3, 4, 5]).unwrap(), (0..87).collect::<Vec<u8>>());
        for order in [
            &[][..],          // nothing but the header
            &[0, 1, 2, 3, 4], // the end cut off at a boundary
            &[0],
            &[1, 2, 3, 4, 5], // the beginning
            &[0, 1, 3, 4, 5], // the middle
            &[0, 2, 1, 3, 4, 5],
            &[0, 1, 1, 2, 3, 4, 5],
            &[0, 1, 2, 3, 4, 4, 5],
            &[5],
        ] {
            assert_eq!(join(order).unwrap_err(), tampered(), "{order:?}");
        }
    }

    #[test]
    fn a_segment_of_another_file_under_the_same_key_is_refused() {
        let (header, mut segments) = six_segments();
        let (_, other) = six_segments();
        segments[2].clone_from(&other[2]);
        let stored = [header, segments.concat()].concat();
        assert_eq!(open(SMALL, &whole(&stored)).unwrap_err(), tampered());
    }

    #[test]
    fn a_file_opens_only_as_itself() {
        let stored = whole(&seal(SMALL, &whole(b"a report of several segments, sealed")));
        let other = Uuid::from_u128(9);
        let as_other_file = Opener::with_segments_of(SMALL, key(), other, FACILITY);
        let what = Sealed::File { file: other };
        assert_eq!(open_with(as_other_file, &stored).unwrap_err(), CryptoError::Tampered { what });
        let in_other_facility = Opener::with_segments_of(SMALL, key(), FILE, other);
        assert_eq!(open_with(in_other_facility, &stored).unwrap_err(), tampered());
        let other_key = Opener::with_segments_of(SMALL, Key32::from_bytes([6; 32]), FILE, FACILITY);
        assert_eq!(open_with(other_key, &stored).unwrap_err(), tampered());
        assert!(open(SMALL, &stored).is_ok());
    }

    #[test]
    fn nothing_comes_out_after_a_fault() {
        let (header, segments) = six_segments();
        let mut bad = segments[1].clone();
        bad[0] ^= 1;
        let mut opener = Opener::with_segments_of(SMALL, key(), FILE, FACILITY);
        assert!(opener.push(Bytes::from([header, segments[0].clone(), bad, vec![0]].concat())).is_err());
        assert_eq!(opener.push(Bytes::from(segments[2].clone())).unwrap_err(), tampered());
        assert_eq!(opener.finish().unwrap_err(), tampered());
    }

    #[test]
    fn an_unknown_format_says_so() {
        let mut opener = Opener::new(key(), FILE, FACILITY);
        let what = Sealed::File { file: FILE };
        let expected = CryptoError::Unreadable { what, reason: Unreadable::Format(2) };
        assert_eq!(opener.push(Bytes::from_static(&[2])).unwrap_err(), expected);
    }

    #[test]
    fn the_counter_ends_with_an_error_and_not_with_a_repeated_nonce() {
        let mut sealer = Sealer::with_segments_of(1, &key(), FILE, FACILITY).unwrap();
        sealer.position.next = Some(u32::MAX);
        assert!(sealer.push(Bytes::from_static(b"ab")).is_ok());
        let error = sealer.push(Bytes::from_static(b"c")).unwrap_err();
        assert!(matches!(error, CryptoError::TooLong { .. }));
    }

    proptest! {
        #[test]
        fn any_split_seals_and_opens(
            data in prop::collection::vec(any::<u8>(), 0..200),
            sealing in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            opening in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stored = seal(SMALL, &pieces(&data, &sealing));
            prop_assert_eq!(open(SMALL, &pieces(&stored, &opening)).unwrap(), data);
        }

        #[test]
        fn a_cut_or_changed_file_is_refused(
            data in prop::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index, bit in 0_u8..8,
        ) {
            let stored = seal(SMALL, &whole(&data));
            let at = at.index(stored.len());
            prop_assert!(open(SMALL, &whole(&stored[..at])).is_err());
            let mut changed = stored.clone();
            changed[at] ^= 1_u8 << bit;
            prop_assert!(open(SMALL, &whole(&changed)).is_err());
            let mut longer = stored;
            longer.push(0);
            prop_assert!(open(SMALL, &whole(&longer)).is_err());
        }
    }
}
