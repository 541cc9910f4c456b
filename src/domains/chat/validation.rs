//! What titles, tags and texts may be. Pure.

use std::borrow::Cow;

use super::model::Refusal;
use crate::error::Stop;
use crate::phi::Phi;

/// Longest title, in characters.
pub(super) const MAX_TITLE: usize = 200;
/// Longest text of a message, in characters.
pub(super) const MAX_BODY: usize = 20_000;
/// Most tags, and the longest one in characters.
const MAX_TAGS: usize = 10;
const MAX_TAG: usize = 40;
/// Most who take part at a time: what they are told is one statement for all.
pub(super) const MAX_PARTICIPANTS: usize = 200;

pub(super) type Checked<T> = Result<T, Stop<Refusal>>;

pub(super) fn invalid<T>(field: &'static str, message: impl Into<Cow<'static, str>>) -> Checked<T> {
    Err(Stop::refuse(Refusal::Invalid, &["input", field], message))
}

/// A name and the like, without white space at its ends.
pub(super) fn line(field: &'static str, text: &str, most: usize) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return invalid(field, format!("must have 1 to {most} characters on one line"));
    }
    Ok(text.to_owned())
}

/// Some lines, without white space at their ends.
pub(super) fn text(field: &'static str, text: &str, most: usize) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.contains('\0') {
        return invalid(field, format!("must have 1 to {most} characters"));
    }
    Ok(text.to_owned())
}

/// A title on one line; `None` when it is blank.
pub(super) fn title(title: Option<Phi<String>>) -> Checked<Option<Phi<String>>> {
    let Some(title) = title.and_then(|title| title.non_blank()) else { return Ok(None) };
    if title.length_chars() > MAX_TITLE {
        return invalid("title", format!("is longer than {MAX_TITLE} characters"));
    }
    if title.reveal_str().chars().any(char::is_control) {
        return invalid("title", "must be on one line");
    }
    Ok(Some(title))
}

/// Tags without white space at their ends, each once, in their order.
pub(super) fn tags(tags: Vec<String>) -> Checked<Vec<String>> {
    let mut kept: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags {
        let tag = tag.trim();
        if tag.is_empty() || tag.chars().count() > MAX_TAG || tag.chars().any(char::is_control) {
            return invalid("tags", format!("each must have 1 to {MAX_TAG} characters on one line"));
        }
        if !kept.iter().any(|other| other == tag) {
            kept.push(tag.to_owned());
        }
    }
    if kept.len() > MAX_TAGS { invalid("tags", format!("there may be at most {MAX_TAGS}")) } else { Ok(kept) }
}

/// A text as it was typed, which is not blank.
pub(super) fn body(body: &Phi<String>) -> Checked<()> {
    if body.is_blank() || body.reveal_str().contains('\0') {
        return invalid("body", "must not be empty");
    }
    if body.length_chars() > MAX_BODY {
        return invalid("body", format!("is longer than {MAX_BODY} characters"));
    }
    Ok(())
}
