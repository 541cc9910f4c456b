//! `OpenDocument` files (ODF 1.3: text, sheets and slides) to text.
//!
//! Read are page headers, the content and page footers, in that order; a table gives a line per row and a tab between
//! cells, a footnote stands in brackets where it is referred to. Tracked deletions and comments are left out. Repeated
//! empty cells and rows, by which a sheet is filled to its edge, are not repeated.

use super::package::Package;
use super::xml::{self, Element, Item};
use super::{Extracted, ExtractionError, Limits};

const CONTENT: &str = "content.xml";
/// Holds page headers and footers.
const STYLES: &str = "styles.xml";
const MANIFEST: &str = "META-INF/manifest.xml";

/// Blanks that one element may stand for.
const MAX_BLANKS: usize = 100;

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let mut package = Package::open(content, limits)?;
    if !package.has(CONTENT) {
        return Err(ExtractionError::ContentMismatch);
    }
    if let Some(manifest) = package.unpack_optional(MANIFEST)? {
        is_open(&manifest)?;
    }
    let styles = package.unpack_optional(STYLES)?;
    let content = package.unpack(CONTENT)?;
    let mut text = String::new();
    if let Some(styles) = &styles {
        append_text(styles, &["header", "header-first"], &mut text, limits)?;
    }
    append_text(&content, &["body"], &mut text, limits)?;
    if let Some(styles) = &styles {
        append_text(styles, &["footer", "footer-first"], &mut text, limits)?;
    }
    Extracted::unpaged(&text, limits)
}

/// A package with a password says in its manifest how its parts are encrypted.
fn is_open(manifest: &[u8]) -> Result<(), ExtractionError> {
    xml::walk(manifest, |item| match item {
        Item::Open(element) if element.is("encryption-data") => Err(ExtractionError::Encrypted),
        _ => Ok(()),
    })
}

#[derive(Default)]
struct Place {
    depth: usize,
    /// Depth of the outermost open element whose content is read.
    wanted_from: Option<usize>,
    /// Depth of the outermost open element whose content is left out.
    skipped_from: Option<usize>,
    /// How many paragraphs are open: only what is in one is text.
    paragraphs: usize,
    /// How many cells are open: within one, paragraphs end in blanks, or the row would fall apart.
    cells: usize,
}

impl Place {
    fn is_read(&self) -> bool {
        self.wanted_from.is_some() && self.skipped_from.is_none()
    }
}

/// The text of the elements `wanted`.
fn append_text(part: &[u8], wanted: &[&str], text: &mut String, limits: &Limits) -> Result<(), ExtractionError> {
    let mut place = Place::default();
    xml::walk(part, |item| {
        match item {
            Item::Open(element) => start(&element, wanted, &mut place, text),
            Item::Close(name) => end(name, &mut place, text),
            Item::Text(characters) if place.is_read() && place.paragraphs > 0 => append_collapsed(characters, text),
            Item::Text(_) => {}
        }
        limits.hold_text(text)
    })
}

/// White space in a paragraph counts once; blanks that are meant are elements.
fn append_collapsed(characters: &str, text: &mut String) {
    for character in characters.chars() {
        if !matches!(character, ' ' | '\t' | '\n' | '\r') {
            text.push(character);
        } else if !text.ends_with([' ', '\n', '\t']) {
            text.push(' ');
        }
    }
}

fn start(element: &Element<'_>, wanted: &[&str], place: &mut Place, text: &mut String) {
    place.depth += 1;
    let name = element.name();
    if place.wanted_from.is_none() && wanted.contains(&&*name) {
        place.wanted_from = Some(place.depth);
    }
    if !place.is_read() {
        return;
    }
    match &*name {
        "tracked-changes" | "annotation" | "note-citation" | "forms" => place.skipped_from = Some(place.depth),
        "p" | "h" => place.paragraphs += 1,
        "s" => {
            let blanks = element.attribute("c").and_then(|count| count.parse().ok()).unwrap_or(1);
            text.extend(std::iter::repeat_n(' ', MAX_BLANKS.min(blanks)));
        }
        "tab" => text.push('\t'),
        "line-break" => text.push(if place.cells > 0 { ' ' } else { '\n' }),
        "note-body" => text.push_str(" ["),
        "table-cell" => place.cells += 1,
        _ => {}
    }
}

fn end(name: &str, place: &mut Place, text: &mut String) {
    if place.skipped_from == Some(place.depth) {
        place.skipped_from = None;
    } else if place.is_read() {
        match name {
            "p" | "h" => {
                place.paragraphs = place.paragraphs.saturating_sub(1);
                // A paragraph in a paragraph is that of a footnote.
                text.push(if place.cells > 0 || place.paragraphs > 0 { ' ' } else { '\n' });
            }
            "note-body" => {
                trim_blanks(text);
                text.push(']');
            }
            "table-cell" => {
                place.cells = place.cells.saturating_sub(1);
                trim_blanks(text);
                text.push('\t');
            }
            "table-row" => {
                trim_blanks(text);
                text.push('\n');
            }
            _ => {}
        }
    }
    if place.wanted_from == Some(place.depth) {
        place.wanted_from = None;
        text.push('\n');
    }
    place.depth = place.depth.saturating_sub(1);
}

fn trim_blanks(text: &mut String) {
    let end = text.trim_end_matches([' ', '\t']).len();
    text.truncate(end);
}
