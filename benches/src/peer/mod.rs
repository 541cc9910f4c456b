//! What the server is measured beside.

pub mod fixed;
pub mod postgraphile;

use std::time::Duration;

use crate::Result;

const TRIES: u32 = 200;
const BETWEEN: Duration = Duration::from_millis(100);

/// Waits until something answers there.
async fn up(url: &str) -> Result<()> {
    for _ in 0..TRIES {
        if reqwest::Client::new().post(url).send().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Err(format!("nothing answers at {url}").into())
}
