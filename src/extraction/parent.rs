//! The parent's side of extraction: starts a child for one file and judges how it ended.
//!
//! Whatever the child does, the parent spends bounded memory and time on it and gets one
//! [`ExtractionError`] at worst. The answer is believed only within the limits that were set: the child
//! has read untrusted bytes. Standard error is searched for two fixed phrases of the Rust runtime and
//! then thrown away, since it may quote the file.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::child::{Answer, ChildArguments, EXIT_NOT_STARTED, Scan};
use super::tidy::is_tidy;
use super::{Extracted, ExtractionError, FileKind, Limits};

/// How much of the child's standard error is kept to look for the runtime's last words.
const STDERR_BYTES: usize = 8 * 1024;

/// Longest picture taken out of a scan, in bytes.
pub(super) const PICTURE_BYTES: usize = 48 * 1024 * 1024;

/// Runs extractions in child processes.
#[derive(Debug, Clone)]
pub struct Extractor {
    /// The program whose subcommand [`super::CHILD_SUBCOMMAND`] is [`super::run_child`]: this product's
    /// own binary.
    pub program: PathBuf,
    /// What each child may use.
    pub limits: Limits,
}

impl Extractor {
    /// Extracts the text of `content`, whose kind was [sniffed](super::sniff()) before.
    ///
    /// Dropping the future kills the child.
    ///
    /// # Errors
    /// What the reader found, or how the child ended. [`ExtractionError::Unavailable`] when the child
    /// could not be run or `content` could not be read; nothing is known of the file then.
    pub async fn extract<R>(&self, kind: FileKind, content: R) -> Result<Extracted, ExtractionError>
    where
        R: AsyncRead + Unpin,
    {
        if !kind.has_reader() {
            return Err(ExtractionError::Unsupported);
        }
        match self.ask(&ChildArguments::new(kind, &self.limits, None), self.answer_bytes(), content).await? {
            Answer::Extracted(extracted) if self.is_credible(&extracted) => Ok(extracted),
            // The child cannot end well and answer badly unless its parser was subverted.
            Answer::Extracted(_) | Answer::Scanned(_) => Err(ExtractionError::Damaged),
            Answer::Failed(error) => Err(error),
        }
    }

    /// How many pages a PDF has, and the largest picture of one of them, from 1.
    pub(super) async fn scan(&self, content: &[u8], page: u32) -> Result<Scan, ExtractionError> {
        let arguments = ChildArguments::new(FileKind::Pdf, &self.limits, Some(page));
        match self.ask(&arguments, 2 * PICTURE_BYTES, content).await? {
            Answer::Scanned(scan) if scan.pages <= self.limits.pages => Ok(scan),
            Answer::Failed(error) => Err(error),
            Answer::Extracted(_) | Answer::Scanned(_) => Err(ExtractionError::Damaged),
        }
    }

    /// Runs a child on a file and hears what it answers.
    async fn ask<R>(&self, arguments: &ChildArguments, most: usize, content: R) -> Result<Answer, ExtractionError>
    where
        R: AsyncRead + Unpin,
    {
        let mut child = self.spawn(arguments).map_err(|_| ExtractionError::Unavailable)?;
        let fed = AtomicBool::new(false);
        let conversation = converse(&mut child, content, most, &fed);
        let outcome = tokio::time::timeout(self.limits.wall, conversation).await;
        if let Ok(Ok(end)) = outcome {
            let answer = end.answer(ExtractionError::TooMuchText)?;
            return serde_json::from_slice(answer).map_err(|_| ExtractionError::Damaged);
        }
        // Killed and reaped before this returns; a child that is gone already is as good.
        let _ = child.kill().await;
        match outcome {
            // The child reads all of the file before it parses any of it: as long as it has not got
            // it, the time was spent on fetching.
            Err(_) if fed.load(Ordering::Relaxed) => Err(ExtractionError::TookTooLong),
            _ => Err(ExtractionError::Unavailable),
        }
    }

