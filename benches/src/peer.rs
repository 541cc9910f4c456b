//! The floor: an axum handler with a fixed body, in a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use tokio::process::{Child, Command};

use crate::Result;
use crate::server::free_address;

/// The subcommand that serves it.
pub const STATIC: &str = "static";
const BODY: &str = "{\"data\":{\"__typename\":\"Query\"}}";
const TRIES: u32 = 100;
const BETWEEN: Duration = Duration::from_millis(50);

/// Serves until it is killed.
///
/// # Errors
/// When the address is in use.
pub async fn serve(address: &str) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(address.parse::<SocketAddr>()?).await?;
    let handler = async || ([("content-type", "application/json")], BODY);
    Ok(axum::serve(listener, Router::new().route("/", post(handler))).await?)
}

/// A running peer; it ends with this.
pub struct Static {
    child: Child,
    pub url: String,
}

impl Static {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start() -> Result<Self> {
        let address = free_address()?;
        let child = Command::new(std::env::current_exe()?)
            .args([STATIC, &address.to_string()])
            .kill_on_drop(true)
            .spawn()?;
        let url = format!("http://{address}/");
        for _ in 0..TRIES {
            if reqwest::Client::new().post(&url).send().await.is_ok() {
                return Ok(Self { child, url });
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err("the peer did not come up".into())
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| "the peer has ended".into())
    }
}
