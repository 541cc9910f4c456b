//! Operations of the domains, through the API. Mirrors `src/domains`.

mod compliance;
pub mod documents;
mod facilities;
mod identity;
mod operations;
mod patients;
