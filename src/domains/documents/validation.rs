//! What may be stored: pure rules, no database. All faults of an input are listed at once.

use async_graphql::MaybeUndefined;
use chrono::{Datelike as _, NaiveDate, TimeDelta};

use super::model::{CreateNote, DocumentKind, Refusal, UpdateDocument, UpdateNote, UploadDocument};
use crate::error::{Error, Stop};
use crate::ids::{PatientId, VisitId};
use crate::phi::Phi;

const MAX_TITLE: usize = 200;
/// Longest name a file may have on common systems, in bytes.
const MAX_FILE_NAME_BYTES: usize = 255;
/// Some 80 pages; longer texts are files.
const MAX_TEXT: usize = 200_000;
/// Some four pages.
const MAX_STATEMENT: usize = 10_000;
/// A group session is about a dozen people.
const MAX_PATIENTS: usize = 50;
/// Nothing of a living person is older; a typing error is.
const EARLIEST_YEAR: i32 = 1900;
/// Name of a file that has none.
const NAMELESS: &str = "document";

type Faults = crate::error::Faults<Refusal>;

impl Faults {
    fn title(&mut self, title: &Phi<String>) -> Phi<String> {
        let title = title.trimmed();
        if title.is_blank() {
            self.add("title", "must not be empty");
        } else if title.length_chars() > MAX_TITLE {
            self.add("title", format!("is longer than {MAX_TITLE} characters"));
        } else if title.reveal().chars().any(char::is_control) {
            self.add("title", "has characters that are not printable");
        }
        title
    }

    fn text(&mut self, text: &Phi<String>) -> Phi<String> {
        if text.is_blank() {
            self.add("text", "must not be empty");
        } else if text.length_chars() > MAX_TEXT {
            self.add("text", format!("is longer than {MAX_TEXT} characters"));
        } else if text.reveal().chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add("text", "has characters that are not printable");
        }
        text.clone()
    }

    /// Tomorrow is allowed: somewhere it has begun.
    fn date(&mut self, date: NaiveDate, today: NaiveDate) {
        if date > today + TimeDelta::days(1) {
            self.add("documentDate", "is in the future");
        } else if date.year() < EARLIEST_YEAR {
            self.add("documentDate", format!("is before {EARLIEST_YEAR}"));
        }
    }

    fn patients(&mut self, mut patients: Vec<PatientId>) -> Vec<PatientId> {
        patients.sort_unstable();
        patients.dedup();
        if patients.len() > MAX_PATIENTS {
            self.add("patientIds", format!("names more than {MAX_PATIENTS} patients"));
        }
        patients
    }
}

/// An upload that has passed.
#[derive(Debug)]
pub(super) struct Upload {
    pub title: Phi<String>,
    pub file_name: Phi<String>,
    pub document_date: NaiveDate,
    pub patient_ids: Vec<PatientId>,
}

/// Reads what comes with a file.
pub(super) fn upload(new: UploadDocument, today: NaiveDate) -> Result<Upload, Stop<Refusal>> {
    let mut faults = Faults::default();
    let file_name = file_name(&new.file_name);
    let title = match new.title.and_then(|title| title.non_blank()) {
        Some(title) => faults.title(&title),
        None => title_of(&file_name),
    };
    let document_date = new.document_date.unwrap_or(today);
    faults.date(document_date, today);
    let patient_ids = faults.patients(new.patient_ids);
    faults.into_result()?;
    Ok(Upload { title, file_name, document_date, patient_ids })
}

/// Reads what holds for all files of a batch.
pub(super) fn batch(
    document_date: Option<NaiveDate>,
    patient_ids: Vec<PatientId>,
    today: NaiveDate,
) -> Result<Vec<PatientId>, Stop<Refusal>> {
    let mut faults = Faults::default();
    faults.date(document_date.unwrap_or(today), today);
    let patient_ids = faults.patients(patient_ids);
    faults.into_result()?;
    Ok(patient_ids)
}

/// The name alone, without folders or characters that could break a header or a terminal.
pub(super) fn file_name(given: &Phi<String>) -> Phi<String> {
    given.map_ref(|given| {
        let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut name: String = name.chars().filter(|c| !c.is_control() && !is_direction_mark(*c)).collect();
        name.truncate(name.floor_char_boundary(MAX_FILE_NAME_BYTES));
        let name = name.trim().trim_matches('.').trim();
        if name.is_empty() { NAMELESS.to_owned() } else { name.to_owned() }
    })
}

