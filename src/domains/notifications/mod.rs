//! What users are told of: in the app at once, and by mail when they were not there to see it.
//!
//! Invariants: a notification is its user's alone; it names an object by its id and says nothing of it, and whether
//! the user may see the object is asked when they look; the same thing again, while unread, is one more time on the
//! same notification. A mail says that there is something and where, never what: it holds no PHI. It waits a little,
//! and is not sent when everything was read meanwhile; quiet hours and the hour of the daily mail are the user's own.
//!
//! Knows nothing of what it tells of: later domains call [`service::tell`] in their own transactions.

pub mod graphql;
pub mod mail;
pub mod model;
pub mod policy;
mod repository;
pub mod service;
#[cfg(test)]
mod tests;
