//! Word documents (Office Open XML, ECMA-376) to text.
//!
//! Read are headers, the body, footnotes, endnotes and footers, in that order; a table gives a line
//! per row and a tab between cells. Text deleted or moved away under tracked changes is left out, and
//! so are comments.

use super::package::Package;
use super::xml::{self, Element, Item};
use super::{Extracted, ExtractionError, Limits};

const BODY: &str = "word/document.xml";

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let mut package = Package::open(content, limits)?;
    if !package.has(BODY) {
        // A package of another kind, or of nothing.
        return Err(ExtractionError::ContentMismatch);
    }
    let mut text = String::new();
    for part in parts(&package) {
        let xml = package.unpack(&part)?;
        append_text(&xml, &mut text, limits)?;
        text.push('\n');
    }
    Extracted::unpaged(&text, limits)
}

/// The names of the parts to read, in reading order.
fn parts(package: &Package<'_>) -> Vec<String> {
    let mut parts = package.numbered("word/header");
    parts.push(BODY.to_owned());
    for start in ["word/footnotes", "word/endnotes", "word/footer"] {
        parts.extend(package.numbered(start));
    }
    parts
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

fn append_text(part: &[u8], text: &mut String, limits: &Limits) -> Result<(), ExtractionError> {
    let mut place = Place::default();
    xml::walk(part, |item| {
        match item {
            Item::Open(element) => start(&element, &mut place, text),
            Item::Close(name) => end(name, &mut place, text),
            Item::Text(characters) if place.is_text() => text.push_str(characters),
            Item::Text(_) => {}
        }
        limits.hold_text(text)
    })
}

impl Place {
    fn is_text(&self) -> bool {
        self.in_text && self.skipped_from.is_none()
    }
}

fn start(element: &Element<'_>, place: &mut Place, text: &mut String) {
    place.depth += 1;
    if place.skipped_from.is_some() {
        return;
    }
    match &*element.name() {
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