/// Marks that turn the reading direction, so that `exe.fdp` reads as `pdf.exe`.
const fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The file name without its extension.
fn title_of(file_name: &Phi<String>) -> Phi<String> {
    file_name.map_ref(|name| {
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let stem = if stem.trim().is_empty() { name } else { stem };
        stem.chars().take(MAX_TITLE).collect()
    })
}

/// A change of a document or a draft that has passed; what is absent stays.
#[derive(Debug)]
pub(super) struct Changes {
    pub title: Option<Phi<String>>,
    pub text: Option<Phi<String>>,
    pub kind: Option<DocumentKind>,
    pub document_date: Option<NaiveDate>,
    /// `Some(None)` takes it off.
    pub visit: Option<Option<VisitId>>,
}

/// Absent, or a value.
fn given<T>(value: MaybeUndefined<T>) -> Result<Option<T>, Error> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Err(Error::bad_input("title, text, kind and date of a document cannot be null")),
        MaybeUndefined::Value(value) => Ok(Some(value)),
    }
}

/// Reads a change of a document.
pub(super) fn update(changes: UpdateDocument, today: NaiveDate) -> Result<Changes, Stop<Refusal>> {
    let UpdateDocument { title, kind, document_date, visit_id } = changes;
    note_update(UpdateNote { title, text: MaybeUndefined::Undefined, kind, document_date, visit_id }, today)
}

/// A note that has passed.
#[derive(Debug)]
pub(super) struct Note {
    pub title: Phi<String>,
    pub text: Phi<String>,
    pub document_date: NaiveDate,
    pub patient_ids: Vec<PatientId>,
}

/// Reads a statement to or by a patient.
pub(super) fn statement(text: &Phi<String>, field: &'static str) -> Result<Phi<String>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let text = text.trimmed();
    if text.is_blank() {
        faults.add(field, "must not be empty");
    } else if text.length_chars() > MAX_STATEMENT {
        faults.add(field, format!("is longer than {MAX_STATEMENT} characters"));
    } else if text.reveal().chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        faults.add(field, "has characters that are not printable");
    }
    faults.into_result()?;
    Ok(text)
}

/// Reads a title.
pub(super) fn title(title: &Phi<String>) -> Result<Phi<String>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let title = faults.title(title);
    faults.into_result()?;
    Ok(title)
}

/// Reads a new note. The text of one made of a template may be blank.
pub(super) fn note(new: CreateNote, today: NaiveDate, may_be_blank: bool) -> Result<Note, Stop<Refusal>> {
    let mut faults = Faults::default();
    let title = faults.title(&new.title);
    let text = if may_be_blank && new.text.is_blank() { Phi::default() } else { faults.text(&new.text) };
    let document_date = new.document_date.unwrap_or(today);
    faults.date(document_date, today);
    let patient_ids = faults.patients(new.patient_ids);
    if patient_ids.is_empty() {
        faults.add("patientIds", "must name at least one patient");
    }
    faults.into_result()?;
    Ok(Note { title, text, document_date, patient_ids })
}

/// Reads a change of a draft.
pub(super) fn note_update(changes: UpdateNote, today: NaiveDate) -> Result<Changes, Stop<Refusal>> {
    let mut faults = Faults::default();
    let title = given(changes.title)?.map(|title| faults.title(&title));
    let text = given(changes.text)?.map(|text| faults.text(&text));
    let (kind, document_date) = (given(changes.kind)?, given(changes.document_date)?);
    if let Some(date) = document_date {
        faults.date(date, today);
    }
    faults.into_result()?;
    let visit = match changes.visit_id {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(visit) => Some(Some(visit)),
    };
    Ok(Changes { title, text, kind, document_date, visit })
}

/// Reads patients to link.
pub(super) fn patients(patients: Vec<PatientId>) -> Result<Vec<PatientId>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let patients = faults.patients(patients);
    if patients.is_empty() {
        faults.add("patientIds", "must name at least one patient");
    }
    faults.into_result()?;
    Ok(patients)
}
