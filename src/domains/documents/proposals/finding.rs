//! What a text says of itself: which kind of document it is, which day it is about, and whom. Pure.
//!
//! Read are labels and headings at the beginning of a text, where documents say what they are. What is not said plainly is
//! not found: a proposal that is often wrong is worse than none.

use chrono::{Datelike as _, NaiveDate};

use crate::domains::documents::model::DocumentKind;
use crate::phi::Phi;

/// How much of a text is looked at, in characters: some two pages.
const LOOKED_AT: usize = 6000;
/// A heading is short.
const MAX_HEADING: usize = 60;
/// Headings stand at the top.
const HEADING_LINES: usize = 25;
/// The longest name, in characters.
const MAX_NAME: usize = 80;

/// Headings, the telling before the vague.
const KINDS: &[(&str, DocumentKind)] = &[
    ("discharge summary", DocumentKind::DischargeSummary),
    ("laboratory report", DocumentKind::LabResult),
    ("laboratory results", DocumentKind::LabResult),
    ("lab report", DocumentKind::LabResult),
    ("lab results", DocumentKind::LabResult),
    ("radiology report", DocumentKind::ImagingReport),
    ("imaging report", DocumentKind::ImagingReport),
    ("ultrasound report", DocumentKind::ImagingReport),
    ("treatment plan", DocumentKind::TreatmentPlan),
    ("explanation of benefits", DocumentKind::InsuranceDocument),
    ("prior authorization", DocumentKind::InsuranceDocument),
    ("informed consent", DocumentKind::ConsentForm),
    ("consent to treatment", DocumentKind::ConsentForm),
    ("authorization for release", DocumentKind::ConsentForm),
    ("medication list", DocumentKind::MedicationList),
    ("allergy record", DocumentKind::AllergyRecord),
    ("progress note", DocumentKind::ClinicalNote),
    ("referral", DocumentKind::Referral),
];

const DATE_LABELS: &[&str] = &[
    "date of service",
    "service date",
    "report date",
    "date of report",
    "date reported",
    "collection date",
    "date collected",
    "collected",
    "discharge date",
    "date of discharge",
    "date of visit",
    "visit date",
    "date",
];
const NAME_LABELS: &[&str] = &["patient name", "name of patient", "patient", "name"];
const BIRTH_LABELS: &[&str] = &["date of birth", "birth date", "birthdate", "dob", "d.o.b.", "born"];
const NUMBER_LABELS: &[&str] = &["medical record number", "record number", "mrn", "chart number"];

/// What a text says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub kind: Option<DocumentKind>,
    pub date: Option<NaiveDate>,
    pub person: Person,
}

/// Whom a text is about, as it says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Person {
    pub name: Option<Phi<String>>,
    pub birth_date: Option<NaiveDate>,
    pub mrn: Option<Phi<String>>,
}

/// Reads the beginning of a text.
pub(super) fn said(text: &str, today: NaiveDate) -> Said {
    let end = text.char_indices().nth(LOOKED_AT).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end).unwrap_or(text);
    let lines: Vec<&str> =
        text.lines().flat_map(|line| line.split('\t')).map(str::trim).filter(|line| !line.is_empty()).collect();
    let not_future = |date: &NaiveDate| *date <= today;
    Said {
        kind: kind(&lines),
        date: labelled(&lines, DATE_LABELS).find_map(date).filter(not_future),
        person: Person {
            name: labelled(&lines, NAME_LABELS).find_map(name),
            birth_date: labelled(&lines, BIRTH_LABELS).find_map(date).filter(not_future),
            mrn: labelled(&lines, NUMBER_LABELS).find_map(number),
        },
    }
}

fn kind(lines: &[&str]) -> Option<DocumentKind> {
    lines.iter().take(HEADING_LINES).filter(|line| line.chars().count() <= MAX_HEADING).find_map(|line| {
        let line = line.to_lowercase();
        KINDS.iter().find(|(heading, _)| line.contains(heading)).map(|(_, kind)| *kind)
    })
}

