//! What a form is and what may be filled in: pure rules, no database.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domains::documents::model::Refusal;
use crate::error::Stop;
use crate::text_enum::text_enum;

/// Longer forms are not filled in.
const MAX_FIELDS: usize = 60;
const MAX_CHOICES: usize = 60;
const MAX_NAME: usize = 100;
const MAX_KEY: usize = 40;
/// Of one text, or one item of a list, where the field says nothing.
const DEFAULT_LENGTH: u32 = 2_000;
/// A rendered note stays within what a note may hold (`validation.rs`) with ten of these.
const MAX_LENGTH: u32 = 20_000;
const MAX_ITEMS: usize = 100;
/// Beyond it a double does not hold every whole number.
const MAX_NUMBER: f64 = 9_007_199_254_740_992.0;

text_enum! {
    /// What a field of a template holds.
    NoteFieldType {
        /// Text of any length the field allows.
        Text = "text",
        /// One of the choices of the field.
        Choice = "choice",
        /// A number.
        Number = "number",
        /// A calendar day.
        Date = "date",
        /// Texts, one below the other.
        List = "list",
    }
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// Names it among the fields of the form.
    pub key: String,
    /// What the reader sees above the value.
    pub label: String,
    #[serde(rename = "type")]
    pub kind: NoteFieldType,
    /// Whether a final note must have it.
    #[serde(default)]
    pub required: bool,
    /// In characters; of each item in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What is filled into a field. It says something of a patient: neither shown by `Debug` nor kept but encrypted.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldValue {
    /// A text or a choice.
    Text(String),
    Number(f64),
    Date(NaiveDate),
    List(Vec<String>),
}

impl std::fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FieldValue(…)")
    }
}

/// What is filled into a form, by key of the field.
pub type Values = BTreeMap<String, FieldValue>;

type Faults = crate::error::Faults<Refusal>;

impl Faults {
    /// A fault of a form, or of what is filled in.
    fn add_below(&mut self, code: Refusal, path: &[&str], message: impl Into<Cow<'static, str>>) {
        self.push(code, path.iter().map(|part| Cow::Owned((*part).to_owned())).collect(), message);
    }
}

