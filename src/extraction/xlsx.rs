//! Excel workbooks (Office Open XML, ECMA-376) to text.
//!
//! Each sheet gives its name, then a line for each row with a tab between its cells, as far as they hold something. A
//! number that is shown as a day or a time is given as one; formulas give the value that was last computed. Charts,
//! comments and the formats of other numbers are left out.

use std::collections::HashMap;

use chrono::{NaiveDate, TimeDelta};

use super::package::Package;
use super::xml::{self, Item};
use super::{Extracted, ExtractionError, Limits};

const WORKBOOK: &str = "xl/workbook.xml";
const RELATIONS: &str = "xl/_rels/workbook.xml.rels";
const STRINGS: &str = "xl/sharedStrings.xml";
const STYLES: &str = "xl/styles.xml";

/// What cells refer to.
#[derive(Default)]
struct Shared {
    strings: Vec<String>,
    /// Of each cell style, whether it shows a number as a day or a time.
    dates: Vec<bool>,
    /// Days are counted from 1904, as on early Macintoshes.
    from_1904: bool,
}

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let mut package = Package::open(content, limits)?;
    if !package.has(WORKBOOK) {
        return Err(ExtractionError::ContentMismatch);
    }
    let mut shared = Shared::default();
    let sheets = sheets(&mut package, &mut shared)?;
    if let Some(part) = package.unpack_optional(STRINGS)? {
        shared.strings = strings(&part)?;
    }
    if let Some(part) = package.unpack_optional(STYLES)? {
        shared.dates = dates(&part)?;
    }
    let mut text = String::new();
    for (name, part) in sheets {
        // Sheets that are only a chart have another kind of part.
        let Some(part) = package.unpack_optional(&part)? else { continue };
        text.push_str(&name);
        text.push('\n');
        append_sheet(&part, &shared, &mut text, limits)?;
        text.push('\n');
    }
    Extracted::unpaged(&text, limits)
}

/// Names of the sheets with their parts, in the order of the workbook.
fn sheets(package: &mut Package<'_>, shared: &mut Shared) -> Result<Vec<(String, String)>, ExtractionError> {
    let mut parts = HashMap::new();
    if let Some(relations) = package.unpack_optional(RELATIONS)? {
        xml::walk(&relations, |item| {
            if let Item::Open(element) = item
                && element.is("Relationship")
                && let (Some(id), Some(target)) = (element.attribute("Id"), element.attribute("Target"))
            {
                let part = target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned);
                parts.insert(id, part);
            }
            Ok(())
        })?;
    }
    let workbook = package.unpack(WORKBOOK)?;
    let mut sheets = Vec::new();
    xml::walk(&workbook, |item| {
        if let Item::Open(element) = item {
            if element.is("workbookPr") {
                shared.from_1904 = element.attribute("date1904").is_some_and(|value| value == "1" || value == "true");
            } else if element.is("sheet") {
                let name = element.attribute("name").unwrap_or_default();
                let part = element.attribute("id").and_then(|id| parts.get(&id).cloned());
                let part = part.unwrap_or_else(|| format!("xl/worksheets/sheet{}.xml", sheets.len() + 1));
                sheets.push((name, part));
            }
        }
        Ok(())
    })?;
    Ok(sheets)
}

/// The texts that cells share. Pronunciations beside them are left out.
fn strings(part: &[u8]) -> Result<Vec<String>, ExtractionError> {
    let (mut strings, mut current) = (Vec::new(), String::new());
    let (mut in_text, mut in_pronunciation) = (false, false);
    xml::walk(part, |item| {
        match item {
            Item::Open(element) if element.is("t") => in_text = !in_pronunciation,
            Item::Open(element) if element.is("rPh") => in_pronunciation = true,
            Item::Close("t") => in_text = false,
            Item::Close("rPh") => in_pronunciation = false,
            Item::Close("si") => strings.push(std::mem::take(&mut current)),
            Item::Text(characters) if in_text => current.push_str(characters),
            _ => {}
        }
        Ok(())
    })?;
    Ok(strings)
}

