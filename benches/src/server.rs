//! The server under test: a process of its own, as in production.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::Result;
use crate::bed::{Bed, settings};

/// Tries before a server that does not answer is given up.
const TRIES: u32 = 300;
const BETWEEN: Duration = Duration::from_millis(100);

/// A running server; it ends with this.
pub struct Server {
    child: Child,
    pub base: String,
}

impl Server {
    /// Starts one on this database and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(bed: &Bed, database: &str) -> Result<Self> {
        let listen = free_address()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", "--no-worker"])
            .envs(settings(&bed.folder, database, &bed.model))
            .env("ANAMNESIS_LISTEN", listen.to_string())
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Self { child, base: format!("http://{listen}") };
        for _ in 0..TRIES {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended: {status}").into());
            }
            if reqwest::get(format!("{}/health/ready", server.base))
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(server);
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err("the server did not come up".into())
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| "the server has ended".into())
    }
}

/// An address nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
