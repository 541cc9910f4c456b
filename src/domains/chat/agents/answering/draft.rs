//! An answer on its way: sentences that hold, with marks for the passages they are from. Pure.

use std::fmt::Write as _;

use crate::domains::chat::agents::model::AgentAnswerOutcome;
use crate::domains::chat::messages::answers::{Citation, Written};
use crate::domains::documents::search::model::Hit;
use crate::phi::Phi;

/// What every answer says of itself.
pub(super) const NOTICE: &str = "I am software, not a clinician: read the passages before you act on this.";

const NOT_FOUND: &str = "That is not in the record, as far as you may read it.";
const REFUSED: &str = "That is outside what I speak of. Please ask a colleague.";
const HANDED_OVER: &str = "This sounds like an emergency, which is for a person: I have asked for one to see to this \
    conversation. Follow your facility's crisis protocol now; do not wait for me.";
const BROKEN_OFF: &str = "The model fell silent here.";
const QUOTED: &str = "From the record:";
const PART2: &str = "(labelled 42 CFR Part 2: open the passage to read it)";

/// Longest quotation, in characters, and how many there are.
const QUOTE_CHARS: usize = 600;
const QUOTES: usize = 3;

/// An answer so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub body: String,
    pub citations: Vec<Citation>,
    pub model: Option<String>,
    pub model_version: Option<String>,
    /// Sentences the model wrote, and those of them that are in the text.
    stated: u32,
    held: u32,
}

impl Draft {
    /// Of an answer that a model words.
    pub(super) fn by(model: Option<String>) -> Self {
        Self { model, ..Self::default() }
    }

    /// The number of a passage in the text, from 1: that of its first mention.
    fn mark(&mut self, hit: &Hit) -> usize {
        let citation = Citation { document: hit.document, passage: hit.chunk };
        let place = self.citations.iter().position(|other| *other == citation);
        place.unwrap_or_else(|| {
            self.citations.push(citation);
            self.citations.len() - 1
        }) + 1
    }

    /// Adds a sentence from these passages.
    pub(super) fn add(&mut self, sentence: &Phi<String>, from: &[&Hit]) {
        self.stated += 1;
        self.held += 1;
        if !self.body.is_empty() {
            self.body.push('\n');
        }
        self.body.push_str(sentence.reveal_str());
        for hit in from {
            let mark = self.mark(hit);
            // Writing to a string does not fail.
            let _ = write!(self.body, " [{mark}]");
        }
    }

    /// Counts a sentence that is left out.
    pub(super) fn leave_out(&mut self) {
        self.stated += 1;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Whether the model stated anything, held or not.
    pub(super) const fn says_something(&self) -> bool {
        self.stated > 0
    }

    fn ended(self, outcome: AgentAnswerOutcome, confidence: Option<f64>) -> Written {
        let body = if self.body.is_empty() { NOTICE.to_owned() } else { format!("{}\n\n{NOTICE}", self.body) };
        Written {
            outcome,
            body: Phi::new(body),
            citations: self.citations,
            confidence,
            model: self.model,
            model_version: self.model_version,
        }
    }

    /// The answer as the model worded it.
    pub(super) fn answered(mut self, whole: bool, grounded: bool) -> Written {
        if !whole {
            self.body.push('\n');
            self.body.push_str(BROKEN_OFF);
        }
        let confidence = (grounded && self.stated > 0).then(|| f64::from(self.held) / f64::from(self.stated));
        let outcome = if whole { AgentAnswerOutcome::Answered } else { AgentAnswerOutcome::BrokenOff };
        self.ended(outcome, confidence)
    }

    /// An answer of one sentence of ours.
    fn said(self, outcome: AgentAnswerOutcome, sentence: &str) -> Written {
        Self { body: sentence.to_owned(), citations: Vec::new(), ..self }.ended(outcome, None)
    }

    pub(super) fn not_found(self) -> Written {
        self.said(AgentAnswerOutcome::NotFound, NOT_FOUND)
    }

    pub(super) fn refused(self) -> Written {
        self.said(AgentAnswerOutcome::Refused, REFUSED)
    }

    pub(super) fn handed_over(self) -> Written {
        self.said(AgentAnswerOutcome::HandedOver, HANDED_OVER)
    }

    pub(super) fn failed(self, sentence: &str) -> Written {
        self.said(AgentAnswerOutcome::Failed, sentence)
    }

    /// The best passages in their own words. Those of documents labelled 42 CFR Part 2 are named and not quoted: who else
    /// takes part may not be allowed to read them.
    pub(super) fn quoted(self, hits: &[Hit]) -> Written {
        let mut draft = Self { body: QUOTED.to_owned(), citations: Vec::new(), ..self };
        for hit in hits.iter().take(QUOTES) {
            let mark = draft.mark(hit);
            let _ = if hit.part2 {
                write!(draft.body, "\n{PART2} [{mark}]")
            } else {
                write!(draft.body, "\n“{}” [{mark}]", shortened(hit.text.reveal_str()))
            };
        }
        draft.ended(AgentAnswerOutcome::Quoted, None)
    }
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text.chars().take(QUOTE_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
