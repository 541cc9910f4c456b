//! Kinds told from bytes, and compared with what was declared.

use super::super::{SNIFF_BYTES, agrees, sniff};
use super::{FileKind, samples};

#[test]
fn pictures_and_containers_are_known_by_their_signatures() {
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM");
    let cases: [(&[u8], FileKind); 12] = [
        (b"\x89PNG\r\n\x1a\n\0\0", FileKind::Png),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", FileKind::Jpeg),
        (b"II*\0\x08\0", FileKind::Tiff),
        (b"MM\0*\0\0", FileKind::Tiff),
        (b"GIF89a\x01\0", FileKind::Gif),
        (b"RIFF\x10\0\0\0WEBPVP8 ", FileKind::Webp),
        (b"BM\x36\x10\0\0\0\0\0\0\x36", FileKind::Bmp),
        (b"\0\0\0\x18ftypheic\0\0", FileKind::Heic),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", FileKind::OfficeBinary),
        (b"PK\x05\x06\0\0", FileKind::Zip),
        (b"{\\rtf1\\ansi", FileKind::Rtf),
        (&dicom, FileKind::Dicom),
    ];
    for (bytes, kind) in cases {
        assert_eq!(sniff(bytes), kind);
    }
}

#[test]
fn office_files_are_told_from_other_archives() {
    let cases = [
        (samples::docx("<w:p/>"), FileKind::Docx),
        (samples::archive(&[("[Content_Types].xml", b"x"), ("xl/workbook.xml", b"x")]), FileKind::Xlsx),
        (samples::archive(&[("ppt/presentation.xml", b"x")]), FileKind::Pptx),
        // Word may put a large preview picture first.
        (samples::archive(&[("_rels/.rels", b"x"), ("docProps/a", &[7; 9000])]), FileKind::Docx),
        (samples::archive(&[("holiday.txt", b"word/document.xml")]), FileKind::Zip),
    ];
    for (bytes, kind) in cases {
        assert_eq!(sniff(&bytes), kind);
    }
    let mut odt = b"PK\x03\x04".to_vec();
    odt.extend_from_slice(&[0; 22]);
    odt.extend_from_slice(b"\x08\0\0\0mimetypeapplication/vnd.oasis.opendocument.text");
    assert_eq!(sniff(&odt), FileKind::OpenDocument);
}

#[test]
fn a_pdf_header_counts_after_junk_but_not_inside_a_note() {
    assert_eq!(sniff(b"%PDF-1.4\n"), FileKind::Pdf);
    assert_eq!(sniff(b"\xef\xbb\xbf%PDF-1.4\n"), FileKind::Pdf);
    assert_eq!(sniff(b"\0\x01\x02%PDF-1.4\n"), FileKind::Pdf);
    assert_eq!(sniff(b"The file starts with %PDF-1.4 as it should."), FileKind::PlainText);
}

#[test]
fn text_is_told_by_its_encoding() {
    for text in [
        &b"Temperature 38.5"[..],
        "Größe 1,80 m".as_bytes(),
        b"Gr\xf6\xdfe 1,80 m",
        b"\xff\xfeH\0i\0",
        b"\xfe\xff\0H\0i",
        b"\xef\xbb\xbfHi",
        b"page one\x0cpage two\x1b[0m",
    ] {
        assert_eq!(sniff(text), FileKind::PlainText);
    }
    for other in [&b""[..], b"abc\0def", b"\x81\x8d\x8f", b"\x01\x02\x03", b"\xff\xfe\0\0", b"a\xff\x07"] {
        assert_eq!(sniff(other), FileKind::Other);
    }
}

#[test]
fn a_character_cut_by_the_end_of_the_prefix_is_still_text() {
    let mut text = "é".repeat(SNIFF_BYTES);
    text.insert(0, 'x');
    assert_eq!(sniff(&text.as_bytes()[..SNIFF_BYTES]), FileKind::PlainText);
    let utf16: Vec<u8> = b"\xff\xfe".iter().copied().chain(b"a\0".repeat(50)).collect();
    assert_eq!(sniff(&utf16[..51]), FileKind::PlainText);
}

#[test]
fn markup_is_told_from_text() {
    let cases: [(&str, FileKind); 9] = [
        ("<!DOCTYPE HTML PUBLIC>", FileKind::Html),
        ("  \n<html lang=en>", FileKind::Html),
        ("<!-- exported --><html>", FileKind::Html),
        ("<p>Seen today.</p>", FileKind::Html),
        ("<?xml version=\"1.0\"?><!DOCTYPE html><html>", FileKind::Html),
        ("<?xml version=\"1.0\"?><ClinicalDocument>", FileKind::Xml),
        ("<5 mg per day", FileKind::PlainText),
        ("<patient> was seen", FileKind::PlainText),
        ("{\"note\": 1}", FileKind::PlainText),
    ];
    for (text, kind) in cases {
        assert_eq!(sniff(text.as_bytes()), kind, "{text}");
    }
    let utf16: Vec<u8> = "\u{feff}<html>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(sniff(&utf16), FileKind::Html);
}

#[test]
fn only_the_start_of_a_file_is_looked_at() {
    let mut bytes = vec![b'a'; SNIFF_BYTES];
    bytes.push(0);
    assert_eq!(sniff(&bytes), FileKind::PlainText);
    bytes[SNIFF_BYTES - 1] = 0;
    assert_eq!(sniff(&bytes), FileKind::Other);
}

#[test]
fn a_wrong_extension_or_type_does_not_agree() {
    assert!(!agrees(None, "report.pdf", FileKind::Zip));
    assert!(!agrees(None, "note.txt", FileKind::Html), "a page could run scripts when served");
    assert!(!agrees(Some("image/png"), "scan", FileKind::Pdf));
    assert!(!agrees(Some("application/pdf"), "scan.png", FileKind::Pdf));
    assert!(!agrees(Some("text/plain; charset=utf-8"), "a", FileKind::Other));
}

#[test]
fn right_missing_generic_and_unknown_declarations_agree() {
    assert!(agrees(Some("Application/PDF; x=y"), "REPORT.PDF", FileKind::Pdf));
    assert!(agrees(None, "report", FileKind::Other));
    assert!(agrees(Some("application/octet-stream"), "a.b.pdf", FileKind::Pdf));
    assert!(agrees(Some("x-vendor/device"), "export.dat", FileKind::PlainText));
    assert!(agrees(Some("application/msword"), "letter.doc", FileKind::Rtf));
}

#[test]
fn every_kind_agrees_with_its_own_type_and_is_found_by_its_name() {
    for kind in FileKind::ALL {
        assert!(agrees(Some(kind.mime()), "", *kind), "{kind}");
        assert_eq!(kind.name().parse(), Ok(*kind));
    }
    assert!("exe".parse::<FileKind>().is_err());
}
