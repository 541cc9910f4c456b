//! What is told of a failure, and how.

use std::collections::BTreeSet;

use super::super::sniff;
use super::{ExtractionError, FileKind, Limits, extract, extract_bytes, samples};

#[test]
fn every_error_has_its_own_code_and_sentence_and_is_found_by_its_code() {
    let codes: BTreeSet<_> = ExtractionError::ALL.iter().map(|error| error.code()).collect();
    let reasons: BTreeSet<_> = ExtractionError::ALL.iter().map(|error| error.reason()).collect();
    assert_eq!((codes.len(), reasons.len()), (ExtractionError::ALL.len(), ExtractionError::ALL.len()));
    for error in ExtractionError::ALL {
        assert_eq!(ExtractionError::from_code(error.code()), Some(error));
        assert_eq!(serde_json::to_value(error).unwrap(), error.code());
        assert_eq!(error.to_string(), error.reason());
        assert!(error.reason().ends_with('.'), "{error:?} is told in sentences");
    }
    assert_eq!(ExtractionError::from_code("no_such"), None);
}

#[test]
fn only_a_fault_on_this_side_is_worth_another_try() {
    let retryable: Vec<_> = ExtractionError::ALL.into_iter().filter(|error| error.is_retryable()).collect();
    assert_eq!(retryable, [ExtractionError::Unavailable]);
}

#[test]
fn an_empty_file_has_no_text_whatever_it_is_called() {
    for kind in FileKind::ALL {
        assert_eq!(extract(*kind, b""), Err(ExtractionError::NoText));
    }
}

#[test]
fn blanks_alone_are_no_text() {
    assert_eq!(extract(FileKind::PlainText, b" \r\n\t"), Err(ExtractionError::NoText));
    let html = b"<html><body><script>var a = 1;</script> </body></html>";
    assert_eq!(extract(FileKind::Html, html), Err(ExtractionError::NoText));
}

#[test]
fn a_file_called_another_kind_is_refused() {
    let text = b"Blood pressure 120/80.";
    assert_eq!(extract(FileKind::Pdf, text), Err(ExtractionError::ContentMismatch));
    let pdf = samples::pdf_of_pages(&["text"]);
    assert_eq!(extract(FileKind::Docx, &pdf), Err(ExtractionError::ContentMismatch));
}

#[test]
fn a_kind_without_a_reader_is_unsupported() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    assert_eq!(extract(FileKind::Png, png), Err(ExtractionError::Unsupported));
}

#[test]
fn file_and_text_limits_hold_at_n_and_n_plus_one() {
    let limits = |file_bytes, text_bytes| Limits { file_bytes, text_bytes, ..Limits::default() };
    let read = |limits: &Limits| extract_bytes(FileKind::PlainText, b"12345", limits).map(|_| ());
    assert_eq!(read(&limits(5, 5)), Ok(()));
    assert_eq!(read(&limits(4, 5)), Err(ExtractionError::TooLarge));
    assert_eq!(read(&limits(5, 4)), Err(ExtractionError::TooMuchText));
}

#[test]
fn no_sample_file_cut_anywhere_or_changed_in_any_byte_panics() {
    let files = [
        samples::pdf_of_pages(&["one", "two"]),
        samples::docx("<w:p><w:r><w:t>text</w:t></w:r></w:p>"),
        b"{\\rtf1\\ansi{\\fonttbl{\\f0\\fcharset128 A;}}\\f0 \\'82\\'a0\\u-10179 ?\\u-8704 ?}".to_vec(),
        super::samples_formats::odt("<text:p>text</text:p>"),
        super::samples_formats::xlsx("<row><c t=\"s\"><v>0</v></c></row>"),
        super::samples_formats::mail(),
        super::samples_formats::ccda(),
        super::samples_formats::fhir(),
        b"<!doctype html><title>a</title><pre>&amp;&#x41;</pre><template>b</template>".to_vec(),
    ];
    for file in files {
        for at in 0..file.len() {
            let cut = &file[..at];
            let _ = extract(sniff(cut), cut);
            let mut changed = file.clone();
            changed[at] ^= 0x15;
            let _ = extract(sniff(&changed), &changed);
        }
    }
}
