//! Asking the model, and growing the message as its sentences come and hold.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;

use super::draft::Draft;
use super::prompt::{self, Asked, Line};
use crate::access::RequestContext;
use crate::domains::chat::agents::model::{Agent, AgentRetrievalScope};
use crate::domains::chat::messages::answers::{self, Expected, Written};
use crate::domains::documents::search::ask::{Known, Tokens};
use crate::domains::documents::search::model::Hit;
use crate::error::{Error, Result};
use crate::phi::Phi;

/// How often the words so far are saved and told, at most.
const GROW_EVERY: Duration = Duration::from_millis(500);

/// Everything a model is asked with.
pub(super) struct Asking {
    pub agent: Agent,
    pub question: Phi<String>,
    /// All that was found, best first.
    pub hits: Vec<Hit>,
    /// What of it is sent.
    pub sent: Vec<Hit>,
    pub remembered: Vec<Phi<String>>,
    pub identifiers: Vec<Known>,
    pub model: Option<String>,
}

/// How an answer ends before its text does.
enum Verdict {
    Refused,
    NotFound,
}

/// An answer while the model speaks.
struct Speaking<'a> {
    asking: &'a Asking,
    tokens: Tokens,
    hidden: Vec<String>,
    grounded: bool,
    draft: Draft,
    /// A line that is not whole yet.
    line: String,
}

impl Speaking<'_> {
    /// Takes in what has come; says whether the text has grown, or that this is the end of it.
    fn hear(&mut self, text: &str) -> Result<bool, Verdict> {
        self.line.push_str(text);
        let mut grew = false;
        while let Some(end) = self.line.find('\n') {
            let line: String = self.line.drain(..=end).collect();
            grew |= self.judge(&line)?;
        }
        Ok(grew)
    }

    /// The last line, which ends with the stream.
    fn end(&mut self) -> Result<bool, Verdict> {
        let line = std::mem::take(&mut self.line);
        self.judge(&line)
    }

    fn judge(&mut self, line: &str) -> Result<bool, Verdict> {
        match prompt::read(line, &self.hidden, self.grounded) {
            Line::Empty => return Ok(false),
            // Once it has said something it has answered.
            Line::Refused if self.draft.is_empty() => return Err(Verdict::Refused),
            Line::NotFound if self.draft.is_empty() => return Err(Verdict::NotFound),
            Line::Refused | Line::NotFound | Line::Unheld => {}
            Line::Stated(text, places) => {
                if let Some(sentence) = self.tokens.restore(&text) {
                    let asking = self.asking;
                    let from: Vec<&Hit> = places.into_iter().filter_map(|place| asking.sent.get(place)).collect();
                    self.draft.add(&sentence, &from);
                    return Ok(true);
                }
            }
        }
        self.draft.leave_out();
        Ok(false)
    }

    fn ended_by(self, verdict: &Verdict) -> Written {
        match verdict {
            Verdict::Refused => self.draft.refused(),
            Verdict::NotFound => self.draft.not_found(),
        }
    }
}

/// Asks the model and grows the message. Where it says nothing that holds, passages are quoted.
pub(super) async fn worded(ctx: &RequestContext, expected: &Expected, asking: Asking) -> Result<Written> {
    let model = ctx.app().language_model.clone().ok_or_else(|| Error::internal("no model to be asked"))?;
    let mut tokens = Tokens::new(&asking.identifiers);
    let hidden: Vec<String> = asking.sent.iter().map(|hit| tokens.hide(hit.text.reveal_str())).collect();
    let question = tokens.hide(asking.question.reveal_str());
    let remembered: Vec<String> = asking.remembered.iter().map(|fact| tokens.hide(fact.reveal_str())).collect();
    let grounded = asking.agent.retrieval_scope != AgentRetrievalScope::None;
    let asked = Asked { question: &question, passages: &hidden, remembered: &remembered, grounded };
    let conversation = prompt::conversation(&asking.agent, &asked);
    let draft = Draft::by(asking.model.clone());
    let mut speaking = Speaking { asking: &asking, tokens, hidden, grounded, draft, line: String::new() };
    let mut pieces = model.stream(asking.agent.model_name.as_deref(), conversation);
    let mut saved: Option<Instant> = None;
    let mut unsaved = false;
    let whole = loop {
        let piece = match pieces.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                tracing::warn!(%error, "a question was not answered by the model");
                break false;
            }
            None => break true,
        };
        if speaking.draft.model_version.is_none() {
            speaking.draft.model_version = piece.model;
        }
        match speaking.hear(&piece.text) {
            Ok(grew) => unsaved |= grew,
            Err(verdict) => return Ok(speaking.ended_by(&verdict)),
        }
        if unsaved && saved.is_none_or(|saved| saved.elapsed() >= GROW_EVERY) {
            answers::grow(ctx, expected, &speaking.draft.body).await?;
            (saved, unsaved) = (Some(Instant::now()), false);
        }
    };
    // What was cut off in the middle of a sentence is none.
    if whole && let Err(verdict) = speaking.end() {
        return Ok(speaking.ended_by(&verdict));
    }
    Ok(concluded(speaking, whole))
}

fn concluded(speaking: Speaking<'_>, whole: bool) -> Written {
    let Speaking { asking, draft, grounded, .. } = speaking;
    if !draft.is_empty() {
        return draft.answered(whole, grounded);
    }
    match (grounded, whole && !draft.says_something()) {
        (true, true) => draft.not_found(),
        (true, false) => draft.quoted(&asking.hits),
        (false, _) => draft.failed("The model did not answer. Please ask again."),
    }
}
