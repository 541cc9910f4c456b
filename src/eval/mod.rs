//! Measuring search: a labelled set of passages and queries, run through the product itself.
//!
//! Nothing here has a way of its own to the index: passages are written as notes by a physician of a scratch
//! facility and brought into search by the same jobs as everyone's, and queries go through the same service, under
//! the same unprivileged role and row-level security. What is measured is what is served.

pub mod dataset;
pub mod metrics;
pub mod people;
pub mod scratch;
pub mod search;
