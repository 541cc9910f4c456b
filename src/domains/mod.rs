//! The product, one folder a domain, all of the same shape.
//!
//! A service uses only services of domains earlier in this order; a test holds it:
//! identity < facilities < notifications < patients < documents < chat < compliance < operations.

pub mod chat;
pub mod compliance;
pub mod documents;
pub mod facilities;
pub mod identity;
pub mod notifications;
pub mod operations;
pub mod patients;

use std::sync::Arc;

use crate::app::App;
use crate::jobs::Handlers;

/// Who does which kind of job.
#[must_use]
pub fn job_handlers(_: &Arc<App>) -> Handlers {
    let mut handlers = Handlers::new();
    identity::mail::register_handlers(&mut handlers);
    facilities::mail::register_handlers(&mut handlers);
    notifications::mail::register_handlers(&mut handlers);
    documents::processing::register_handlers(&mut handlers);
    documents::export::register_handlers(&mut handlers);
    chat::search::register_handlers(&mut handlers);
    chat::agents::register_handlers(&mut handlers);
    chat::whatsapp::register_handlers(&mut handlers);
    handlers
}
