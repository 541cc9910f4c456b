//! From a stored file to its text.
//!
//! Uploaded files are untrusted: a PDF or a ZIP can be built to loop for ever, to unpack to terabytes
//! or to nest until the stack is gone. Three things keep such a file from hurting more than itself:
//!
//! - what a file is comes from its bytes ([`sniff()`]), never from its name or the declared MIME type;
//! - every reader holds itself to [`Limits`] ([`extract_bytes`]);
//! - the worker runs the reader in a child process with operating-system limits ([`Extractor`]), so
//!   that a fault of a parser ends one child and becomes one [`ExtractionError`].
//!
//! Invariants: an error never carries anything of the file; text that is returned holds no control
//! characters but line feed and tab, and is within [`Limits::text_bytes`]; a limit that is reached is
//! an error and never a silent cut. Text in pictures is recognised by `tesseract`, where it is installed,
//! under the same kind of limits ([`Recognizer`]). Not done here: deciding what a caller may see.

use serde::{Deserialize, Serialize};

mod cda;
mod child;
mod docx;
mod fhir;
mod html;
mod kind;
mod mail;
mod ocr;
mod opendocument;
mod package;
mod parent;
mod pdf;
mod rtf;
mod sandbox;
mod sniff;
mod text;
mod tidy;
mod xlsx;
mod xml;

#[cfg(test)]
mod tests;

pub use child::{ChildArguments, SUBCOMMAND as CHILD_SUBCOMMAND, run_child};
pub use kind::FileKind;
pub use ocr::{OcrArguments, OcrLimits, Recognizer, SUBCOMMAND as OCR_SUBCOMMAND, run_ocr_child};
pub use parent::Extractor;
pub use sniff::{SNIFF_BYTES, agrees, sniff};

/// The text of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extracted {
    /// The pages in reading order; exactly one for kinds without pages. At least one holds text.
    pub pages: Vec<Page>,
    /// Numbers of the pages that are damaged, so that their text is missing or incomplete.
    pub damaged_pages: Vec<u32>,
}

/// The text of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The page's position in the file, from 1; `None` for kinds without fixed pages.
    pub number: Option<u32>,
    /// The page's text, lines ended by line feeds. May be empty (a picture among pages of text).
    pub text: String,
    /// Where lines of the text stand on the page, in reading order; empty where the text was not read from a picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boxes: Vec<TextBox>,
}

/// Where a stretch of a page's text stands. Places are ten-thousandths of the width and height of the picture it was
/// read from, which of a scan is the page, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextBox {
    /// First character, in Unicode scalar values.
    pub start_char: usize,
    /// The character after the last.
    pub end_char: usize,
    pub left: i16,
    pub top: i16,
    pub right: i16,
    pub bottom: i16,
}

impl Extracted {
    /// The text of a kind without pages, tidied; [`ExtractionError::NoText`] when there is none.
    fn unpaged(text: &str, limits: &Limits) -> Result<Self, ExtractionError> {
        let text = tidy::tidy(text);
        if text.len() > limits.text_bytes {
            return Err(ExtractionError::TooMuchText);
        }
        if text.is_empty() {
            return Err(ExtractionError::NoText);
        }
        let page = Page { number: None, text, boxes: Vec::new() };
        Ok(Self { pages: vec![page], damaged_pages: Vec::new() })
    }

    /// Total length of the text in bytes of UTF-8.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.pages.iter().map(|page| page.text.len()).sum()
    }
}

/// What one extraction may use. A file that needs more is refused, not cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Address space of the child process, in bytes.
    pub memory_bytes: u64,
    /// Processor time of the child process, in seconds.
    pub cpu_seconds: u64,
    /// Time from the start of the child to its answer.
    pub wall: std::time::Duration,
    /// Size of the file itself, in bytes.
    pub file_bytes: usize,
    /// Size of what is unpacked from the file (all read parts of a DOCX, one page of a PDF), in bytes.
    pub unpacked_bytes: usize,
    /// Length of the whole text, in bytes of UTF-8.
    pub text_bytes: usize,
    /// Number of pages.
    pub pages: usize,
}

const MIB: usize = 1024 * 1024;

impl Limits {
    /// Ends a reader whose text has become too long. Twice the limit, because tidying may still shrink the text.
    fn hold_text(&self, text: &str) -> Result<(), ExtractionError> {
        if text.len() > self.text_bytes.saturating_mul(2) { Err(ExtractionError::TooMuchText) } else { Ok(()) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 * MIB as u64,
            cpu_seconds: 20,
            wall: std::time::Duration::from_secs(30),
            // Above the 50 MB (decimal or binary) that an upload may have.
            file_bytes: 64 * MIB,
            unpacked_bytes: 64 * MIB,
            text_bytes: 10 * MIB,
            pages: 5000,
        }
    }
}