fn is_plain(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

fn is_key(key: &str) -> bool {
    key.len() <= MAX_KEY
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Checks a form.
///
/// # Errors
/// All that is wrong with it, by the number of the field, from 0.
pub fn check_form(name: &str, fields: &[Field]) -> Result<(), Stop<Refusal>> {
    let mut faults = Faults::default();
    if !is_plain(name, MAX_NAME) {
        faults.add_below(Refusal::Invalid, &["input", "name"], format!("must have 1 to {MAX_NAME} characters"));
    }
    if fields.is_empty() || fields.len() > MAX_FIELDS {
        faults.add_below(Refusal::Invalid, &["input", "fields"], format!("must be 1 to {MAX_FIELDS}"));
    }
    let mut seen = BTreeSet::new();
    for (at, field) in fields.iter().enumerate() {
        let at = at.to_string();
        let mut fault = |part: &str, message: Cow<'static, str>| {
            faults.add_below(Refusal::Invalid, &["input", "fields", &at, part], message);
        };
        if !is_key(&field.key) {
            fault("key", "must be lower-case letters, digits and underscores, and begin with a letter".into());
        } else if !seen.insert(field.key.as_str()) {
            fault("key", "stands twice".into());
        }
        if !is_plain(&field.label, MAX_NAME) {
            fault("label", format!("must have 1 to {MAX_NAME} characters").into());
        }
        if (field.kind == NoteFieldType::Choice) == field.choices.is_empty() || field.choices.len() > MAX_CHOICES {
            fault("choices", format!("are 1 to {MAX_CHOICES} of a choice, and none of anything else").into());
        } else if field.choices.iter().any(|choice| !is_plain(choice, MAX_NAME)) {
            fault("choices", format!("must have 1 to {MAX_NAME} characters each").into());
        }
        let sized = matches!(field.kind, NoteFieldType::Text | NoteFieldType::List);
        if field.max_length.is_some_and(|most| !sized || !(1..=MAX_LENGTH).contains(&most)) {
            fault("maxLength", format!("is 1 to {MAX_LENGTH}, for texts and lists").into());
        }
    }
    faults.into_result()
}

/// What of a form is filled in, trimmed; blank is not filled in.
///
/// # Errors
/// All values that do not fit their field, each named by the key of the field.
pub fn check_values(fields: &[Field], given: Vec<(String, FieldValue)>) -> Result<Values, Stop<Refusal>> {
    let mut faults = Faults::default();
    let mut values = Values::new();
    for (key, value) in given {
        let Some(field) = fields.iter().find(|field| field.key == key) else {
            // The key came from outside and is not repeated.
            faults.add_below(Refusal::Invalid, &["input", "fields"], "names a field that the template does not have");
            continue;
        };
        match fits(field, value) {
            Ok(None) => {}
            Ok(Some(value)) => {
                if values.insert(key, value).is_some() {
                    faults.add_below(Refusal::Invalid, &["input", "fields", &field.key], "is given twice");
                }
            }
            Err(message) => faults.add_below(Refusal::Invalid, &["input", "fields", &field.key], message),
        }
    }
    faults.into_result()?;
    Ok(values)
}

/// The value as it is kept; `None` for a blank one.
fn fits(field: &Field, value: FieldValue) -> Result<Option<FieldValue>, Cow<'static, str>> {
    let most = usize::try_from(field.max_length.unwrap_or(DEFAULT_LENGTH)).unwrap_or(usize::MAX);
    let fault = |text: &str| {
        if text.chars().count() > most {
            Some(Cow::Owned(format!("is longer than {most} characters")))
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            Some(Cow::Borrowed("has characters that are not printable"))
        } else {
            None
        }
    };
    match (field.kind, value) {
        (NoteFieldType::Text, FieldValue::Text(text)) => match fault(text.trim()) {
            Some(fault) => Err(fault),
            None if text.trim().is_empty() => Ok(None),
            None => Ok(Some(FieldValue::Text(text.trim().to_owned()))),
        },
        (NoteFieldType::Choice, FieldValue::Text(choice)) if choice.is_empty() => Ok(None),
        (NoteFieldType::Choice, FieldValue::Text(choice)) if field.choices.contains(&choice) => {
            Ok(Some(FieldValue::Text(choice)))
        }
        (NoteFieldType::Choice, FieldValue::Text(_)) => Err("is none of the choices".into()),
        (NoteFieldType::Number, FieldValue::Number(number)) if number.is_finite() && number.abs() <= MAX_NUMBER => {
            Ok(Some(FieldValue::Number(number)))
        }
        (NoteFieldType::Number, FieldValue::Number(_)) => Err("is too large".into()),
        (NoteFieldType::Date, date @ FieldValue::Date(_)) => Ok(Some(date)),
        (NoteFieldType::List, FieldValue::List(items)) => {
            let items: Vec<String> =
                items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
            if items.len() > MAX_ITEMS {
                return Err(format!("has more than {MAX_ITEMS} items").into());
            }
            match items.iter().find_map(|item| fault(item)) {
                Some(fault) => Err(fault),
                None if items.is_empty() => Ok(None),
                None => Ok(Some(FieldValue::List(items))),
            }
        }
        (kind, _) => Err(format!("must be a {}", kind.as_str()).into()),
    }
}

/// Whether a note has all that a final one must have.
///
/// # Errors
/// Each field that is required and not filled in, by its key.
pub fn check_complete(fields: &[Field], values: &Values) -> Result<(), Stop<Refusal>> {
    let mut faults = Faults::default();
    for field in fields.iter().filter(|field| field.required && !values.contains_key(&field.key)) {
        faults.add_below(Refusal::Incomplete, &["fields", &field.key], format!("{} is not filled in", field.label));
    }
    faults.into_result()
}

