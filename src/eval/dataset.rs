//! Labelled sets: JSON lines, in the spirit of BEIR's corpus, queries and judgements in one file.
//!
//! A line is an object with one key:
//!
//! - `passage`: `{"id", "text"}`, and `"title"` where there is one;
//! - `passages`: `{"file", "id", "text"}`: a file beside this one, JSON lines or one JSON array of objects, with the
//!   name of the field that holds the id and the fields that make the text, in order;
//! - `query`: `{"id", "text", "relevant"}`, and `"group"` where results shall be shown by group. `relevant` gives
//!   passages their grade: 1 touches it, 2 answers it; what is not listed is not relevant.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A passage to be found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    pub id: String,
    #[serde(default)]
    pub title: String,
    pub text: String,
}

/// A query with its judgements.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    pub id: String,
    pub text: String,
    #[serde(default)]
    pub group: String,
    /// Grades by passage, above 0.
    pub relevant: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Include {
    file: String,
    id: String,
    text: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Passage(Passage),
    Passages(Include),
    Query(Query),
}

/// A set, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub passages: Vec<Passage>,
    pub queries: Vec<Query>,
}

/// Which queries are run: a set is tuned on one half and reported on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Half {
    /// All of them.
    #[default]
    Both,
    /// Those whose id hashes to an even number.
    Tune,
    /// Those whose id hashes to an odd number.
    Report,
}

impl Half {
    /// Whether a query belongs to it: by the last bit of the first byte of the id's SHA-256.
    #[must_use]
    pub fn holds(self, id: &str) -> bool {
        let odd = Sha256::digest(id.as_bytes())[0] & 1 == 1;
        match self {
            Self::Both => true,
            Self::Tune => !odd,
            Self::Report => odd,
        }
    }
}

/// What is wrong with a set. Says where, quotes nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    #[error("{file} cannot be read: {reason}")]
    Unreadable { file: String, reason: String },
    #[error("line {line} is not of the format: {reason}")]
    Malformed { line: usize, reason: String },
    #[error("{file}: the object {index} has no text in the field {field:?}")]
    Field { file: String, index: usize, field: String },
    #[error("the id {0:?} is given twice")]
    Twice(String),
    #[error("the query {query:?} names the passage {passage:?}, which is not there")]
    Unknown { query: String, passage: String },
    #[error("the query {0:?} has nothing relevant")]
    Unjudged(String),
    #[error("the set has no passages or no queries")]
    Empty,
}

impl Dataset {
    /// Reads a set.
    ///
    /// # Errors
    /// [`DatasetError`], the first one found.
    pub fn read(file: &Path) -> Result<Self, DatasetError> {
        let text = read(file)?;
        let mut set = Self { passages: Vec::new(), queries: Vec::new() };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let parsed = serde_json::from_str(line)
                .map_err(|error| DatasetError::Malformed { line: index + 1, reason: error.to_string() })?;
            match parsed {
                Line::Passage(passage) => set.passages.push(passage),
                Line::Passages(include) => set.passages.extend(included(file, &include)?),
                Line::Query(query) => set.queries.push(query),
            }
        }
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<(), DatasetError> {
        if self.passages.is_empty() || self.queries.is_empty() {
            return Err(DatasetError::Empty);
        }
        let mut known = HashSet::new();
        let mut asked = HashSet::new();
        for id in self.passages.iter().map(|passage| &passage.id) {
            if !known.insert(id) {
                return Err(DatasetError::Twice(id.clone()));
            }
        }
        for query in &self.queries {
            if !asked.insert(&query.id) {
                return Err(DatasetError::Twice(query.id.clone()));
            }
            if let Some(passage) = query.relevant.keys().find(|passage| !known.contains(passage)) {
                return Err(DatasetError::Unknown { query: query.id.clone(), passage: passage.clone() });
            }
            if query.relevant.values().all(|grade| *grade == 0) {
                return Err(DatasetError::Unjudged(query.id.clone()));
            }
        }
        Ok(())
    }

