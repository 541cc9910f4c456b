//! A real PostgreSQL, a real server per test, clients that go through the public API.
//!
//! One cluster for the whole run, one database per test cloned from a migrated template; the server under
//! test logs in as the unprivileged role, as in production. Helpers named `db_*` go past the API.

mod app;
mod client;
mod cluster;
pub mod engines;
mod model;
mod relay;
mod subscriber;
mod whatsapp;

pub use app::{TestApp, query_text};
pub use client::{Answer, Client};
pub use cluster::cluster;
pub use model::ChatModel;
pub use relay::Relay;
pub use subscriber::{Frame, Subscriber};
pub use whatsapp::{CloudApi, Outcome, Webhook};
