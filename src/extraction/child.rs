//! The child's side of extraction: one file in, one answer out, under limits set by itself.
//!
//! The process reads the file from standard input and writes one answer as JSON to standard output.
//! Before the first byte is read it has given up its right to more memory, to processor time, to open
//! any file or socket, to write to a file, to start processes and to become another program. Where the
//! kernel does not permit the filter of system calls that holds the last, the other limits hold still.
//! It is meant to be killed: nothing it holds is worth saving. Not done here: hiding what the process could already see when it started
//! (the parent passes neither environment nor open files).

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use super::{Extracted, ExtractionError, FileKind, Limits, extract_bytes, pdf, sandbox};

/// The name of the hidden subcommand that ends in [`run_child`].
pub const SUBCOMMAND: &str = "extract-child";

/// Stack of the parsing thread. Parsers recurse on nested input; the guard page below the stack turns
/// an overflow into an abort, which is why more is not needed for safety.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The limits could not be set, or the parsing thread not be started: no file was read.
pub(super) const EXIT_NOT_STARTED: u8 = 3;

/// What the child is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ChildArguments {
    /// Kind of the file on standard input.
    #[arg(long)]
    pub kind: FileKind,
    /// Address space, in bytes.
    #[arg(long)]
    pub memory_bytes: u64,
    /// Processor time, in seconds.
    #[arg(long)]
    pub cpu_seconds: u64,
    /// Size of the file, in bytes.
    #[arg(long)]
    pub file_bytes: usize,
    /// Size of what is unpacked, in bytes.
    #[arg(long)]
    pub unpacked_bytes: usize,
    /// Length of the text, in bytes.
    #[arg(long)]
    pub text_bytes: usize,
    /// Number of pages.
    #[arg(long)]
    pub pages: usize,
    /// Instead of the text: the largest picture of this page, from 1; at 0 only how many pages there are.
    #[arg(long)]
    pub picture_of: Option<u32>,
}

impl ChildArguments {
    pub(super) fn new(kind: FileKind, limits: &Limits, picture_of: Option<u32>) -> Self {
        Self {
            kind,
            picture_of,
            memory_bytes: limits.memory_bytes,
            cpu_seconds: limits.cpu_seconds,
            file_bytes: limits.file_bytes,
            unpacked_bytes: limits.unpacked_bytes,
            text_bytes: limits.text_bytes,
            pages: limits.pages,
        }
    }

    /// The command line that clap reads back into the same value.
    pub(super) fn to_command_line(&self) -> Vec<String> {
        let Self { kind, memory_bytes, cpu_seconds, file_bytes, unpacked_bytes, text_bytes, pages, picture_of } = self;
        let mut line = vec![
            SUBCOMMAND.to_owned(),
            format!("--kind={kind}"),
            format!("--memory-bytes={memory_bytes}"),
            format!("--cpu-seconds={cpu_seconds}"),
            format!("--file-bytes={file_bytes}"),
            format!("--unpacked-bytes={unpacked_bytes}"),
            format!("--text-bytes={text_bytes}"),
            format!("--pages={pages}"),
        ];
        line.extend(picture_of.map(|page| format!("--picture-of={page}")));
        line
    }

    fn limits(&self) -> Limits {
        Limits {
            memory_bytes: self.memory_bytes,
            cpu_seconds: self.cpu_seconds,
            file_bytes: self.file_bytes,
            unpacked_bytes: self.unpacked_bytes,
            text_bytes: self.text_bytes,
            pages: self.pages,
            // The parent keeps the clock.
            ..Limits::default()
        }
    }
}

/// What the child writes to standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Extracted(Extracted),
    Scanned(Scan),
    Failed(ExtractionError),
}

/// A page of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scan {
    /// How many pages the file has.
    pub pages: usize,
    /// The largest picture of the page asked for, as PNG or JPEG, in base64; `None` when there is none that can be
    /// taken out.
    pub picture: Option<String>,
}

/// The whole life of the child process. Call it first thing in `main`, before any thread or runtime is
/// started, and return what it returns: the limits hold for the process from then on.
#[must_use]
pub fn run_child(arguments: &ChildArguments) -> ExitCode {
    // A panic's message may quote the file.
    std::panic::set_hook(Box::new(|_| {}));
    // Standard input, output and error are open; no descriptor beyond them can ever be.
    const DESCRIPTORS: u64 = 3;
    if sandbox::limit(arguments.memory_bytes, arguments.cpu_seconds, DESCRIPTORS).is_err() {
        return ExitCode::from(EXIT_NOT_STARTED);
    }
    let (kind, limits, picture_of) = (arguments.kind, arguments.limits(), arguments.picture_of);
    let (start, started) = mpsc::channel::<()>();
    let parser = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // Waits until this process may start no more threads.
        started.recv().map_err(|_| ExtractionError::Unavailable)?;
        let content = read_stdin(limits.file_bytes)?;
        match picture_of {
            Some(page) => pdf::scan(&content, page, &limits).map(Answer::Scanned),
            None => extract_bytes(kind, &content, &limits).map(Answer::Extracted),
        }
    });
    let Ok(parser) = parser else {
        return ExitCode::from(EXIT_NOT_STARTED);
    };
    // Whether or not it is permitted: without descriptors there is no socket either.
    let _ = sandbox::cut_network(true);
    if sandbox::forbid_processes().is_err() || start.send(()).is_err() {
        return ExitCode::from(EXIT_NOT_STARTED);
    }
    let answer = match parser.join() {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::Failed(error),
        // A panic: the parser met something it was not made for.
        Err(_) => Answer::Failed(ExtractionError::Damaged),
    };
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let written = serde_json::to_writer(&mut stdout, &answer).map_err(io::Error::from);
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_stdin(file_bytes: usize) -> Result<Vec<u8>, ExtractionError> {
    let mut content = Vec::new();
    // One byte more than allowed tells "too large" from "just fits".
    let one_more = u64::try_from(file_bytes.saturating_add(1)).unwrap_or(u64::MAX);
    let read = io::stdin().lock().take(one_more).read_to_end(&mut content);
    match read {
        Ok(_) if content.len() > file_bytes => Err(ExtractionError::TooLarge),
        Ok(_) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(ExtractionError::TooMuchMemory),
        Err(_) => Err(ExtractionError::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{ChildArguments, FileKind, Limits};

    #[derive(Debug, clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        arguments: ChildArguments,
    }

    #[test]
    fn the_command_line_reads_back_as_what_was_written() {
        let limits = Limits { pages: 7, text_bytes: 11, ..Limits::default() };
        for kind in FileKind::ALL {
            let written = ChildArguments::new(*kind, &limits, (*kind == FileKind::Pdf).then_some(3));
            let read = CommandLine::try_parse_from(written.to_command_line()).unwrap();
            assert_eq!(read.arguments, written);
            assert_eq!(read.arguments.limits(), limits);
        }
    }
}
