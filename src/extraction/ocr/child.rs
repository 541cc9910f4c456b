//! The child that limits itself and then becomes the tool.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use super::OcrLimits;
use crate::extraction::child::EXIT_NOT_STARTED;
use crate::extraction::sandbox::{self, Cut};

/// The name of the hidden subcommand that ends in [`run_ocr_child`].
pub const SUBCOMMAND: &str = "ocr-child";

/// Files the tool opens at once: its libraries, one after the other, and its data.
const DESCRIPTORS: u64 = 64;

/// What the child is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct OcrArguments {
    /// Address space, in bytes.
    #[arg(long)]
    pub memory_bytes: u64,
    /// Processor time, in seconds.
    #[arg(long)]
    pub cpu_seconds: u64,
    /// The tool and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub tool: Vec<OsString>,
}

impl OcrArguments {
    /// The command line up to the tool.
    pub(super) fn command_line(limits: &OcrLimits) -> Vec<String> {
        vec![
            SUBCOMMAND.to_owned(),
            format!("--memory-bytes={}", limits.memory_bytes),
            format!("--cpu-seconds={}", limits.cpu_seconds),
            "--".to_owned(),
        ]
    }
}

/// Limits this process and becomes the tool; comes back only when it cannot. Call it first thing in `main`, before any
/// thread or runtime is started.
#[must_use]
pub fn run_ocr_child(arguments: &OcrArguments) -> ExitCode {
    let not_started = ExitCode::from(EXIT_NOT_STARTED);
    let Some((tool, tool_arguments)) = arguments.tool.split_first() else { return not_started };
    if sandbox::limit(arguments.memory_bytes, arguments.cpu_seconds, DESCRIPTORS).is_err()
        || sandbox::forbid_processes().is_err()
    {
        return not_started;
    }
    // Other systems than Linux have no such filter that an ordinary account could use; there the limits must do.
    if sandbox::cut_network(false) == Cut::NotPermitted && cfg!(target_os = "linux") {
        return not_started;
    }
    become_tool(Command::new(tool).args(tool_arguments));
    not_started
}

#[cfg(unix)]
fn become_tool(command: &mut Command) {
    // Comes back only with the reason why it could not.
    let _ = std::os::unix::process::CommandExt::exec(command);
}
