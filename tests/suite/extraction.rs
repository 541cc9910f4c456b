//! Extraction in a child process: what hostile files do to it, and that they do it to nothing else.
//!
//! The program is the real binary. Peak memory is not asserted here: the operating system holds the
//! limit, and a child that went over it has ended in the error that says so.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anamnesis::extraction::{ExtractionError, Extractor, FileKind, Limits};
use tokio::io::{AsyncRead, ReadBuf};

#[path = "../../src/extraction/tests/samples.rs"]
pub mod samples;

#[path = "../../src/extraction/tests/samples_formats.rs"]
pub mod samples_formats;

const MIB: u64 = 1024 * 1024;

fn extractor(limits: Limits) -> Extractor {
    Extractor { program: PathBuf::from(env!("CARGO_BIN_EXE_anamnesis")), limits }
}

async fn error_of(kind: FileKind, content: &[u8], limits: Limits) -> ExtractionError {
    let started = Instant::now();
    let error = extractor(limits.clone()).extract(kind, content).await.unwrap_err();
    // A generous second over the limit, on a machine that does other things.
    assert!(started.elapsed() < limits.wall + Duration::from_secs(1), "ended in time");
    error
}

#[tokio::test]
async fn pages_of_a_sound_file_come_through() {
    let file = samples::pdf_of_pages(&["first \"page\"\nline two", "", "third page"]);
    let extracted = extractor(Limits::default()).extract(FileKind::Pdf, &file[..]).await.unwrap();
    let pages: Vec<_> = extracted.pages.iter().map(|page| (page.number, &*page.text)).collect();
    let expected = [(Some(1), "first \"page\"\nline two"), (Some(2), ""), (Some(3), "third page")];
    assert_eq!(pages, expected);
}

#[tokio::test]
async fn each_kind_with_a_reader_works_in_the_child() {
    let docx = samples::docx("<w:p><w:r><w:t>words</w:t></w:r></w:p>");
    let (odt, xlsx) = (samples_formats::odt("<text:p>words</text:p>"), samples_formats::xlsx(""));
    let read = extractor(Limits::default()).extract(FileKind::OpenDocument, &odt[..]).await.unwrap();
    assert_eq!(read.pages[0].text, "Page header\n\nwords\n\nPage footer");
    let read = extractor(Limits::default()).extract(FileKind::Xlsx, &xlsx[..]).await.unwrap();
    assert_eq!(read.pages[0].text, "Lab & levels");
    let cases: [(FileKind, &[u8]); 7] = [
        (FileKind::PlainText, b"words"),
        (FileKind::Html, b"<p>words</p>"),
        (FileKind::Rtf, b"{\\rtf1 words}"),
        (FileKind::Docx, &docx),
        (FileKind::Mail, b"From: \r\nMIME-Version: 1.0\r\n\r\nwords"),
        (FileKind::Xml, b"<?xml version=\"1.0\"?><a>words</a>"),
        (FileKind::Fhir, b"{\"resourceType\": \"\", \"text\": {\"div\": \"words\"}}"),
    ];
    for (kind, content) in cases {
        let extracted = extractor(Limits::default()).extract(kind, content).await.unwrap();
        assert_eq!(extracted.pages[0].text, "words", "{kind}");
    }
}

#[tokio::test]
async fn what_the_reader_finds_is_told_unchanged() {
    let cases = [
        (FileKind::Pdf, samples::pdf_encrypted(), ExtractionError::Encrypted),
        (FileKind::Pdf, samples::pdf_of_pages(&[""]), ExtractionError::NoText),
        (FileKind::Pdf, samples::pdf_bomb(), ExtractionError::TooLarge),
        (FileKind::Pdf, samples::pdf_page_tree_loop(), ExtractionError::Damaged),
        (FileKind::Pdf, b"plain text".to_vec(), ExtractionError::ContentMismatch),
        (FileKind::Docx, samples::docx_bomb(1024 * 1024 * 1024), ExtractionError::TooLarge),
        (FileKind::Docx, samples::docx_entity_expansion(), ExtractionError::Damaged),
        (FileKind::PlainText, Vec::new(), ExtractionError::NoText),
        (FileKind::Png, b"\x89PNG\r\n\x1a\n".to_vec(), ExtractionError::Unsupported),
    ];
    for (kind, content, error) in cases {
        assert_eq!(error_of(kind, &content, Limits::default()).await, error);
    }
}