/// What follows one of the labels and a colon, also where several stand in one line.
fn labelled<'a>(lines: &'a [&'a str], labels: &'static [&'static str]) -> impl Iterator<Item = &'a str> {
    labels.iter().flat_map(move |label| lines.iter().filter_map(move |line| after(line, label)))
}

fn after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let lower = line.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower.get(from..).and_then(|rest| rest.find(label)) {
        let (start, end) = (from + found, from + found + label.len());
        // "Birth date:" is not "date:", nor "update:".
        let begins = line.get(..start).is_some_and(|before| {
            before.trim_end().is_empty() || before.trim_end().ends_with([',', ';', '|']) || before.ends_with("  ")
        });
        let rest = line.get(end..)?.trim_start();
        if let Some(value) = rest.strip_prefix(':').filter(|_| begins) {
            return Some(value.trim());
        }
        from = end;
    }
    None
}

/// A name up to what follows it in the line; `Lovelace, Ada` is turned round.
fn name(value: &str) -> Option<Phi<String>> {
    let end = value.find(['|', ';', '(']).or_else(|| value.find("  ")).unwrap_or(value.len());
    let value = value.get(..end)?;
    // A label further on in the line is none of the name.
    let value = match value.find(':') {
        Some(colon) => value
            .get(..colon)
            .and_then(|before| before.rsplit_once(|c: char| c.is_whitespace() || c == ','))
            .map(|(name, _)| name)?,
        None => value,
    };
    let turned = match value.split_once(',') {
        Some((family, given)) if !given.trim().is_empty() => format!("{} {}", given.trim(), family.trim()),
        _ => value.trim().trim_end_matches(',').to_owned(),
    };
    let plausible = turned.split_whitespace().count() >= 2
        && turned.chars().count() <= MAX_NAME
        && turned.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '.' | '\u{2019}'));
    plausible.then(|| Phi::new(turned))
}

fn number(value: &str) -> Option<Phi<String>> {
    let number = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|')).next()?;
    (number.len() >= 3 && number.bytes().any(|byte| byte.is_ascii_digit())).then(|| Phi::new(number.to_owned()))
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The date that a value begins with: `2026-03-09`, `3/9/2026` (the month first, as in the United States),
/// `March 9, 2026` or `9 March 2026`.
fn date(value: &str) -> Option<NaiveDate> {
    let words: Vec<&str> = value
        .split(|c: char| c.is_whitespace() || c == ',' || c == 'T')
        .filter(|word| !word.is_empty())
        .take(3)
        .collect();
    let first = words.first()?;
    let numbers = |separator: char| -> Option<Vec<u32>> {
        let parts: Option<Vec<u32>> = first.split(separator).map(|part| part.parse().ok()).collect();
        parts.filter(|parts| parts.len() == 3)
    };
    let of = |year: u32, month: u32, day: u32| {
        let found = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        (1900..=2200).contains(&found.year()).then_some(found)
    };
    if let Some(parts) = numbers('-') {
        return of(parts[0], parts[1], parts[2]);
    }
    if let Some(parts) = numbers('/') {
        return of(parts[2], parts[0], parts[1]);
    }
    let month = |word: &str| {
        let word = word.to_ascii_lowercase();
        MONTHS.iter().position(|month| word.starts_with(month)).and_then(|at| u32::try_from(at + 1).ok())
    };
    let (second, third) = (words.get(1)?, words.get(2)?);
    match (month(first), month(second)) {
        (Some(month), _) => of(third.parse().ok()?, month, second.parse().ok()?),
        (None, Some(month)) => of(third.parse().ok()?, month, first.parse().ok()?),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn read(text: &str) -> Said {
        said(text, day(2026, 3, 9))
    }

    #[test]
    fn a_letterhead_says_what_when_and_whom() {
        let found = read(
            "Lakeside Hospital\nDISCHARGE SUMMARY\nPatient: Lovelace, Ada M   DOB: 12/10/1984  MRN: LK-0042\nDate of discharge: March 1, 2026\n",
        );
        assert_eq!(found.kind, Some(DocumentKind::DischargeSummary));
        assert_eq!(found.date, Some(day(2026, 3, 1)));
        assert_eq!(found.person.name.as_ref().map(Phi::reveal_str), Some("Ada M Lovelace"));
        assert_eq!(found.person.birth_date, Some(day(1984, 12, 10)));
        assert_eq!(found.person.mrn.as_ref().map(Phi::reveal_str), Some("LK-0042"));
    }

    #[test]
    fn dates_are_read_in_the_ways_they_are_written() {
        for text in
            ["2026-03-01", "3/1/2026", "03/01/2026 09:15", "March 1, 2026", "1 Mar 2026", "2026-03-01T10:00:00Z"]
        {
            assert_eq!(date(text), Some(day(2026, 3, 1)), "{text}");
        }
        for text in ["", "soon", "13/45/2026", "0026-01-01", "March", "1/2"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_said_plainly_is_not_found() {
        assert_eq!(
            read(
                "He brought his lab results and a medication list, and we talked about the discharge summary for some time."
            ),
            Said::default()
        );
        assert_eq!(read("Birth date: 1984-12-10\nUpdate: 2026-01-01").date, None);
        assert_eq!(read("Date: 2027-01-01").date, None);
        assert_eq!(read("Name: Lithium").person.name, None);
        assert_eq!(read("Patient: see 14:30 note").person.name, None);
    }
}
