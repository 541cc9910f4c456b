//! Why a chart was opened in an emergency, and what was thought of it.

use super::Faults;
use crate::domains::patients::model::Refusal;
use crate::error::Stop;
use crate::phi::Phi;

/// Shorter is no reason.
const MIN_REASON: usize = 10;
const MAX_REASON: usize = 1000;

/// Reads the reason of an emergency access.
pub(in crate::domains::patients) fn break_glass_reason(reason: Phi<String>) -> Result<Phi<String>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let reason = faults.optional_text("reason", Some(reason), MAX_REASON).unwrap_or_default();
    if reason.length_chars() < MIN_REASON {
        faults.add("reason", format!("must say why, in {MIN_REASON} characters or more"));
    }
    faults.into_result()?;
    Ok(reason)
}

/// Reads the remark of a reviewer. Who finds an access unjustified says why.
pub(in crate::domains::patients) fn review_note(
    note: Option<Phi<String>>,
    justified: bool,
) -> Result<Option<Phi<String>>, Stop<Refusal>> {
    let mut faults = Faults::default();
    let note = faults.optional_text("note", note, MAX_REASON);
    if !justified && note.is_none() {
        faults.add("note", "is needed when the access was not justified");
    }
    faults.into_result()?;
    Ok(note)
}
