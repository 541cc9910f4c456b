//! One integration binary: the harness, the domains, and the contracts that hold for everything.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
#![expect(
    clippy::cloned_ref_to_slice_refs,
    clippy::format_push_string,
    reason = "tests read plainly before they are fast"
)]

mod audit;
mod clients;
mod contracts;
mod crash;
mod demo;
mod doctor;
mod domains;
mod doors;
mod edge;
mod embedded;
mod events;
mod extraction;
mod harness;
mod mail;
mod metrics;
mod mixed_files;
mod readme;
mod scans;
mod telemetry;
