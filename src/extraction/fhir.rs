//! FHIR resources in JSON (R4 and R5), single or in bundles, to readable lines.
//!
//! Each resource gives its type, then a line for each of its elements, in an order in which the kinds met most are read
//! (what, result, when, who); data types are told by their shape. Identifiers of the exchange (ids, profiles,
//! references without a name) and embedded files are left out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Extracted, ExtractionError, Limits, html, text};

/// Resources in one file.
const MAX_RESOURCES: usize = 100_000;

/// What says nothing to a reader.
const LEFT_OUT: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "extension",
    "modifierExtension",
    "contained",
    "fullUrl",
    "link",
    "search",
    "request",
    "response",
    "data",
    "hash",
    "url",
    "text",
    "system",
    "profile",
    "photo",
    "linkId",
];

/// What is read first.
const FIRST: &[&str] = &[
    "name",
    "title",
    "code",
    "type",
    "category",
    "medicationCodeableConcept",
    "medication",
    "vaccineCode",
    "birthDate",
    "gender",
    "identifier",
    "description",
    "clinicalStatus",
    "verificationStatus",
    "status",
    "intent",
    "value",
    "interpretation",
    "dosage",
    "dosageInstruction",
    "component",
    "effectiveDateTime",
    "onsetDateTime",
    "authoredOn",
    "occurrenceDateTime",
    "performedDateTime",
    "recordedDate",
    "date",
    "period",
];

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let decoded = text::decode(content, None);
    let value: Value = serde_json::from_str(decoded.trim_start_matches('\u{feff}')).map_err(|error| {
        // The parser has no kind of its own for its limit; a test holds these words.
        if error.to_string().contains("recursion limit") { ExtractionError::TooDeep } else { ExtractionError::Damaged }
    })?;
    let Value::Object(root) = &value else { return Err(ExtractionError::Damaged) };
    let mut out = String::new();
    let mut resources = 0;
    append(root, &mut out, &mut resources, limits)?;
    Extracted::unpaged(&out, limits)
}

fn append(
    resource: &Map<String, Value>,
    out: &mut String,
    resources: &mut usize,
    limits: &Limits,
) -> Result<(), ExtractionError> {
    *resources += 1;
    if *resources > MAX_RESOURCES {
        return Err(ExtractionError::TooLarge);
    }
    let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    if kind == "Bundle" {
        for entry in resource.get("entry").and_then(Value::as_array).into_iter().flatten() {
            if let Some(Value::Object(inner)) = entry.get("resource") {
                append(inner, out, resources, limits)?;
            }
        }
        return Ok(());
    }
    let _ = writeln!(out, "{}", words(kind));
    if kind == "Composition" {
        append_sections(resource, out, limits)?;
    }
    let mut told = 0;
    for (name, value) in in_order(resource) {
        let shown = show(value);
        if !shown.is_empty() {
            let _ = writeln!(out, "{}: {shown}", label(name));
            told += 1;
        }
        limits.hold_text(out)?;
    }
    // The narrative says what the elements say, so it counts only where they say nothing.
    if told == 0 {
        append_narrative(resource, out, limits)?;
    }
    out.push('\n');
    Ok(())
}

fn in_order(resource: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut elements: Vec<_> = resource.iter().filter(|(name, _)| is_told(name)).collect();
    elements.sort_by_key(|(name, _)| {
        let place = |name: &str| FIRST.iter().position(|first| *first == name);
        place(name).or_else(|| name.starts_with("value").then(|| place("value")).flatten()).unwrap_or(FIRST.len())
    });
    elements
}

fn is_told(name: &str) -> bool {
    // A leading underscore marks what is said about a value and not the value.
    !LEFT_OUT.contains(&name) && !name.starts_with('_') && name != "section"
}

/// The sections of a document, with their titles.
fn append_sections(resource: &Map<String, Value>, out: &mut String, limits: &Limits) -> Result<(), ExtractionError> {
    for section in resource.get("section").and_then(Value::as_array).into_iter().flatten() {
        let Value::Object(section) = section else { continue };
        if let Some(title) = section.get("title").and_then(Value::as_str) {
            let _ = writeln!(out, "{title}");
        }
        append_narrative(section, out, limits)?;
        append_sections(section, out, limits)?;
    }
    Ok(())
}

fn append_narrative(holder: &Map<String, Value>, out: &mut String, limits: &Limits) -> Result<(), ExtractionError> {
    let Some(narrative) = holder.get("text").and_then(|text| text.get("div")).and_then(Value::as_str) else {
        return Ok(());
    };
    match html::extract(narrative.as_bytes(), limits) {
        Ok(extracted) => extracted.pages.iter().for_each(|page| {
            let _ = writeln!(out, "{}", page.text);
        }),
        Err(ExtractionError::NoText) => {}
        Err(error) => return Err(error),
    }
    limits.hold_text(out)
}

/// A value as a person would write it; empty when there is nothing to tell. The parser bounds the depth.
fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Array(values) => joined(values.iter().map(show), "; "),
        Value::Object(object) => show_object(object),
    }
}

fn show_object(object: &Map<String, Value>) -> String {
    let part = |name: &str| object.get(name).map(show).unwrap_or_default();
    let has = |name: &str| object.contains_key(name);
    if object.get("text").is_some_and(Value::is_string) {
        return part("text");
    }
    if let Some(coding) = object.get("coding").and_then(Value::as_array) {
        return joined(
            coding.iter().map(|one| one.get("display").or_else(|| one.get("code")).map(show).unwrap_or_default()),
            ", ",
        );
    }
    if has("family") || has("given") {
        let given = object.get("given").and_then(Value::as_array);
        let given = joined(given.into_iter().flatten().map(show), " ");
        return joined([part("prefix"), given, part("family")].into_iter(), " ");
    }
    if has("numerator") {
        return joined([part("numerator"), part("denominator")].into_iter(), " / ");
    }
    if has("low") || has("high") {
        return joined([part("low"), part("high")].into_iter(), " to ");
    }
    if has("start") || has("end") {
        return joined([part("start"), part("end")].into_iter(), " to ");
    }
    if has("display") {
        return part("display");
    }
    if has("value") && (has("unit") || !has("code")) {
        return joined([part("comparator"), part("value"), part("unit")].into_iter(), " ");
    }
    if has("reference") {
        return String::new();
    }
    // A part of a larger thing: what it is, then the rest.
    let head = part("code");
    let rest = in_order(object).into_iter().filter(|(name, _)| *name != "code").map(|(_, value)| show(value));
    joined([head, joined(rest, ", ")].into_iter(), ": ")
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
}

/// `MedicationRequest` as "Medication request".
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for (at, character) in name.chars().enumerate() {
        if at > 0 && character.is_ascii_uppercase() {
            words.push(' ');
            words.push(character.to_ascii_lowercase());
        } else if at == 0 {
            words.push(character.to_ascii_uppercase());
        } else {
            words.push(character);
        }
    }
    words
}

/// `valueQuantity` as "Value": which type a value has is of no use to a reader.
fn label(name: &str) -> String {
    const TYPED: &[&str] =
        &["value", "effective", "onset", "medication", "occurrence", "performed", "abatement", "deceased"];
    let typed = TYPED.iter().find(|stem| {
        name.strip_prefix(**stem).is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
    });
    words(typed.unwrap_or(&name))
}
