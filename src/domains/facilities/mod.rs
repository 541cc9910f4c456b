//! Facilities, who works in them, and who may come to.
//!
//! Invariants: a facility that had an administrator never loses the last one, also not to two transactions at
//! once (every change of members and roles locks the facility's row first, and a trigger looks again at the
//! commit); an active member holds at least one role, and exactly one of them is the primary one; an address has
//! at most one pending invitation to a facility; the token of an invitation is stored as a hash and works once;
//! a membership or a facility that is suspended ends at its next request, not when a token runs out.
//!
//! Knows nothing of patients. Who a user is, and how they sign in, belongs to `identity`.

pub mod graphql;
pub mod loaders;
pub mod mail;
pub mod model;
pub mod policy;
mod repository;
mod sealing;
pub mod service;
#[cfg(test)]
mod tests;
mod validation;
