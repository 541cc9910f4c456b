//! The floor of HTTP: an axum handler with a fixed body, in a process of its own.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;
use tokio::process::{Child, Command};

use super::up;
use crate::Result;
use crate::server::free_address;

/// The subcommand that serves it.
pub const STATIC: &str = "static";
const BODY: &str = "{\"data\":{\"__typename\":\"Query\"}}";

/// Serves until it is killed.
///
/// # Errors
/// When the address is in use.
pub async fn serve(address: &str) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(address.parse::<SocketAddr>()?).await?;
    let handler = async || ([("content-type", "application/json")], BODY);
    Ok(axum::serve(listener, Router::new().route("/", post(handler))).await?)
}

/// A running one; it ends with this.
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
        let child =
            Command::new(std::env::current_exe()?).args([STATIC, &address.to_string()]).kill_on_drop(true).spawn()?;
        let url = format!("http://{address}/");
        up(&url).await?;
        Ok(Self { child, url })
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| "the fixed body is gone".into())
    }
}
