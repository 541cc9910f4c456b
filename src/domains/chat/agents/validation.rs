//! What the set-up of an assistant may be. Pure.

use super::model::AgentSetup;
use crate::domains::chat::validation::{Checked, invalid, line, text};

/// Longest name, in characters.
const MAX_NAME: usize = 100;
/// Longest purpose and style, in characters: both are sent to the model with each question.
const MAX_TEXT: usize = 2000;
/// Most boundaries, and the longest one in characters.
const MAX_BOUNDARIES: usize = 50;
const MAX_BOUNDARY: usize = 100;

/// The set-up without white space at the ends of its texts.
pub(super) fn setup(setup: AgentSetup) -> Checked<AgentSetup> {
    let AgentSetup { name, purpose, style, boundaries, model_name, retrieval_scope } = setup;
    if boundaries.len() > MAX_BOUNDARIES {
        return invalid("boundaries", format!("there may be at most {MAX_BOUNDARIES}"));
    }
    Ok(AgentSetup {
        name: line("name", &name, MAX_NAME)?,
        purpose: text("purpose", &purpose, MAX_TEXT)?,
        style: style.map(|style| text("style", &style, MAX_TEXT)).transpose()?,
        boundaries: boundaries
            .iter()
            .map(|boundary| line("boundaries", boundary, MAX_BOUNDARY))
            .collect::<Checked<_>>()?,
        model_name: model_name.map(|name| line("modelName", &name, MAX_NAME)).transpose()?,
        retrieval_scope,
    })
}
