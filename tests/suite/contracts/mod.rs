//! Rules that hold for everything, generated over the schema and the catalogue: what a later domain adds
//! falls under them without being asked.

mod access_matrix;
mod audit_coverage;
mod cancellation;
mod catalog;
mod generated;
mod logs;
mod migrations;
mod node;
mod phi_leaks;
mod query_count;
mod request_cost;
mod schema_rs;
mod schema_sdl;
mod taught;
mod tenant_isolation;
mod tidy;

use std::path::PathBuf;

/// Compares a committed file with what it is made from; `UPDATE=1` writes it.
#[track_caller]
pub fn compare_or_update(path: &str, made: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&file, made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = committed.lines().zip(made.lines()).position(|(committed, made)| committed != made);
    let place = differs.unwrap_or_else(|| committed.lines().count().min(made.lines().count()));
    assert!(
        committed == made,
        "{path} is not current: run `UPDATE=1 cargo test --test suite` and commit it.\nLine {} is\n{}\nand should be\n{}",
        place + 1,
        committed.lines().nth(place).unwrap_or("missing"),
        made.lines().nth(place).unwrap_or("missing"),
    );
}
