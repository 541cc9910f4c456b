//! How far a download is, told to whoever waits for it.
//!
//! Invariant: nothing here goes to standard output, which belongs to the command's own answer.

use std::io::{IsTerminal, Write};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Hears of the progress of one fetch after another.
pub trait Report: Send {
    /// One line worth reading, such as that another process is being waited for.
    fn note(&mut self, line: &str);
    /// A download of `total_bytes` begins.
    fn begin(&mut self, what: &str, total_bytes: u64);
    /// The download now has `bytes` in all (not: more).
    fn reached(&mut self, bytes: u64);
    /// The download ended, well or not.
    fn end(&mut self);
}

/// Hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Report for Silent {
    fn note(&mut self, _line: &str) {}
    fn begin(&mut self, _what: &str, _total_bytes: u64) {}
    fn reached(&mut self, _bytes: u64) {}
    fn end(&mut self) {}
}

/// A progress bar on standard error where that is a terminal, plain lines where it is not.
#[derive(Debug, Default)]
pub struct StderrReport {
    bar: Option<ProgressBar>,
}

impl StderrReport {
    /// A report that has nothing to say yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Writes a line; a closed standard error is no reason to stop a download.
fn line(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

impl Report for StderrReport {
    fn note(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => line(text),
        }
    }

    fn begin(&mut self, what: &str, total_bytes: u64) {
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total_bytes).with_message(what.to_owned());
            // The template is a constant; were it ever wrong, the plain bar does as well.
            if let Ok(style) =
                ProgressStyle::with_template("{msg}  [{bar:30}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta}")
            {
                bar.set_style(style.progress_chars("=> "));
            }
            self.bar = Some(bar);
        } else {
            line(&format!("fetching {what} ({})", HumanBytes(total_bytes)));
        }
    }

    fn reached(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes.min(bar.length().unwrap_or(bytes)));
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
