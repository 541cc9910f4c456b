//! The house is in order: sizes, the order of domains, paths named in documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 600;

/// A service may use only services of domains before its own.
const ORDER: &[&str] =
    &["identity", "facilities", "notifications", "patients", "documents", "chat", "compliance", "operations"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(below: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    if root().join(below).is_dir() {
        walk(&root().join(below), &mut found);
    }
    found
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let mut long = Vec::new();
    for file in ["src", "tests", "crates"].iter().flat_map(|below| rust_files(below)) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if lines > MAX_LINES && !file.ends_with("db/schema.rs") {
            long.push(format!("{}: {lines}", file.display()));
        }
    }
    assert!(long.is_empty(), "over {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = ["src", "tests", "crates"]
        .iter()
        .flat_map(|below| rust_files(below))
        .filter(|file| !file.ends_with("db/schema.rs"))
        .filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//!"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without `//!`:\n{}", silent.join("\n"));
}

#[test]
fn domains_use_only_domains_before_them() {
    let mut wrong = Vec::new();
    for (place, domain) in ORDER.iter().enumerate() {
        let later: BTreeSet<_> = ORDER[place + 1..].iter().collect();
        for file in rust_files(&format!("src/domains/{domain}")) {
            // The API is a graph: its types and loaders may meet in any direction.
            if file.components().any(|part| part.as_os_str() == "graphql") || file.ends_with("loaders.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            for other in &later {
                if text.contains(&format!("domains::{other}")) {
                    wrong.push(format!("{} uses {other}", file.display()));
                }
            }
            for other in ORDER.iter().filter(|other| *other != domain) {
                if text.contains(&format!("domains::{other}::repository")) {
                    wrong.push(format!("{} uses the repository of {other}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_domain_has_its_place_in_the_order() {
    let found: BTreeSet<String> = std::fs::read_dir(root().join("src/domains"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let listed: BTreeSet<String> = ORDER.iter().map(|name| (*name).to_owned()).collect();
    assert!(found.is_subset(&listed), "not in the order: {:?}", found.difference(&listed));
}

#[test]
fn paths_named_in_documents_exist() {
    let mut gone = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "migrations/README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for word in text.split(|c: char| c.is_whitespace() || "`()[],;\"'".contains(c)) {
            let path = word.trim_end_matches(['.', ':']);
            let looks_like_ours = ["src/", "tests/", "migrations/", "docs/", "crates/", "demo/", "benches/", "data/"]
                .iter()
                .any(|start| path.starts_with(start));
            if looks_like_ours && !path.contains(['*', '<', '{', '$']) && !root().join(path).exists() {
                gone.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(gone.is_empty(), "named and not there:\n{}", gone.join("\n"));
}
