//! The child's side of extraction: one file in, one answer out, under limits set by itself.
//!
//! The process reads the file from standard input and writes one answer as JSON to standard output.
//! Before the first byte is read it has given up its right to more memory, to processor time, to open
//! any file or socket, to write to a file and to start processes. It is meant to be killed: nothing it
//! holds is worth saving. Not done here: hiding what the process could already see when it started
//! (the parent passes neither environment nor open files).

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;

use rlimit::Resource;
use serde::{Deserialize, Serialize};

use super::{Extracted, ExtractionError, FileKind, Limits, extract_bytes};

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
}

impl ChildArguments {
    pub(super) fn new(kind: FileKind, limits: &Limits) -> Self {
        Self {
            kind,
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
        let Self { kind, memory_bytes, cpu_seconds, file_bytes, unpacked_bytes, text_bytes, pages } = self;
        vec![
            SUBCOMMAND.to_owned(),
            format!("--kind={kind}"),
            format!("--memory-bytes={memory_bytes}"),
            format!("--cpu-seconds={cpu_seconds}"),
            format!("--file-bytes={file_bytes}"),
            format!("--unpacked-bytes={unpacked_bytes}"),
            format!("--text-bytes={text_bytes}"),
            format!("--pages={pages}"),
        ]
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
    Failed(ExtractionError),
}

/// The whole life of the child process. Call it first thing in `main`, before any thread or runtime is
/// started, and return what it returns: the limits hold for the process from then on.
#[must_use]
pub fn run_child(arguments: &ChildArguments) -> ExitCode {
    // A panic's message may quote the file.
    std::panic::set_hook(Box::new(|_| {}));
    if limit_process(arguments).is_err() {
        return ExitCode::from(EXIT_NOT_STARTED);
    }
    let (kind, limits) = (arguments.kind, arguments.limits());
    let (start, started) = mpsc::channel::<()>();
    let parser = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // Waits until this process may start no more threads.
        started.recv().map_err(|_| ExtractionError::Unavailable)?;
        let content = read_stdin(limits.file_bytes)?;
        extract_bytes(kind, &content, &limits)
    });
    let Ok(parser) = parser else {
        return ExitCode::from(EXIT_NOT_STARTED);
    };
    if forbid_processes().is_err() || start.send(()).is_err() {
        return ExitCode::from(EXIT_NOT_STARTED);
    }
    let answer = match parser.join() {
        Ok(Ok(extracted)) => Answer::Extracted(extracted),
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

/// Limits this process. Soft and hard limits are equal, so they cannot be raised again; for processor
/// time the hard one is a second later, as the soft one tells by its signal what happened.
fn limit_process(arguments: &ChildArguments) -> io::Result<()> {
    // Standard input, output and error are open; no descriptor beyond them can ever be.
    const DESCRIPTORS: u64 = 3;
    let cpu_seconds = arguments.cpu_seconds;
    set(Resource::CORE, 0, 0)?;
    set(Resource::FSIZE, 0, 0)?;
    set(Resource::NOFILE, DESCRIPTORS, DESCRIPTORS)?;
    set(Resource::CPU, cpu_seconds, cpu_seconds.saturating_add(1))?;
    let address_space = set(Resource::AS, arguments.memory_bytes, arguments.memory_bytes);
    if cfg!(target_os = "linux") {
        address_space
    } else {
        // macOS has the limit but not always the means: the wall clock still holds.
        Ok(())
    }
}

/// The limit counts all processes and threads of the account, so zero means: none in addition to those
/// there are. The superuser is exempt from it.
fn forbid_processes() -> io::Result<()> {
    set(Resource::NPROC, 0, 0)
}

/// Lowers a limit; one that is already stricter stays.
fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let (_, hard_now) = resource.get()?;
    resource.set(soft.min(hard_now), hard.min(hard_now))
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
            let written = ChildArguments::new(*kind, &limits);
            let read = CommandLine::try_parse_from(written.to_command_line()).unwrap();
            assert_eq!(read.arguments, written);
            assert_eq!(read.arguments.limits(), limits);
        }
    }
}
