//! Operations of the domains, through the API. Mirrors `src/domains`.

mod identity;
mod patients;
