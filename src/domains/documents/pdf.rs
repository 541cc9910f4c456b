//! A note as a PDF, to be printed or sent: pure, from text to bytes.
//!
//! Drawn with Helvetica, which every reader has (one of the standard 14 fonts of PDF; nothing is embedded) and which holds
//! the letters of Western European languages. A character it lacks is not dropped and not replaced by a look-alike: its
//! Unicode number stands in its place, and the first page says so.

use std::fmt::Write as _;

use oxidize_pdf::{Document, Font, Page, measure_text};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Error, Result};
use crate::phi::Phi;

/// US Letter, in points.
const HEIGHT: f64 = 792.0;
const MARGIN: f64 = 72.0;
const TEXT_WIDTH: f64 = 612.0 - 2.0 * MARGIN;
/// Room for the line at the foot of each page.
const FOOT: f64 = 54.0;
const TAB: &str = "    ";

/// What is drawn.
#[derive(Debug)]
pub(super) struct Sheet {
    pub facility: String,
    pub title: Phi<String>,
    /// Label and value, below the title.
    pub particulars: Vec<(&'static str, Phi<String>)>,
    pub text: Phi<String>,
    /// Below the text.
    pub signatures: Vec<Phi<String>>,
    /// At the foot of each page, before its number.
    pub foot: String,
    /// What must go with the content, on each page.
    pub notice: Option<&'static str>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Title,
    Label,
    Body,
    Small,
}

impl Style {
    const fn font(self) -> Font {
        match self {
            Self::Title | Self::Label => Font::HelveticaBold,
            Self::Body | Self::Small => Font::Helvetica,
        }
    }

    const fn size(self) -> f64 {
        match self {
            Self::Title => 16.0,
            Self::Label | Self::Body => 10.5,
            Self::Small => 8.0,
        }
    }

    const fn leading(self) -> f64 {
        self.size() * 1.35
    }
}

/// Lines as they follow each other, whatever the page.
#[derive(Default)]
struct Column {
    lines: Vec<(Style, String)>,
    /// Characters that stand there by their number.
    undrawable: usize,
}

impl Column {
    /// Adds text, broken where it is and where it must be.
    fn add(&mut self, style: Style, text: &str) {
        let (text, undrawable) = drawable(text);
        self.undrawable += undrawable;
        for line in text.split('\n') {
            self.lines.extend(wrapped(line, style).into_iter().map(|line| (style, line)));
        }
    }

    fn gap(&mut self) {
        self.lines.push((Style::Body, String::new()));
    }
}

/// The text with what the font lacks by its number, in brackets, and how many characters that were.
fn drawable(text: &str) -> (String, usize) {
    let mut drawn = String::with_capacity(text.len());
    let mut undrawable = 0;
    let mut open = false;
    // Composed, so that a letter and its mark are the one character that the font has.
    for c in text.replace("\r\n", "\n").nfc() {
        let known = match c {
            '\t' => Some(TAB),
            '\r' | '\n' => Some("\n"),
            _ => None,
        };
        if let Some(known) = known {
            drawn.push_str(if open { "]" } else { "" });
            drawn.push_str(known);
            open = false;
        } else if is_drawable(c) {
            drawn.push_str(if open { "]" } else { "" });
            drawn.push(c);
            open = false;
        } else {
            drawn.push_str(if open { " " } else { "[" });
            let _ = write!(drawn, "U+{:04X}", u32::from(c));
            undrawable += 1;
            open = true;
        }
    }
    if open {
        drawn.push(']');
    }
    (drawn, undrawable)
}

/// Whether the encoding of the font (`WinAnsi`, ISO 32000-1 Annex D) has it.
fn is_drawable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}') || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(c)
}

/// A line in pieces that fit the page.
fn wrapped(line: &str, style: Style) -> Vec<String> {
    let fits = |text: &str| measure_text(text, &style.font(), style.size()) <= TEXT_WIDTH;
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_inclusive(' ') {
        if !fits(&format!("{current}{}", word.trim_end())) && !current.is_empty() {
            lines.push(std::mem::take(&mut current));
        }
        if fits(word.trim_end()) {
            current.push_str(word);
            continue;
        }
        // One word that is wider than the page is broken anywhere.
        for c in word.chars() {
            if !fits(&format!("{current}{c}")) {
                lines.push(std::mem::take(&mut current));
            }
            current.push(c);
        }
    }
    lines.push(current);
    lines
}

