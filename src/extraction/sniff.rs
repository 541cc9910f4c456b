//! What a file is, told from its first bytes.
//!
//! The declared MIME type and the name come from outside and are only ever compared with what was
//! found ([`agrees`]); they never decide. The signatures are those of the format specifications and of
//! the WHATWG MIME Sniffing standard. Not done here: proof that the file is whole or well-formed.

use encoding_rs::Encoding;

use super::FileKind;

/// How many bytes from the start [`sniff`] looks at; more are ignored.
pub const SNIFF_BYTES: usize = 8 * 1024;

/// Tells the kind of a file from its first bytes, of which [`SNIFF_BYTES`] are enough.
#[must_use]
pub fn sniff(prefix: &[u8]) -> FileKind {
    let prefix = prefix.get(..SNIFF_BYTES).unwrap_or(prefix);
    sniff_magic(prefix).or_else(|| sniff_text(prefix)).unwrap_or(FileKind::Other)
}

/// Readers of PDF accept the header anywhere in the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
const PDF_HEADER_WITHIN: usize = 1024;

fn sniff_magic(prefix: &[u8]) -> Option<FileKind> {
    let starts = |magic: &[u8]| prefix.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| prefix.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let kind = match () {
        () if starts(b"\x89PNG\r\n\x1a\n") => FileKind::Png,
        () if starts(b"\xff\xd8\xff") => FileKind::Jpeg,
        () if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") => FileKind::Tiff,
        () if starts(b"GIF87a") || starts(b"GIF89a") => FileKind::Gif,
        () if starts(b"RIFF") && at(8, b"WEBP") => FileKind::Webp,
        // Bytes 6 to 9 of a bitmap are reserved and zero; "BM" alone could start a sentence.
        () if starts(b"BM") && at(6, &[0; 4]) => FileKind::Bmp,
        () if [b"heic", b"heix", b"mif1", b"heim"].iter().any(|brand| at(8, *brand)) && at(4, b"ftyp") => {
            FileKind::Heic
        }
        () if at(128, b"DICM") => FileKind::Dicom,
        () if starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => FileKind::OfficeBinary,
        () if starts(b"PK\x03\x04") => sniff_zip(prefix),
        () if starts(b"PK\x05\x06") => FileKind::Zip,
        () if starts(b"{\\rtf") => FileKind::Rtf,
        () if is_pdf(prefix) => FileKind::Pdf,
        () => return None,
    };
    Some(kind)
}

fn is_pdf(prefix: &[u8]) -> bool {
    let head = prefix.get(..PDF_HEADER_WITHIN).unwrap_or(prefix);
    // Text before the header is tolerated by readers only as junk; a note that mentions the signature
    // in its text is still a note, so what stands before must not be ordinary text.
    let Some(at) = head.windows(5).position(|window| window == b"%PDF-") else {
        return false;
    };
    head.get(..at).is_some_and(|before| {
        before.iter().all(u8::is_ascii_whitespace) || before == b"\xef\xbb\xbf" || decode_text(before).is_none()
    })
}

/// Tells Office and `OpenDocument` files from other archives by the names of their first entries.
///
/// Entries are found by their signature, not by their sizes, which a streaming writer leaves zero.
fn sniff_zip(prefix: &[u8]) -> FileKind {
    const NAME_LENGTH_AT: usize = 26;
    const NAME_AT: usize = 30;
    let mut office = false;
    for start in (0..prefix.len()).filter(|&at| prefix.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x03\x04"))) {
        let entry = prefix.get(start..).unwrap_or_default();
        let Some(&[low, high]) = entry.get(NAME_LENGTH_AT..NAME_LENGTH_AT + 2) else {
            break;
        };
        let name_end = NAME_AT + usize::from(u16::from_le_bytes([low, high]));
        let Some(name) = entry.get(NAME_AT..name_end) else {
            break;
        };
        let data = entry.get(name_end..).unwrap_or_default();
        match name {
            b"mimetype" if data.starts_with(b"application/vnd.oasis.opendocument.") => {
                return FileKind::OpenDocument;
            }
            _ if name.starts_with(b"word/") => return FileKind::Docx,
            _ if name.starts_with(b"xl/") => return FileKind::Xlsx,
            _ if name.starts_with(b"ppt/") => return FileKind::Pptx,
            b"[Content_Types].xml" | b"_rels/.rels" => office = true,
            _ => {}
        }
    }
    // An Office package whose first part (a preview picture, say) fills the prefix: nearly always
    // Word, and its reader finds out.
    if office { FileKind::Docx } else { FileKind::Zip }
}

