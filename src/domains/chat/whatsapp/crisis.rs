//! Words that raise an alarm, and words that end or begin a conversation. Pure.

use crate::domains::chat::phrases::{self, words};

/// What is answered to them unless the facility has words of its own.
pub(super) const REPLY: &str = "This is an automatic reply. Nobody watches these messages around the clock. If you or \
    somebody else is in danger, call 911 or your local emergency number now. In the United States you can call or text \
    988 (Suicide & Crisis Lifeline) at any time, day or night.";

const STOP: &[&str] =
    &["stop", "stopall", "stop all", "unsubscribe", "opt out", "optout", "baja", "parar", "arret", "stopp"];
const START: &[&str] = &["start", "unstop", "subscribe", "opt in", "optin", "alta", "comenzar"];

/// Whether a text speaks of acute danger.
pub(super) fn is_crisis(text: &str) -> bool {
    phrases::any_in(phrases::CRISIS_OUTSIDE, text)
}

/// What a text of one word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Start,
}

/// Whether a text is nothing but a wish to hear nothing more, or to hear again.
pub(super) fn wish(text: &str) -> Option<Wish> {
    let text = words(text);
    match text.trim() {
        word if STOP.contains(&word) => Some(Wish::Stop),
        word if START.contains(&word) => Some(Wish::Start),
        _ => None,
    }
}
