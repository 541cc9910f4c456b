//! Operations of the domains, through the API. Mirrors `src/domains`.

mod compliance;
mod documents;
mod facilities;
mod identity;
mod operations;
mod patients;
