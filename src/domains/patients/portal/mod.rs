//! The portal: patients, and those who act for them, as users of a facility.
//!
//! Invariants: a user sees the charts they are linked to, and of these what is listed here, through types of their own; no
//! other field of the API is open to them. Staff make and take back the link; what was taken back opens nothing from the
//! next request on. A member whose only role is patient is held to it by the database too (`linked` in
//! `src/db/replaceable`); staff who are patients as well see here what they are linked to, and nothing more.

pub mod graphql;
pub mod model;
mod repository;
pub mod service;
