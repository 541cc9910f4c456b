//! What our own log lines may say is decided where they are written: a fixed text, and fields of the list.

use std::path::PathBuf;

use anamnesis::telemetry::{LOGGABLE, SPANS, TRACEABLE};

const MACROS: &[&str] =
    &["tracing::error!(", "tracing::warn!(", "tracing::info!(", "tracing::debug!(", "tracing::trace!("];

fn sources(folder: &std::path::Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The arguments of a call, from behind its bracket to the one that closes it.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut all = vec![String::new()];
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut().unwrap().push(letter);
    }
    all.into_iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// The name of a field: `%error`, `kind = job.kind`, `http.route = route`.
fn field(argument: &str) -> String {
    let name = argument.split_once('=').map_or(argument, |(name, _)| name);
    name.trim().trim_start_matches(['%', '?']).to_owned()
}

#[test]
fn every_message_is_a_fixed_text_and_every_field_is_on_the_list() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("crates/encoder/src"), &mut files);
    let (mut calls, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, called) in MACROS.iter().flat_map(|called| text.match_indices(called)) {
            calls += 1;
            let mut all = arguments(&text[at + called.len()..]);
            let message = all.pop().unwrap_or_default();
            let place = format!("{}: {message}", file.display());
            if !(message.starts_with('"') && message.ends_with('"')) || message.contains(['{', '}']) {
                wrong.push(format!("{place}: not a fixed text"));
            }
            for name in all.iter().map(|argument| field(argument)).filter(|name| !LOGGABLE.contains(&name.as_str())) {
                wrong.push(format!("{place}: {name} is not on the list"));
            }
        }
    }
    assert!(calls > 20, "only {calls} calls were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_leaves_the_process_may_be_logged_too_and_says_no_more() {
    let more: Vec<_> = TRACEABLE.iter().filter(|name| !LOGGABLE.contains(name)).collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(!TRACEABLE.contains(&"cause") && !TRACEABLE.contains(&"error"), "an error's words stay at home");
    assert_eq!(SPANS.len(), 4);
}
