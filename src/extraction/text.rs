//! Plain text in any of the encodings it arrives in.
//!
//! Order of belief: byte order mark, then valid UTF-8, then Windows-1252, in which every byte is some
//! character, so nothing is lost. Not done: guessing among other encodings without a mark.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::{Extracted, ExtractionError, Limits};

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    Extracted::unpaged(&decode(content, None), limits)
}

/// Decodes by byte order mark, else `declared`, else UTF-8 where valid, else Windows-1252. A sequence
/// that is wrong in the chosen encoding becomes U+FFFD.
pub(super) fn decode<'a>(content: &'a [u8], declared: Option<&'static Encoding>) -> Cow<'a, str> {
    let undeclared = Encoding::for_bom(content).is_none() && declared.is_none();
    if let Ok(text) = std::str::from_utf8(content)
        && undeclared
    {
        return Cow::Borrowed(text);
    }
    // `decode` honours a byte order mark over the encoding it is called on.
    let (text, _, _) = declared.unwrap_or(WINDOWS_1252).decode(content);
    text
}
