//! Operations of the domains, through the API. Mirrors `src/domains`.

mod documents;
mod facilities;
mod identity;
mod patients;
