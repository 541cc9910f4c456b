//! Amendment requests: a patient asks that a signed note be corrected (45 CFR 164.526).
//!
//! Whoever takes the request records it, or the patient makes it in the portal; it is due after [`service::DUE_DAYS`] days,
//! put off once by [`service::EXTENSION_DAYS`] at most, with a written reason. It ends accepted, with an addendum that
//! carries the correction, or denied on one of the grounds of the rule, with a written reason that is the patient's to
//! read. The note itself never changes. A decision is not taken back; the patient may ask again. Psychotherapy notes are
//! outside the rule.

pub mod graphql;
pub mod model;
mod repository;
pub mod service;

pub use model::{Amendment, AmendmentDenialGround, AmendmentStatus};
pub(super) use service::{any, make, of_patient};
