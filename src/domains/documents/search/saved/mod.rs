//! Searches that a user keeps, to be run again.
//!
//! Invariants: a saved search is its owner's alone, by the database's own policy; its name, its words and whom it is
//! about are encrypted; run again, it finds what its owner may read then, not what they could read when it was saved.

mod graphql;
mod repository;
mod service;

pub use graphql::{DocumentSavedSearch, SavedSearchMutation, SavedSearchQuery};
pub use service::saved_search;

use serde::{Deserialize, Serialize};

use super::model::{DocumentSearchMode, Filter, Search};
use crate::error::{Error, Result};
use crate::ids::SavedSearchId;
use crate::phi::Phi;

/// A search with a name.
#[derive(Debug, Clone)]
pub struct SavedSearch {
    pub id: SavedSearchId,
    pub name: Phi<String>,
    pub search: Search,
    pub version: i32,
}

/// What is kept of one, or changed.
#[derive(Debug, Clone)]
pub struct Kept {
    pub name: Phi<String>,
    pub search: Search,
}

/// The encrypted form.
#[derive(Serialize, Deserialize)]
struct Written {
    query: String,
    mode: DocumentSearchMode,
    filter: Filter,
}

fn written(search: &Search) -> Result<Phi<String>> {
    let Search { query, mode, filter } = search.clone();
    Ok(Phi::new(serde_json::to_string(&Written { query: query.into_revealed(), mode, filter })?))
}

fn read(text: &Phi<String>) -> Result<Search> {
    // The parser's own message may quote the text.
    let written: Result<Written, _> = serde_json::from_str(text.reveal());
    let Written { query, mode, filter } = written.map_err(|_| Error::internal("a saved search is not in its form"))?;
    Ok(Search { query: Phi::new(query), mode, filter })
}