    fn spawn(&self, arguments: &ChildArguments) -> io::Result<Child> {
        Command::new(&self.program)
            .args(arguments.to_command_line())
            .env_clear()
            // glibc reserves 64 MiB of address space for each thread's arena; one arena is enough.
            .env("MALLOC_ARENA_MAX", "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// The longest answer that can be right. In JSON a line feed, tab, quote or backslash takes two
    /// bytes; tidied text has no character that takes more. A page takes some 35 bytes besides.
    fn answer_bytes(&self) -> usize {
        let Limits { text_bytes, pages, .. } = self.limits;
        text_bytes.saturating_mul(2).saturating_add(pages.saturating_mul(64)).saturating_add(4096)
    }

    /// Whether the answer is one that the reader can have given.
    fn is_credible(&self, extracted: &Extracted) -> bool {
        extracted.pages.iter().any(|page| !page.text.is_empty())
            && extracted.pages.iter().all(|page| is_tidy(&page.text))
            && extracted.pages.len() <= self.limits.pages
            && extracted.damaged_pages.len() <= self.limits.pages
            && extracted.text_bytes() <= self.limits.text_bytes
            && extracted.pages.iter().all(|page| page.boxes.is_empty())
    }
}

/// Gives the child the file and hears it out. An error is a fault on this side.
pub(super) async fn converse<R>(child: &mut Child, content: R, most: usize, fed: &AtomicBool) -> io::Result<End>
where
    R: AsyncRead + Unpin,
{
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let (feeding, answer, last_words) = tokio::join!(
        async {
            let result = feed(stdin, content).await;
            fed.store(true, Ordering::Relaxed);
            result
        },
        read_answer(stdout, most),
        read_last_words(stderr),
    );
    feeding?;
    Ok(End { answer: answer?, last_words: last_words?, status: child.wait().await? })
}

/// How a child ended.
pub(super) struct End {
    /// `None` when it was longer than any right answer.
    answer: Option<Vec<u8>>,
    last_words: Vec<u8>,
    status: ExitStatus,
}

impl End {
    /// What the child said, when it ended well; `too_long` when that was longer than it can be.
    pub(super) fn answer(&self, too_long: ExtractionError) -> Result<&[u8], ExtractionError> {
        // First, because a child that is no longer heard may end badly for that reason alone.
        let answer = self.answer.as_deref().ok_or(too_long)?;
        if self.status.success() { Ok(answer) } else { Err(self.cause()) }
    }

    /// Whether the child never got to the file.
    pub(super) fn never_started(&self) -> bool {
        self.status.code() == Some(i32::from(EXIT_NOT_STARTED))
    }

    /// Whether the child's last words hold these.
    pub(super) fn said(&self, words: &[u8]) -> bool {
        self.last_words.windows(words.len()).any(|window| window == words)
    }

    /// Why a child ended badly.
    pub(super) fn cause(&self) -> ExtractionError {
        // Numbers of Linux and macOS, on all processors Rust builds for but MIPS and SPARC.
        const ABORT: i32 = 6;
        const KILL: i32 = 9;
        const CPU_TIME: i32 = 24;
        let said = |words: &[u8]| self.said(words);
        match end_signal(self.status) {
            Some(CPU_TIME) => ExtractionError::TookTooLong,
            // The kernel's last resort when the machine is out of memory.
            Some(KILL) => ExtractionError::TooMuchMemory,
            Some(ABORT) if said(b"has overflowed its stack") => ExtractionError::TooDeep,
            Some(ABORT) if said(b"memory allocation of") => ExtractionError::TooMuchMemory,
            Some(_) => ExtractionError::Damaged,
            // Before the child sets its limits: the loader, or a command line it does not know.
            None => ExtractionError::Unavailable,
        }
    }
}

#[cfg(unix)]
fn end_signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Writes the file to the child. A child that stops listening has its reasons, which its end will
/// tell; an error is one of reading `content`.
async fn feed<R>(mut stdin: ChildStdin, mut content: R) -> io::Result<()>
where
    R: AsyncRead + Unpin,
{
    const CHUNK_BYTES: usize = 64 * 1024;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = content.read(&mut chunk).await?;
        let part = chunk.get(..length).unwrap_or_default();
        if part.is_empty() || stdin.write_all(part).await.is_err() {
            return Ok(());
        }
    }
}

async fn read_answer(stdout: ChildStdout, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut answer = Vec::new();
    let one_more = u64::try_from(most.saturating_add(1)).unwrap_or(u64::MAX);
    stdout.take(one_more).read_to_end(&mut answer).await?;
    Ok((answer.len() <= most).then_some(answer))
}

/// Reads standard error to its end, so that the child never waits on it, and keeps the start.
async fn read_last_words(mut stderr: ChildStderr) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let most = u64::try_from(STDERR_BYTES).unwrap_or(u64::MAX);
    (&mut stderr).take(most).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
    Ok(kept)
}
