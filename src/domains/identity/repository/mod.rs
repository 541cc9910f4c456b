//! SQL of the domain. Named constraints become refusals here and nowhere else.
//!
//! Rows are locked in one order everywhere: throttles, then the token or reset at hand, then the account,
//! then sessions.

pub(super) mod accounts;
pub(super) mod resets;
pub(super) mod second_factor;
pub(super) mod sessions;
pub(super) mod throttles;