/// Why a file has no text to search. Closed: each has a stable [`code`](Self::code) and a sentence for
/// the person who uploaded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[error("{}", self.reason())]
pub enum ExtractionError {
    /// The file needs a password to be opened.
    Encrypted,
    /// The file breaks the rules of its format.
    Damaged,
    /// The file, or what it unpacks to, is over the limit.
    TooLarge,
    /// The text is over the limit.
    TooMuchText,
    /// There are more pages than the limit.
    TooManyPages,
    /// Parts lie inside each other deeper than any real document.
    TooDeep,
    /// The time ran out.
    TookTooLong,
    /// The memory ran out.
    TooMuchMemory,
    /// There is nothing to search: an empty file, or pages that are only pictures.
    NoText,
    /// No reader for this kind.
    Unsupported,
    /// The bytes are of another kind than the one named.
    ContentMismatch,
    /// The text stands in pictures, and there is nothing to read pictures with.
    NoOcr,
    /// The reader could not be run, or the file not be fetched. Says nothing about the file.
    Unavailable,
}

impl ExtractionError {
    /// Every error, in the order of declaration.
    pub const ALL: [Self; 13] = [
        Self::Encrypted,
        Self::Damaged,
        Self::TooLarge,
        Self::TooMuchText,
        Self::TooManyPages,
        Self::TooDeep,
        Self::TookTooLong,
        Self::TooMuchMemory,
        Self::NoText,
        Self::Unsupported,
        Self::ContentMismatch,
        Self::NoOcr,
        Self::Unavailable,
    ];

    /// The stable name, for storage and programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Damaged => "damaged",
            Self::TooLarge => "too_large",
            Self::TooMuchText => "too_much_text",
            Self::TooManyPages => "too_many_pages",
            Self::TooDeep => "too_deep",
            Self::TookTooLong => "took_too_long",
            Self::TooMuchMemory => "too_much_memory",
            Self::NoText => "no_text",
            Self::Unsupported => "unsupported",
            Self::ContentMismatch => "content_mismatch",
            Self::NoOcr => "no_ocr",
            Self::Unavailable => "unavailable",
        }
    }

    /// The error with this [`code`](Self::code), if there is one.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.code() == code)
    }

    /// What to tell the person who uploaded the file. Never holds anything of the file.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Encrypted => "The file is protected by a password. Upload a copy saved without the password.",
            Self::Damaged => "The file is damaged or incomplete and could not be read. Try exporting it again.",
            Self::TooLarge => "The file is too large once it is unpacked.",
            Self::TooMuchText => "The file holds more text than can be searched. Split it into smaller files.",
            Self::TooManyPages => "The file has too many pages. Split it into smaller files.",
            Self::TooDeep => "The parts of the file are nested too deeply. Try exporting it again in another format.",
            Self::TookTooLong => "Reading the file took too long. Try exporting it again.",
            Self::TooMuchMemory => "Reading the file needed too much memory. Split it into smaller files.",
            Self::NoText => "No text was found in the file. It is empty, or shows no words.",
            Self::Unsupported => "The text of this kind of file cannot be searched yet. The file itself is kept.",
            Self::ContentMismatch => {
                "The content of the file does not match its name or type. Upload the original file."
            }
            Self::NoOcr => {
                "The file is a picture or a scan, and this server cannot read text in pictures. The file itself is kept."
            }
            Self::Unavailable => "The file could not be read just now. It can be tried again.",
        }
    }

    /// Whether the file is sound all the same, and only has no text to search.
    #[must_use]
    pub const fn is_without_text(self) -> bool {
        matches!(self, Self::NoText | Self::NoOcr)
    }

    /// Whether the same file may succeed when tried again without a change to it. Running out of time
    /// or memory counts as the file's fault: trying again would only burn the same amount once more.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

/// Extracts the text of `content` in this process.
///
/// Bounded by the counts and sizes of `limits`, but not by its time and memory: content from outside
/// goes through [`Extractor`].
///
/// # Errors
/// [`ExtractionError::ContentMismatch`] when the bytes are not of `kind`; otherwise what the reader of
/// that kind found.
pub fn extract_bytes(kind: FileKind, content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    if content.len() > limits.file_bytes {
        return Err(ExtractionError::TooLarge);
    }
    if content.is_empty() {
        return Err(ExtractionError::NoText);
    }
    let prefix = content.get(..SNIFF_BYTES).unwrap_or(content);
    if sniff(prefix) != kind {
        return Err(ExtractionError::ContentMismatch);
    }
    match kind {
        FileKind::PlainText => text::extract(content, limits),
        FileKind::Html => html::extract(content, limits),
        FileKind::Rtf => rtf::extract(content, limits),
        FileKind::Pdf => pdf::extract(content, limits),
        FileKind::Docx => docx::extract(content, limits),
        FileKind::OpenDocument => opendocument::extract(content, limits),
        FileKind::Xlsx => xlsx::extract(content, limits),
        FileKind::Mail => mail::extract(content, limits),
        FileKind::Xml => cda::extract(content, limits),
        FileKind::Fhir => fhir::extract(content, limits),
        _ => Err(ExtractionError::Unsupported),
    }
}
