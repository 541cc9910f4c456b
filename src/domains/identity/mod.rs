//! Logins: accounts, sign-in, sessions, passwords, the second factor.
//!
//! Invariants: a password is kept as an argon2id hash and a token as its SHA-256; a refresh token is good
//! once, and using it twice ends its session; an unknown account is answered, slowed down and worked for
//! exactly as a known one with a wrong password; a failed attempt is on record although it is refused; a
//! one-time code and a recovery code are good once; names and addresses are encrypted under the platform's
//! key, since a login belongs to no facility.
//!
//! What every other domain takes from here: [`service::create_account`], [`service::access_token`],
//! [`service::remember_facility`] and [`loaders::UserLoader`]. Knows nothing of memberships: which facility a
//! user may work in is asked of the database when a token is renewed.

pub mod graphql;
pub mod loaders;
pub mod mail;
pub mod model;
mod password;
pub mod policy;
mod repository;
mod sealing;
mod second_factor;
pub mod service;
#[cfg(test)]
mod tests;
mod throttle;
mod validation;

pub use password::{HashedPassword, Passwords};
