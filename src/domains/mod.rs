//! The product, one folder a domain, all of the same shape.
//!
//! A service uses only services of domains earlier in this order; a test holds it:
//! identity < facilities < patients < documents.

pub mod patients;
