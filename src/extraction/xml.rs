//! XML as a stream of openings, closings and texts, within limits.
//!
//! A document type declaration is refused, so no entity is ever defined or fetched; nesting is bounded; what ends
//! before its elements do is damaged.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::ExtractionError;

/// Tables in tables in text boxes come to some fifty elements.
const MAX_DEPTH: usize = 512;

/// What the walk meets.
pub(super) enum Item<'a> {
    /// An element begins; one without content ends at once.
    Open(Element<'a>),
    /// The element of this local name ends.
    Close(&'a str),
    /// Characters, references resolved.
    Text(&'a str),
}

/// An element, at its start.
pub(super) struct Element<'a> {
    tag: &'a BytesStart<'a>,
}

impl Element<'_> {
    /// The name without its prefix.
    pub(super) fn is(&self, name: &str) -> bool {
        self.tag.local_name().as_ref() == name
    }

    pub(super) fn name(&self) -> String {
        self.tag.local_name().as_ref().to_owned()
    }

    /// The value of the attribute of this local name.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let attribute = self.tag.attributes().flatten().find(|found| found.key.local_name().as_ref() == name)?;
        attribute.normalized_value(XmlVersion::Explicit1_0).ok().map(std::borrow::Cow::into_owned)
    }
}

/// Walks through a document from its start to its end.
pub(super) fn walk(
    xml: &[u8],
    mut each: impl FnMut(Item<'_>) -> Result<(), ExtractionError>,
) -> Result<(), ExtractionError> {
    // The standard allows UTF-16 besides UTF-8.
    let decoded = super::text::decode(xml, None);
    let mut reader = Reader::from_str(&decoded);
    let mut depth = 0_usize;
    loop {
        match reader.read_event().map_err(|_| ExtractionError::Damaged)? {
            Event::Start(tag) => {
                depth += 1;
                within(depth)?;
                each(Item::Open(Element { tag: &tag }))?;
            }
            Event::Empty(tag) => {
                within(depth + 1)?;
                each(Item::Open(Element { tag: &tag }))?;
                each(Item::Close(tag.local_name().as_ref()))?;
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                each(Item::Close(tag.local_name().as_ref()))?;
            }
            Event::Text(characters) => each(Item::Text(&characters.xml_content(XmlVersion::Explicit1_0)))?,
            Event::CData(characters) => each(Item::Text(&characters.xml_content(XmlVersion::Explicit1_0)))?,
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => predefined_entity(&reference).ok_or(ExtractionError::Damaged)?,
                    Err(_) => return Err(ExtractionError::Damaged),
                };
                each(Item::Text(character.encode_utf8(&mut [0; 4])))?;
            }
            Event::DocType(_) => return Err(ExtractionError::Damaged),
            Event::Eof if depth > 0 => return Err(ExtractionError::Damaged),
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn within(depth: usize) -> Result<(), ExtractionError> {
    if depth > MAX_DEPTH { Err(ExtractionError::TooDeep) } else { Ok(()) }
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
