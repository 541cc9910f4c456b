//! Operations of the domains, through the API. Mirrors `src/domains`.

mod facilities;
mod identity;
mod patients;
