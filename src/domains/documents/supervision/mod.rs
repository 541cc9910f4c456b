//! Supervision: whose notes need a co-signature, and whose.
//!
//! A supervised author's signature leaves a note waiting: its content is final for everyone, by the same trigger as that of
//! a signed one, and it counts as signed when the supervisor has signed too. Who that is, is asked when they sign: a
//! successor signs what waited for the one before, and when nobody supervises the author any more, the author completes it
//! by signing again. Psychotherapy notes need no co-signature: nobody but their author may see them.

pub mod graphql;
pub mod model;
mod repository;
pub mod service;

pub(in crate::domains::documents) use service::supervisor_of;
