//! What the set-up of an assistant may be. Pure.

use super::model::AgentSetup;
use crate::domains::chat::model::Refusal;
use crate::error::Stop;

/// Longest name, in characters.
const MAX_NAME: usize = 100;
/// Longest purpose and style, in characters: both are sent to the model with each question.
const MAX_TEXT: usize = 2000;
/// Most boundaries, and the longest one in characters.
const MAX_BOUNDARIES: usize = 50;
const MAX_BOUNDARY: usize = 100;

type Checked<T> = Result<T, Stop<Refusal>>;

fn invalid<T>(field: &'static str, message: String) -> Checked<T> {
    Err(Stop::refuse(Refusal::Invalid, &["input", field], message))
}

fn line(field: &'static str, text: &str, most: usize) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return invalid(field, format!("must have 1 to {most} characters on one line"));
    }
    Ok(text.to_owned())
}

fn text(field: &'static str, text: &str) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_TEXT || text.contains('\0') {
        return invalid(field, format!("must have 1 to {MAX_TEXT} characters"));
    }
    Ok(text.to_owned())
}

/// The set-up without white space at the ends of its texts.
pub(super) fn setup(setup: AgentSetup) -> Checked<AgentSetup> {
    let AgentSetup { name, purpose, style, boundaries, model_name, retrieval_scope } = setup;
    if boundaries.len() > MAX_BOUNDARIES {
        return invalid("boundaries", format!("there may be at most {MAX_BOUNDARIES}"));
    }
    Ok(AgentSetup {
        name: line("name", &name, MAX_NAME)?,
        purpose: text("purpose", &purpose)?,
        style: style.map(|style| text("style", &style)).transpose()?,
        boundaries: boundaries
            .iter()
            .map(|boundary| line("boundaries", boundary, MAX_BOUNDARY))
            .collect::<Checked<_>>()?,
        model_name: model_name.map(|name| line("modelName", &name, MAX_NAME)).transpose()?,
        retrieval_scope,
    })
}
