//! The start-up self-test of vector search.
//!
//! The vector extension is compiled for the processor of whoever built it; on one that lacks an
//! instruction the server process is killed at the first index build. Better to learn that at the
//! start, with a way out, than at the first search. Run once for each build and processor: a marker in
//! the folder of the build remembers it.
//!
//! Invariant: everything happens in one transaction that is rolled back; nothing stays in the database.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::provision::{PostgresDist, hexadecimal};

/// A fraction of a second on any machine that can do it at all.
const SECONDS_MAX: Duration = Duration::from_mins(1);
/// Builds every kind of index the product uses over 200 vectors of length one.
const BUILD: &str = "
BEGIN;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TEMP TABLE self_test ON COMMIT DROP AS
    SELECT i AS id, l2_normalize((
        SELECT array_agg(sin(i * j * 0.37 + j)::real ORDER BY j) FROM generate_series(1, 64) AS j
    )::vector(64))::vector(64) AS v
    FROM generate_series(1, 200) AS i;
CREATE INDEX ON self_test USING hnsw (v vector_l2_ops);
CREATE INDEX ON self_test USING hnsw (v vector_cosine_ops);
CREATE INDEX ON self_test USING hnsw (v vector_ip_ops);
CREATE INDEX ON self_test USING hnsw (v vector_l1_ops);
CREATE INDEX ON self_test USING hnsw ((v::halfvec(64)) halfvec_cosine_ops);
CREATE INDEX ON self_test USING hnsw ((subvector(v, 1, 32)::vector(32)) vector_cosine_ops);
SET LOCAL enable_seqscan = off;
SET LOCAL hnsw.ef_search = 200;
";
/// Each finds the row nearest to row 17, which is row 17 by every measure.
const SEARCHES: [&str; 6] = [
    "v <-> (SELECT v FROM self_test WHERE id = 17)",
    "v <=> (SELECT v FROM self_test WHERE id = 17)",
    "v <#> (SELECT v FROM self_test WHERE id = 17)",
    "v <+> (SELECT v FROM self_test WHERE id = 17)",
    "v::halfvec(64) <=> (SELECT v::halfvec(64) FROM self_test WHERE id = 17)",
    "subvector(v, 1, 32)::vector(32) <=> (SELECT subvector(v, 1, 32)::vector(32) FROM self_test WHERE id = 17)",
];
const EXPECTED: &str = "17";

/// Why the self-test did not pass.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The server process died.
    Crashed,
    /// It answered with an error, wrongly, or not in time.
    Failed(String),
}

/// Whether this build already passed on this processor.
pub(super) fn passed_before(dist: &PostgresDist) -> bool {
    marker(dist).exists()
}

/// Remembers that it did. A build in a folder that cannot be written to is tested at every start.
pub(super) fn remember(dist: &PostgresDist) {
    fs::write(marker(dist), "").ok();
}

/// Runs the self-test over a superuser's connection.
///
/// # Errors
/// The [`Verdict`].
pub(super) async fn run(client: &Client) -> Result<(), Verdict> {
    run_with(client, BUILD).await
}

async fn run_with(client: &Client, build: &str) -> Result<(), Verdict> {
    let work = async {
        client.batch_execute(build).await.map_err(|error| verdict(client, &error))?;
        for search in SEARCHES {
            let sql = format!("SELECT id FROM self_test ORDER BY {search} LIMIT 1");
            let answer = client.simple_query(&sql).await.map_err(|error| verdict(client, &error))?;
            let nearest = answer.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            if nearest != Some(EXPECTED) {
                return Err(Verdict::Failed(format!("a wrong nearest row by {search}")));
            }
        }
        client.batch_execute("ROLLBACK").await.map_err(|error| verdict(client, &error))
    };
    match timeout(SECONDS_MAX, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Verdict::Failed(format!("no answer within {} s", SECONDS_MAX.as_secs()))),
    }
}

/// A lost connection means that the server process died.
fn verdict(client: &Client, error: &tokio_postgres::Error) -> Verdict {
    if client.is_closed() || error.is_closed() || error.code() == Some(&SqlState::CRASH_SHUTDOWN) {
        return Verdict::Crashed;
    }
    match error.as_db_error() {
        Some(fault) => Verdict::Failed(fault.message().to_owned()),
        // Not an answer of the server: the connection broke while it was read.
        None => Verdict::Crashed,
    }
}

fn marker(dist: &PostgresDist) -> PathBuf {
    let mut hasher = Sha256::new();
    hasher.update(&dist.identity);
    hasher.update(processor(Path::new("/proc/cpuinfo")));
    let tag = hexadecimal(&hasher.finalize()[..8]);
    dist.root.join(format!(".self-test-{tag}"))
}

/// What tells one kind of processor from another, as far as the system says it.
fn processor(cpuinfo: &Path) -> String {
    let mut text = format!("{} {}\n", std::env::consts::OS, std::env::consts::ARCH);
    let listed = fs::read_to_string(cpuinfo).unwrap_or_default();
    for key in ["model name", "flags", "CPU implementer", "CPU part", "Features"] {
        text.extend(listed.lines().find(|line| line.starts_with(key)));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_told_apart_by_what_they_can_do() {
        let folder = tempfile::tempdir().unwrap();
        let info = |name: &str, flags: &str| {
            let path = folder.path().join(name);
            let text = format!("processor : 0\nmodel name : X\nflags : {flags}\n\nprocessor : 1\n");
            fs::write(&path, text).unwrap();
            processor(&path)
        };
        assert_eq!(info("a", "avx avx2"), info("b", "avx avx2"));
        assert_ne!(info("a", "avx avx2"), info("c", "avx"));
        assert_ne!(processor(&folder.path().join("none")), info("a", "avx"));
    }
}
