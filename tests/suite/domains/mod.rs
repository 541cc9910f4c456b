//! Operations of the domains, through the API. Mirrors `src/domains`.

mod chat;
mod compliance;
pub mod documents;
mod facilities;
pub mod identity;
mod notifications;
mod operations;
mod patients;
