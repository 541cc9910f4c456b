//! Amendment requests: a patient asks that a signed note be corrected (45 CFR 164.526).
//!
//! Whoever takes the request records it; it is due after [`service::DUE_DAYS`] days. It ends accepted, with an addendum that
//! carries the correction, or denied on one of the grounds of the rule, with a written reason that is the patient's to
//! read. The note itself never changes. A decision is not taken back; the patient may ask again. Psychotherapy notes are
//! outside the rule.

pub mod graphql;
pub mod model;
mod repository;
pub mod service;
