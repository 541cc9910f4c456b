//! Tests of the readers and of the signatures, on files made here.

mod docx;
mod errors;
mod formats;
mod markup;
mod pdf;
#[expect(dead_code, reason = "some of the files are only for the tests of the child process")]
mod samples;
mod samples_formats;
mod sniffing;

use super::{Extracted, ExtractionError, FileKind, Limits, extract_bytes};

/// Extracts with the limits of production.
fn extract(kind: FileKind, content: &[u8]) -> Result<Extracted, ExtractionError> {
    extract_bytes(kind, content, &Limits::default())
}

/// The text of a file of a kind without pages.
fn text_of(kind: FileKind, content: &[u8]) -> String {
    let mut extracted = extract(kind, content).unwrap();
    assert_eq!(extracted.pages.len(), 1, "one page");
    let page = extracted.pages.remove(0);
    assert_eq!(page.number, None, "no number");
    page.text
}