/// The note as text: each label with what is filled in below it, in the order of the form.
#[must_use]
pub fn render(fields: &[Field], values: &Values) -> String {
    let mut text = String::new();
    for field in fields {
        let Some(value) = values.get(&field.key) else { continue };
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&field.label);
        text.push('\n');
        match value {
            FieldValue::Text(value) => text.push_str(value),
            FieldValue::Number(number) => {
                let _ = write!(text, "{number}");
            }
            FieldValue::Date(date) => {
                let _ = write!(text, "{date}");
            }
            FieldValue::List(items) => {
                let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
                text.push_str(&items.join("\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Field, FieldValue, NoteFieldType, Values, check_complete, check_form, check_values, render};
    use crate::domains::documents::model::Refusal;
    use crate::domains::documents::templates::built_in;
    use crate::error::Stop;

    fn field(key: &str, kind: NoteFieldType) -> Field {
        let choices = if kind == NoteFieldType::Choice { vec!["Yes".into(), "No".into()] } else { Vec::new() };
        let max_length = (kind == NoteFieldType::Text).then_some(10);
        Field { key: key.into(), label: key.to_uppercase(), kind, required: true, max_length, choices }
    }

    fn form() -> Vec<Field> {
        NoteFieldType::ALL.iter().map(|kind| field(kind.as_str(), *kind)).collect()
    }

    fn faults<T>(outcome: Result<T, Stop<Refusal>>) -> Vec<String> {
        match outcome {
            Err(Stop::Refused(faults)) => faults.iter().map(|fault| fault.field.join(".")).collect(),
            Err(Stop::Error(error)) => vec![error.to_string()],
            Ok(_) => Vec::new(),
        }
    }

    fn filled() -> Vec<(String, FieldValue)> {
        let date = "2026-03-09".parse().unwrap();
        vec![
            ("text".into(), FieldValue::Text(" calm \n".into())),
            ("choice".into(), FieldValue::Text("No".into())),
            ("number".into(), FieldValue::Number(53.0)),
            ("date".into(), FieldValue::Date(date)),
            ("list".into(), FieldValue::List(vec!["one".into(), " ".into(), "two".into()])),
        ]
    }

    #[test]
    fn what_fits_is_kept_and_rendered_in_the_order_of_the_form() {
        let values = check_values(&form(), filled()).unwrap();
        let wanted = "TEXT\ncalm\n\nCHOICE\nNo\n\nNUMBER\n53\n\nDATE\n2026-03-09\n\nLIST\n- one\n- two";
        assert_eq!(render(&form(), &values), wanted);
        assert_eq!(faults(check_complete(&form(), &values)), Vec::<String>::new());
        let kept = serde_json::to_string(&values).unwrap();
        assert_eq!(serde_json::from_str::<Values>(&kept).unwrap(), values);
        assert_eq!(format!("{values:?}").matches("FieldValue(…)").count(), 5);
    }

    #[test]
    fn what_does_not_fit_is_named_field_by_field() {
        let wrong = vec![
            ("text".into(), FieldValue::Text("more than ten".into())),
            ("choice".into(), FieldValue::Text("Maybe".into())),
            ("number".into(), FieldValue::Number(f64::NAN)),
            ("date".into(), FieldValue::Text("tomorrow".into())),
            ("list".into(), FieldValue::List(vec!["x\u{1b}".into()])),
            ("other".into(), FieldValue::Number(1.0)),
        ];
        let named: Vec<String> =
            ["text", "choice", "number", "date", "list"].map(|key| format!("input.fields.{key}")).into();
        let told = faults(check_values(&form(), wrong));
        assert_eq!(told[..5], named);
        assert_eq!(told[5], "input.fields");
        let twice = vec![("number".into(), FieldValue::Number(1.0)), ("number".into(), FieldValue::Number(2.0))];
        assert_eq!(faults(check_values(&form(), twice)), ["input.fields.number"]);
    }

    #[test]
    fn blank_is_not_filled_in() {
        let blank = vec![
            ("text".into(), FieldValue::Text(" \n".into())),
            ("choice".into(), FieldValue::Text(String::new())),
            ("list".into(), FieldValue::List(vec![" ".into()])),
        ];
        let values = check_values(&form(), blank).unwrap();
        assert_eq!(render(&form(), &values), "");
        assert_eq!(faults(check_complete(&form(), &values)).len(), form().len());
    }

    #[test]
    fn a_form_is_checked_in_every_part() {
        let mut wrong = form();
        wrong[0].key = "Text".into();
        wrong[1].choices.clear();
        wrong[2].choices.push("1".into());
        wrong[3].max_length = Some(3);
        wrong[4].label = "\u{7}".into();
        wrong.push(field("number", NoteFieldType::Number));
        let told = faults(check_form(" ", &wrong));
        let places = [
            "name",
            "fields.0.key",
            "fields.1.choices",
            "fields.2.choices",
            "fields.3.maxLength",
            "fields.4.label",
            "fields.5.key",
        ];
        assert_eq!(told, places.map(|place| format!("input.{place}")));
        assert_eq!(faults(check_form("Form", &[])), ["input.fields"]);
    }

    #[test]
    fn the_built_in_forms_are_sound() {
        let all = built_in::all();
        assert_eq!(all.len(), 7);
        for template in all {
            assert_eq!(faults(check_form(&template.name, &template.fields)), Vec::<String>::new(), "{}", template.name);
            assert!(template.fields.iter().any(|field| field.required));
            assert!(all.iter().filter(|other| other.id == template.id).count() == 1);
        }
    }
}
