//! Search over the passages of documents: by meaning, by words, or by both.
//!
//! Invariants: a search reads one facility and what its actor may read there, by the database's own policies and by
//! the kinds the role is granted; the filters hold before the best are taken, not after; the words of a query reach
//! the model and PostgreSQL's lexer and nothing else: no log, no audit row, no index. A number of statements that
//! does not grow with the page.
//!
//! Knows nothing of how passages came to be.

pub mod ask;
mod asked;
mod fusion;
pub mod graphql;
mod highlight;
pub mod model;
mod negation;
pub mod passage;
mod repository;
mod rerank;
pub mod saved;
pub mod service;
mod statements;
mod synonyms;

use async_graphql::MergedObject;

/// Queries of search and of what is built on it.
#[derive(MergedObject, Default)]
pub struct SearchQuery(graphql::DocumentSearchQuery, saved::SavedSearchQuery, ask::DocumentAskQuery);

pub use asked::Terms;

#[doc(hidden)]
pub use statements::{CORRECTIONS, LEXICAL, LEXICAL_ALL, LEXICAL_NARROW, SEMANTIC, SEMANTIC_ALL, SEMANTIC_NARROW};
