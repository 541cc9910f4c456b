//! What is searched for and what is found.

use chrono::NaiveDate;

use crate::domains::documents::model::DocumentKind;
use crate::ids::{ChunkId, DocumentId, PatientId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// How documents are searched.
    DocumentSearchMode {
        /// By meaning and by words, the two rankings fused.
        Hybrid = "hybrid",
        /// By meaning: finds what says the same in other words.
        Semantic = "semantic",
        /// By words in their English stems, the rarer the better (BM25).
        Lexical = "lexical",
    }
}

/// A search. Filters that are left out hold for every document.
#[derive(Debug, Clone)]
pub struct Search {
    pub query: Phi<String>,
    pub mode: DocumentSearchMode,
    pub patient: Option<PatientId>,
    /// Empty for all the actor may read.
    pub kinds: Vec<DocumentKind>,
    /// First day of `document_date`.
    pub from: Option<NaiveDate>,
    /// Last day of `document_date`.
    pub to: Option<NaiveDate>,
    /// Empty for all.
    pub authors: Vec<UserId>,
}

/// A stretch of a passage, in Unicode scalar values; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub start: usize,
    pub end: usize,
}

/// A passage found.
#[derive(Debug, Clone)]
pub struct Hit {
    pub chunk: ChunkId,
    pub document: DocumentId,
    /// Fused score; comparable within one search only.
    pub score: f64,
    /// From 1; `None` when it is not among the candidates by meaning.
    pub semantic_rank: Option<i32>,
    /// From 1; `None` when it is not among the candidates by words.
    pub lexical_rank: Option<i32>,
    pub text: Phi<String>,
    /// From 1; `None` for text without pages.
    pub page: Option<i32>,
    /// 0, 1, 2 in the document.
    pub position: i32,
    pub start_char: i32,
    pub end_char: i32,
    /// Words of the passage that the query has too.
    pub highlights: Vec<Stretch>,
}
