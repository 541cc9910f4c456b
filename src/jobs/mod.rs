//! Background work: the outbox and its worker.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the worker of this process when a write may have queued something.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    wake: Arc<Notify>,
}

impl Jobs {
    /// Called after each commit.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}
