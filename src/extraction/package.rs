//! The ZIP packages that office formats are, unpacked within limits.
//!
//! Only parts that a reader names are unpacked, each within what is left of the limit for all of them and within a
//! ratio to its packed size; the sizes that the archive declares are not believed.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ExtractionError, Limits};

/// Word writes a dozen entries, and one more for each picture.
const MAX_ENTRIES: usize = 10_000;

/// Documents unpack to some ten times their size, tables of repeated cells to some fifty. Packed
/// emptiness comes to a thousand.
const MAX_RATIO: usize = 200;

/// Parts smaller than this are never held to the ratio.
const RATIO_FREE_BYTES: usize = 1024 * 1024;

/// An open package.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    unpacked_left: usize,
}

impl<'a> Package<'a> {
    pub(super) fn open(content: &'a [u8], limits: &Limits) -> Result<Self, ExtractionError> {
        let archive = ZipArchive::new(Cursor::new(content)).map_err(zip_error)?;
        if archive.len() > MAX_ENTRIES {
            return Err(ExtractionError::TooLarge);
        }
        Ok(Self { archive, unpacked_left: limits.unpacked_bytes })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(name).is_some()
    }

    /// Parts named `start`, a number or nothing, and `.xml`, in the order of their numbers.
    pub(super) fn numbered(&self, start: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .archive
            .file_names()
            .flatten()
            .filter(|name| {
                name.strip_prefix(start)
                    .and_then(|rest| rest.strip_suffix(".xml"))
                    .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            })
            .map(Cow::into_owned)
            .collect();
        // header2 before header10.
        names.sort_by_key(|name| (name.len(), name.clone()));
        names.dedup();
        names
    }

    /// Unpacks one part.
    pub(super) fn unpack(&mut self, name: &str) -> Result<Vec<u8>, ExtractionError> {
        let mut part = self.archive.by_name(name).map_err(zip_error)?;
        let packed = usize::try_from(part.compressed_size()).unwrap_or(usize::MAX);
        let by_ratio = packed.saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES);
        let most = by_ratio.min(self.unpacked_left);
        let mut unpacked = Vec::new();
        // One byte more than allowed tells "too large" from "just fits".
        let one_more = u64::try_from(most.saturating_add(1)).unwrap_or(u64::MAX);
        part.by_ref().take(one_more).read_to_end(&mut unpacked).map_err(|_| ExtractionError::Damaged)?;
        if unpacked.len() > most {
            return Err(ExtractionError::TooLarge);
        }
        self.unpacked_left -= unpacked.len();
        Ok(unpacked)
    }

    /// Unpacks one part, where there is one of the name.
    pub(super) fn unpack_optional(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractionError> {
        if self.has(name) { self.unpack(name).map(Some) } else { Ok(None) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "taken by value to be named in map_err without a closure")]
fn zip_error(error: ZipError) -> ExtractionError {
    match error {
        ZipError::InvalidPassword => ExtractionError::Encrypted,
        ZipError::UnsupportedArchive(text) if text == ZipError::PASSWORD_REQUIRED => ExtractionError::Encrypted,
        _ => ExtractionError::Damaged,
    }
}