/// Which cell styles show a number as a day or a time.
fn dates(part: &[u8]) -> Result<Vec<bool>, ExtractionError> {
    let mut own_formats = HashMap::new();
    let (mut dates, mut in_cell_styles) = (Vec::new(), false);
    xml::walk(part, |item| {
        match item {
            Item::Open(element) if element.is("numFmt") => {
                if let (Some(id), Some(code)) = (element.attribute("numFmtId"), element.attribute("formatCode")) {
                    own_formats.insert(id, shows_a_date(&code));
                }
            }
            Item::Open(element) if element.is("cellXfs") => in_cell_styles = true,
            Item::Close("cellXfs") => in_cell_styles = false,
            Item::Open(element) if in_cell_styles && element.is("xf") => {
                let id = element.attribute("numFmtId").unwrap_or_default();
                // The numbers of the formats that are built in, ECMA-376 part 1, 18.8.30.
                let built_in = matches!(id.parse(), Ok(14..=22 | 27..=36 | 45..=47 | 50..=58_u32));
                dates.push(own_formats.get(&id).copied().unwrap_or(built_in));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(dates)
}

/// Whether a format code has letters of days and times outside quotes, brackets and escapes.
fn shows_a_date(code: &str) -> bool {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    code.chars().any(|character| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match character {
            '"' => quoted = !quoted,
            '[' if !quoted => bracketed = true,
            ']' => bracketed = false,
            '\\' | '_' | '*' if !quoted => escaped = true,
            'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S' => return !quoted && !bracketed,
            _ => {}
        }
        false
    })
}

/// A cell being read.
#[derive(Default)]
struct Cell {
    kind: String,
    style: usize,
    value: String,
}

fn append_sheet(part: &[u8], shared: &Shared, text: &mut String, limits: &Limits) -> Result<(), ExtractionError> {
    let (mut cell, mut in_value) = (Cell::default(), false);
    xml::walk(part, |item| {
        match item {
            Item::Open(element) if element.is("c") => {
                cell = Cell {
                    kind: element.attribute("t").unwrap_or_default(),
                    style: element.attribute("s").and_then(|style| style.parse().ok()).unwrap_or(0),
                    value: String::new(),
                };
            }
            Item::Open(element) if element.is("v") || element.is("t") => in_value = true,
            Item::Close("v" | "t") => in_value = false,
            Item::Text(characters) if in_value => cell.value.push_str(characters),
            Item::Close("c") => append_cell(&cell, shared, text),
            Item::Close("row") => {
                let end = text.trim_end_matches('\t').len();
                text.truncate(end);
                text.push('\n');
            }
            _ => {}
        }
        limits.hold_text(text)
    })
}

fn append_cell(cell: &Cell, shared: &Shared, text: &mut String) {
    let value = cell.value.trim();
    if value.is_empty() {
        return;
    }
    let start = text.len();
    match &*cell.kind {
        "s" => {
            let shared = value.parse::<usize>().ok().and_then(|index| shared.strings.get(index));
            text.extend(shared.map(String::as_str).unwrap_or_default().lines().flat_map(|line| [line, " "]));
        }
        "b" => text.push_str(if value == "1" { "TRUE" } else { "FALSE" }),
        "" | "n" if shared.dates.get(cell.style).copied().unwrap_or(false) => match moment(value, shared.from_1904) {
            Some(moment) => text.push_str(&moment),
            None => text.push_str(value),
        },
        _ => text.extend(value.lines().flat_map(|line| [line, " "])),
    }
    let end = text.trim_end_matches(' ').len().max(start);
    text.truncate(end);
    text.push('\t');
}

/// A number of days as a day, with the time where it has one; a part of a day as a time.
fn moment(value: &str, from_1904: bool) -> Option<String> {
    /// 9999-12-31: what the format allows.
    const LAST_DAY: f64 = 2_958_465.0;
    let days: f64 = value.parse().ok()?;
    if !(0.0..=LAST_DAY).contains(&days) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds just checked")]
    let seconds = (days * 86_400.0).round() as i64;
    // The format counts a 29 February 1900 that never was, hence the day before.
    let (year, month, day) = if from_1904 { (1904, 1, 1) } else { (1899, 12, 30) };
    let moment = NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)? + TimeDelta::seconds(seconds);
    Some(match (days < 1.0, seconds % 86_400) {
        (true, _) => moment.format("%H:%M").to_string(),
        (false, 0) => moment.format("%Y-%m-%d").to_string(),
        (false, _) => moment.format("%Y-%m-%d %H:%M").to_string(),
    })
}