    /// SHA-256 over all passages, in hexadecimal: an index made of them serves as long as it is the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for passage in &self.passages {
            for part in [&passage.id, &passage.title, &passage.text] {
                hash.update(part.len().to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn read(file: &Path) -> Result<String, DatasetError> {
    std::fs::read_to_string(file)
        .map_err(|error| DatasetError::Unreadable { file: file.display().to_string(), reason: error.to_string() })
}

/// Passages of a file beside the set.
fn included(set: &Path, include: &Include) -> Result<Vec<Passage>, DatasetError> {
    let file = set.parent().unwrap_or(Path::new("")).join(&include.file);
    let text = read(&file)?;
    let unreadable =
        |error: serde_json::Error| DatasetError::Unreadable { file: include.file.clone(), reason: error.to_string() };
    let objects: Vec<Map<String, Value>> = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text).map_err(unreadable)?
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(serde_json::from_str).collect::<Result<_, _>>().map_err(unreadable)?
    };
    let field = |index: usize, object: &Map<String, Value>, name: &String| {
        object.get(name).and_then(Value::as_str).map(ToOwned::to_owned).ok_or_else(|| DatasetError::Field {
            file: include.file.clone(),
            index,
            field: name.clone(),
        })
    };
    objects
        .iter()
        .enumerate()
        .map(|(index, object)| {
            let parts: Result<Vec<String>, _> = include.text.iter().map(|name| field(index, object, name)).collect();
            Ok(Passage { id: field(index, object, &include.id)?, title: String::new(), text: parts?.join("\n\n") })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(lines: &str) -> Result<Dataset, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("more.json"), r#"[{"key": "b", "title": "T", "body": "U"}]"#).unwrap();
        let file = folder.path().join("set.jsonl");
        std::fs::write(&file, lines).unwrap();
        Dataset::read(&file)
    }

    const PASSAGE: &str = r#"{"passage": {"id": "a", "text": "x"}}"#;

    #[test]
    fn passages_come_from_the_file_and_from_files_beside_it() {
        let set = read_lines(&format!(
            "{PASSAGE}\n\n{}\n{}",
            r#"{"passages": {"file": "more.json", "id": "key", "text": ["title", "body"]}}"#,
            r#"{"query": {"id": "q", "text": "?", "relevant": {"a": 1, "b": 2}}}"#
        ))
        .unwrap();
        assert_eq!(set.passages[1], Passage { id: "b".into(), title: String::new(), text: "T\n\nU".into() });
        assert_eq!((set.queries[0].group.as_str(), set.queries[0].relevant["b"]), ("", 2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let faults = [
            ("{}", DatasetError::Malformed { line: 1, reason: "expected value at line 1 column 2".into() }),
            (PASSAGE, DatasetError::Empty),
        ];
        assert!(matches!(read_lines(faults[0].0), Err(DatasetError::Malformed { line: 1, .. })));
        assert_eq!(read_lines(faults[1].0), Err(DatasetError::Empty));
        let with = |query: &str| read_lines(&format!("{PASSAGE}\n{query}"));
        let unknown = with(r#"{"query": {"id": "q", "text": "?", "relevant": {"z": 1}}}"#);
        assert_eq!(unknown, Err(DatasetError::Unknown { query: "q".into(), passage: "z".into() }));
        let unjudged = with(r#"{"query": {"id": "q", "text": "?", "relevant": {"a": 0}}}"#);
        assert_eq!(unjudged, Err(DatasetError::Unjudged("q".into())));
        assert_eq!(with(PASSAGE), Err(DatasetError::Empty));
        let twice = with(&format!("{PASSAGE}\n{}", r#"{"query": {"id": "q", "text": "?", "relevant": {"a": 1}}}"#));
        assert_eq!(twice, Err(DatasetError::Twice("a".into())));
        let field = with(r#"{"passages": {"file": "more.json", "id": "key", "text": ["gone"]}}"#);
        assert_eq!(field, Err(DatasetError::Field { file: "more.json".into(), index: 0, field: "gone".into() }));
    }

    #[test]
    fn every_query_belongs_to_one_half() {
        let ids: Vec<String> = (0..1000).map(|number| format!("q{number}")).collect();
        let tuned = ids.iter().filter(|id| Half::Tune.holds(id)).count();
        let reported = ids.iter().filter(|id| Half::Report.holds(id)).count();
        assert_eq!(tuned + reported, 1000);
        assert_eq!(tuned, 489);
    }
}