#[tokio::test]
async fn a_stack_overflow_ends_only_the_child() {
    let error = error_of(FileKind::Pdf, &samples::pdf_deep(), Limits::default()).await;
    assert_eq!(error, ExtractionError::TooDeep);
}

#[tokio::test]
async fn running_out_of_memory_ends_only_the_child() {
    let limits = Limits { memory_bytes: 256 * MIB, ..Limits::default() };
    let error = error_of(FileKind::Pdf, &samples::pdf_repeated_content(), limits).await;
    assert_eq!(error, ExtractionError::TooMuchMemory);
}

#[tokio::test]
async fn running_out_of_processor_time_ends_only_the_child() {
    let limits = Limits { cpu_seconds: 1, ..Limits::default() };
    let error = error_of(FileKind::Pdf, &samples::pdf_form_doubling(), limits).await;
    assert_eq!(error, ExtractionError::TookTooLong);
}

#[tokio::test]
async fn the_wall_clock_ends_a_child_that_is_within_its_processor_time() {
    let limits = Limits { wall: Duration::from_millis(500), ..Limits::default() };
    let error = error_of(FileKind::Pdf, &samples::pdf_form_doubling(), limits).await;
    assert_eq!(error, ExtractionError::TookTooLong);
}

#[tokio::test]
async fn too_many_pages_are_refused_before_they_are_read() {
    let error = error_of(FileKind::Pdf, &samples::pdf_many_pages(6000), Limits::default()).await;
    assert_eq!(error, ExtractionError::TooManyPages);
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_while_it_is_read() {
    let limits = Limits { file_bytes: 1000, ..Limits::default() };
    let error = error_of(FileKind::PlainText, &vec![b'a'; 10_000_000], limits).await;
    assert_eq!(error, ExtractionError::TooLarge);
}

#[tokio::test]
async fn a_limit_too_small_to_start_in_says_nothing_of_the_file() {
    let limits = Limits { memory_bytes: MIB, ..Limits::default() };
    let error = error_of(FileKind::PlainText, b"text", limits).await;
    assert_eq!(error, ExtractionError::Unavailable);
}

#[tokio::test]
async fn a_missing_or_foreign_program_says_nothing_of_the_file() {
    for program in ["/nonexistent/program", "/bin/false"] {
        let extractor = Extractor { program: program.into(), limits: Limits::default() };
        let error = extractor.extract(FileKind::PlainText, &b"text"[..]).await.unwrap_err();
        assert_eq!(error, ExtractionError::Unavailable);
    }
}

#[tokio::test]
async fn a_program_that_answers_nonsense_is_not_believed() {
    // Both end well without having read anything: one says nothing, the other the wrong thing.
    for program in ["/bin/true", "/bin/echo"] {
        let extractor = Extractor { program: program.into(), limits: Limits::default() };
        let error = extractor.extract(FileKind::PlainText, &b"text"[..]).await.unwrap_err();
        assert_eq!(error, ExtractionError::Damaged);
    }
}

/// A file that cannot be fetched: it never arrives, or breaks off.
struct Absent {
    broken: bool,
}

impl AsyncRead for Absent {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.broken { Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())) } else { Poll::Pending }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_fetched_is_not_blamed() {
    let limits = Limits { wall: Duration::from_millis(200), ..Limits::default() };
    for broken in [true, false] {
        let content = Absent { broken };
        let read = extractor(limits.clone()).extract(FileKind::Pdf, content).await;
        assert_eq!(read.unwrap_err(), ExtractionError::Unavailable);
    }
}