fn sniff_text(prefix: &[u8]) -> Option<FileKind> {
    if prefix.is_empty() {
        return None;
    }
    let text = decode_text(prefix)?;
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    Some(if starts_like_html(start) {
        FileKind::Html
    } else if starts_with_ignoring_case(start, "<?xml") {
        // XHTML: the declaration, then perhaps comments, then the doctype or the root element.
        let lower = start.to_ascii_lowercase();
        if lower.contains("<!doctype html") || lower.contains("<html") { FileKind::Html } else { FileKind::Xml }
    } else if start.starts_with("<ClinicalDocument") {
        // The declaration may be left out.
        FileKind::Xml
    } else if is_fhir(start) {
        FileKind::Fhir
    } else if is_mail(start) {
        FileKind::Mail
    } else {
        FileKind::PlainText
    })
}

/// Start tags by which the MIME Sniffing standard knows HTML.
const HTML_STARTS: [&str; 17] = [
    "<!doctype html",
    "<html",
    "<head",
    "<script",
    "<iframe",
    "<h1",
    "<div",
    "<font",
    "<table",
    "<a",
    "<style",
    "<title",
    "<b",
    "<body",
    "<br",
    "<p",
    "<meta",
];

/// A JSON object that names its type as FHIR asks. Writers put the name first, or near the start.
fn is_fhir(start: &str) -> bool {
    let Some((_, rest)) = start.starts_with('{').then(|| start.split_once("\"resourceType\"")).flatten() else {
        return false;
    };
    rest.trim_start().strip_prefix(':').is_some_and(|value| value.trim_start().starts_with('"'))
}

/// Lines of mail headers, among them one that only mail programs write: a typed memorandum has `From:` and `Date:` too.
fn is_mail(start: &str) -> bool {
    const WRITTEN_BY_PROGRAMS: &[&str] = &["received:", "return-path:", "message-id:", "mime-version:"];
    let (mut programs, mut from) = (false, false);
    for line in start.lines() {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { return false };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return false;
        }
        programs |= WRITTEN_BY_PROGRAMS.iter().any(|header| starts_with_ignoring_case(line, header));
        from |= starts_with_ignoring_case(line, "from:");
    }
    programs && from
}

fn starts_like_html(start: &str) -> bool {
    let tag = HTML_STARTS.iter().any(|tag| {
        starts_with_ignoring_case(start, tag)
            && start
                .as_bytes()
                .get(tag.len())
                .is_some_and(|&next| next == b'>' || next == b'/' || next.is_ascii_whitespace())
    });
    tag || start.starts_with("<!--")
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

/// Decodes the start of a text file, or tells that it is none: by its byte order mark, as UTF-8, or as
/// Windows-1252; never with control characters that no text has. The end may be cut off anywhere.
fn decode_text(prefix: &[u8]) -> Option<String> {
    if let Some((encoding, mark)) = Encoding::for_bom(prefix) {
        // A UTF-16 unit or UTF-8 sequence cut by the end of the prefix is not an error.
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let rest = prefix.get(mark..).unwrap_or_default();
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(rest.len())?);
        let (_, _, malformed) = decoder.decode_to_string(rest, &mut text, false);
        return (!malformed && is_plain(&text)).then_some(text);
    }
    let valid = match std::str::from_utf8(prefix) {
        Ok(text) => Some(text),
        // `error_len` is absent when the input only ended too early.
        Err(error) if error.error_len().is_none() => {
            prefix.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok())
        }
        Err(_) => None,
    };
    if let Some(text) = valid {
        return is_plain(text).then(|| text.to_owned());
    }
    // These five bytes stand for no character in Windows-1252.
    if prefix.iter().any(|byte| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)) {
        return None;
    }
    let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(prefix);
    is_plain(&text).then(|| text.into_owned())
}

/// No C0 control but white space; escape is kept for the terminal colours in some device reports.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|character| !matches!(character, '\0'..='\u{8}' | '\u{e}'..='\u{1a}' | '\u{1c}'..='\u{1f}' | '\u{7f}'))
}

/// Whether the declared MIME type and the name fit the kind found in the bytes.
///
/// `false` means that the file is not what it is called: a reason to refuse it or to warn. A missing,
/// generic or unknown declaration, and a name without a known extension, say nothing and agree.
#[must_use]
pub fn agrees(declared_mime: Option<&str>, file_name: &str, kind: FileKind) -> bool {
    let declared = declared_mime.map(|mime| mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let by_mime = declared.as_deref().and_then(kinds_of_mime);
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.trim().to_ascii_lowercase());
    let by_name = extension.as_deref().and_then(kinds_of_extension);
    [by_mime, by_name].into_iter().flatten().all(|kinds| kinds.contains(&kind))
}

