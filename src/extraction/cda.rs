//! Clinical documents (HL7 CDA, as C-CDA profiles it) and other XML to text.
//!
//! Of a clinical document: its title, its patient (names, birth date, sex, record numbers), its date, authors and
//! custodian, then each section with its title and its narrative, tables as rows. Coded entries repeat the narrative and
//! are left out. Other XML gives the text of its elements, and values in attributes named `value`, a line each.

use super::xml::{self, Element, Item};
use super::{Extracted, ExtractionError, Limits};

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let mut reader = Reader::default();
    xml::walk(content, |item| {
        match item {
            Item::Open(element) => reader.open(&element),
            Item::Close(name) => reader.close(name),
            Item::Text(characters) => reader.characters(characters),
        }
        limits.hold_text(&reader.text)
    })?;
    Extracted::unpaged(&reader.text, limits)
}

#[derive(Default)]
struct Reader {
    text: String,
    /// Names of the open elements, from the root.
    path: Vec<String>,
    clinical: bool,
    /// Depth of the narrative that is open.
    narrative_from: Option<usize>,
    /// How many cells are open: within one, blocks end in blanks.
    cells: usize,
    /// Depth of an embedded file, whose characters are no text.
    embedded_from: Option<usize>,
    /// Characters of an element that becomes one line.
    line: String,
}

impl Reader {
    fn within(&self, name: &str) -> bool {
        self.path.iter().any(|open| open == name)
    }

    fn parent(&self) -> &str {
        self.path.len().checked_sub(2).and_then(|at| self.path.get(at)).map_or("", String::as_str)
    }

    fn open(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.path.is_empty() {
            self.clinical = name == "ClinicalDocument";
        }
        if !self.clinical {
            self.flush();
        } else if !self.within("name") {
            self.line.clear();
        }
        self.path.push(name);
        if !self.clinical {
            if let Some(value) = element.attribute("value") {
                self.say(&value);
            }
            return;
        }
        let name = self.path.last().map_or("", String::as_str);
        if self.narrative_from.is_some() {
            match name {
                "br" => self.end_block(),
                "td" | "th" => self.cells += 1,
                _ => {}
            }
        } else if name == "text" && matches!(self.parent(), "section" | "nonXMLBody") {
            if element.attribute("representation").is_some_and(|form| form == "B64") {
                self.embedded_from = Some(self.path.len());
            } else {
                self.narrative_from = Some(self.path.len());
            }
        } else {
            self.header(element);
        }
    }

    /// What the header says in attributes.
    fn header(&mut self, element: &Element<'_>) {
        let about_patient = self.within("recordTarget") && !self.within("guardian");
        let said = match (self.path.last().map_or("", String::as_str), self.parent()) {
            ("effectiveTime", "ClinicalDocument") => {
                element.attribute("value").map(|day| format!("Date: {}", date(&day)))
            }
            ("birthTime", "patient") if about_patient => {
                element.attribute("value").map(|day| format!("Date of birth: {}", date(&day)))
            }
            ("administrativeGenderCode", "patient") if about_patient => {
                element.attribute("displayName").or_else(|| element.attribute("code")).map(|sex| format!("Sex: {sex}"))
            }
            ("id", "patientRole") => element.attribute("extension").map(|number| format!("MRN: {number}")),
            _ => None,
        };
        if let Some(said) = said {
            self.say(&said);
        }
    }

    fn close(&mut self, name: &str) {
        if self.clinical && self.narrative_from.is_some() {
            match name {
                "td" | "th" => {
                    self.cells = self.cells.saturating_sub(1);
                    self.trim();
                    self.text.push('\t');
                }
                "tr" | "caption" | "item" | "paragraph" | "list" | "table" => self.end_block(),
                _ => {}
            }
        } else {
            self.close_line(name);
        }
        if self.narrative_from == Some(self.path.len()) {
            self.narrative_from = None;
            self.cells = 0;
            self.text.push_str("\n\n");
        }
        if self.embedded_from == Some(self.path.len()) {
            self.embedded_from = None;
        }
        self.path.pop();
    }

    /// Titles and names, whose characters were gathered.
    fn close_line(&mut self, name: &str) {
        if !self.clinical {
            self.flush();
            return;
        }
        let title = name == "title" && matches!(self.parent(), "section" | "ClinicalDocument");
        if title {
            self.flush();
        } else if name == "name" && !self.within("section") {
            let label = match () {
                () if self.within("guardian") => "Guardian",
                () if self.within("patient") => "Patient",
                () if self.within("author") => "Author",
                () if self.within("custodian") => "Custodian",
                () => "Name",
            };
            let name = std::mem::take(&mut self.line);
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            if !name.is_empty() {
                self.say(&format!("{label}: {name}"));
            }
        } else if self.within("name") {
            self.line.push(' ');
        } else {
            self.line.clear();
        }
    }

    fn characters(&mut self, characters: &str) {
        if self.embedded_from.is_some() {
            return;
        }
        if self.narrative_from.is_none() {
            self.line.push_str(characters);
            return;
        }
        for character in characters.chars() {
            if !character.is_ascii_whitespace() {
                self.text.push(character);
            } else if !self.text.ends_with([' ', '\t', '\n']) {
                self.text.push(' ');
            }
        }
    }

    /// The gathered characters as a line.
    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        if !line.is_empty() {
            self.say(line);
        }
    }

    fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn end_block(&mut self) {
        if self.cells > 0 {
            self.text.push(' ');
        } else {
            self.trim();
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
        }
    }

    fn trim(&mut self) {
        let end = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(end);
    }
}

/// A moment of HL7 (`YYYYMMDDHHMM…`) as its day; what is no day is given as it is.
fn date(value: &str) -> String {
    let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
    match (digits.get(..4), digits.get(4..6), digits.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => value.to_owned(),
    }
}