/// Draws a note.
///
/// # Errors
/// A fault of the library.
pub(super) fn draw(sheet: &Sheet) -> Result<Vec<u8>> {
    let mut column = Column::default();
    column.add(Style::Small, &sheet.facility);
    column.add(Style::Title, sheet.title.reveal());
    for (label, value) in &sheet.particulars {
        column.add(Style::Body, &format!("{label}: {}", value.reveal()));
    }
    let particulars = column.lines.len();
    column.gap();
    column.add(Style::Body, sheet.text.reveal());
    column.gap();
    for signature in &sheet.signatures {
        column.add(Style::Label, signature.reveal());
    }
    if column.undrawable > 0 {
        let mut told = Column::default();
        told.add(Style::Small, &missing(column.undrawable));
        column.lines.splice(particulars..particulars, told.lines);
    }
    let notice = sheet.notice.map(|notice| drawable(notice).0);
    let foot = drawable(&sheet.foot).0;
    let pages = paged(column.lines);
    let count = pages.len();
    let mut document = Document::new();
    for (at, lines) in pages.into_iter().enumerate() {
        let mut page = Page::letter();
        let mut y = HEIGHT - MARGIN;
        for (style, line) in lines {
            y -= style.leading();
            if !line.trim().is_empty() {
                write(&mut page, style, y, &line)?;
            }
        }
        if let Some(notice) = &notice {
            write(&mut page, Style::Small, FOOT, notice)?;
        }
        write(&mut page, Style::Small, FOOT - Style::Small.leading(), &format!("{foot}   page {} of {count}", at + 1))?;
        document.add_page(page);
    }
    document.to_bytes().map_err(|_| Error::internal("a note could not be drawn"))
}

/// What is said of characters that stand there by their number.
fn missing(count: usize) -> String {
    format!(
        "{count} characters of this note are not in the font of this file. Each stands below by its Unicode number, such \
         as [U+4F60]; the record itself holds them as they were written."
    )
}

fn write(page: &mut Page, style: Style, y: f64, line: &str) -> Result<()> {
    let text = page.text();
    text.set_font(style.font(), style.size()).at(MARGIN, y);
    // The library's error may quote the line.
    text.write(line).map(|_| ()).map_err(|_| Error::internal("a line of a note could not be drawn"))
}

/// Lines by page.
fn paged(lines: Vec<(Style, String)>) -> Vec<Vec<(Style, String)>> {
    let mut pages = vec![Vec::new()];
    let mut y = HEIGHT - MARGIN;
    for (style, line) in lines {
        y -= style.leading();
        if y < MARGIN + Style::Small.leading() {
            pages.push(Vec::new());
            y = HEIGHT - MARGIN - style.leading();
        }
        if let Some(page) = pages.last_mut() {
            page.push((style, line));
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::{Sheet, Style, TEXT_WIDTH, draw, drawable, paged, wrapped};
    use crate::phi::Phi;
    use oxidize_pdf::measure_text;

    fn sheet(text: &str) -> Sheet {
        Sheet {
            facility: "Clinic".to_owned(),
            title: Phi::from("Session 4"),
            particulars: vec![("Patient", Phi::from("Ada Müller"))],
            text: Phi::from(text),
            signatures: vec![Phi::from("Signed by Dr Grey")],
            foot: "doc_x".to_owned(),
            notice: Some("A notice."),
        }
    }

    #[test]
    fn what_the_font_lacks_stands_there_by_its_number() {
        assert_eq!(drawable("Größe – “5 €”"), ("Größe – “5 €”".to_owned(), 0));
        assert_eq!(drawable("e\u{301}t\u{e9}"), ("été".to_owned(), 0));
        assert_eq!(drawable("你好, Ada 😀!"), ("[U+4F60 U+597D], Ada [U+1F600]!".to_owned(), 3));
        assert_eq!(drawable("نم\n\tx\r\ny\u{7}"), ("[U+0646 U+0645]\n    x\ny[U+0007]".to_owned(), 3));
    }

    #[test]
    fn nothing_is_lost_when_lines_are_broken() {
        let word = "a".repeat(400);
        let text = format!(
            "Slept {word} and then some more words that are longer than one line of this page can be, so they wrap."
        );
        let lines = wrapped(&text, Style::Body);
        assert!(lines.len() > 4);
        assert_eq!(lines.concat(), text);
        for line in &lines {
            assert!(measure_text(line.trim_end(), &Style::Body.font(), Style::Body.size()) <= TEXT_WIDTH, "{line}");
        }
        assert_eq!(wrapped("", Style::Body), [""]);
    }

    #[test]
    fn a_long_note_has_all_its_lines_on_pages() {
        let lines: Vec<_> = (0..500).map(|line| (Style::Body, line.to_string())).collect();
        let pages = paged(lines.clone());
        assert!(pages.len() > 10);
        assert!(pages.iter().all(|page| !page.is_empty()));
        assert_eq!(pages.concat(), lines);
    }

    #[test]
    fn a_note_is_a_pdf() {
        let bytes = draw(&sheet(&"A line of the note.\n".repeat(120))).unwrap();
        assert!(bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF"));
    }
}