/// Programs save HTML or RTF under the name `.doc`, and Word opens it: common in records systems.
const WORD: &[FileKind] = &[FileKind::OfficeBinary, FileKind::Rtf, FileKind::Html, FileKind::Docx];
/// A file of Office 2007 or later; one protected by a password has the container of the older formats.
const DOCX: &[FileKind] = &[FileKind::Docx, FileKind::OfficeBinary];
const XLSX: &[FileKind] = &[FileKind::Xlsx, FileKind::OfficeBinary];
const PPTX: &[FileKind] = &[FileKind::Pptx, FileKind::OfficeBinary];
/// A piece of HTML without any tag at its start reads as text, and reading it as such is harmless.
const HTML: &[FileKind] = &[FileKind::Html, FileKind::Xml, FileKind::PlainText];
const XML: &[FileKind] = &[FileKind::Xml, FileKind::Html, FileKind::PlainText];
/// A mail or a bundle saved as text is still what it is, and can do no harm as either.
const TEXT: &[FileKind] = &[FileKind::PlainText, FileKind::Mail, FileKind::Fhir];
/// A saved mail may lack the headers by which it would be known.
const MAIL: &[FileKind] = &[FileKind::Mail, FileKind::PlainText];
const JSON: &[FileKind] = &[FileKind::Fhir, FileKind::PlainText];
const OPENDOCUMENT: &[FileKind] = &[FileKind::OpenDocument];

fn kinds_of_mime(mime: &str) -> Option<&'static [FileKind]> {
    Some(match mime {
        "text/plain" | "text/csv" | "text/markdown" => TEXT,
        "text/html" | "application/xhtml+xml" => HTML,
        "text/xml" | "application/xml" | "application/fhir+xml" => XML,
        "application/rtf" | "text/rtf" | "application/x-rtf" | "text/richtext" => &[FileKind::Rtf],
        "message/rfc822" => MAIL,
        "application/json" | "application/fhir+json" => JSON,
        "application/vnd.oasis.opendocument.text"
        | "application/vnd.oasis.opendocument.spreadsheet"
        | "application/vnd.oasis.opendocument.presentation" => OPENDOCUMENT,
        "application/pdf" | "application/x-pdf" => &[FileKind::Pdf],
        "application/msword" => WORD,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => DOCX,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => XLSX,
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => PPTX,
        "application/zip" | "application/x-zip-compressed" => &[FileKind::Zip],
        "image/png" => &[FileKind::Png],
        "image/jpeg" | "image/jpg" | "image/pjpeg" => &[FileKind::Jpeg],
        "image/tiff" => &[FileKind::Tiff],
        "image/gif" => &[FileKind::Gif],
        "image/bmp" => &[FileKind::Bmp],
        "image/webp" => &[FileKind::Webp],
        "image/heic" | "image/heif" => &[FileKind::Heic],
        "application/dicom" => &[FileKind::Dicom],
        _ => return None,
    })
}

fn kinds_of_extension(extension: &str) -> Option<&'static [FileKind]> {
    Some(match extension {
        "txt" | "text" | "md" | "csv" | "tsv" | "log" => TEXT,
        "html" | "htm" | "xhtml" => HTML,
        "xml" => XML,
        "rtf" => &[FileKind::Rtf],
        "pdf" => &[FileKind::Pdf],
        "doc" => WORD,
        "docx" | "docm" => DOCX,
        "xlsx" | "xlsm" => XLSX,
        "pptx" | "pptm" => PPTX,
        "xls" | "ppt" => &[FileKind::OfficeBinary],
        "odt" | "ods" | "odp" => OPENDOCUMENT,
        "eml" => MAIL,
        "json" => JSON,
        "zip" => &[FileKind::Zip],
        "png" => &[FileKind::Png],
        "jpg" | "jpeg" | "jpe" | "jfif" => &[FileKind::Jpeg],
        "tif" | "tiff" => &[FileKind::Tiff],
        "gif" => &[FileKind::Gif],
        "bmp" => &[FileKind::Bmp],
        "webp" => &[FileKind::Webp],
        "heic" | "heif" => &[FileKind::Heic],
        "dcm" | "dicom" => &[FileKind::Dicom],
        _ => return None,
    })
}
