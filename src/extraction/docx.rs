//! Word documents (Office Open XML, ECMA-376) to text.
//!
//! Read are headers, the body, footnotes, endnotes and footers, in that order; a table gives a line
//! per row and a tab between cells. Text deleted or moved away under tracked changes is left out, and
//! so are comments. Only parts named here are unpacked, each within what is left of the limit; a
//! document type declaration is refused, so no entity is ever defined or fetched.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Extracted, ExtractionError, Limits};

/// Word writes a dozen entries, and one more for each picture.
const MAX_ENTRIES: usize = 10_000;

/// Documents unpack to some ten times their size, tables of repeated cells to some fifty. Packed
/// emptiness comes to a thousand.
const MAX_RATIO: usize = 200;

/// Parts smaller than this are never held to the ratio.
const RATIO_FREE_BYTES: usize = 1024 * 1024;

/// Tables in tables in text boxes come to some fifty elements.
const MAX_DEPTH: usize = 512;

const BODY: &str = "word/document.xml";

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let mut archive = ZipArchive::new(Cursor::new(content)).map_err(zip_error)?;
    if archive.len() > MAX_ENTRIES {
        return Err(ExtractionError::TooLarge);
    }
    if archive.index_for_name(BODY).is_none() {
        // A package of another kind, or of nothing.
        return Err(ExtractionError::ContentMismatch);
    }
    let mut text = String::new();
    let mut unpacked_left = limits.unpacked_bytes;
    for part in parts(&archive) {
        let xml = unpack(&mut archive, &part, &mut unpacked_left)?;
        append_text(&xml, &mut text, limits)?;
        text.push('\n');
    }
    Extracted::unpaged(&text, limits)
}

/// The names of the parts to read, in reading order.
fn parts(archive: &ZipArchive<Cursor<&[u8]>>) -> Vec<String> {
    let named = |start: &str| {
        let mut names: Vec<String> = archive
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
    };
    let mut parts = named("word/header");
    parts.push(BODY.to_owned());
    for start in ["word/footnotes", "word/endnotes", "word/footer"] {
        parts.extend(named(start));
    }
    parts
}

/// Unpacks one part. The sizes that the archive declares are not believed.
fn unpack(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    unpacked_left: &mut usize,
) -> Result<Vec<u8>, ExtractionError> {
    let mut part = archive.by_name(name).map_err(zip_error)?;
    let packed = usize::try_from(part.compressed_size()).unwrap_or(usize::MAX);
    let by_ratio = packed.saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES);
    let most = by_ratio.min(*unpacked_left);
    let mut xml = Vec::new();
    // One byte more than allowed tells "too large" from "just fits".
    let one_more = u64::try_from(most.saturating_add(1)).unwrap_or(u64::MAX);
    part.by_ref().take(one_more).read_to_end(&mut xml).map_err(|_| ExtractionError::Damaged)?;
    if xml.len() > most {
        return Err(ExtractionError::TooLarge);
    }
    *unpacked_left -= xml.len();
    Ok(xml)
}

#[expect(clippy::needless_pass_by_value, reason = "taken by value to be named in map_err without a closure")]
fn zip_error(error: ZipError) -> ExtractionError {
    match error {
        ZipError::InvalidPassword => ExtractionError::Encrypted,
        ZipError::UnsupportedArchive(text) if text == ZipError::PASSWORD_REQUIRED => ExtractionError::Encrypted,
        _ => ExtractionError::Damaged,
    }
}

/// Where in the part the reader is.
#[derive(Default)]
struct Place {
    depth: usize,
    /// Depth of the outermost open element whose content is left out.
    skipped_from: Option<usize>,
    /// Inside `w:t`: only its characters are text.
    in_text: bool,
    /// How many cells are open: within one, paragraphs end in blanks, or the row would fall apart.
    cells: usize,
}

fn append_text(xml: &[u8], text: &mut String, limits: &Limits) -> Result<(), ExtractionError> {
    // The standard allows UTF-16 parts besides UTF-8 ones.
    let decoded = super::text::decode(xml, None);
    let mut reader = Reader::from_str(&decoded);
    let mut place = Place::default();
    loop {
        let event = reader.read_event().map_err(|_| ExtractionError::Damaged)?;
        match event {
            Event::Start(tag) => start(&tag, &mut place, text)?,
            Event::Empty(tag) => {
                start(&tag, &mut place, text)?;
                end(tag.local_name().as_ref(), &mut place, text);
            }
            Event::End(tag) => end(tag.local_name().as_ref(), &mut place, text),
            Event::Text(characters) if place.is_text() => {
                text.push_str(&characters.xml_content(XmlVersion::Explicit1_0));
            }
            Event::CData(characters) if place.is_text() => {
                text.push_str(&characters.xml_content(XmlVersion::Explicit1_0));
            }
            Event::GeneralRef(reference) if place.is_text() => {
                text.push(match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => predefined_entity(&reference).ok_or(ExtractionError::Damaged)?,
                    Err(_) => return Err(ExtractionError::Damaged),
                });
            }
            Event::DocType(_) => return Err(ExtractionError::Damaged),
            Event::Eof if place.depth > 0 => return Err(ExtractionError::Damaged),
            Event::Eof => return Ok(()),
            _ => {}
        }
        // Twice, because tidying may still shrink the text to the limit.
        if text.len() > limits.text_bytes.saturating_mul(2) {
            return Err(ExtractionError::TooMuchText);
        }
    }
}

impl Place {
    fn is_text(&self) -> bool {
        self.in_text && self.skipped_from.is_none()
    }
}

fn start(tag: &BytesStart<'_>, place: &mut Place, text: &mut String) -> Result<(), ExtractionError> {
    place.depth += 1;
    if place.depth > MAX_DEPTH {
        return Err(ExtractionError::TooDeep);
    }
    let name = tag.local_name();
    if place.skipped_from.is_some() {
        return Ok(());
    }
    match name.as_ref() {
        // Removed and moved-away text, and the copy of a drawing for older programs.
        // Tab stops are not tabs.
        "del" | "moveFrom" | "Fallback" | "tabs" => place.skipped_from = Some(place.depth),
        "t" => place.in_text = true,
        "tab" | "ptab" if !place.in_text => text.push('\t'),
        "br" | "cr" => text.push(if place.cells > 0 { ' ' } else { '\n' }),
        "noBreakHyphen" => text.push('-'),
        "tc" => place.cells += 1,
        _ => {}
    }
    Ok(())
}

fn end(name: &str, place: &mut Place, text: &mut String) {
    if place.skipped_from == Some(place.depth) {
        place.skipped_from = None;
    } else if place.skipped_from.is_none() {
        match name {
            "t" => place.in_text = false,
            "p" => text.push(if place.cells > 0 { ' ' } else { '\n' }),
            "tc" => {
                place.cells = place.cells.saturating_sub(1);
                let end = text.trim_end_matches(' ').len();
                text.truncate(end);
                text.push('\t');
            }
            "tr" => text.push('\n'),
            _ => {}
        }
    }
    place.depth = place.depth.saturating_sub(1);
}

fn predefined_entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}
