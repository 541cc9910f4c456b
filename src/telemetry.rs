//! Logs, and the allow-list of what may stand in them.
//!
//! A log line carries its message and the fields of [`LOGGABLE`]; any other field is dropped before it is
//! written, whatever code puts it there. Operation documents, variables and responses are never logged.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::error::{Error, Result};

/// Starts logging. A second call in one process does nothing.
///
/// # Errors
/// When the filter is malformed.
pub fn start(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter).map_err(Error::internal)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.compact().try_init(),
    };
    // Only a logger that is there already can refuse.
    drop(started);
    Ok(())
}
